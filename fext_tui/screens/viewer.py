"""The Viewer: pictures and plots, one large, the others in a list."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from engine.errors import FextError, UsageError
from engine.records import Records
from fext_tui.listing import merged, picture_names
from fext_tui.screens.base import FextScreen
from fext_tui.sources import Source, files_source, folder_source, workspace_sources
from fext_tui.text import folder_name, safe, shortened
from fext_tui.widgets.file_list import FileList
from fext_tui.widgets.filter_line import FilterLine
from fext_tui.widgets.folder_dialog import FolderDialog
from fext_tui.widgets.picture import Picture
from fext_tui.widgets.picture_facts import PictureFacts

NEAREST = 50
"""The most pictures that are shown as nearest to one."""

_MOVE = Binding.Group("Move", compact=True)
_SOURCE = Binding.Group("Source", compact=True)


class Listed(Message):
    """A portion of a folder's pictures; the last one brings all of them, sorted."""

    def __init__(self, listing: int, names: list[str], *, complete: bool, problem: str = "") -> None:
        super().__init__()
        self.listing = listing
        self.names = names
        self.complete = complete
        self.problem = problem


class Filtered(Message):
    """The names that hold a text."""

    def __init__(self, listing: int, text: str, names: list[str]) -> None:
        super().__init__()
        self.listing = listing
        self.text = text
        self.names = names


class NearestFound(Message):
    """The pictures nearest to one, nearest first, and their similarities, by the vectors that are stored."""

    def __init__(self, listing: int, path: Path, similarities: Mapping[Path, float]) -> None:
        super().__init__()
        self.listing = listing
        self.path = path
        self.similarities = similarities


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


