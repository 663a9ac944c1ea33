"""Curves as lines of text, drawn with plotext: what is drawn of them, in which range, with which ticks."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from fext_tui.series import Series

Rgb = tuple[int, int, int]

_MARK_COLUMNS = 8
"""Marks are so far apart, or farther where there are fewer points."""

ONE_AT_A_TIME = threading.Lock()
"""plotext keeps some of its state in its modules."""


@dataclass(frozen=True)
class Curve:
    """A series as it is drawn: its color, that of the range of its values, and what marks points of it, if anything."""

    series: Series
    color: Rgb
    dimmed: Rgb
    mark: str = ""


def drawn(curves: Sequence[Curve], width: int, height: int, *, logarithmic: bool = False) -> list[Text]:
    """Return curves, not all of them empty, as ``height`` lines of ``width`` columns; may be called in any thread.

    Where a point stands for several values, the range of them is dimmed; on a logarithmic scale only points are drawn.
    A peak of the first steps that would flatten all else is cut off.
    """
    with ONE_AT_A_TIME:
        return _Drawing(curves, width, height, logarithmic=logarithmic).lines()


class _Drawing:
    def __init__(self, curves: Sequence[Curve], width: int, height: int, *, logarithmic: bool) -> None:
        from textual_plotext.plot import Plot

        self._curves = curves
        self._width, self._height = width, height
        self._logarithmic = logarithmic
        values = [value for one in curves for value in (*one.series.values, *one.series.lows, *one.series.highs)]
        self._low, self._high = limits(list(map(math.log10, values)) if logarithmic else values)
        self._plot = Plot()

    def lines(self) -> list[Text]:
        plot = self._plot
        plot._set_size(self._width, self._height)
        plot.theme("clear")
        plot.xaxes(True, False)
        plot.yaxes(True, False)
        self._set_ticks()
        for curve in self._curves:
            self._add_range(curve)
        for curve in self._curves:
            self._add_line(curve)
        return list(Text.from_ansi(plot.build().rstrip("\n")).split("\n"))

    def _add_range(self, curve: Curve) -> None:
        """Draw from the least to the greatest value of each point, where they are visibly apart."""
        series = curve.series
        lows, highs = self._shown(series.lows), self._shown(series.highs)
        visible = (self._high - self._low) / (4 * self._height)
        if max((high - low for low, high in zip(lows, highs, strict=True)), default=0.0) > visible:
            steps = [step for step in series.steps for _ in range(2)]
            ends = [end for pair in zip(lows, highs, strict=True) for end in pair]
            self._plot.plot(steps, ends, marker="braille", color=curve.dimmed)

    def _add_line(self, curve: Curve) -> None:
        steps, values = curve.series.steps, self._shown(curve.series.values)
        if len(values) > 1:
            self._plot.plot(steps, values, marker="braille", color=curve.color)
        if curve.mark or len(values) == 1:
            apart = slice(None, None, max(-(-len(values) * _MARK_COLUMNS // self._width), 1))
            self._plot.scatter(steps[apart], values[apart], marker=curve.mark or "•", color=curve.color)

    def _shown(self, values: Sequence[float]) -> list[float]:
        scaled = map(math.log10, values) if self._logarithmic else values
        return [min(max(value, self._low), self._high) for value in scaled]

    def _set_ticks(self) -> None:
        plot, series = self._plot, [curve.series for curve in self._curves]
        first = min(one.steps[0] for one in series)
        last = max(one.steps[-1] for one in series)
        most = max(self._height // 4, 2)
        ticks = (logarithmic_ticks if self._logarithmic else nice_ticks)(self._low, self._high, most)
        digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]))) if len(ticks) > 1 else 3
        plot.ylim(self._low, self._high)
        labels = [f"{10**tick:.3g}" if self._logarithmic else f"{tick:.{digits}f}" for tick in ticks]
        room = max(map(len, labels), default=0)
        plot.yticks(ticks, [label.rjust(room) for label in labels])
        end = last if last > first else first + 1
        whole = all(step == int(step) for one in series for step in one.steps)
        steps = [tick for tick in nice_ticks(first, end, max(self._width // 14, 2)) if not whole or tick == int(tick)]
        plot.xlim(first, end)
        plot.xticks(steps, [f"{tick:,.0f}" if tick == int(tick) else f"{tick:g}" for tick in steps])


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
