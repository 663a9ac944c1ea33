"""Which pictures the Viewer shows: those of the workspace, of any folder, of a dialog, or the nearest to one."""

from collections.abc import Mapping
from functools import partial
from itertools import count
from pathlib import Path

from textual import on
from textual.message import Message

from engine.errors import UsageError
from engine.records import Records
from fext_tui.keys import shown_key, with_keys
from fext_tui.listing import changed_at
from fext_tui.screens.base import FextScreen, Target
from fext_tui.screens.dialogs import Choose
from fext_tui.sources import Chosen, Source, files_source, folder_source, made_sources, own_sources, source_of
from fext_tui.text import folder_name, safe, shortened
from fext_tui.widgets.browser import Browser
from fext_tui.widgets.folder_dialog import FolderDialog

NEAREST = 50
"""The most pictures that are shown as nearest to one."""

_ANY = "Any folder …"
_DIALOG, _LONGEST_TITLE = 52, 36
"""Columns of a choice in a dialog, and of its title at most."""
_NOT_ENCODED = (
    "Encode its folder first: {mode.model:2} for Model, then {model.encode:n}. "
    "Or use `fext similar`, which encodes one image."
)


class SourcesRead(Message):
    """What jobs have made was looked for, and when the files of the source shown were last other ones.

    Of readings that overlap, that of the higher ``number`` was begun later.
    """

    def __init__(self, number: int, made: list[Source], source: Source, changed: int) -> None:
        super().__init__()
        self.number = number
        self.made = made
        self.source = source
        self.changed = changed


class SourceFound(Message):
    """The source of a picture, or of a folder, was looked for."""

    def __init__(self, path: Path, source: Source) -> None:
        super().__init__()
        self.path = path
        self.source = source


class NearestFound(Message):
    """The pictures nearest to one, nearest first, and their similarities, by the vectors that are stored."""

    def __init__(self, path: Path, similarities: Mapping[Path, float]) -> None:
        super().__init__()
        self.path = path
        self.similarities = similarities


