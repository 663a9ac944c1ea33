"""Thumbnails of many pictures, a page at a time: only those in view are read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.events import Click
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from engine.errors import FextError
from fext_tui.text import safe, shortened
from fext_tui.view import Place
from fext_tui.widgets.canvas import Canvas, is_wanted
from fext_tui.widgets.file_list import MARK

if TYPE_CHECKING:
    from fext_tui.drawing import Drawing
    from fext_tui.pictures import Pictures

WIDTHS = (12, 16, 20, 25, 32, 40, 52)
"""Columns of a thumbnail, from small to large."""

_GAP = 1
_FEWEST_ROWS = 2
_USUAL = 25
"""Until another size is chosen, thumbnails have so many columns, or as many as leave so many rows."""
_PROPORTION = 0.75
"""Height of the place of a thumbnail over its width."""


@dataclass(frozen=True)
class Shown:
    """What a sheet shows: pictures by name below a folder, which one is looked at, and which are marked."""

    root: Path
    names: Sequence[str]
    cursor: int
    is_marked: Callable[[str], bool]


class Grid(NamedTuple):
    """How thumbnails lie: how many a row and how many rows, the cells of each, and the columns left of the first."""

    across: int
    down: int
    width: int
    height: int
    margin: int

    @property
    def page(self) -> int:
        """How many are in view."""
        return self.across * self.down


def grid_of(columns: int, rows: int, width: int, proportion: float) -> Grid:
    """Return how thumbnails of so many columns lie in a place; ``proportion`` is rows over columns of one of them.

    They are made so much wider and higher that they fill the place.
    """
    width = max(min(width, columns), 1)
    across = max((columns + _GAP) // (width + _GAP), 1)
    width = max((columns + _GAP) // across - _GAP, 1)
    down = max(round(rows / (width * proportion + 1)), 1)
    height = max(rows // down - 1, 1)
    return Grid(across, down, width, height, max((columns + _GAP - across * (width + _GAP)) // 2, 0))


def usual_width(columns: int, rows: int, proportion: float) -> int:
    """Return the place in `WIDTHS` of the size that thumbnails have until another is chosen."""
    fitting = (at for at in range(len(WIDTHS)) if grid_of(columns, rows, WIDTHS[at], proportion).down >= _FEWEST_ROWS)
    return min(max(fitting, default=0), WIDTHS.index(_USUAL))


class ContactSheet(Canvas):
    """Shows the page that holds the picture looked at, with names below."""

    class Picked(Message):
        """The mouse chose one of the pictures, by its number."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    class Drawn(Message):
        """The thread has drawn a thumbnail, or for None cannot."""

        def __init__(self, path: Path, place: Place, drawing: "Drawing | None") -> None:
            super().__init__()
            self.path = path
            self.place = place
            self.drawing = drawing

    COMPONENT_CLASSES: ClassVar[set[str]] = {"contact-sheet--name", "contact-sheet--cursor", "contact-sheet--note"}
    DEFAULT_CSS = """
    ContactSheet { width: 1fr; height: 1fr; }
    ContactSheet > .contact-sheet--name { color: $text-muted; }
    ContactSheet > .contact-sheet--note { color: $text-disabled; }
    ContactSheet > .contact-sheet--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._shown = Shown(Path(), (), 0, lambda _: False)
        self._width: int | None = None
        self._turned = range(0)
        self._unreadable: set[Path] = set()
        self._drawn: dict[Path, Place] = {}
        self._pictures: Pictures | None = None

    @property
    def grid(self) -> Grid:
        """How the thumbnails lie."""
        columns, rows = self.content_size
        return grid_of(columns, rows, WIDTHS[self._at], self._proportion)

    @property
    def _proportion(self) -> float:
        return _PROPORTION * self.cell.width / self.cell.height

    @property
    def _at(self) -> int:
        """The place in `WIDTHS` of the width that was chosen, or of the usual one."""
        return usual_width(*self.content_size, self._proportion) if self._width is None else self._width

    def show(self, shown: Shown) -> None:
        """Show pictures, or move the cursor among them."""
        before, self._shown = self._shown, shown
        same_names = before.root == shown.root and before.names is shown.names
        if not same_names or self._page != self._turned:
            self._turn()
        elif before.cursor == shown.cursor:  # the marks are other ones
            self.refresh()
        else:
            self.refresh(*(self._name_region(one.cursor) for one in (before, shown)))

    def resize(self, steps: int) -> None:
        """Make the thumbnails larger or smaller."""
        self._width = min(max(self._at + steps, 0), len(WIDTHS) - 1)
        self._turn()

    def redraw(self) -> None:
        """Draw all anew, where the way of drawing changed."""
        self._drawn = {}
        self._turn()

    def on_resize(self) -> None:
        """Lay them out for the new size."""
        self._turn()

    # --- The page -------------------------------------------------------------------------------------------

    @property
    def _page(self) -> range:
        """The numbers of the pictures in view."""
        page = self.grid.page
        first = self._shown.cursor // page * page
        return range(first, min(first + page, len(self._shown.names)))

    def _path(self, number: int) -> Path:
        return self._shown.root / self._shown.names[number]

    def _turn(self) -> None:
        """Lay out the page: what is drawn already stays, the rest is read."""
        if not self.content_size.area or not self.display:
            return
        grid, kind, self._turned = self.grid, self.kind, self._page
        place = Place(grid.width, grid.height, kind, self.cell)
        paths = [self._path(number) for number in self._turned]
        self._unreadable.intersection_update(paths)
        self._drawn = {path: drawn for path, drawn in self._drawn.items() if path in paths and drawn == place}
        kept = {path: self._placed[path].drawing for path in self._drawn if path in self._placed}
        self.take_away([path for path in self._placed if path not in kept])
        for path, drawing in kept.items():
            self._lay(path, drawing)
        missing = [path for path in paths if path not in kept]
        if missing:
            self.in_thread(lambda: self._read(missing, place), kind)
        self.refresh()

    def _read(self, paths: list[Path], place: Place) -> None:
        """Read and draw thumbnails one by one: on a thread, which touches no widget."""
        from fext_tui.pictures import Pictures

        self._pictures = self._pictures or Pictures()
        wanted = is_wanted()
        for path in paths:
            try:
                drawn = self._pictures.draw(path, place, wanted, small=True)
            except FextError:  # the sheet says that it cannot be read; why, the picture itself tells
                self.post_message(self.Drawn(path, place, None))
                continue
            if drawn is None or not wanted():
                return
            self.post_message(self.Drawn(path, place, self.rendered(drawn[1])))

    def on_contact_sheet_drawn(self, message: Drawn) -> None:
        """Put a thumbnail on the sheet, if it is still wanted."""
        message.stop()
        grid = self.grid
        if message.place != Place(grid.width, grid.height, self.kind, self.cell):
            return
        if message.drawing is None:
            self._unreadable.add(message.path)
            self.refresh()
            return
        self._drawn[message.path] = message.place
        self._lay(message.path, message.drawing)

    def _lay(self, path: Path, drawing: "Drawing") -> None:
        number = next((number for number in self._page if self._path(number) == path), None)
        if number is not None:
            x, y = self._corner(number)
            grid = self.grid
            self.lay(path, drawing, x + (grid.width - drawing.columns) // 2, y + (grid.height - drawing.rows) // 2)

    def _corner(self, number: int) -> tuple[int, int]:
        grid = self.grid
        row, column = divmod(number - self._page.start, grid.across)
        return grid.margin + column * (grid.width + _GAP), row * (grid.height + 1)

    def _name_region(self, number: int) -> Region:
        x, y = self._corner(number)
        grid = self.grid
        return Region(x, y + grid.height, grid.width, 1)

    # --- Drawing --------------------------------------------------------------------------------------------

    def under(self, y: int) -> Strip:
        """Return a line of names, or of what stands for thumbnails that are not there."""
        ground, width = self.rich_style, self.size.width
        grid = self.grid
        row, line = divmod(y, grid.height + 1)
        start = self._page.start + row * grid.across
        numbers = range(start, min(start + grid.across, self._page.stop)) if row < grid.down else ()
        segments = [Segment(" " * grid.margin, ground)]
        for number in numbers:
            segments += [self._cell_text(number, line, grid), Segment(" " * _GAP, ground)]
        return Strip(segments).adjust_cell_length(width, ground)

    def _cell_text(self, number: int, line: int, grid: Grid) -> Segment:
        ground, name = self.rich_style, self._shown.names[number]
        if line == grid.height:
            part = "cursor" if number == self._shown.cursor else "name"
            style = ground + self.get_component_rich_style(f"contact-sheet--{part}", partial=True)
            mark = MARK if self._shown.is_marked(name) else ""
            text = shortened(mark + safe(PurePosixPath(name).name), grid.width)
            room = max(grid.width - cell_len(text), 0)
            return Segment(set_cell_size(" " * (room // 2) + text, grid.width), style)
        is_amid = line == grid.height // 2
        note = "" if not is_amid else "unreadable" if self._path(number) in self._unreadable else "·"
        style = ground + self.get_component_rich_style("contact-sheet--note", partial=True)
        return Segment(note[: grid.width].center(grid.width), style)

    def on_click(self, event: Click) -> None:
        """Look at the picture that was clicked."""
        grid = self.grid
        column, row = (event.x - grid.margin) // (grid.width + _GAP), event.y // (grid.height + 1)
        number = self._page.start + row * grid.across + column
        if 0 <= column < grid.across and row < grid.down and number < self._page.stop:
            self.post_message(self.Picked(number))
