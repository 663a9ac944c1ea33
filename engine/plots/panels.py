"""Many small histograms in one figure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from engine.files import printable
from engine.plots.style import AXIS, BLUE, COLORS, CUT, DPI, INK, ORANGE, QUIET, head, new_figure, plain, save

_BINS = 32
_PANELS_ACROSS = 7
_PANEL, _BARS = (232, 205), (190, 122)
"""Width and height in pixels of a panel, and of the bars in it."""

_ERRORS, _ERRORS_ACROSS = (300, 250), 4
"""Width and height in pixels of a histogram of errors with its labels, and how many stand in a row."""

_STYLES: tuple[Literal["-", "--", "-.", ":"], ...] = ("-", "--", "-.", ":")
_LINES = tuple(zip(COLORS, _STYLES, strict=True))
"""Color and style of the line of each mean: told apart without colors too."""


@dataclass(frozen=True)
class Panel:
    """A small histogram: one sample of values, or two over one another, with lines at ``cuts`` and a note above it."""

    samples: Sequence[ArrayLike]
    cuts: Sequence[float] = ()
    note: str = ""


def overview_figure(panels: Mapping[str, Panel], path: Path, title: str, subtitle: str = "") -> None:
    """Draw small histograms by title, and write the figure to ``path``.

    Values beyond the middle 99 % stand in the outermost bars; a line marks the median of each sample.

    Raises:
        FextError: the file cannot be written.

    """
    across = min(len(panels), _PANELS_ACROSS)
    down = math.ceil(len(panels) / across)
    figure = new_figure(max(700, 48 + _PANEL[0] * across), 90 + _PANEL[1] * down)
    drawn = _Panels(figure)
    for number, (name, panel) in enumerate(panels.items()):
        corner = 36 + _PANEL[0] * (number % across), 84 + _PANEL[1] * (number // across)
        drawn.add(corner, printable(name), panel)
    drawn.draw()
    head(figure, title, subtitle)
    save(figure, path)


def errors_figure(
    samples: Mapping[str, ArrayLike],
    means: Mapping[str, Mapping[str, float]],
    path: Path,
    title: str,
    subtitle: str = "",
) -> None:
    """Draw histograms of values by title, with lines at means, and write the figure to ``path``.

    ``means`` holds by name (of a network or a baseline; at most four) the mean of each sample. Means that lie farther
    from the values than these are spread stand in figures at the side.

    Raises:
        FextError: the file cannot be written.

    """
    across = min(len(samples), _ERRORS_ACROSS)
    down = math.ceil(len(samples) / across)
    width, height = 48 + _ERRORS[0] * across, 104 + _ERRORS[1] * down
    figure = new_figure(width, height)
    for number, (name, values) in enumerate(samples.items()):
        x, y = 60 + _ERRORS[0] * (number % across), 134 + _ERRORS[1] * (number // across)
        bottom = height - y - _ERRORS[1] + 84
        box = (x / width, bottom / height, (_ERRORS[0] - 60) / width, (_ERRORS[1] - 84) / height)
        axes = figure.add_axes(box, ylabel="" if number % across else "images")
        plain(axes)
        axes.hist(np.asarray(values, np.float64), bins=_BINS, color=AXIS)
        _mean_lines(axes, np.asarray(values, np.float64), {who: mean[name] for who, mean in means.items()})
        axes.set_title(printable(name), loc="left", fontsize=11, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.label.set_color(QUIET)
    names = list(map(printable, means))
    lines = [Line2D([], [], color=color, linestyle=style, linewidth=2) for color, style in _LINES[: len(names)]]
    at = (12 / width, 1 - 68 / height)
    figure.legend(lines, names, loc="upper left", bbox_to_anchor=at, ncols=len(_LINES), frameon=False, labelcolor=INK)
    head(figure, title, subtitle)
    save(figure, path)


def _mean_lines(axes: Axes, values: NDArray[np.float64], means: Mapping[str, float]) -> None:
    """Draw lines at means near values (N,), and write those that lie farther off at the side where they lie."""
    low, high = float(values.min()), float(values.max())
    spread = high - low
    beyond = [0, 0]
    for (color, style), mean in zip(_LINES, means.values(), strict=False):
        if low - spread <= mean <= high + spread:
            axes.axvline(mean, color=color, linestyle=style, linewidth=2)
            continue
        right = mean > high
        text = f"{mean:.3g} ▸" if right else f"◂ {mean:.3g}"
        place = (0.98 if right else 0.02, 0.94 - 0.13 * beyond[right])
        beyond[right] += 1
        align: Literal["right", "left"] = "right" if right else "left"
        axes.text(*place, text, transform=axes.transAxes, color=color, ha=align, va="top", fontsize=9, weight="bold")


class _Panels:
    """Small histograms on one pair of axes that count the pixels of the figure, from the top left.

    Axes of their own for each would take 0.6 s longer to draw for 28 metrics.
    """

    def __init__(self, figure: Figure) -> None:
        width, height = figure.get_figwidth() * DPI, figure.get_figheight() * DPI
        self._axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self._axes.set_axis_off()
        self._areas: list[tuple[str, NDArray[np.float64]]] = []
        self._lines: list[tuple[str, NDArray[np.float64]]] = []

    def add(self, corner: tuple[float, float], name: str, panel: Panel) -> None:
        """Add a panel at a corner (left, top)."""
        left, base = corner[0], corner[1] + 22 + _BARS[1]
        samples = [np.asarray(values, np.float64) for values in panel.samples]
        low, high = (function(edge) for function, edge in zip((min, max), self._edges(samples), strict=True))
        if low == high:
            low, high = low - 0.5, high + 0.5

        def across(value: ArrayLike) -> NDArray[np.float64]:
            return np.asarray(left + _BARS[0] * (np.asarray(value) - low) / (high - low))

        self._line(AXIS, (left, base), (left + _BARS[0], base))
        for color, values in zip((BLUE, ORANGE), samples, strict=False):
            counts, edges = np.histogram(np.clip(values, low, high), bins=_BINS, range=(low, high))
            tops = base - _BARS[1] * np.repeat(counts / counts.max(), 2)
            outline = np.stack([np.repeat(across(edges), 2)[1:-1], tops], axis=1)
            self._areas.append((color, np.concatenate([[[left, base]], outline, [[left + _BARS[0], base]]])))
            middle = float(across(np.median(values)))
            self._line(ORANGE if len(samples) == 1 else color, (middle, base), (middle, base - _BARS[1] - 4))
        for cut in panel.cuts:
            if low <= cut <= high:
                x = float(across(cut))
                self._line(CUT, (x, base), (x, base - _BARS[1]))
        self._text((left, corner[1] + 12), name, 9.5, INK, "left")
        self._text((left + _BARS[0], corner[1] + 12), printable(panel.note), 8, QUIET, "right")
        for tick in MaxNLocator(3).tick_values(low, high):
            if low <= tick <= high:
                x = float(across(tick))
                self._line(AXIS, (x, base), (x, base + 4))
                self._text((x, base + 16), f"{tick:g}", 8, QUIET, "center")

    def _edges(self, samples: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the lower and the upper edges (2, n) of the middle 99 % of the samples."""
        return np.stack([np.percentile(values, (0.5, 99.5)) for values in samples], axis=1)

    def _line(self, color: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._lines.append((color, np.array([start, end])))

    def _text(
        self, at: tuple[float, float], text: str, size: float, color: str, align: Literal["left", "center", "right"]
    ) -> None:
        self._axes.text(*at, text, fontsize=size, color=color, ha=align, va="baseline", parse_math=False)

    def draw(self) -> None:
        """Draw the bars and lines of all panels."""
        fills, areas = zip(*self._areas, strict=True)
        alpha = 0.85 if len(set(fills)) == 1 else 0.5
        self._axes.add_collection(PolyCollection(areas, facecolors=list(fills), alpha=alpha))
        colors, lines = zip(*self._lines, strict=True)
        self._axes.add_collection(LineCollection(lines, colors=list(colors), linewidths=1.3))
