"""One picture, as large as its place allows, or a part of it."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.message import Message
from textual.strip import Strip

from engine.errors import FextError
from fext_tui.text import safe
from fext_tui.view import WHOLE, Place, View
from fext_tui.widgets.canvas import Canvas, centered_line, is_wanted

if TYPE_CHECKING:
    from textual.timer import Timer

    from fext_tui.drawing import Drawing
    from fext_tui.pictures import Facts, Pictures

_PATIENCE_S = 0.3
"""How long the last picture stays while the next is read; then a word takes its place."""


class Picture(Canvas):
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

        def __init__(self, path: Path, place: Place, view: View, facts: "Facts", drawing: "Drawing") -> None:
            super().__init__()
            self.path = path
            self.place = place
            self.view = view
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
        self._facts: Facts | None = None
        self._note = ""
        self._view = WHOLE
        self._pictures: Pictures | None = None
        self._patience: Timer | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of the picture is seen, as large as it fits."""
        return self._view.zoom == 1.0

    @property
    def nearer(self) -> float:
        """How many times larger it is drawn than where all of it fits."""
        return self._view.zoom

    def show(self, path: Path | None, note: str = "") -> None:
        """Show a picture, the same part of it as of the one before; or, for None, ``note`` alone."""
        self._path = path
        if path is None:
            self._facts = None
            self.workers.cancel_group(self, "drawing")
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

    # --- Nearer ---------------------------------------------------------------------------------------------

    def zoom(self, steps: int) -> None:
        """Look at it from nearer, or from farther away."""
        if self._facts is not None:
            self._look(self._view.zoomed(steps, self._facts.width, self._facts.height, self._place))

    def fit(self) -> None:
        """Show all of it."""
        self._look(WHOLE)

    def actual(self) -> None:
        """Show its pixels one by one."""
        if self._facts is not None:
            self._look(self._view.actual(self._facts.width, self._facts.height, self._place))

    def pan(self, right: int, down: int) -> None:
        """Look at another part."""
        if self._facts is not None:
            self._look(self._view.panned(right, down, self._facts.width, self._facts.height, self._place))

    def _look(self, view: View) -> None:
        self._view = view if view.zoom != 1.0 else WHOLE
        self.redraw()

    # --- Drawing --------------------------------------------------------------------------------------------

    @property
    def _place(self) -> Place:
        columns, rows = self.content_size
        return Place(columns, rows, self.kind, self.cell)

    def _request(self, path: Path) -> None:
        place, view = self._place, self._view
        if not place.columns or not place.rows:
            return
        if self._patience is None:
            self._patience = self.set_timer(_PATIENCE_S, self._lose_patience)
        self.in_thread(lambda: self._read(path, place, view), place.kind)

    def _lose_patience(self) -> None:
        self._patience = None
        self._put(None, "Reading …")

    def _read(self, path: Path, place: Place, view: View) -> None:
        """Read and draw a picture: on a thread, which touches no widget."""
        from fext_tui.pictures import Pictures

        wanted = is_wanted()
        self._pictures = self._pictures or Pictures()
        try:
            drawn = self._pictures.draw(path, place, wanted, view)
        except FextError as error:
            if wanted():
                self.post_message(self.Failed(path, error.cause))
            return
        if drawn and wanted():
            facts, drawing = drawn
            self.post_message(self.Drawn(path, place, view, facts, self.rendered(drawing)))

    def on_picture_drawn(self, message: Drawn) -> None:
        """Put the picture on the screen, if it is still wanted."""
        message.stop()
        if (message.path, message.place, message.view) == (self._path, self._place, self._view):
            self._facts = message.facts
            self._put(message.drawing)
            self.post_message(self.Shown(message.path, message.facts))

    def on_picture_failed(self, message: Failed) -> None:
        """Say why there is no picture; the message goes on to the screen."""
        if message.path == self._path:
            self._facts = None
            self._put(None, f"This picture cannot be shown: {safe(message.reason)}.")

    def _put(self, drawing: "Drawing | None", note: str = "") -> None:
        if self._patience is not None:
            self._patience.stop()
            self._patience = None
        self._note = note
        if drawing is None:
            self.take_away()
            return
        width, height = self.size
        self.lay("picture", drawing, (width - drawing.columns) // 2, (height - drawing.rows) // 2)

    def under(self, y: int) -> Strip:
        """Return one line of the note, or an empty one."""
        width, height = self.size
        lines = [line for part in self._note.split("\n") for line in textwrap.wrap(part, max(width - 4, 1))]
        row = y - height // 2 + 1
        if not 0 <= row < len(lines):
            return Strip.blank(width, self.rich_style)
        style = self.get_component_rich_style("picture--note")
        return centered_line(lines[row], width, self.rich_style, style)
