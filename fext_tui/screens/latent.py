"""The latent of a checkpoint: images along the principal components of their vectors, drawn as text."""

from pathlib import Path
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from fext_tui.keys import key_hints
from fext_tui.latent import Group, Points, groups_of, legend, plot, read_points, turned
from fext_tui.screens.base import WorkingDialog

_LEAST = (20, 6)
_TURN = 15.0
_KEYS = ("latent.dimensions", "v 2-D or 3-D"), ("latent.left", "h left"), ("latent.right", "l right")


class ScatterPlot(Widget):
    """Points as a plot of text."""

    def __init__(self) -> None:
        super().__init__(id="latent-plot")
        self._places: list[tuple[float, float]] = []
        self._groups: list[Group] = []

    def show(self, places: list[tuple[float, float]], groups: list[Group]) -> None:
        """Draw these points."""
        self._places, self._groups = places, groups
        self.refresh()

    def render(self) -> Text:
        """Return the plot for the present size."""
        width, height = self.size
        if not self._places or width < _LEAST[0] or height < _LEAST[1]:
            return Text()
        return Text.from_ansi(plot(self._places, self._groups, width, height))


class LatentScreen(WorkingDialog[None]):
    """Shows where images lie in the latent."""

    CLOSES_ON_FAILURE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Back", id="latent.back"),
        Binding("v", "dimensions", "2-D or 3-D", id="latent.dimensions"),
        Binding("h,left", "turn(-1)", "Turn left", id="latent.left"),
        Binding("l,right", "turn(1)", "Turn right", id="latent.right"),
        Binding("c", "color", "Color", id="latent.color", tooltip="Color by label or by PSNR"),
    ]

    class Read(Message):
        """A thread has read the points."""

        def __init__(self, points: Points) -> None:
            super().__init__()
            self.points = points

    def __init__(self, title: str, path: Path) -> None:
        super().__init__()
        self._heading = title
        self._path = path
        self._points: Points | None = None
        self._degrees: float | None = None
        self._by_label = True

    def compose(self) -> ComposeResult:
        """Give heading, plot, legend."""
        with Vertical(classes="dialog latent"):
            yield Static(Content(self._heading), id="latent-title", classes="dialog-title")
            yield ScatterPlot()
            yield Static(id="latent-legend")
            yield Static(id="latent-keys", classes="dialog-keys")

    def on_mount(self) -> None:
        """Read the points."""
        self.in_thread(lambda: self.Read(read_points(self._path)), "points")

    @on(Read)
    def _take(self, message: Read) -> None:
        self._points = message.points
        self._by_label = any(message.points.labels)
        self._draw()

    def _draw(self) -> None:
        points = self._points
        if points is None:
            return
        groups = groups_of(points, by_label=self._by_label)
        flat = [(x, y) for x, y, _ in points.places]
        places = flat if self._degrees is None else turned(points.places, self._degrees)
        self.query_one(ScatterPlot).show(places, groups)
        told = Text("   ").join(Text(name, Style(color=f"rgb{color}")) for name, color in legend(groups).items())
        self.query_one("#latent-legend", Static).update(told)
        axes = "PC 1 across, PC 2 upward" if self._degrees is None else f"PC 3 upward, turned by {self._degrees:g}°"
        title = Content.assemble(self._heading, (f"   {len(points.psnr):,} images, {axes}", "$text-muted"))
        self.query_one("#latent-title", Static).update(title)
        other = f"c color by {'PSNR' if self._by_label else 'label'}"
        color = [("latent.color", other)] if any(points.labels) else []
        self.query_one("#latent-keys", Static).update(key_hints(self, *_KEYS, *color, ("latent.back", "esc back")))

    def action_dimensions(self) -> None:
        """Change between two dimensions and three."""
        self._degrees = 30.0 if self._degrees is None else None
        self._draw()

    def action_turn(self, way: int) -> None:
        """Turn the points about the upright axis."""
        self._degrees = ((self._degrees if self._degrees is not None else 30.0) + way * _TURN) % 360
        self._draw()

    def action_color(self) -> None:
        """Color by PSNR, or by label where there are any."""
        if self._points is not None:
            self._by_label = not self._by_label and any(self._points.labels)
            self._draw()
