"""The pictures of a source by name: listed as they are found, filtered, sorted, marked."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from engine.errors import FextError, UsageError
from engine.records import Records
from engine.workspace import Workspace
from fext_tui.keys import shown_key, with_keys
from fext_tui.listing import changed_at, merged, picture_names
from fext_tui.measures import figure
from fext_tui.orders import Arranged, Arrangement, Order, arrange
from fext_tui.sources import Source, read_ordered
from fext_tui.text import folder_name, safe
from fext_tui.wanted import EVERYTHING, wanted_of
from fext_tui.widgets.file_list import FileList
from fext_tui.widgets.filter_line import FilterLine
from fext_tui.widgets.source_lines import SourceLines

_NOT_MEASURED = (
    "Nothing was measured on these pictures.\n"
    "Choose their folder on Data ({mode.data:1}, {data.open:o}) and analyze it ({data.analyze:a})."
)
_LONGEST_NUMBER = 12
"""Digits of what is taken for the number of a picture, at most."""


class Browser(Vertical):
    """The list of the pictures of a source, with a cursor; the screen moves it by its own keys."""

    class Moved(Message):
        """The cursor stands on another picture; None where there is none."""

        def __init__(self, path: Path | None) -> None:
            super().__init__()
            self.path = path

    class Renewed(Message):
        """There are other pictures, or they are in another order."""

    class Marked(Message):
        """There are other marks."""

    class Missing(Message):
        """There is no picture whose name holds a text."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Listed(Message):
        """A portion of a folder's pictures; the last one brings all of them, sorted, and the first figure known."""

        def __init__(
            self,
            listing: int,
            names: list[str],
            *,
            complete: bool = False,
            problem: str = "",
            values: Mapping[str, float] | None = None,
            changed: int = 0,
        ) -> None:
            super().__init__()
            self.listing = listing
            self.names = names
            self.complete = complete
            self.problem = problem
            self.values = values or {}
            self.changed = changed

    class Rearranged(Message):
        """Pictures were arranged; of those that overlap, that of the higher number was begun later."""

        def __init__(self, number: int, wished: Arrangement, found: Arranged) -> None:
            super().__init__()
            self.number = number
            self.wished = wished
            self.found = found

    class Searched(Message):
        """The first name that holds a text was looked for among names; -1: there is none."""

        def __init__(self, names: Sequence[str], text: str, place: int) -> None:
            super().__init__()
            self.names = names
            self.text = text
            self.place = place

    class Failed(Message):
        """Pictures cannot be arranged as was asked for."""

        def __init__(self, number: int, error: Exception) -> None:
            super().__init__()
            self.number = number
            self.error = error

    def __init__(self, workspace: Workspace, *, id: str) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._workspace = workspace
        self._listing = 0
        self._listed: list[str] = []
        self._searched = 0
        self._complete = False
        self._problem = ""
        self._wanted_name = ""
        self._wished = Arrangement()
        self._arrangements = count(1)
        self._shown_arrangement = 0
        self._first_figure: Mapping[str, float] = {}
        self._values: Mapping[str, float] = {}
        self._is_measured = True
        self._changed = 0
        self._marked: dict[Path, None] = {}
        self.source = Source("", Path(), "")

    def compose(self) -> ComposeResult:
        """Give the source, the list, the filter and a line that counts."""
        yield SourceLines(id="viewer-source")
        yield FileList(id="viewer-files")
        yield FilterLine("part of a name, and measures: mean<20", id="viewer-filter")
        yield Static(id="viewer-count")

    # --- What is there --------------------------------------------------------------------------------------

    @property
    def _files(self) -> FileList:
        return self.query_one(FileList)

    @property
    def names(self) -> Sequence[str]:
        """The names of the pictures, in the order that they are shown in."""
        return self._files.names

    @property
    def cursor(self) -> int:
        """Which of them is looked at."""
        return self._files.cursor

    @property
    def current(self) -> Path | None:
        """The picture that is looked at."""
        name = self._files.current
        return self.source.root / name if name is not None else None

    @property
    def is_listed(self) -> bool:
        """Whether a source was ever shown."""
        return bool(self._listing)

    def is_older_than(self, changed: int) -> bool:
        """Return whether all is listed, but of other files than those since a time, as `changed_at` gives it."""
        return self._complete and self._changed != changed

    @property
    def order(self) -> Order | None:
        """The order, where it is not that of the source."""
        return self._wished.order

    @property
    def marked(self) -> list[Path]:
        """The pictures that are marked, in the order in which they were."""
        return list(self._marked)

    @property
    def value(self) -> tuple[str, float] | None:
        """The number that gives the order, and that of the picture looked at."""
        name, order = self._files.current, self.order
        column = order.title if order else next(iter(self.source.known), "")
        values = self._values if order else self._first_figure
        return (column, values[name]) if name is not None and name in values else None

    def note(self) -> str:
        """Return why there is no picture, and what to do about it."""
        hint = with_keys(self, self.source.hint)
        wanted = self._wished.wanted
        if not self._complete:
            return "Reading the folder …"
        if self._problem:
            return f"{folder_name(self.source.folder)} cannot be read: {safe(self._problem)}.\n{hint}"
        if not self._is_measured:
            return with_keys(self, _NOT_MEASURED)
        if wanted != EVERYTHING:
            asked = "picture meets this" if wanted.conditions else "name holds this text"
            return f"No {asked}.\n{shown_key(self, 'leave', 'esc')}  shows all again."
        return f"No pictures in {folder_name(self.source.folder)}.\n{hint}"

    # --- The list -------------------------------------------------------------------------------------------

    def show_source(self, source: Source, number: str, wanted: str = "") -> None:
        """List the pictures of a source, which is the ``number``-th; the cursor goes to that named ``wanted``."""
        order = self.order if source == self.source else None
        self.source = source
        self._listing += 1
        self._shown_arrangement = next(self._arrangements)  # those of the source before are not wanted any more
        self._listed, self._searched, self._wanted_name = [], 0, wanted
        self._complete, self._problem, self._is_measured = False, "", True
        self._values, self._first_figure = {}, {}
        self.query_one(FilterLine).close()
        self._wished = Arrangement(order=order)
        self._files.set_names([])
        self.tell_number(number)
        self._write_count()
        self.post_message(self.Moved(source.root / wanted if wanted else None))
        read = partial(self._read, self._listing, source)
        self.run_worker(read, group="listing", exclusive=True, thread=True)

    def tell_number(self, number: str) -> None:
        """Tell which one of the sources is listed."""
        lines = self.query_one(SourceLines)
        lines.tell(safe(self.source.title), number, folder_name(self.source.folder))

    def _read(self, listing: int, source: Source) -> None:
        """Read the pictures of a source: on a thread."""
        names: list[str] = []
        values: Mapping[str, float] = {}
        problem, changed = "", changed_at(source.folder)
        try:
            if source.is_ordered:
                names, values = read_ordered(source)
            else:
                names = self._read_folder(listing, source.folder)
        except OSError as error:
            problem = error.strerror or str(error)
        except FextError as error:
            problem = error.cause.rstrip(".")
        told = self.Listed(listing, names, complete=True, problem=problem, values=values, changed=changed)
        self.post_message(told)

    def _read_folder(self, listing: int, folder: Path) -> list[str]:
        worker = get_current_worker()
        portions: list[list[str]] = []
        for portion in picture_names(folder):
            if worker.is_cancelled:
                return []
            portions.append(portion)
            self.post_message(self.Listed(listing, portion))
        return merged(portions)

    @on(Listed)
    def _take(self, message: Listed) -> None:
        message.stop()
        if message.listing != self._listing:
            return
        if message.complete:
            self._listed, self._complete, self._problem = message.names, True, message.problem
            self._first_figure, self._changed = message.values, message.changed
        else:
            self._listed += message.names
        self._arrange()

    def _put_names(self, names: list[str]) -> None:
        wanted = self._wanted_name or self._files.current or ""
        before = self._files.current
        self._files.set_names(names, self._index_of(wanted, names))
        if self._complete:
            self._wanted_name = ""
        if not names or (self._complete and self._files.current == before):
            self._tell_move()
        self._write_count()
        self.post_message(self.Renewed())

    def _index_of(self, wanted: str, names: list[str]) -> int:
        """Return where ``wanted`` stands; while names come in, new ones stand behind those that were there."""
        if not self._complete:
            place = _place(names, wanted, self._searched) if self._wanted_name else -1
            self._searched = len(names)
            return self.cursor if place < 0 else place
        if self.order is not None or self.source.is_ordered:
            return max(_place(names, wanted), 0)
        place = bisect_left(names, wanted)
        return place if names[place : place + 1] == [wanted] else 0

    @on(FileList.Moved)
    def _tell_move(self) -> None:
        self._write_count()
        name = self._files.current
        if self._wanted_name in {"", name}:
            self.post_message(self.Moved(self.current))

    # --- Order and filter -----------------------------------------------------------------------------------

    def sort(self, order: Order | None) -> None:
        """Show the pictures in another order; None: that of the source."""
        self._wished, self._values = self._wished._replace(order=order), {}
        self._arrange()

    def filter(self) -> None:
        """Edit the filter."""
        self.query_one(FilterLine).open()

    def close_filter(self) -> bool:
        """Take the filter away; return whether there was one."""
        return self.query_one(FilterLine).close()

    @on(Input.Changed)
    def _filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        try:
            wanted = wanted_of(event.value)
        except UsageError as error:
            self.query_one("#viewer-count", Static).update(Content.styled(error.cause, "$text-warning"))
            return
        if wanted != self._wished.wanted:
            self._wished = self._wished._replace(wanted=wanted)
            self._arrange()
        else:
            self._write_count()

    @property
    def _wished_now(self) -> Arrangement:
        """What is wished for, as far as it can be done: an order waits until all pictures are listed."""
        return self._wished if self._complete else self._wished._replace(order=None)

    def _arrange(self) -> None:
        """Filter and sort what is listed."""
        wished, number = self._wished_now, next(self._arrangements)
        if wished == Arrangement():
            self._show_arranged(number, Arranged(self._listed, {}))
            return
        work = partial(self._arrange_in_thread, number, wished, self.source, self._listed, self._values)
        self.run_worker(work, group="arrange", exclusive=True, thread=True)

    def _arrange_in_thread(
        self, number: int, wished: Arrangement, source: Source, listed: list[str], values: Mapping[str, float]
    ) -> None:
        if get_current_worker().is_cancelled:  # before its turn came: portions come in faster than they are filtered
            return
        try:
            with Records(self._workspace) as records:
                found = arrange(records, source, list(listed), wished, values)
        except (FextError, OSError) as error:
            self.post_message(self.Failed(number, error))
        else:
            self.post_message(self.Rearranged(number, wished, found))

    @on(Rearranged)
    def _take_rearranged(self, message: Rearranged) -> None:
        message.stop()
        if message.wished == self._wished_now:
            self._show_arranged(message.number, message.found)

    def _show_arranged(self, number: int, found: Arranged) -> None:
        if number > self._shown_arrangement:
            self._shown_arrangement = number
            self._values, self._is_measured = found.values, found.is_measured
            self._put_names(found.names)

    @on(Failed)
    def _show_unarranged(self, message: Failed) -> None:
        if message.number > self._shown_arrangement:
            self._wished = self._wished._replace(order=None)
            self._show_arranged(message.number, Arranged(self._listed, {}))

    # --- Moving ---------------------------------------------------------------------------------------------

    @property
    def page(self) -> int:
        """The number of names in view."""
        return self._files.page

    def move(self, steps: int) -> None:
        """Move the cursor by so many pictures, at most to either end."""
        self._wanted_name = ""
        self._files.move(steps)

    def go_to(self, text: str) -> None:
        """Put the cursor on a picture by number, or on the first whose name holds a text, which a thread finds."""
        digits = text.replace(",", "")
        if digits.isdecimal() and len(digits) <= _LONGEST_NUMBER and 1 <= int(digits) <= len(self.names):
            self.move(int(digits) - 1 - self.cursor)
        else:
            self.run_worker(partial(self._search, self.names, text), group="search", exclusive=True, thread=True)

    def _search(self, names: Sequence[str], text: str) -> None:
        wanted = text.casefold()
        place = next((at for at, name in enumerate(names) if wanted in name.casefold()), -1)
        self.post_message(self.Searched(names, text, place))

    @on(Searched)
    def _take_searched(self, message: Searched) -> None:
        message.stop()
        if message.place < 0:
            self.post_message(self.Missing(message.text))
        elif message.names is self.names:
            self.move(message.place - self.cursor)

    # --- Marks ----------------------------------------------------------------------------------------------

    def mark(self) -> None:
        """Mark the picture looked at, or take its mark away."""
        path = self.current
        if path is None:
            return
        if path in self._marked:
            del self._marked[path]
        else:
            self._marked[path] = None
        self._show_marks()

    def unmark_all(self) -> None:
        """Take all marks away."""
        self._marked = {}
        self._show_marks()

    def is_marked(self, name: str) -> bool:
        """Return whether a picture is marked."""
        return self.source.root / name in self._marked

    def _show_marks(self) -> None:
        self._files.show_marks(self.is_marked)
        self._write_count()
        self.post_message(self.Marked())

    # --- The line -------------------------------------------------------------------------------------------

    def _write_count(self) -> None:
        total, growing = f"{len(self.names):,}", "" if self._complete else " …"
        parts = [f"{self.cursor + 1:,} of {total}{growing}" if self.names else f"no pictures{growing}"]
        if self._marked:
            parts.append(f"{len(self._marked):,} marked")
        if self.value is not None:
            parts.append(f"{safe(self.value[0])} {figure(self.value[1])}")
        elif self.order is not None:
            parts.append(f"by {safe(self.order.title)}")
        self.query_one("#viewer-count", Static).update(Content("  ".join(parts)))


def _place(names: list[str], wanted: str, start: int = 0) -> int:
    """Return where a name stands, from some place on; -1 where it does not."""
    try:
        return names.index(wanted, start)
    except ValueError:
        return -1
