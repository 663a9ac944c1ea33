"""Curves over the steps of a run, drawn with plotext; only lines that changed are painted again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.color import Color
from textual.geometry import Region
from textual_plotext import PlotextPlot

from fext_tui.series import Series

_LEAST_WIDTH, _LEAST_HEIGHT = 16, 5
_DIMMED = 0.7
"""How near the color of a range is to the background."""


@dataclass(frozen=True)
class Line:
    """How one metric is drawn: color (a theme variable), and whether its points are marked."""

    metric: str
    color: str
    marked: bool = False


class CurvePlot(PlotextPlot):
    """A plot of some metrics of one run over its steps.

    Metrics are told apart by marks as well as by color. Where there are more points than columns, a line shows the
    mean of each column's points over the range of their values, dimmed; a peak of the first steps that would flatten
    all else is cut off.
    """

    def __init__(self, *lines: Line, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._lines: Sequence[Line] = lines
        self._logarithmic = False
        self._series: Mapping[str, Series] = {}
        self._drawn: list[Text] = []

    def set_lines(self, lines: Sequence[Line], *, logarithmic: bool) -> None:
        """Draw other lines from now on, and their values, all above zero then, on a logarithmic scale where wanted."""
        self._lines, self._logarithmic = lines, logarithmic

    def show(self, series: Mapping[str, Series]) -> None:
        """Draw these series, and repaint the lines that differ."""
        self._series = series
        if self.size.width < _LEAST_WIDTH or self.size.height < _LEAST_HEIGHT or not self.is_on_screen:
            return
        before, self._drawn = self._drawn, self._draw()
        rows = range(max(len(before), len(self._drawn)))
        changed = [y for y in rows if before[y : y + 1] != self._drawn[y : y + 1]]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def on_resize(self) -> None:
        """Draw for this size."""
        self._drawn = []
        self.show(self._series)

    def on_show(self) -> None:
        """Draw what was heard while hidden."""
        self.show(self._series)

    def render(self) -> Text:
        """Return the plot as it was last drawn."""
        return Text("\n").join(self._drawn)

    def _draw(self) -> list[Text]:
        present = [(line, self._series[line.metric]) for line in self._lines if line.metric in self._series]
        if not present:
            return []
        width, height = self.size
        plot = self.plt
        plot.clear_figure()
        plot._set_size(width, height)
        plot.theme("clear")
        plot.xaxes(True, False)
        plot.yaxes(True, False)
        if self._logarithmic:
            present = [(line, Series(one.steps, [math.log10(value) for value in one.values])) for line, one in present]
        self._set_axes([series for _, series in present])
        thin = [(line, thinned(series, width)) for line, series in present]
        for line, series in thin:
            self._add_range(line, series)
        for line, series in thin:
            self._add_line(line, series)
        return list(Text.from_ansi(plot.build().rstrip("\n")).split("\n"))

    def _add_range(self, line: Line, series: Series) -> None:
        """Draw from the least to the greatest value of each point, where they are visibly apart."""
        visible = (self._high - self._low) / (4 * self.size.height)
        if max(high - low for low, high in zip(series.lows, series.highs, strict=True)) > visible:
            steps = [step for step in series.steps for _ in range(2)]
            ends = [end for pair in zip(series.lows, series.highs, strict=True) for end in pair]
            color = self._color(line.color).blend(self._color("background"), _DIMMED)
            self.plt.plot(steps, self._shown(ends), marker="braille", color=color.rgb)

    def _add_line(self, line: Line, series: Series) -> None:
        color, shown = self._color(line.color).rgb, self._shown(series.values)
        if len(shown) > 1:
            self.plt.plot(series.steps, shown, marker="braille", color=color)
        if line.marked or len(shown) == 1:
            self.plt.scatter(series.steps, shown, marker="◆" if line.marked else "•", color=color)

    def _color(self, name: str) -> Color:
        return Color.parse(self.app.theme_variables[name])

    def _shown(self, values: Sequence[float]) -> list[float]:
        return [min(max(value, self._low), self._high) for value in values]

    def _set_axes(self, series: Sequence[Series]) -> None:
        width, height = self.size
        self._low, self._high = limits([value for one in series for value in (*one.values, *one.lows, *one.highs)])
        first = min(one.steps[0] for one in series)
        last = max(one.steps[-1] for one in series)
        most = max(height // 4, 2)
        ticks = (logarithmic_ticks if self._logarithmic else nice_ticks)(self._low, self._high, most)
        digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]))) if len(ticks) > 1 else 3
        self.plt.ylim(self._low, self._high)
        labels = [f"{10**tick:.3g}" if self._logarithmic else f"{tick:.{digits}f}" for tick in ticks]
        room = max(map(len, labels), default=0)
        self.plt.yticks(ticks, [label.rjust(room) for label in labels])
        end = last if last > first else first + 1
        whole = all(step == int(step) for one in series for step in one.steps)
        steps = [tick for tick in nice_ticks(first, end, max(width // 14, 2)) if not whole or tick == int(tick)]
        self.plt.xlim(first, end)
        self.plt.xticks(steps, [f"{tick:,.0f}" if tick == int(tick) else f"{tick:g}" for tick in steps])


def thinned(series: Series, columns: int) -> Series:
    """Return a series of at most two points a column: the means of so many points that lie side by side."""
    run = -(-len(series.steps) // (2 * columns))
    if run <= 1:
        return series
    parts = [slice(at, at + run) for at in range(0, len(series.steps), run)]
    return Series(
        [_mean(series.steps[part]) for part in parts],
        [_mean(series.values[part]) for part in parts],
        [min(series.lows[part]) for part in parts],
        [max(series.highs[part]) for part in parts],
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def limits(values: Sequence[float]) -> tuple[float, float]:
    """Return the lowest and highest value to draw: the top without a few outliers, and never an empty range."""
    ordered = sorted(value for value in values if math.isfinite(value)) or [0.0, 1.0]
    low, high = ordered[0], ordered[-1]
    usual = ordered[int(0.97 * (len(ordered) - 1))]
    if len(ordered) > 30 and high - low > 2 * (usual - low):
        high = usual
    margin = 0.03 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def logarithmic_ticks(low: float, high: float, most: int) -> list[float]:
    """Return the decimal logarithms of 1, 2 and 5 times powers of ten between two logarithms; of few, finer numbers."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks = [power + math.log10(factor) for power in powers for factor in (1, 2, 5)]
    between = [tick for tick in ticks if low <= tick <= high]
    return between[:: -(-len(between) // (2 * most)) or 1] if len(between) > 1 else nice_ticks(low, high, most)


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most ``most`` + 1 round numbers (1, 2 or 5 times a power of ten apart) between two values."""
    raw = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= 0.75 * raw)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]