class ViewerScreen(FextScreen):
    """Pictures and plots, from the folders of the workspace or any other."""

    MODE: ClassVar[str] = "viewer"
    AUTO_FOCUS = ""
    BINDING_GROUP_TITLE = "Viewer"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move(1)", "Next", group=_MOVE, id="viewer.next", tooltip="The next picture"),
        Binding("k", "move(-1)", "Previous", group=_MOVE, id="viewer.previous", tooltip="The picture before"),
        Binding("down,right", "move(1)", "Next", show=False, id="viewer.next_arrow", tooltip="The next picture"),
        Binding(
            "up,left", "move(-1)", "Previous", show=False, id="viewer.previous_arrow", tooltip="The picture before"
        ),
        Binding("pagedown", "page(1)", "Next page", show=False, id="viewer.page_down", tooltip="A page onward"),
        Binding("pageup", "page(-1)", "Page before", show=False, id="viewer.page_up", tooltip="A page back"),
        Binding("home,g", "end(-1)", "First", show=False, id="viewer.first", tooltip="The first picture"),
        Binding("end,G", "end(1)", "Last", show=False, id="viewer.last", tooltip="The last picture"),
        Binding(
            "left_square_bracket",
            "source(-1)",
            "Source back",
            key_display="[",
            group=_SOURCE,
            id="viewer.back",
            tooltip="The source before this one",
        ),
        Binding(
            "right_square_bracket",
            "source(1)",
            "Next source",
            key_display="]",
            group=_SOURCE,
            id="viewer.forth",
            tooltip="The next source of pictures",
        ),
        Binding(
            "tab", "source(1)", "Next source", show=False, id="viewer.forth_tab", tooltip="The next source of pictures"
        ),
        Binding("shift+tab", "source(-1)", "", show=False, id="viewer.back_tab"),
        Binding("o", "open", "Folder", id="viewer.open", tooltip="Show the pictures of any folder"),
        Binding("slash", "filter", "Filter", key_display="/", id="viewer.filter", tooltip="Names that hold a text"),
        Binding("n", "nearest", "Nearest", id="viewer.nearest", tooltip="The encoded pictures that are most like this"),
        Binding("f", "large", "Large", id="viewer.large", tooltip="The picture alone, and back"),
        Binding("enter", "large", "Large", show=False, id="viewer.large_enter", tooltip="The picture alone, and back"),
        Binding("r", "reload", "Reload", show=False, id="viewer.reload", tooltip="Read the folder again"),
        Binding("p", "plain", "Blocks", id="viewer.plain", tooltip="Draw with blocks in place of terminal graphics"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._sources: list[Source] = []
        self._source = 0
        self._opened: list[Source] = []
        self._example = Path()
        self._nearest: Source | None = None
        self._similarities: Mapping[Path, float] = {}
        self._listing = 0
        self._portions: list[str] = []
        self._complete = False
        self._problem = ""
        self._wanted = ""
        self._dataset: int | None = None
        self._measured_from = Path()
        self._changed = 0

    def compose_body(self) -> ComposeResult:
        """Give the list of files and the picture."""
        with Horizontal(id="viewer"):
            with Vertical(id="viewer-side"):
                yield SourceLines(id="viewer-source")
                yield FileList(id="viewer-files")
                yield FilterLine("part of a name", id="viewer-filter")
                yield Static(id="viewer-count")
            with Vertical(id="viewer-main"):
                yield Picture(id="viewer-picture")
                yield PictureFacts(id="viewer-line")
            yield PictureFacts(id="viewer-facts")

    def on_screen_resume(self) -> None:
        """Look again: settings or jobs may have changed the pictures meanwhile."""
        here = self._here if self._sources else None
        self._find_sources(here)
        if not self._listing or self._here != here:
            self._list()
        elif self._complete and self._changed != _changed(self._here.folder):
            self.action_reload()

    # --- Sources --------------------------------------------------------------------------------------------

    @property
    def _here(self) -> Source:
        return self._sources[self._source]

    def _find_sources(self, source: Source | None = None) -> None:
        self._sources = [*workspace_sources(self.fext.workspace, self.fext.settings), *self._opened]
        self._sources += [self._nearest] if self._nearest else []
        self._source = self._sources.index(source) if source in self._sources else 0

    def action_source(self, step: int) -> None:
        """Show the next or previous source."""
        self._find_sources(self._here)
        self._source = (self._source + step) % len(self._sources)
        self._list()

    def action_open(self) -> None:
        """Choose any folder."""
        self.app.push_screen(FolderDialog("Show the pictures of", self._here.root), self._open)

    def _open(self, folder: Path | None) -> None:
        if folder is not None:
            self.show_path(folder)

    def show_path(self, path: Path) -> None:
        """Show a picture, in the source it belongs to, or the pictures of a folder."""
        self._find_sources()
        whole = [source for source in self._sources if source.names is None and source.root == source.folder]
        if path.is_dir():
            holding_it = [source for source in whole if source.folder == path]
        else:
            holding_it = [source for source in whole if path.is_relative_to(source.root)]
        folder = path if path.is_dir() else path.parent
        source = max(holding_it, key=lambda one: len(one.folder.parts), default=folder_source(folder))
        if not holding_it:
            self._opened = [source]
        self._find_sources(source)
        self._list("" if path == source.folder else str(path.relative_to(source.root)))

    def show_paths(self, title: str, paths: Sequence[Path]) -> None:
        """Show files, at least one, in the order given."""
        source = files_source(title, paths)
        self._opened = [source]
        self._find_sources(source)
        self._list(source.names[0] if source.names else "")

    # --- The nearest ----------------------------------------------------------------------------------------

    def action_nearest(self) -> None:
        """Show the pictures that are most like this one, by the vectors that are stored."""
        name = self.query_one(FileList).current
        if name is not None:
            self._example = self._here.root / name
            self.fext.in_thread(partial(self._find_nearest, self._listing, self._example), "nearest")

    def _find_nearest(self, listing: int, path: Path) -> None:
        """Find them: on a thread, which loads NumPy."""
        from engine.search import find_stored

        with Records(self.fext.workspace) as records:
            found = find_stored(self.fext.workspace, records, path, k=NEAREST)
        if found is None:
            raise UsageError(
                f"{path.name} has no stored vector.",
                "Encode its folder first: 2 for Model, then n. Or use `fext similar`, which encodes one image.",
            )
        there = {one.path: one.similarity for one in found.neighbors if one.is_there}
        self.post_message(NearestFound(listing, path, there))

    @on(NearestFound)
    def _show_nearest(self, message: NearestFound) -> None:
        if (message.listing, message.path) != (self._listing, self._example):
            return
        self._similarities = message.similarities
        self._nearest = files_source(f"Nearest to {message.path.name}", [message.path, *message.similarities])
        self._find_sources(self._nearest)
        self._list(str(message.path.relative_to(self._here.root)))

    # --- The list -------------------------------------------------------------------------------------------

    def action_reload(self) -> None:
        """Read the folder again, and stay where the cursor is."""
        self._list(self.query_one(FileList).current or "")

    def _list(self, wanted: str = "") -> None:
        """Read the source's folder; show the picture ``wanted`` at once, and find it in the list when it comes."""
        self._listing += 1
        self._portions, self._complete, self._problem, self._wanted = [], False, "", wanted
        self._changed = _changed(self._here.folder)
        self._find_dataset()
        self.query_one(FilterLine).close()
        self.query_one(FileList).set_names([])
        if wanted:
            self._show(wanted)
        self._write_source()
        read = partial(self._read, self._listing, self._here)
        self.run_worker(read, group="listing", exclusive=True, thread=True)

    def _find_dataset(self) -> None:
        """Find the dataset that the source is, or that it is a part of."""
        folder = self._here.folder
        for self._measured_from in (folder, *folder.parents):
            self._dataset = self.fext.records.find_dataset(self._measured_from)
            if self._dataset is not None:
                return

    def _read(self, listing: int, source: Source) -> None:
        """Read the files of a source: on a thread."""
        if source.names is not None:
            there = [name for name in source.names if (source.root / name).exists()]
            self.post_message(Listed(listing, there, complete=True))
            return
        worker = get_current_worker()
        portions: list[list[str]] = []
        problem = ""
        try:
            for portion in picture_names(source.folder):
                if worker.is_cancelled:
                    return
                portions.append(portion)
                self.post_message(Listed(listing, portion, complete=False))
        except OSError as error:
            problem = error.strerror or str(error)
        except FextError as error:
            problem = error.cause.rstrip(".")
        self.post_message(Listed(listing, merged(portions), complete=True, problem=problem))

    @on(Listed)
    def _take(self, message: Listed) -> None:
        if message.listing != self._listing:
            return
        if message.complete:
            self._portions, self._complete, self._problem = message.names, True, message.problem
        else:
            self._portions += message.names
        if self._filter_text:
            self._start_filter()
        else:
            self._put_names(self._portions)

    def _put_names(self, names: list[str]) -> None:
        files = self.query_one(FileList)
        wanted = self._wanted or files.current or ""
        files.set_names(names, self._index_of(wanted, names, files.cursor))
        if self._complete:
            self._wanted = ""
        if not names:
            self._show(None)
        self._write_count()

    def _index_of(self, wanted: str, names: list[str], cursor: int) -> int:
        """Return where ``wanted`` stands; while names come in, new ones stand behind those that were there."""
        if not self._complete:
            return names.index(wanted) if self._wanted and wanted in names else cursor
        if self._here.names is not None:
            return names.index(wanted) if wanted in names else 0
        place = bisect_left(names, wanted)
        return place if names[place : place + 1] == [wanted] else 0

    # --- The filter -----------------------------------------------------------------------------------------

    @property
    def _filter_text(self) -> str:
        return self.query_one(FilterLine).wanted

    def action_filter(self) -> None:
        """Edit the filter."""
        self.query_one(FilterLine).open()

    @on(Input.Changed, "#viewer-filter")
    def _filter_changed(self) -> None:
        if self._filter_text:
            self._start_filter()
        else:
            self._put_names(self._portions)

    @on(Input.Submitted, "#viewer-filter")
    def _filter_submitted(self) -> None:
        self.set_focus(None)
        self.query_one(FilterLine).leave()

    def _start_filter(self) -> None:
        listing, text, names = self._listing, self._filter_text, self._portions
        work = partial(self._post_filtered, listing, text, names)
        self.run_worker(work, group="filter", exclusive=True, thread=True)

    def _post_filtered(self, listing: int, text: str, names: list[str]) -> None:
        self.post_message(Filtered(listing, text, holding(list(names), text)))

    @on(Filtered)
    def _take_filtered(self, message: Filtered) -> None:
        if message.listing == self._listing and message.text == self._filter_text:
            self._put_names(message.names)

    # --- Moving ---------------------------------------------------------------------------------------------

    def action_move(self, steps: int) -> None:
        """Show the next or previous picture."""
        self._move(steps)

    def action_page(self, pages: int) -> None:
        """Move by a page of the list."""
        self._move(pages * self.query_one(FileList).page)

    def action_end(self, way: int) -> None:
        """Move to the first or last picture."""
        self._move(way * len(self._portions))

    def _move(self, steps: int) -> None:
        self._wanted = ""
        self.query_one(FileList).move(steps)

    def action_large(self) -> None:
        """Show the picture alone, or the list beside it again."""
        self.toggle_class("-large")

    def action_plain(self) -> None:
        """Change between terminal graphics and blocks."""
        picture = self.query_one(Picture)
        picture.plain = not picture.plain
        picture.redraw()

    def action_leave_field(self) -> None:
        """Close the innermost: the field, the filter, the large picture."""
        if self.query_one(FilterLine).close():
            self.set_focus(None)
        elif self.has_class("-large"):
            self.remove_class("-large")
        else:
            super().action_leave_field()

    # --- The picture ----------------------------------------------------------------------------------------

    @on(FileList.Moved)
    def _moved(self) -> None:
        self._write_count()
        name = self.query_one(FileList).current
        if name is not None and self._wanted in {"", name}:
            self._show(name)

    def _show(self, name: str | None) -> None:
        picture = self.query_one(Picture)
        if name is not None:
            picture.show(self._here.root / name)
            return
        picture.show(None, self._why_empty() if self._complete else "Reading the folder …")
        for facts in self.query(PictureFacts):
            facts.clear()

    def _why_empty(self) -> str:
        if self._problem:
            return f"{folder_name(self._here.folder)} cannot be read: {safe(self._problem)}.\n{self._here.hint}"
        if self._filter_text:
            return "No name holds this text.\nesc  shows all again."
        return f"No pictures in {folder_name(self._here.folder)}.\n{self._here.hint}"

    @on(Picture.Shown)
    def _shown(self, message: Picture.Shown) -> None:
        name = self._name_of(message.path)
        measured = self._measured(name)
        for facts in self.query(PictureFacts):
            facts.tell(name, message.facts, measured)

    @on(Picture.Failed)
    def _failed(self, message: Picture.Failed) -> None:
        name = self._name_of(message.path)
        for facts in self.query(PictureFacts):
            facts.tell(name, None, self._measured(name))

    def _name_of(self, path: Path) -> str:
        folder = self._here.root
        return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name

    def _measured(self, name: str) -> Mapping[str, Any] | None:
        if self._dataset is None:
            return None
        if self._here.folder == self._measured_from:
            return self.fext.records.image(self._dataset, name)
        path = self._here.root / name
        if not path.is_relative_to(self._measured_from):
            return None
        return self.fext.records.image(self._dataset, path.relative_to(self._measured_from).as_posix())

    # --- The lines ------------------------------------------------------------------------------------------

    def _write_source(self) -> None:
        number = f"{self._source + 1}/{len(self._sources)}"
        self.query_one(SourceLines).tell(safe(self._here.title), number, folder_name(self._here.folder))
        self._write_count()

    def _write_count(self) -> None:
        files = self.query_one(FileList)
        total, growing = f"{len(files.names):,}", "" if self._complete else " …"
        text = f"{files.cursor + 1:,} of {total}{growing}" if files.names else f"no pictures{growing}"
        self.query_one("#viewer-count", Static).update(text + self._similarity(files.current))

    def _similarity(self, name: str | None) -> str:
        """Return how like a picture is to that of which it is among the nearest."""
        similarity = self._similarities.get(self._here.root / name) if name and self._here == self._nearest else None
        return "" if similarity is None else f"  cosine {similarity:.3f}"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the choice of blocks where there is nothing else."""
        if action == "plain" and self.is_mounted:
            picture = self.query_one(Picture)
            return picture.plain or picture.kind in {"kitty", "sixel"}
        return super().check_action(action, parameters)
