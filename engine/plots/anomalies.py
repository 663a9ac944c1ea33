"""How unusual images are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from engine.files import printable
from engine.plots.style import COLORS, CUT, DPI, INK, QUIET, head, label, new_figure, plain, save

_BINS = 32
_WIDEST = 4
"""Values beyond this many thresholds stand in the last bar."""


@dataclass(frozen=True)
class ScorePanel:
    """Values of one score, none below 0, by the name of the set of images, and the threshold."""

    samples: Mapping[str, ArrayLike]
    threshold: float
    unit: str


def scores_figure(panels: Mapping[str, ScorePanel], path: Path, title: str, subtitle: str = "") -> None:
    """Draw a histogram of each score by its title, as shares of each set of images, and write the figure to ``path``.

    Raises:
        FextError: the file cannot be written.

    """
    figure = new_figure(470 * len(panels) + 40, 560)
    width = figure.get_figwidth() * DPI
    for number, (name, panel) in enumerate(panels.items()):
        axes = figure.add_axes(((80 + 470 * number) / width, 0.12, 400 / width, 0.62))
        _histogram(axes, panel)
        axes.set_title(printable(name), loc="left", fontsize=12, color=INK, pad=10)
        label(axes, panel.unit, "" if number else "share of images (%)")
        if not number:
            handles, names = axes.get_legend_handles_labels()
            figure.legend(
                handles, names, frameon=False, loc="upper right", bbox_to_anchor=(1, 0.985), ncols=4, labelcolor=INK
            )
    head(figure, title, subtitle)
    save(figure, path)


def _histogram(axes: Axes, panel: ScorePanel) -> None:
    samples = {name: np.asarray(values, np.float64) for name, values in panel.samples.items()}
    every = np.concatenate(list(samples.values()))
    low, high = float(every.min()), float(every.max())
    if panel.threshold > 0:
        high = min(high, _WIDEST * panel.threshold)
    high = max(high, panel.threshold)
    room = 0.02 * (high - low) or max(abs(low), 1e-6)
    edges = np.linspace(max(0.0, low - room), high + room, _BINS + 1)
    plain(axes)
    for color, (name, values) in zip(COLORS, samples.items(), strict=False):
        counts, _ = np.histogram(np.minimum(values, high), edges)
        shares = 100 * counts / max(1, len(values))
        axes.stairs(shares, edges, fill=True, color=color, alpha=0.22)
        axes.stairs(shares, edges, color=color, linewidth=1.6, label=f"{printable(name)} ({len(values):,})")
    axes.axvline(panel.threshold, color=CUT, linewidth=1.6, label="threshold", clip_on=False)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None))
    beyond = int((every > high).sum())
    if beyond:
        axes.text(
            0.99, 0.97, f"last bar: {beyond:,} beyond", transform=axes.transAxes, ha="right", va="top", color=QUIET,
            fontsize=9,
        )  # fmt: skip
