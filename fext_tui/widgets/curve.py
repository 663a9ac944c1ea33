"""A plot of curves, drawn in a thread; only lines that changed are painted again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.color import Color
from textual.geometry import Region
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from fext_tui.plotting import Curve, drawn, thinned
from fext_tui.series import Series

_LEAST_WIDTH, _LEAST_HEIGHT = 16, 5
_DIMMED = 0.7
"""How near the color of a range is to the background."""


@dataclass(frozen=True)
class Line:
    """How one metric is drawn: its color (a theme variable), and what marks points of it, if anything."""

    metric: str
    color: str
    mark: str = ""


class PlotDrawn(Message):
    """The curves were drawn."""

    def __init__(self, lines: list[Text]) -> None:
        super().__init__()
        self.lines = lines


class CurvePlot(Widget):
    """A plot of some metrics of one run over its steps.

    Metrics are told apart by marks as well as by color. Where there are more points than columns, a line shows the
    mean of each column's points over the range of their values. Drawing takes longer than a key may wait to be
    answered, and is done in a thread.
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
        width, height = self.size
        if width < _LEAST_WIDTH or height < _LEAST_HEIGHT or not self.is_on_screen:
            return
        background = self._color("background")
        curves = []
        for line in self._lines:
            if series.get(line.metric, Series()).steps:
                color = self._color(line.color)
                dimmed = color.blend(background, _DIMMED)
                curves.append(Curve(thinned(series[line.metric], width), color.rgb, dimmed.rgb, line.mark))
        logarithmic = self._logarithmic

        def draw() -> None:
            worker = get_current_worker()
            lines = drawn(curves, width, height, logarithmic=logarithmic) if curves else []
            if not worker.is_cancelled:
                self.post_message(PlotDrawn(lines))

        self.run_worker(draw, group="draw", exclusive=True, thread=True)

    @on(PlotDrawn)
    def _show_lines(self, message: PlotDrawn) -> None:
        before, self._drawn = self._drawn, message.lines
        rows = range(max(len(before), len(self._drawn)))
        changed = [y for y in rows if before[y : y + 1] != self._drawn[y : y + 1]]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def on_resize(self) -> None:
        """Draw for this size."""
        self.show(self._series)

    def on_show(self) -> None:
        """Draw what was heard while hidden."""
        self.show(self._series)

    def render(self) -> Text:
        """Return the plot as it was last drawn."""
        return Text("\n").join(self._drawn)

    def _color(self, name: str) -> Color:
        return Color.parse(self.app.theme_variables[name])