class SourcesScreen(FextScreen):
    """Base of a screen that shows the pictures of one of several sources in a `Browser`.

    Subclasses say in `show_beside` how pictures stand beside their reconstructions.
    """

    def __init__(self) -> None:
        super().__init__()
        self.here = own_sources(self.fext.workspace, self.fext.settings)[0]
        self._readings = count(1)
        self._shown_reading = 0
        self._made: list[Source] = []
        self._opened: list[Source] = []
        self._nearest: list[Source] = []
        self._example = Path()
        self._asked_for = Path()

    @property
    def browser(self) -> Browser:
        """The list of the pictures."""
        return self.query_one(Browser)

    def show_beside(self, checkpoint: str) -> None:
        """Show pictures beside their reconstructions by a checkpoint."""
        raise NotImplementedError

    # --- Reading --------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Listen for jobs, which make more to look at."""
        self.fext.job_ended.subscribe(self, lambda _: self._read_sources())

    def on_screen_resume(self) -> None:
        """Look again: settings or jobs may have changed the pictures meanwhile."""
        if not self.browser.is_listed:
            self.list_again()
        self._read_sources()

    def _read_sources(self) -> None:
        if self.is_current:
            self.fext.in_thread(partial(self._find_sources, next(self._readings), self.here), "sources")

    def _find_sources(self, number: int, here: Source) -> None:
        self.post_message(SourcesRead(number, made_sources(self.fext.workspace), here, changed_at(here.folder)))

    @on(SourcesRead)
    def _take_sources(self, message: SourcesRead) -> None:
        if message.number < self._shown_reading:
            return
        self._shown_reading = message.number
        self._made = message.made
        if self.here not in self.sources:
            self._go(self.sources[0])
            return
        if message.source == self.here and self.browser.is_older_than(message.changed):
            self.action_reload()
        else:
            self.browser.tell_number(self._number)

    # --- Going to one ---------------------------------------------------------------------------------------

    @property
    def sources(self) -> list[Source]:
        """What can be shown: what every workspace has, what jobs made, what was opened, and the nearest pictures."""
        own = own_sources(self.fext.workspace, self.fext.settings)
        return [*own, *self._made, *self._opened, *self._nearest]

    @property
    def _number(self) -> str:
        sources = self.sources
        return f"{sources.index(self.here) + 1}/{len(sources)}" if self.here in sources else ""

    def list_again(self, wanted: str = "") -> None:
        """List the pictures of the source anew, with the cursor on the one that is named so."""
        self.browser.show_source(self.here, self._number, wanted)

    def _go(self, source: Source, wanted: str = "") -> None:
        self.here = source
        self.list_again(wanted)

    def action_source(self, step: int) -> None:
        """Show the next or previous source."""
        sources = self.sources
        place = sources.index(self.here) if self.here in sources else -1
        self._go(sources[(place + step) % len(sources)])

    def action_browse(self) -> None:
        """Choose among the sources."""
        sources = self.sources
        titles = [safe(source.title, _LONGEST_TITLE) for source in sources]
        room = max(_DIALOG - max(map(len, titles)), 1)
        options = [
            (str(at), title, shortened(folder_name(source.folder), room))
            for at, (title, source) in enumerate(zip(titles, sources, strict=True))
        ]
        options.append((_ANY, _ANY, shown_key(self, "viewer.open", "o")))

        def chosen(number: str | None) -> None:
            if number == _ANY:
                self.action_open()
            elif number is not None:
                self._go(sources[int(number)])

        self.app.push_screen(Choose("Show the pictures of", options), chosen)

    def action_open(self) -> None:
        """Choose any folder."""
        self.app.push_screen(FolderDialog("Show the pictures of", self.here.root), self._open)

    def _open(self, folder: Path | None) -> None:
        if folder is not None:
            self.show_path(folder)

    def show_path(self, path: Path) -> None:
        """Show a picture, in the source it belongs to, or the pictures of a folder; a thread finds the source."""
        self._asked_for = path
        own, opened = own_sources(self.fext.workspace, self.fext.settings), self._opened

        def find() -> None:
            sources = [*own, *made_sources(self.fext.workspace), *opened]
            self.post_message(SourceFound(path, source_of(path, sources)))

        self.fext.in_thread(find, "sources")

    @on(SourceFound)
    def _show_found(self, message: SourceFound) -> None:
        path, source = message.path, message.source
        if path != self._asked_for:
            return
        if source == folder_source(source.folder):
            self._opened = [source]
        self._go(source, "" if path == source.folder else str(path.relative_to(source.root)))

    def show_files(self, chosen: Chosen) -> None:
        """Show files, at least one, in the order given; beside their reconstructions where a checkpoint is named."""
        self._opened = [files_source(chosen)]
        self.show_source(self._opened[0])

    def show_source(self, source: Source) -> None:
        """Show a source; beside their reconstructions where its pictures have to do with a checkpoint."""
        if source.checkpoint and source.is_ordered:
            self.show_beside(source.checkpoint)
        self._go(source, source.names[0] if source.names else "")

    def action_reload(self) -> None:
        """Read the folder again, and stay where the cursor is."""
        current = self.browser.current
        self.list_again(str(current.relative_to(self.here.root)) if current else "")

    def jump_targets(self) -> list[Target]:
        """Give the sources."""
        return [
            Target(source.title, folder_name(source.folder), partial(self.show_source, source))
            for source in self.sources
        ]

    # --- The nearest ----------------------------------------------------------------------------------------

    def action_nearest(self) -> None:
        """Show the pictures that are most like this one, by the vectors that are stored."""
        if self.browser.current is not None:
            self._example = self.browser.current
            self.fext.in_thread(partial(self._find_nearest, self._example), "nearest")

    def _find_nearest(self, path: Path) -> None:
        """Find them: on a thread, which loads NumPy."""
        from engine.search import find_stored

        with Records(self.fext.workspace) as records:
            found = find_stored(self.fext.workspace, records, path, k=NEAREST)
        if found is None:
            raise UsageError(f"{path.name} has no stored vector.", with_keys(self, _NOT_ENCODED))
        there = {one.path: one.similarity for one in found.neighbors if one.is_there}
        self.post_message(NearestFound(path, there))

    @on(NearestFound)
    def _show_nearest(self, message: NearestFound) -> None:
        if message.path != self._example or message.path != self.browser.current:
            return
        title = f"Nearest to {message.path.name}"
        chosen = Chosen((message.path, *message.similarities), title, figures={"cosine": message.similarities})
        self._nearest = [files_source(chosen)]
        (nearest,) = self._nearest
        self._go(nearest, str(message.path.relative_to(nearest.root)))
