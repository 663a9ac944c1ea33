"""Histograms of gray levels, drawn with plotext."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from textual.color import Color
from textual.content import Content
from textual.theme import Theme
from textual.widget import Widget

from fext_tui.dataset_facts import Histogram

LEVELS = 256
_LEAST_WIDTH, _LEAST_HEIGHT = 20, 5
_AXIS_COLUMNS = 5
_MARKS = 12
_CUT_ABOVE = 3.0
"""Peaks are cut where they are so many times as high as all but the highest twentieth of the bins."""


@dataclass(frozen=True)
class Curve:
    """One histogram as it is drawn: its name, its color (a theme variable), its shape."""

    name: str
    color: str
    histogram: Histogram
    filled: bool = False


def shares(counts: Sequence[int], most_bins: int) -> tuple[list[float], list[float]]:
    """Return gray levels and the share of pixels in percent a level, over at most ``most_bins`` equal bins."""
    width = next(width for width in (1, 2, 4, 8, 16, 32) if LEVELS // width <= max(most_bins, LEVELS // 32))
    total = sum(counts)
    starts = range(0, LEVELS, width)
    levels = [start + (width - 1) / 2 for start in starts]
    return levels, [100 * sum(counts[start : start + width]) / (total * width) for start in starts]


def top_of(values: Sequence[float]) -> float:
    """Return the highest share to draw, which cuts a peak that would flatten all else."""
    ordered = sorted(values)
    highest, usual = ordered[-1], ordered[int(0.95 * (len(ordered) - 1))]
    return min(highest, _CUT_ABOVE * usual) or highest or 1.0


class HistogramPlot(Widget):
    """Histograms over one axis of gray levels; the share of pixels a level upward, in percent.

    plotext is imported when there is something to draw: the first screen is there 30 ms sooner.
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._curves: tuple[Curve, ...] = ()

    def on_mount(self) -> None:
        """Draw in the colors of each theme."""
        self.app.theme_changed_signal.subscribe(self, self._repaint)

    def _repaint(self, _: Theme) -> None:
        self.refresh()

    def show(self, *curves: Curve) -> None:
        """Draw these histograms."""
        self._curves = curves
        self.refresh()

    def render(self) -> Text:
        """Return the plot for the present size."""
        width, height = self.size
        if not self._curves or width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
            return Text()
        colors = {curve.color: Color.parse(self.app.theme_variables[curve.color]).rgb for curve in self._curves}
        return Text.from_ansi(plot(self._curves, width, height, colors))


def plot(curves: Sequence[Curve], width: int, height: int, colors: Mapping[str, tuple[int, int, int]]) -> str:
    """Return the plot as text with escape codes: ``width`` columns by ``height`` rows."""
    from textual_plotext.plot import Plot

    figure = Plot()
    figure.clear_figure()
    figure._set_size(width, height)
    figure.theme("clear")
    figure.xaxes(True, False)
    figure.yaxes(True, False)
    binned = [shares(curve.histogram.counts, 2 * (width - _AXIS_COLUMNS)) for curve in curves]
    top = top_of([value for _, values in binned for value in values])
    _set_axes(figure, top, height)
    for number, (curve, (levels, values)) in enumerate(zip(curves, binned, strict=True)):
        shown = [min(value, top) for value in values]
        marker = "hd" if curve.filled else "braille"
        figure.plot(levels, shown, marker=marker, color=colors[curve.color], fillx=curve.filled)
        if number:
            every = max(len(levels) // _MARKS, 1)
            figure.scatter(levels[::every], shown[::every], marker="◆", color=colors[curve.color])
    return str(figure.build()).rstrip("\n")


def _set_axes(figure: Any, top: float, height: int) -> None:
    from fext_tui.plotting import nice_ticks

    ticks = nice_ticks(0, top, max(height // 5, 2))
    decimals = max(0, -math.floor(math.log10(ticks[1]))) if len(ticks) > 1 else 1
    figure.ylim(0, top)
    figure.yticks(ticks, [f"{tick:.{decimals}f}%" for tick in ticks])
    figure.xlim(0, LEVELS - 1)
    levels = [0.0, 64.0, 128.0, 192.0, 255.0]
    figure.xticks(levels, [f"{level:.0f}" for level in levels])


def legend(*curves: Curve, room: int) -> Content:
    """Return the names of the curves with their colors, and as many of their figures as there is room for."""
    for detail in (_images_and_mean, _images, _nothing):
        line = Content("   ").join(
            Content.assemble(
                (f"{_mark(curve, index)} ", f"${curve.color}"), (curve.name, "bold"), (detail(curve), "$text-muted")
            )
            for index, curve in enumerate(curves)
        )
        if line.cell_length <= room:
            break
    return line


def _mark(curve: Curve, index: int) -> str:
    return "■" if curve.filled else "◆" if index else "─"


def _images_and_mean(curve: Curve) -> str:
    return f" {curve.histogram.images:,} images, mean level {mean_level(curve.histogram):.0f}"


def _images(curve: Curve) -> str:
    return f" {curve.histogram.images:,}"


def _nothing(_: Curve) -> str:
    return ""


def mean_level(histogram: Histogram) -> float:
    """Return the mean gray level of all pixels."""
    return sum(level * count for level, count in enumerate(histogram.counts)) / sum(histogram.counts)
