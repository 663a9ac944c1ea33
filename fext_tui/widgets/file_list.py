"""A list of file names of any length: only the lines in view are made."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fext_tui.text import safe, shortened

MARK = "*"


class FileList(ScrollView, can_focus=False):
    """File names, one a line, with a cursor that the screen moves by its own keys."""

    class Moved(Message):
        """The cursor stands on another name; None where the list is empty."""

        def __init__(self, name: str | None) -> None:
            super().__init__()
            self.name = name

    COMPONENT_CLASSES: ClassVar[set[str]] = {"file-list--cursor", "file-list--folder"}
    DEFAULT_CSS = """
    FileList { scrollbar-size-vertical: 1; overflow-x: hidden; }
    FileList > .file-list--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
    FileList > .file-list--folder { color: $text-muted; }
    """

    cursor: reactive[int] = reactive(0)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._names: Sequence[str] = ()
        self._is_marked: Callable[[str], bool] = lambda _: False

    def show_marks(self, is_marked: Callable[[str], bool]) -> None:
        """Show which names are marked."""
        self._is_marked = is_marked
        self.refresh()

    @property
    def names(self) -> Sequence[str]:
        """The names in the list."""
        return self._names

    @property
    def current(self) -> str | None:
        """The name under the cursor; None where the list is empty."""
        return self._names[self.cursor] if self._names else None

    def set_names(self, names: Sequence[str], cursor: int = 0) -> None:
        """Put other names into the list, with the cursor on one of them."""
        before = self.current
        self._names = names
        self.virtual_size = Size(1, len(names))
        self.set_reactive(FileList.cursor, self.validate_cursor(cursor))
        self._show_cursor()
        self.refresh()
        if self.current != before:
            self.post_message(self.Moved(self.current))

    def move(self, steps: int) -> None:
        """Move the cursor by so many names, at most to either end."""
        self.cursor = self.cursor + steps

    @property
    def page(self) -> int:
        """The number of names in view."""
        return max(self.size.height, 1)

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor inside the list."""
        return max(0, min(cursor, len(self._names) - 1))

    def watch_cursor(self, before: int, now: int) -> None:
        """Tell of the name under the cursor, and bring it into view."""
        if before != now and self._names:
            self._show_cursor()
            self.refresh()
            self.post_message(self.Moved(self.current))

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._show_cursor()

    def on_click(self, event: Click) -> None:
        """Put the cursor on the name that was clicked."""
        line = event.y + self.scroll_offset.y
        if line < len(self._names):
            self.cursor = line

    def _show_cursor(self) -> None:
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, immediate=True, x_axis=False)

    def render_line(self, y: int) -> Strip:
        """Return one line: a name, its folder in a weaker color."""
        line = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if line >= len(self._names):
            return Strip.blank(width, self.rich_style)
        style = self.rich_style
        if line == self.cursor:
            style += self.get_component_rich_style("file-list--cursor", partial=True)
        name = self._names[line]
        mark = MARK if self._is_marked(name) else " "
        return _name_line(name, mark, width, style, self.get_component_rich_style("file-list--folder", partial=True))


def _name_line(name: str, mark: str, width: int, style: Style, weak: Style) -> Strip:
    text = shortened(safe(name), max(width - 2, 1))
    folder, slash, file = text.rpartition("/")
    segments = [Segment(mark, style), Segment(folder + slash, style + weak), Segment(f"{file} ", style)]
    return Strip(segments).adjust_cell_length(width, style)
