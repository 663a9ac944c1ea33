"""Histograms, drawn with plotext."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from textual.color import Color
from textual.content import Content
from textual.theme import Theme
from textual.widget import Widget

from fext_tui.dataset_facts import LEVELS, Histogram
from fext_tui.measures import figure
from fext_tui.plotting import ONE_AT_A_TIME

_LEAST_WIDTH, _LEAST_HEIGHT = 20, 5
_AXIS_COLUMNS = 5
_LEVEL_TICKS = [0.0, 64.0, 128.0, 192.0, 255.0]
_MARK, _MARK_COLOR = "┃", "warning"
_MARKS = 12
_CUT_ABOVE = 3.0
"""Peaks are cut where they are so many times as high as all but the highest twentieth of the bins."""


@dataclass(frozen=True)
class Curve:
    """One histogram as it is drawn: its name, its color (a theme variable), its shape.

    All that are drawn over one another have the same bins.
    """

    name: str
    color: str
    histogram: Histogram
    filled: bool = False


def shares(histogram: Histogram, most_bins: int) -> tuple[list[float], list[float]]:
    """Return values, and the share of all in percent a bin, over at most ``most_bins`` equal groups of bins."""
    counts, bins = histogram.counts, len(histogram.counts)
    width = next(width for width in (1, 2, 4, 8, 16, 32) if bins // width <= max(most_bins, bins // 32))
    total = sum(counts)
    starts = range(0, bins, width)
    step = (histogram.high - histogram.low) / (bins - 1)
    values = [histogram.low + step * (start + (width - 1) / 2) for start in starts]
    return values, [100 * sum(counts[start : start + width]) / (total * width) for start in starts]


def top_of(values: Sequence[float]) -> float:
    """Return the highest share to draw, which cuts a peak that would flatten all else."""
    ordered = sorted(values)
    highest, usual = ordered[-1], ordered[int(0.95 * (len(ordered) - 1))]
    return min(highest, _CUT_ABOVE * usual) or highest or 1.0


class HistogramPlot(Widget):
    """Histograms over one axis of values; the share of pixels or images a bin upward, in percent.

    plotext is imported when there is something to draw: the first screen is there 30 ms sooner.
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._curves: tuple[Curve, ...] = ()
        self._marks: tuple[float, ...] = ()

    def on_mount(self) -> None:
        """Draw in the colors of each theme."""
        self.app.theme_changed_signal.subscribe(self, self._repaint)

    def _repaint(self, _: Theme) -> None:
        self.refresh()

    def show(self, *curves: Curve, marks: Sequence[float] = ()) -> None:
        """Draw these histograms, and upright lines at the values ``marks``."""
        self._curves, self._marks = curves, tuple(marks)
        self.refresh()

    def render(self) -> Text:
        """Return the plot for the present size."""
        width, height = self.size
        if not self._curves or width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
            return Text()
        names = {_MARK_COLOR, *(curve.color for curve in self._curves)}
        colors = {name: Color.parse(self.app.theme_variables[name]).rgb for name in names}
        return Text.from_ansi(plot(self._curves, self._marks, width, height, colors))


def plot(
    curves: Sequence[Curve], marks: Sequence[float], width: int, height: int, colors: Mapping[str, tuple[int, int, int]]
) -> str:
    """Return the plot as text with escape codes: ``width`` columns by ``height`` rows."""
    from textual_plotext.plot import Plot

    with ONE_AT_A_TIME:
        drawing = Plot()
        drawing.clear_figure()
        drawing._set_size(width, height)
        drawing.theme("clear")
        drawing.xaxes(True, False)
        drawing.yaxes(True, False)
        binned = [shares(curve.histogram, 2 * (width - _AXIS_COLUMNS)) for curve in curves]
        top = top_of([value for _, values in binned for value in values])
        _set_axes(drawing, curves[0].histogram, top, (width, height))
        for number, (curve, (levels, values)) in enumerate(zip(curves, binned, strict=True)):
            shown = [min(value, top) for value in values]
            marker = "hd" if curve.filled else "braille"
            drawing.plot(levels, shown, marker=marker, color=colors[curve.color], fillx=curve.filled)
            if number:
                every = max(len(levels) // _MARKS, 1)
                drawing.scatter(levels[::every], shown[::every], marker="◆", color=colors[curve.color])
        heights = [top * (row + 0.5) / height for row in range(height)]
        for mark in marks:
            drawing.scatter([mark] * height, heights, marker=_MARK, color=colors[_MARK_COLOR])
        return str(drawing.build()).rstrip("\n")


def _set_axes(drawing: Any, histogram: Histogram, top: float, size: tuple[int, int]) -> None:
    from fext_tui.plotting import nice_ticks

    ticks = nice_ticks(0, top, max(size[1] // 5, 2))
    decimals = max(0, -math.floor(math.log10(ticks[1]))) if len(ticks) > 1 else 1
    drawing.ylim(0, top)
    drawing.yticks(ticks, [f"{tick:.{decimals}f}%" for tick in ticks])
    is_levels = (histogram.low, histogram.high) == (0, LEVELS - 1)
    half = 0 if is_levels else (histogram.high - histogram.low) / (len(histogram.counts) - 1) / 2
    low, high = histogram.low - half, histogram.high + half
    drawing.xlim(low, high)
    across = _LEVEL_TICKS if is_levels else nice_ticks(low, high, max(size[0] // 12, 2))
    drawing.xticks(across, [f"{tick:g}" for tick in across])


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
    return f" {curve.histogram.images:,} images, mean {figure(mean_of(curve.histogram))}"


def _images(curve: Curve) -> str:
    return f" {curve.histogram.images:,}"


def _nothing(_: Curve) -> str:
    return ""


def mean_of(histogram: Histogram) -> float:
    """Return the mean of all values."""
    if histogram.mean is not None:
        return histogram.mean
    step = (histogram.high - histogram.low) / (len(histogram.counts) - 1)
    total = sum(number * count for number, count in enumerate(histogram.counts))
    return histogram.low + step * total / sum(histogram.counts)
