"""What pictures are put on: drawings at their places over lines of text, with what terminal graphics need besides."""

import importlib
import os
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, NamedTuple, cast

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import get_current_worker

from fext_tui.graphics import USUAL_CELL, Cell, Kind, cell_size, detect, import_renderables, usable
from fext_tui.tmux import passed_through

if TYPE_CHECKING:
    from fext_tui.app import FextApp
    from fext_tui.drawing import Drawing


class _Placed(NamedTuple):
    drawing: "Drawing"
    x: int
    y: int


class Canvas(Widget):
    """Holds drawings by a key of their own; subclasses give the lines under them."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._placed: dict[Hashable, _Placed] = {}
        self.plain = False

    @property
    def kind(self) -> Kind:
        """How pictures are drawn here."""
        app = self.fext
        kind: Kind = "quadrants"
        if not (self.plain or app.is_headless):
            kind = detect(os.environ, sixel=app.terminal_answer.sixel, kitty=app.tmux_passes_kitty)
        return usable(
            kind,
            truecolor=app.console.color_system == "truecolor" and not app.no_color,
            colors=not (app.no_color and app.native_ansi_color),
            cell=self._told_cell,
        )

    @property
    def cell(self) -> Cell:
        """The size of a cell in pixels."""
        return USUAL_CELL if self.app.is_headless else self._told_cell or USUAL_CELL

    @property
    def _told_cell(self) -> Cell | None:
        return cell_size() or self.fext.terminal_answer.cell

    @property
    def fext(self) -> "FextApp":
        """The app, as what it is."""
        return cast("FextApp", self.app)

    def redraw(self) -> None:
        """Draw anew, where the place or the way of drawing changed."""
        raise NotImplementedError

    def under(self, y: int) -> Strip:
        """Return the line that lies under the drawings."""
        raise NotImplementedError

    def in_thread(self, work: Callable[[], object], kind: Kind) -> None:
        """Do work that draws, on a thread; what went on before is no longer wanted."""

        def ready() -> None:
            if kind not in {"quadrants", "halves"}:
                importlib.import_module("PIL.Image")
                self.app.call_from_thread(import_renderables)
            work()

        self.run_worker(ready, group="drawing", exclusive=True, thread=True)

    def rendered(self, drawing: "Drawing") -> "Drawing":
        """Return a drawing whose segments have been made escape codes, which they remember: on a thread."""
        for strip in drawing.strips:
            strip.render(self.app.console)
        return drawing

    def lay(self, key: Hashable, drawing: "Drawing", x: int, y: int) -> None:
        """Put a drawing at a place, where another of its key was or none."""
        before = self._placed.get(key)
        self._placed[key] = _Placed(drawing, x, y)
        if before is None or before.drawing is not drawing:
            self._send(drawing.upload + (before.drawing.removal if before else ""))
        self.refresh()

    def take_away(self, keys: Iterable[Hashable] | None = None) -> None:
        """Take drawings away: those of some keys, or all."""
        gone = [self._placed.pop(key) for key in list(self._placed if keys is None else keys) if key in self._placed]
        self._send("".join(placed.drawing.removal for placed in gone))
        self.refresh()

    def on_unmount(self) -> None:
        """Take the pictures out of the terminal's memory."""
        self._send("".join(placed.drawing.removal for placed in self._placed.values()))

    def _send(self, sequence: str) -> None:
        if sequence and self.app._driver:
            self.app._driver.write(passed_through(sequence, os.environ))
            self.app._driver.flush()

    def render_line(self, y: int) -> Strip:
        """Return one line, with its parts of the drawings."""
        strip = self.under(y)
        width = strip.cell_length
        for drawing, x, top in self._placed.values():
            if top <= y < top + drawing.rows and x + drawing.columns <= width:
                parts = strip.crop(0, x), drawing.strips[y - top], strip.crop(x + drawing.columns, width)
                strip = Strip.join(parts)
        return strip

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines, with sixels behind the last one: they are drawn when their place has been cleared."""
        strips = super().render_lines(crop)
        with_sixels = [placed for placed in self._placed.values() if placed.drawing.sixels]
        if with_sixels and self.screen.is_active and strips:
            from fext_tui.drawing import sixel_segments

            region = self.content_region
            segments: list[Segment] = []
            for drawing, x, y in with_sixels:
                if crop.overlaps(Region(x, y, drawing.columns, drawing.rows)):
                    segments += sixel_segments(drawing.sixels, region.x + x, region.y + y)
            strips[-1] = Strip([*strips[-1], *segments], strips[-1].cell_length)
        return strips


def is_wanted() -> Callable[[], bool]:
    """Return what tells whether anybody still waits for the work of this thread."""
    worker = get_current_worker()
    return lambda: not worker.is_cancelled


def centered_line(text: str, width: int, ground: Style, style: Style) -> Strip:
    """Return a text in the middle of a line."""
    return Strip([Segment(text.center(width), ground + style)]).adjust_cell_length(width, ground)
