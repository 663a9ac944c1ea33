"""A picture beside what a network makes of it, and a map of the error."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.message import Message
from textual.strip import Strip

from engine.errors import FextError
from fext_tui.text import cause_of, safe, shortened
from fext_tui.view import Place
from fext_tui.widgets.canvas import Canvas, centered_line, is_wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.inference import Inference, Reconstruction
    from fext_tui.drawing import Drawing

_GAP = 2
_BELOW = 3
"""Lines below the pictures: what each is, an empty one, and the figures."""


class Wish(NamedTuple):
    """Which picture is to stand beside its reconstruction by which checkpoint, and where."""

    path: Path
    checkpoint: str
    place: Place


class SideBySide(Canvas):
    """Asks the inference for a reconstruction and draws it, on a thread; only the newest wish counts."""

    class Drawn(Message):
        """The thread has drawn a picture, its reconstruction and the error; or says why it cannot."""

        def __init__(
            self, wish: Wish, drawings: "tuple[Drawing, ...]", found: "Reconstruction | None", problem: str = ""
        ) -> None:
            super().__init__()
            self.wish = wish
            self.drawings = drawings
            self.found = found
            self.problem = problem

    COMPONENT_CLASSES: ClassVar[set[str]] = {"side-by-side--note", "side-by-side--figures"}
    DEFAULT_CSS = """
    SideBySide { width: 1fr; height: 1fr; }
    SideBySide > .side-by-side--note { color: $text-muted; }
    SideBySide > .side-by-side--figures { color: $foreground; }
    """

    def __init__(self, inference: "Callable[[], Inference]", *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._inference = inference
        self._wanted: tuple[Path, str] | None = None
        self._titles: tuple[str, ...] = ()
        self._figures = ""
        self._note = ""
        self._below = 0

    def show(self, path: Path | None, checkpoint: str, note: str = "") -> None:
        """Show a picture beside its reconstruction; or, for None, ``note`` alone."""
        self._wanted = (path, checkpoint) if path is not None else None
        if path is None:
            self.workers.cancel_group(self, "drawing")
            self._put_note(note)
        else:
            self.redraw()

    def redraw(self) -> None:
        """Draw it anew, where its place or the way of drawing changed."""
        wish = self._wish
        if wish is None:
            return
        if not self._placed:
            self._put_note(f"{safe(wish.checkpoint)} reconstructs the picture …")
        inference = self._inference()
        self.in_thread(lambda: self._read(inference, wish), wish.place.kind)

    @property
    def _wish(self) -> Wish | None:
        """What is wanted now; None where nothing is, or there is no room."""
        columns, rows = self.content_size
        if self._wanted is None or not self.content_size.area:
            return None
        room = max((columns - 2 * _GAP) // 3, 1), max(rows - _BELOW, 1)
        return Wish(*self._wanted, Place(*room, self.kind, self.cell))

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.redraw()

    def _read(self, inference: "Inference", wish: Wish) -> None:
        """Reconstruct and draw: on a thread, which touches no widget."""
        from engine.inference import error_map
        from fext_tui.pictures import draw_pixels

        wanted = is_wanted()
        try:
            found = inference.reconstruct(wish.checkpoint, wish.path, wanted)
        except (FextError, OSError) as error:
            if wanted():
                self.post_message(self.Drawn(wish, (), None, "\n".join(cause_of(error))))
            return
        if found is not None and wanted():
            pictures = found.original, found.restored, error_map(found)
            drawings = tuple(self.rendered(draw_pixels(pixels, wish.place)) for pixels in pictures)
            self.post_message(self.Drawn(wish, drawings, found))

    def on_side_by_side_drawn(self, message: Drawn) -> None:
        """Put it on the screen, if it is still wanted."""
        message.stop()
        if message.wish != self._wish:
            return
        if message.found is None:
            self._put_note(message.problem)
            return
        found, place = message.found, message.wish.place
        height, width = found.original.shape[:2]
        self._note = ""
        self._titles = (f"original, {width} × {height}", "reconstruction", f"error, 0 to {found.error_limit:.2g}")
        self._figures = (
            f"{safe(found.checkpoint)} on {safe(found.device)}   "
            f"MAE {found.mae:.4f}   PSNR {found.psnr:.2f} dB   SSIM {found.ssim:.4f}"
        )
        for number, drawing in enumerate(message.drawings):
            x = number * (place.columns + _GAP) + (place.columns - drawing.columns) // 2
            top = (place.rows - drawing.rows) // 2
            self._below = top + drawing.rows
            self.lay(number, drawing, x, top)

    def _put_note(self, note: str) -> None:
        self._note, self._titles, self._figures = note, (), ""
        self.take_away()

    def under(self, y: int) -> Strip:
        """Return one line: of the note, of what the pictures are, or of the figures."""
        width, height = self.size
        ground = self.rich_style
        style = self.get_component_rich_style("side-by-side--note", partial=True)
        if self._note:
            lines = self._note.split("\n")
            row = y - height // 2 + 1
            return centered_line(shortened(lines[row] if 0 <= row < len(lines) else "", width), width, ground, style)
        if self._titles and y == self._below:
            column = (width - 2 * _GAP) // 3
            titles = (shortened(title, column).center(column + _GAP) for title in self._titles)
            return centered_line("".join(titles).rstrip(), width, ground, style)
        if self._figures and y == self._below + _BELOW - 1:
            figures = self.get_component_rich_style("side-by-side--figures", partial=True)
            return centered_line(shortened(self._figures, width), width, ground, figures)
        return Strip.blank(width, ground)
