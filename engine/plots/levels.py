"""Histograms of the 256 levels of pixels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from engine.files import printable
from engine.plots.style import BLUE, COLORS, ORANGE, QUIET, head, legend, new_figure, plain, save

_CHANNEL_COLORS = {"gray": QUIET, "red": ORANGE, "green": COLORS[2], "blue": BLUE}
_PEAKS_TOLD = 2


def distribution_figure(channels: Mapping[str, ArrayLike], path: Path, title: str, subtitle: str = "") -> None:
    """Draw histograms of levels (256,) by channel (gray, red, green, blue) as shares of all pixels, into ``path``.

    Raises:
        FextError: the file cannot be written.

    """
    figure = new_figure(1200, 700)
    axes = _axes_over_ramp(figure)
    _fill(axes, channels, [_CHANNEL_COLORS[channel] for channel in channels], filled=1)
    legend(axes, len(channels))
    head(figure, title, subtitle)
    save(figure, path)


def comparison_figure(histograms: Mapping[str, ArrayLike], path: Path, title: str, subtitle: str = "") -> None:
    """Draw histograms of gray levels (256,), by name, over one another, and write the figure to ``path``.

    Raises:
        FextError: the file cannot be written.

    """
    figure = new_figure(1200, 700)
    axes = _axes_over_ramp(figure)
    _fill(axes, histograms, COLORS, filled=len(histograms))
    legend(axes, len(histograms))
    head(figure, title, subtitle)
    save(figure, path)


def _axes_over_ramp(figure: Figure) -> Axes:
    """Return axes for shares over gray levels, with a ramp of the levels below them."""
    axes = figure.add_axes((0.075, 0.165, 0.9, 0.68))
    plain(axes)
    axes.set(xlim=(-0.5, 255.5), xticks=[])
    axes.set_ylabel("share of pixels (%)", color=QUIET)
    ramp = figure.add_axes((0.075, 0.13, 0.9, 0.028))
    ramp.imshow(np.arange(256)[None], cmap="gray", vmin=0, vmax=255, aspect="auto", extent=(-0.5, 255.5, 0, 1))
    ramp.set(yticks=[], xticks=[*range(0, 256, 32), 255])
    ramp.spines[:].set_visible(False)
    ramp.tick_params(colors=QUIET, length=3)
    ramp.set_xlabel("gray level", color=QUIET)
    return axes


def _fill(axes: Axes, histograms: Mapping[str, ArrayLike], colors: Sequence[str], *, filled: int) -> None:
    """Draw shares of pixels, the first ``filled`` as areas.

    Peaks that would flatten all else are cut off, and tell their height.
    """
    shares = {
        name: 100 * np.asarray(counts, np.float64) / max(1, np.sum(counts)) for name, counts in histograms.items()
    }
    top = _upper_limit(np.stack(list(shares.values())))
    for number, (color, (name, values)) in enumerate(zip(colors, shares.items(), strict=False)):
        if number < filled:
            axes.fill_between(np.arange(256), values, step="mid", color=color, alpha=0.25, linewidth=0)
        axes.step(np.arange(256), values, where="mid", color=color, linewidth=1.6, label=printable(name))
        for level in np.argsort(values)[-_PEAKS_TOLD:]:
            if values[level] > top:
                side, shift = ("right", -6) if level > 128 else ("left", 6)
                axes.annotate(
                    f"{values[level]:.1f} %",
                    (level, top),
                    (shift, -14),
                    textcoords="offset points",
                    ha=side,
                    color=color,
                    fontsize=9.5,
                    annotation_clip=False,
                )
    axes.set_ylim(0, top)


def _upper_limit(shares: NDArray[np.float64]) -> float:
    """Return the top of the axis for shares (n, 256): all of them, or three times what 97 % of the levels reach."""
    usual, highest = float(np.quantile(shares, 0.97)), float(shares.max())
    return 1.08 * (highest or 1) if highest <= 4 * usual or not usual else 3 * usual
