"""The Viewer: pictures and plots, one large, many small, or one beside its reconstruction."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from engine.checkpoints import list_checkpoints
from engine.errors import UsageError
from engine.records import Records
from fext_tui.orders import Datasets, Order, offered_orders
from fext_tui.screens.base import FextScreen, Target
from fext_tui.screens.dialogs import Choose
from fext_tui.sources import Chosen, Source, files_source, folder_source, workspace_sources
from fext_tui.text import folder_name, safe, shortened
from fext_tui.viewer_actions import ACTIONS, Marked, PicturesTold, act
from fext_tui.widgets.browser import Browser
from fext_tui.widgets.contact_sheet import ContactSheet, Shown
from fext_tui.widgets.folder_dialog import FolderDialog
from fext_tui.widgets.picture import Picture
from fext_tui.widgets.picture_facts import PictureFacts, Told
from fext_tui.widgets.side_by_side import SideBySide

if TYPE_CHECKING:
    from fext_tui.pictures import Facts
    from fext_tui.widgets.canvas import Canvas

NEAREST = 50
"""The most pictures that are shown as nearest to one."""

Look = Literal["picture", "sheet", "beside"]
"""One picture large, many small, or one beside its reconstruction."""

_MOVE = Binding.Group("Move", compact=True)
_SOURCE = Binding.Group("Source", compact=True)
_ZOOM = Binding.Group("Zoom", compact=True)
_ANY = "Any folder …"
_DIALOG, _LONGEST_TITLE = 52, 36
"""Columns of a choice in a dialog, and of its title at most."""


class NearestFound(Message):
    """The pictures nearest to one, nearest first, and their similarities, by the vectors that are stored."""

    def __init__(self, path: Path, similarities: Mapping[Path, float]) -> None:
        super().__init__()
        self.path = path
        self.similarities = similarities


class OrdersRead(Message):
    """In which orders the pictures of a source can be shown."""

    def __init__(self, source: Source, orders: list[Order]) -> None:
        super().__init__()
        self.source = source
        self.orders = orders


class CheckpointsListed(Message):
    """The checkpoints that pictures can be reconstructed with, newest first, and whether one is to be chosen."""

    def __init__(self, names: list[str], *, choose: bool) -> None:
        super().__init__()
        self.names = names
        self.choose = choose


def _binding(key: str, action: str, name: str, id: str, help_text: str, **options: Any) -> Binding:  # noqa: A002
    return Binding(key, action, name, id=f"viewer.{id}", tooltip=help_text, **options)


class ViewerScreen(FextScreen):
    """Pictures and plots, from the folders of the workspace or any other."""

    MODE: ClassVar[str] = "viewer"
    AUTO_FOCUS = ""
    BINDING_GROUP_TITLE = "Viewer"
    JUMP_HINT = "number or name of a picture"
    BINDINGS: ClassVar[list[BindingType]] = [
        _binding("j", "step(0, 1)", "Next", "next", "The next picture, row or part", group=_MOVE),
        _binding("k", "step(0, -1)", "Previous", "previous", "The picture, row or part before", group=_MOVE),
        _binding("down", "step(0, 1)", "Next", "next_arrow", "The next picture, row or part", show=False),
        _binding("up", "step(0, -1)", "Previous", "previous_arrow", "The picture, row or part before", show=False),
        _binding("l,right", "step(1, 0)", "Right", "right", "The next picture, or the part to the right", show=False),
        _binding("h,left", "step(-1, 0)", "Left", "left", "The picture before, or the part to the left", show=False),
        _binding("full_stop", "move(1)", "Next picture", "onward", "The next one, also where nearer", show=False),
        _binding("comma", "move(-1)", "Picture before", "back_one", "The one before, also where nearer", show=False),
        _binding("pagedown", "page(1)", "Next page", "page_down", "A page onward", show=False),
        _binding("pageup", "page(-1)", "Page before", "page_up", "A page back", show=False),
        _binding("home,g", "end(-1)", "First", "first", "The first picture", show=False),
        _binding("end,G", "end(1)", "Last", "last", "The last picture", show=False),
        _binding("left_square_bracket", "source(-1)", "Source back", "back", "The source before this one",
                 key_display="[", group=_SOURCE),
        _binding("right_square_bracket", "source(1)", "Next source", "forth", "The next source of pictures",
                 key_display="]", group=_SOURCE),
        _binding("tab", "source(1)", "Next source", "forth_tab", "The next source of pictures", show=False),
        _binding("shift+tab", "source(-1)", "Source back", "back_tab", "The source before this one", show=False),
        _binding("b", "browse", "Sources", "sources", "Choose among all sources, or any folder"),
        _binding("o", "open", "Folder", "open", "Show the pictures of any folder", show=False),
        _binding("slash", "filter", "Filter", "filter", "Names that hold a text, and measures: mean<20",
                 key_display="/"),
        _binding("r", "sort", "Sort", "sort", "By any measure: the blurriest, the darkest, the worst reconstructed"),
        _binding("t", "sheet", "Thumbnails", "sheet", "Many pictures on a page, and back to one"),
        _binding("v", "beside", "Reconstruction", "beside", "The picture beside what a network makes of it"),
        _binding("c", "checkpoint", "Checkpoint", "checkpoint", "Whose reconstructions are shown"),
        _binding("n", "nearest", "Nearest", "nearest", "The encoded pictures that are most like this"),
        _binding("space", "mark", "Mark", "mark", "Mark this picture, and go on"),
        _binding("u", "unmark", "Unmark", "unmark", "Take all marks away", show=False),
        _binding("a", "act", "Do", "act", "Exclude, encode or copy the marked pictures, or this one"),
        _binding("y", "copy", "Copy path", "copy", "Copy the paths of the marked pictures, or of this one", show=False),
        _binding("plus", "zoom(1)", "Nearer", "nearer", "Nearer, or larger thumbnails",
                 key_display="+", group=_ZOOM),
        _binding("equals_sign", "zoom(1)", "Nearer", "nearer_unshifted", "Nearer", key_display="=", show=False),
        _binding("minus", "zoom(-1)", "Farther", "farther", "Farther, or smaller thumbnails",
                 key_display="-", group=_ZOOM),
        _binding("0", "fit", "Fit", "fit", "All of the picture", group=_ZOOM),
        _binding("z", "actual", "Actual size", "actual", "The pixels of the picture one by one", show=False),
        _binding("f", "large", "Large", "large", "Without the list, and back"),
        _binding("enter", "enter", "Open", "enter", "The thumbnail as a picture; the picture large", show=False),
        _binding("ctrl+r", "reload", "Reload", "reload", "Read the folder again", show=False),
        _binding("p", "plain", "Blocks", "plain", "Draw with blocks in place of terminal graphics"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._sources: list[Source] = []
        self._source = 0
        self._opened: list[Source] = []
        self._nearest: Source | None = None
        self._example = Path()
        self._look: Look = "picture"
        self._checkpoint = ""
        self._datasets = Datasets(self.fext.records)

    def compose_body(self) -> ComposeResult:
        """Give the list of files, and the three ways to look at them."""
        with Horizontal(id="viewer"):
            yield Browser(self.fext.workspace, id="viewer-side")
            with Vertical(id="viewer-main"):
                yield Picture(id="viewer-picture")
                yield ContactSheet(id="viewer-sheet")
                yield SideBySide(lambda: self.fext.inference, id="viewer-beside")
                yield PictureFacts(id="viewer-line")
            yield PictureFacts(id="viewer-facts")

    def on_mount(self) -> None:
        """Begin with one picture."""
        self._set_look("picture")

    def on_screen_resume(self) -> None:
        """Look again: settings or jobs may have changed the pictures meanwhile."""
        browser = self._browser
        here = browser.source if browser.is_listed else None
        self._find_sources(here)
        if not browser.is_listed or self._here != here:
            self._list()
        elif browser.is_outdated:
            self.action_reload()

    @property
    def _browser(self) -> Browser:
        return self.query_one(Browser)

    # --- Sources --------------------------------------------------------------------------------------------

    @property
    def _here(self) -> Source:
        return self._sources[self._source]

    def _find_sources(self, source: Source | None = None) -> None:
        self._sources = [*workspace_sources(self.fext.workspace, self.fext.settings), *self._opened]
        self._sources += [self._nearest] if self._nearest else []
        self._source = self._sources.index(source) if source in self._sources else 0

    def _list(self, wanted: str = "") -> None:
        self._datasets = Datasets(self.fext.records)
        self._browser.show_source(self._here, f"{self._source + 1}/{len(self._sources)}", wanted)

    def action_source(self, step: int) -> None:
        """Show the next or previous source."""
        self._find_sources(self._here)
        self._source = (self._source + step) % len(self._sources)
        self._list()

    def action_browse(self) -> None:
        """Choose among the sources."""
        self._find_sources(self._here)
        titles = [safe(source.title, _LONGEST_TITLE) for source in self._sources]
        room = max(_DIALOG - max(map(len, titles)), 1)
        options = [
            (str(number), title, shortened(folder_name(self._sources[number].folder), room))
            for number, title in enumerate(titles)
        ]
        options.append((_ANY, _ANY, "o"))
        self.app.push_screen(Choose("Show the pictures of", options), self._browse)

    def _browse(self, number: str | None) -> None:
        if number == _ANY:
            self.action_open()
        elif number is not None:
            self._source = int(number)
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
        whole = [source for source in self._sources if not source.is_ordered and source.root == source.folder]
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

    def show_files(self, chosen: Chosen) -> None:
        """Show files, at least one, in the order given; beside their reconstructions where a checkpoint is named."""
        source = files_source(chosen)
        self._opened = [source]
        self.show_source(source)

    def show_source(self, source: Source) -> None:
        """Show a source; beside their reconstructions where it has to do with a checkpoint."""
        self._find_sources(source)
        if source.checkpoint and source.is_ordered:
            self._checkpoint = source.checkpoint
            self._set_look("beside")
        self._list(source.names[0] if source.names else "")

    def action_reload(self) -> None:
        """Read the folder again, and stay where the cursor is."""
        current = self._browser.current
        self._list(str(current.relative_to(self._here.root)) if current else "")

    # --- The nearest ----------------------------------------------------------------------------------------

    def action_nearest(self) -> None:
        """Show the pictures that are most like this one, by the vectors that are stored."""
        if self._browser.current is not None:
            self._example = self._browser.current
            self.fext.in_thread(partial(self._find_nearest, self._example), "nearest")

    def _find_nearest(self, path: Path) -> None:
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
        self.post_message(NearestFound(path, there))

    @on(NearestFound)
    def _show_nearest(self, message: NearestFound) -> None:
        if message.path != self._example or message.path != self._browser.current:
            return
        title = f"Nearest to {message.path.name}"
        chosen = Chosen((message.path, *message.similarities), title, figures={"cosine": message.similarities})
        self._nearest = files_source(chosen)
        self._find_sources(self._nearest)
        self._list(str(message.path.relative_to(self._here.root)))

    # --- Order and filter -----------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Edit the filter."""
        self._browser.filter()

    def action_sort(self) -> None:
        """Choose what the pictures are sorted by."""
        browser = self._browser
        source, names, figures = browser.source, list(browser.names[:1]), list(browser.figures)

        def work(records: Records) -> None:
            self.post_message(OrdersRead(source, offered_orders(records, source, names, figures)))

        self.fext.with_records(work, "orders")

    @on(OrdersRead)
    def _choose_order(self, message: OrdersRead) -> None:
        if message.source != self._browser.source:
            return
        orders = [self._turned(order) for order in message.orders]
        own = "their own order" if message.source.is_ordered else "name"
        options = [("", own, ""), *((str(at), safe(order.title), order.end) for at, order in enumerate(orders))]
        detail = "" if orders else "Press 1 for Data and a to measure these pictures: then they can be sorted by it."

        def chosen(number: str | None) -> None:
            if number is not None:
                self._browser.sort(orders[int(number)] if number else None)

        self.app.push_screen(Choose("Sort the pictures by", options, detail), chosen)

    def _turned(self, order: Order) -> Order:
        """Return an order the other way round where it is the one that is."""
        return order.reversed() if order == self._browser.order else order

    # --- Moving ---------------------------------------------------------------------------------------------

    def action_step(self, right: int, down: int) -> None:
        """Go to the next picture or the one before, on the sheet to a row; where nearer, to another part."""
        picture = self.query_one(Picture)
        if self._look == "picture" and not picture.is_whole:
            picture.pan(right, down)
        else:
            self._browser.move(right + down * self._row)

    @property
    def _row(self) -> int:
        return self.query_one(ContactSheet).grid.across if self._look == "sheet" else 1

    def action_move(self, steps: int) -> None:
        """Go to the next picture or the one before."""
        self._browser.move(steps)

    def action_page(self, pages: int) -> None:
        """Move by a page of the list or of the sheet."""
        page = self.query_one(ContactSheet).grid.page if self._look == "sheet" else self._browser.page
        self._browser.move(pages * page)

    def action_end(self, way: int) -> None:
        """Move to the first or last picture."""
        self._browser.move(way * len(self._browser.names))

    @on(ContactSheet.Picked)
    def _pick(self, message: ContactSheet.Picked) -> None:
        browser = self._browser
        if message.number == browser.cursor:
            self._set_look("picture")
        browser.move(message.number - browser.cursor)

    def jump_targets(self) -> list[Target]:
        """Give the sources."""
        self._find_sources(self._here)
        return [
            Target(source.title, folder_name(source.folder), partial(self.show_source, source))
            for source in self._sources
        ]

    def jump_to(self, typed: str) -> bool:
        """Go to a picture by its number, or by a part of its name."""
        return self._browser.go_to(typed)

    # --- Ways to look ---------------------------------------------------------------------------------------

    def _set_look(self, look: Look) -> None:
        self._look = look
        for name, canvas in (("picture", Picture), ("sheet", ContactSheet), ("beside", SideBySide)):
            self.set_class(name == look, f"-{name}")
            self.query_one(canvas).display = name == look
        self.refresh_bindings()
        self._show()

    def action_sheet(self) -> None:
        """Show many pictures, or one again."""
        self._set_look("picture" if self._look == "sheet" else "sheet")

    def action_enter(self) -> None:
        """Show the thumbnail as a picture, and the picture without the list."""
        if self._look == "sheet":
            self._set_look("picture")
        else:
            self.action_large()

    def action_large(self) -> None:
        """Show the picture alone, or the list beside it again."""
        self.toggle_class("-large")

    def action_zoom(self, steps: int) -> None:
        """Look from nearer or farther; on the sheet, make thumbnails larger or smaller."""
        if self._look == "sheet":
            self.query_one(ContactSheet).resize(steps)
        else:
            self.query_one(Picture).zoom(steps)

    def action_fit(self) -> None:
        """Show all of the picture."""
        self.query_one(Picture).fit()

    def action_actual(self) -> None:
        """Show the pixels of the picture one by one."""
        self.query_one(Picture).actual()

    def action_plain(self) -> None:
        """Change between terminal graphics and blocks."""
        for canvas in (self.query_one(Picture), self.query_one(ContactSheet), self.query_one(SideBySide)):
            canvas.plain = not canvas.plain
            canvas.redraw()

    def action_leave_field(self) -> None:
        """Close the innermost: the field, the filter, the part, the large picture, the sheet."""
        picture = self.query_one(Picture)
        if self._browser.close_filter():
            self.set_focus(None)
        elif self._look == "picture" and not picture.is_whole:
            picture.fit()
        elif self.has_class("-large"):
            self.remove_class("-large")
        elif self._look != "picture":
            self._set_look("picture")
        else:
            super().action_leave_field()

    # --- Reconstructions ------------------------------------------------------------------------------------

    def action_beside(self) -> None:
        """Show the picture beside its reconstruction, or alone again."""
        if self._look == "beside":
            self._set_look("picture")
        elif self._checkpoint or self._here.checkpoint:
            self._checkpoint = self._here.checkpoint or self._checkpoint
            self._set_look("beside")
        else:
            self._ask_for_checkpoints(choose=False)

    def action_checkpoint(self) -> None:
        """Choose whose reconstructions are shown."""
        self._ask_for_checkpoints(choose=True)

    def _ask_for_checkpoints(self, *, choose: bool) -> None:
        def work() -> None:
            names = [facts.name for facts in list_checkpoints(self.fext.workspace)]
            if not names:
                raise UsageError("There is no checkpoint yet.", "Train one first: 2 for Model, then t.")
            self.post_message(CheckpointsListed(names, choose=choose))

        self.fext.in_thread(work, "checkpoints")

    @on(CheckpointsListed)
    def _take_checkpoints(self, message: CheckpointsListed) -> None:
        if not message.choose:
            self._reconstruct_by(message.names[0])
            return
        options = [(name, safe(name), "") for name in message.names]
        self.app.push_screen(Choose("Reconstruct with", options), self._reconstruct_by)

    def _reconstruct_by(self, name: str | None) -> None:
        if name is not None:
            self._checkpoint = name
            self._set_look("beside")

    # --- Marks ----------------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        """Mark the picture and go on, or take its mark away."""
        self._browser.mark()
        self._browser.move(1)

    def action_unmark(self) -> None:
        """Take all marks away."""
        self._browser.unmark_all()

    def _chosen(self) -> list[Path]:
        """Return the marked pictures, or else the one that is looked at."""
        browser = self._browser
        return browser.marked or ([browser.current] if browser.current else [])

    def action_act(self) -> None:
        """Choose what to do with the marked pictures, or with this one."""
        paths = self._chosen()
        if not paths:
            return
        what = f"{len(paths):,} marked pictures" if self._browser.marked else safe(paths[0].name)
        self.app.push_screen(Choose(f"What is to be done with {what}?", ACTIONS), partial(self._act, paths))

    def action_copy(self) -> None:
        """Copy the paths of the marked pictures, or of this one."""
        self._act(self._chosen(), "copy")

    def _act(self, paths: list[Path], action: str | None) -> None:
        if action == "show":
            self.show_files(Chosen(tuple(paths), "Marked"))
        elif action is not None and paths:
            act(self.fext, action, Marked(self._here, tuple(paths)), self.post_message)

    @on(PicturesTold)
    def _tell(self, message: PicturesTold) -> None:
        self.notify(message.text, markup=False, timeout=5)

    # --- The picture ----------------------------------------------------------------------------------------

    @on(Browser.Moved)
    @on(Browser.Renewed)
    def _show(self) -> None:
        """Show what the cursor stands on, in the way that is looked."""
        browser = self._browser
        if not browser.is_listed:
            return
        path, note = browser.current, browser.note()
        match self._look:
            case "picture":
                self.query_one(Picture).show(path, note)
            case "beside":
                self.query_one(SideBySide).show(path, self._checkpoint, note)
            case "sheet":
                sheet = self.query_one(ContactSheet)
                sheet.show(Shown(browser.source.root, browser.names, browser.cursor, browser.is_marked))
        if path is None or self._look != "picture":
            self._tell_facts(path, None)

    def _tell_facts(self, path: Path | None, facts: "Facts | None") -> None:
        told = None
        if path is not None:
            found = self._datasets.of_picture(self._here, path)
            measured = self.fext.records.image(*found) if found else None
            told = Told(self._name_of(path), facts, measured, self.query_one(Picture).nearer)
        for one in self.query(PictureFacts):
            one.tell(told)

    @on(Picture.Shown)
    def _shown(self, message: Picture.Shown) -> None:
        self._tell_facts(message.path, message.facts)

    @on(Picture.Failed)
    def _failed(self, message: Picture.Failed) -> None:
        self._tell_facts(message.path, None)

    def _name_of(self, path: Path) -> str:
        folder = self._here.root
        return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name

    @on(Browser.Failed)
    def _tell_failure(self, message: Browser.Failed) -> None:
        self.fext.tell_error(message.error)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the choice of blocks where there is nothing else, and what a way to look has no use for."""
        if action == "plain" and self.is_mounted:
            picture: Canvas = self.query_one(Picture)
            return picture.plain or picture.kind in {"kitty", "sixel"}
        if action == "checkpoint":
            return self._look == "beside"
        if action in {"fit", "actual"}:
            return self._look == "picture"
        if action == "zoom":
            return self._look != "beside"
        return super().check_action(action, parameters)
