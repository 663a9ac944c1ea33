"""Many small histograms in one figure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from engine.files import printable
from engine.plots.style import AXIS, BLUE, DPI, INK, ORANGE, QUIET, head, new_figure, save

_CUT = "#CC79A7"
_BINS = 32
_PANELS_ACROSS = 7
_PANEL, _BARS = (232, 205), (190, 122)
"""Width and height in pixels of a panel, and of the bars in it."""


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
                self._line(_CUT, (x, base), (x, base - _BARS[1]))
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
