"""The pictures of a source by name: listed as they are found, filtered, sorted, marked."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from engine.errors import FextError, UsageError
from engine.rankings import SCORES, read_ranking
from engine.records import Records
from engine.workspace import Workspace
from fext_tui.listing import merged, picture_names
from fext_tui.measures import figure
from fext_tui.orders import Datasets, Order, arranged, read_matching, read_order
from fext_tui.sources import Figures, Source
from fext_tui.text import folder_name, safe, shortened
from fext_tui.wanted import EVERYTHING, Wanted, wanted_of
from fext_tui.widgets.file_list import FileList
from fext_tui.widgets.filter_line import FilterLine

_RANKED = {"percentile": "percentile", **{score: score.replace("_", " ") for score in SCORES}}


def holding(names: list[str], text: str) -> list[str]:
    """Return the names that hold ``text``, whatever the case."""
    wanted = text.casefold()
    return [name for name in names if wanted in name.casefold()]


def _changed(folder: Path) -> int:
    """Return when the list of files of a folder changed last; 0 where it cannot be read."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


class SourceLines(Static):
    """Two lines: the source's title and number, and its folder."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._told = ("", "", "")

    def tell(self, title: str, number: str, folder: str) -> None:
        """Show another source."""
        self._told = (title, number, folder)
        self.on_resize()

    def on_resize(self) -> None:
        """Write the lines for this width."""
        title, number, folder = self._told
        room = max(self.content_size.width - len(number), 1)
        self.update(
            Content.assemble(
                (shortened(title, room - 1).ljust(room), "bold $text-primary"),
                (number, "$text-muted"),
                "\n",
                (shortened(folder, self.content_size.width), "$text-muted"),
            )
        )


class Browser(Vertical):
    """The list of the pictures of a source, with a cursor; the screen moves it by its own keys."""

    class Moved(Message):
        """The cursor stands on another picture; None where there is none."""

        def __init__(self, path: Path | None) -> None:
            super().__init__()
            self.path = path

    class Renewed(Message):
        """There are other pictures, in another order, or other marks."""

    class Listed(Message):
        """A portion of a folder's pictures; the last one brings all of them, sorted, and what is known of them."""

        def __init__(
            self, listing: int, names: list[str], *, complete: bool, problem: str = "", figures: Figures | None = None
        ) -> None:
            super().__init__()
            self.listing = listing
            self.names = names
            self.complete = complete
            self.problem = problem
            self.figures = figures or {}

    class Arranged(Message):
        """The names that are wanted, in the order that is, and the numbers that gave it."""

        def __init__(self, listing: int, arrangement: object, names: list[str], values: dict[str, float]) -> None:
            super().__init__()
            self.listing = listing
            self.arrangement = arrangement
            self.names = names
            self.values = values

    class Failed(Message):
        """The records cannot be read."""

        def __init__(self, error: FextError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, workspace: Workspace, *, id: str) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._workspace = workspace
        self._listing = 0
        self._portions: list[str] = []
        self._complete = False
        self._problem = ""
        self._wanted_name = ""
        self._wanted = EVERYTHING
        self._order: Order | None = None
        self._values: dict[str, float] = {}
        self._changed = 0
        self._marked: dict[Path, None] = {}
        self.source = Source("", Path(), "")
        self.figures: Figures = {}

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

    @property
    def order(self) -> Order | None:
        """The order, where it is not that of the source."""
        return self._order

    @property
    def marked(self) -> list[Path]:
        """The pictures that are marked, in the order in which they were."""
        return list(self._marked)

    @property
    def value(self) -> tuple[str, float] | None:
        """The number that gives the order, and that of the picture looked at."""
        name, column = self._files.current, self._order.title if self._order else next(iter(self.figures), "")
        values = self._values if self._order else self.figures.get(column, {})
        return (column, values[name]) if name is not None and name in values else None

    def note(self) -> str:
        """Return why there is no picture, and what to do about it."""
        if not self._complete:
            return "Reading the folder …"
        if self._problem:
            return f"{folder_name(self.source.folder)} cannot be read: {safe(self._problem)}.\n{self.source.hint}"
        if self._wanted != EVERYTHING:
            asked = "meets this" if self._wanted.conditions else "holds this text"
            return f"No {'picture' if self._wanted.conditions else 'name'} {asked}.\nesc  shows all again."
        return f"No pictures in {folder_name(self.source.folder)}.\n{self.source.hint}"

    # --- The list -------------------------------------------------------------------------------------------

    def show_source(self, source: Source, number: str, wanted: str = "") -> None:
        """List the pictures of a source, which is the ``number``-th; the cursor goes to that named ``wanted``."""
        if source != self.source:
            self._order = None
        self.source = source
        self._listing += 1
        self._portions, self._complete, self._problem, self._wanted_name = [], False, "", wanted
        self._values, self.figures = {}, {}
        self._changed = _changed(source.folder)
        self.query_one(FilterLine).close()
        self._wanted = EVERYTHING
        self._files.set_names([])
        self.query_one(SourceLines).tell(safe(source.title), number, folder_name(source.folder))
        self._write_count()
        self.post_message(self.Moved(source.root / wanted if wanted else None))
        read = partial(self._read, self._listing, source)
        self.run_worker(read, group="listing", exclusive=True, thread=True)

    @property
    def is_outdated(self) -> bool:
        """Whether files have come or gone since the folder was read."""
        return self._complete and self._changed != _changed(self.source.folder)

    def _read(self, listing: int, source: Source) -> None:
        """Read the files of a source: on a thread."""
        worker = get_current_worker()
        portions: list[list[str]] = []
        problem, figures = "", source.figures
        try:
            for portion in self._portions_of(source):
                if worker.is_cancelled:
                    return
                portions.append(portion)
                self.post_message(self.Listed(listing, portion, complete=False))
            if source.ranking is not None:
                figures = _ranked_figures(source.ranking)
        except OSError as error:
            problem = error.strerror or str(error)
        except FextError as error:
            problem = error.cause.rstrip(".")
        names = [name for portion in portions for name in portion] if source.is_ordered else merged(portions)
        self.post_message(self.Listed(listing, names, complete=True, problem=problem, figures=figures))

    def _portions_of(self, source: Source) -> Iterable[list[str]]:
        if source.ranking is not None:
            return [[row["path"] for row in read_ranking(source.ranking)]]
        if source.names is not None:
            return [[name for name in source.names if (source.root / name).exists()]]
        return picture_names(source.folder)

    @on(Listed)
    def _take(self, message: Listed) -> None:
        message.stop()
        if message.listing != self._listing:
            return
        if message.complete:
            self._portions, self._complete, self._problem = message.names, True, message.problem
            self.figures = message.figures
        else:
            self._portions += message.names
        self._arrange()

    def _put_names(self, names: list[str]) -> None:
        wanted = self._wanted_name or self._files.current or ""
        before = self._files.current
        self._files.set_names(names, self._index_of(wanted, names))
        if self._complete:
            self._wanted_name = ""
        if not names or self._files.current == before:
            self._tell_move()
        self._write_count()
        self.post_message(self.Renewed())

    def _index_of(self, wanted: str, names: list[str]) -> int:
        """Return where ``wanted`` stands; while names come in, new ones stand behind those that were there."""
        if not self._complete:
            return names.index(wanted) if self._wanted_name and wanted in names else self.cursor
        if self._order is not None or self.source.is_ordered:
            return names.index(wanted) if wanted in names else 0
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
        self._order, self._values = order, {}
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
        if wanted != self._wanted:
            self._wanted = wanted
            self._arrange()
        else:
            self._write_count()

    @on(Input.Submitted)
    def _filter_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.set_focus(None)
        self.query_one(FilterLine).leave()

    def _arrange(self) -> None:
        """Filter and sort what is listed; an order waits until all is."""
        order = self._order if self._complete else None
        if self._wanted == EVERYTHING and order is None:
            self._put_names(self._portions)
            return
        work = partial(self._arrange_in_thread, self._listing, self._wanted, order, self._portions, self._values)
        self.run_worker(work, group="arrange", exclusive=True, thread=True)

    def _arrange_in_thread(
        self, listing: int, wanted: Wanted, order: Order | None, listed: list[str], values: dict[str, float]
    ) -> None:
        names = holding(list(listed), wanted.text) if wanted.text else list(listed)
        try:
            with Records(self._workspace) as records:
                if wanted.conditions:
                    names = self._meeting(records, names, wanted)
                if order is not None:
                    values = values or self._values_of(records, order)
                    names = arranged(names, values)
        except FextError as error:
            self.post_message(self.Failed(error))
            return
        self.post_message(self.Arranged(listing, (wanted, order), names, values))

    def _meeting(self, records: Records, names: list[str], wanted: Wanted) -> list[str]:
        found = Datasets(records).of_folder(self.source.folder)
        if found is None:
            return []
        matching = read_matching(records, *found, wanted.conditions, self.source)
        return [name for name in names if name in matching]

    def _values_of(self, records: Records, order: Order) -> dict[str, float]:
        if order.dataset or order.evaluation:
            return read_order(records, order, self.source)
        known = self.figures.get(order.column, {})
        return dict(sorted(known.items(), key=lambda pair: pair[1], reverse=order.descending))

    @on(Arranged)
    def _take_arranged(self, message: Arranged) -> None:
        message.stop()
        order = self._order if self._complete else None
        if message.listing == self._listing and message.arrangement == (self._wanted, order):
            self._values = message.values
            self._put_names(message.names)

    @on(Failed)
    def _pass_failure(self, message: Failed) -> None:
        self._order = None
        self._put_names(self._portions)

    # --- Moving ---------------------------------------------------------------------------------------------

    @property
    def page(self) -> int:
        """The number of names in view."""
        return self._files.page

    def move(self, steps: int) -> None:
        """Move the cursor by so many pictures, at most to either end."""
        self._wanted_name = ""
        self._files.move(steps)

    def go_to(self, text: str) -> bool:
        """Put the cursor on a picture by number, or the first whose name holds a text; return if there is one."""
        number = text.replace(",", "")
        if number.isdigit() and 1 <= int(number) <= len(self.names):
            place = int(number) - 1
        else:
            wanted = text.casefold()
            place = next((at for at, name in enumerate(self.names) if wanted in name.casefold()), -1)
        if place >= 0:
            self.move(place - self.cursor)
        return place >= 0

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
        self.post_message(self.Renewed())

    # --- The line -------------------------------------------------------------------------------------------

    def _write_count(self) -> None:
        total, growing = f"{len(self.names):,}", "" if self._complete else " …"
        parts = [f"{self.cursor + 1:,} of {total}{growing}" if self.names else f"no pictures{growing}"]
        if self._marked:
            parts.append(f"{len(self._marked):,} marked")
        if self.value is not None:
            parts.append(f"{safe(self.value[0])} {figure(self.value[1])}")
        elif self._order is not None:
            parts.append(f"by {safe(self._order.title)}")
        self.query_one("#viewer-count", Static).update(Content("  ".join(parts)))


def _ranked_figures(table: Path) -> Figures:
    found: dict[str, dict[str, float]] = {title: {} for title in _RANKED.values()}
    for row in read_ranking(table):
        for column, title in _RANKED.items():
            found[title][row["path"]] = row[column]
    return found
