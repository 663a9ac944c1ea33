"""One picture, as large as its place allows."""

import importlib
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import get_current_worker

from engine.errors import FextError
from fext_tui.graphics import USUAL_CELL, Cell, Kind, cell_size, detect, import_renderables, usable
from fext_tui.text import safe

if TYPE_CHECKING:
    from textual.timer import Timer

    from fext_tui.drawing import Drawing
    from fext_tui.pictures import Facts, Pictures

_PATIENCE_S = 0.3
"""How long the last picture stays while the next is read; then a word takes its place."""


class Picture(Widget):
    """Shows a picture file, centered; reads and draws it on a thread, and only the newest wish counts."""

    class Shown(Message):
        """A picture stands on the screen."""

        def __init__(self, path: Path, facts: "Facts") -> None:
            super().__init__()
            self.path = path
            self.facts = facts

    class Failed(Message):
        """A picture cannot be shown."""

        def __init__(self, path: Path, reason: str) -> None:
            super().__init__()
            self.path = path
            self.reason = reason

    class Drawn(Message):
        """The thread has drawn a picture."""

        def __init__(self, path: Path, facts: "Facts", drawing: "Drawing") -> None:
            super().__init__()
            self.path = path
            self.facts = facts
            self.drawing = drawing

    COMPONENT_CLASSES: ClassVar[set[str]] = {"picture--note"}
    DEFAULT_CSS = """
    Picture { width: 1fr; height: 1fr; }
    Picture > .picture--note { color: $text-muted; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._path: Path | None = None
        self._note = ""
        self._drawing: Drawing | None = None
        self._pictures: Pictures | None = None
        self._patience: Timer | None = None
        self.plain = False

    @property
    def kind(self) -> Kind:
        """How pictures are drawn here."""
        app = self.app
        kind: Kind = "quadrants" if self.plain or app.is_headless else detect(os.environ)
        return usable(
            kind,
            truecolor=app.console.color_system == "truecolor" and not app.no_color,
            colors=not (app.no_color and app.native_ansi_color),
            cell=cell_size(),
        )

    def show(self, path: Path | None, note: str = "") -> None:
        """Show a picture; or, for None, ``note`` alone."""
        self._path = path
        if path is None:
            self.workers.cancel_group(self, "picture")
            self._put(None, note)
        else:
            self._request(path)

    def redraw(self) -> None:
        """Draw the picture anew, where its place or the way of drawing changed."""
        if self._path is not None:
            self._request(self._path)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.redraw()

    def on_unmount(self) -> None:
        """Take the picture out of the terminal's memory."""
        self._send(self._drawing.removal if self._drawing else "")

    def _request(self, path: Path) -> None:
        columns, rows = self.content_size
        if not columns or not rows:
            return
        if self._patience is None:
            self._patience = self.set_timer(_PATIENCE_S, self._lose_patience)
        kind, cell = self.kind, USUAL_CELL if self.app.is_headless else cell_size() or USUAL_CELL
        self.run_worker(
            lambda: self._read(path, columns, rows, kind, cell),
            group="picture",
            exclusive=True,
            thread=True,
            exit_on_error=True,
        )

    def _lose_patience(self) -> None:
        self._patience = None
        self._put(None, "Reading …")

    def _read(self, path: Path, columns: int, rows: int, kind: Kind, cell: Cell) -> None:
        """Read and draw a picture: on a thread, which touches no widget."""
        worker = get_current_worker()
        from fext_tui.pictures import Pictures, Place

        if kind not in {"quadrants", "halves"}:
            importlib.import_module("PIL.Image")
            self.app.call_from_thread(import_renderables)
        self._pictures = self._pictures or Pictures()
        try:
            drawn = self._pictures.draw(path, Place(columns, rows, kind, cell), lambda: not worker.is_cancelled)
        except FextError as error:
            if not worker.is_cancelled:
                self.post_message(self.Failed(path, error.cause))
            return
        if drawn and not worker.is_cancelled:
            for strip in drawn[1].strips:
                strip.render(self.app.console)
            self.post_message(self.Drawn(path, *drawn))

    def on_picture_drawn(self, message: Drawn) -> None:
        """Put the picture on the screen, if it is still wanted."""
        message.stop()
        if message.path == self._path:
            self._put(message.drawing)
            self.post_message(self.Shown(message.path, message.facts))

    def on_picture_failed(self, message: Failed) -> None:
        """Say why there is no picture; the message goes on to the screen."""
        if message.path == self._path:
            self._put(None, f"This picture cannot be shown: {safe(message.reason)}.")

    def _put(self, drawing: "Drawing | None", note: str = "") -> None:
        if self._patience is not None:
            self._patience.stop()
            self._patience = None
        self._send((drawing.upload if drawing else "") + (self._drawing.removal if self._drawing else ""))
        self._drawing, self._note = drawing, note
        self.refresh()

    def _send(self, sequence: str) -> None:
        if sequence and self.app._driver:
            self.app._driver.write(sequence)
            self.app._driver.flush()

    def render_line(self, y: int) -> Strip:
        """Return one line: of the picture, of the note, or empty."""
        width, height = self.size
        blank = self.rich_style
        if self._drawing is None:
            return self._note_line(y - height // 2 + 1, width, blank)
        drawing = self._drawing
        row = y - (height - drawing.rows) // 2
        if not 0 <= row < drawing.rows or drawing.columns > width:
            return Strip.blank(width, blank)
        left = (width - drawing.columns) // 2
        parts = (Strip.blank(left, blank), drawing.strips[row], Strip.blank(width - left - drawing.columns, blank))
        return Strip.join(parts)

    def _note_line(self, row: int, width: int, blank: Style) -> Strip:
        lines = [line for part in self._note.split("\n") for line in textwrap.wrap(part, max(width - 4, 1))]
        if not 0 <= row < len(lines):
            return Strip.blank(width, blank)
        style = blank + self.get_component_rich_style("picture--note")
        return Strip([Segment(lines[row].center(width), style)], width)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines, with the sixels behind the last one: they are drawn when their place has been cleared."""
        strips = super().render_lines(crop)
        drawing = self._drawing
        if drawing and drawing.sixels and self.screen.is_active and strips:
            from fext_tui.drawing import sixel_segments

            region = self.content_region
            column = region.x + (region.width - drawing.columns) // 2
            row = region.y + (region.height - drawing.rows) // 2
            strips[-1] = Strip([*strips[-1], *sixel_segments(drawing.sixels, column, row)], strips[-1].cell_length)
        return strips
