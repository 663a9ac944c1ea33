"""The Viewer: pictures and plots, one large, many small, or one beside its reconstruction."""

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from engine.records import Records, Row
from fext_tui.orders import Datasets
from fext_tui.screens.dialogs import Choose
from fext_tui.screens.picking import PickingScreen
from fext_tui.text import safe
from fext_tui.viewer_actions import checkpoint_names
from fext_tui.widgets.browser import Browser
from fext_tui.widgets.contact_sheet import ContactSheet, Shown
from fext_tui.widgets.filter_line import FilterLine
from fext_tui.widgets.picture import Picture
from fext_tui.widgets.picture_facts import PictureFacts, Told
from fext_tui.widgets.side_by_side import SideBySide

if TYPE_CHECKING:
    from fext_tui.pictures import Facts
    from fext_tui.widgets.canvas import Canvas

Look = Literal["picture", "sheet", "beside"]
"""One picture large, many small, or one beside its reconstruction."""

_MOVE = Binding.Group("Move", compact=True)
_SOURCE = Binding.Group("Source", compact=True)
_ZOOM = Binding.Group("Zoom", compact=True)


class FactsRead(Message):
    """What was measured on a picture was read; ``facts`` are those of its file, where it was drawn.

    Of readings that overlap, that of the higher ``number`` was begun later.
    """

    def __init__(self, number: int, path: Path, facts: "Facts | None", measured: Row | None) -> None:
        super().__init__()
        self.number = number
        self.path = path
        self.facts = facts
        self.measured = measured


class CheckpointsListed(Message):
    """The checkpoints that pictures can be reconstructed with, newest first, and whether one is to be chosen."""

    def __init__(self, names: list[str], *, choose: bool) -> None:
        super().__init__()
        self.names = names
        self.choose = choose


def _binding(key: str, action: str, name: str, id: str, help_text: str, **options: Any) -> Binding:  # noqa: A002
    return Binding(key, action, name, id=f"viewer.{id}", tooltip=help_text, **options)


class ViewerScreen(PickingScreen):
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
        self._look: Look = "picture"
        self._checkpoint = ""
        self._known: dict[Path, int | None] = {}
        self._facts_readings = count(1)
        self._shown_facts = 0

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

    def list_again(self, wanted: str = "") -> None:
        """List the pictures anew; meanwhile their folders may have been analyzed."""
        self._known = {}
        super().list_again(wanted)

    # --- Moving ---------------------------------------------------------------------------------------------

    def action_step(self, right: int, down: int) -> None:
        """Go to the next picture or the one before, on the sheet to a row; where nearer, to another part."""
        picture = self.query_one(Picture)
        if self._look == "picture" and not picture.is_whole:
            picture.pan(right, down)
        else:
            self.browser.move(right + down * self._row)

    @property
    def _row(self) -> int:
        return self.query_one(ContactSheet).grid.across if self._look == "sheet" else 1

    def action_move(self, steps: int) -> None:
        """Go to the next picture or the one before."""
        self.browser.move(steps)

    def action_page(self, pages: int) -> None:
        """Move by a page of the list or of the sheet."""
        page = self.query_one(ContactSheet).grid.page if self._look == "sheet" else self.browser.page
        self.browser.move(pages * page)

    def action_end(self, way: int) -> None:
        """Move to the first or last picture."""
        self.browser.move(way * len(self.browser.names))

    @on(ContactSheet.Picked)
    def _pick(self, message: ContactSheet.Picked) -> None:
        browser = self.browser
        if message.number == browser.cursor:
            self._set_look("picture")
        browser.move(message.number - browser.cursor)

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
        """Close the innermost: the field, the part, the large picture, the filter, the sheet."""
        picture = self.query_one(Picture)
        if isinstance(self.focused, FilterLine):
            self.browser.close_filter()
        elif self._look == "picture" and not picture.is_whole:
            picture.fit()
        elif self.has_class("-large"):
            self.remove_class("-large")
        elif self.browser.close_filter():
            return
        elif self._look != "picture":
            self._set_look("picture")
        else:
            super().action_leave_field()

    # --- Reconstructions ------------------------------------------------------------------------------------

    def action_beside(self) -> None:
        """Show the picture beside its reconstruction, or alone again."""
        if self._look == "beside":
            self._set_look("picture")
        elif self._checkpoint or self.here.checkpoint:
            self.show_beside(self.here.checkpoint or self._checkpoint)
        else:
            self._ask_for_checkpoints(choose=False)

    def action_checkpoint(self) -> None:
        """Choose whose reconstructions are shown."""
        self._ask_for_checkpoints(choose=True)

    def _ask_for_checkpoints(self, *, choose: bool) -> None:
        def work() -> None:
            self.post_message(CheckpointsListed(checkpoint_names(self.fext), choose=choose))

        self.fext.in_thread(work, "checkpoints")

    @on(CheckpointsListed)
    def _take_checkpoints(self, message: CheckpointsListed) -> None:
        if not message.choose:
            self.show_beside(message.names[0])
        elif self.is_active:
            options = [(name, safe(name), "") for name in message.names]
            self.app.push_screen(Choose("Reconstruct with", options), self._reconstruct_by)

    def _reconstruct_by(self, name: str | None) -> None:
        if name is not None:
            self.show_beside(name)

    def show_beside(self, checkpoint: str) -> None:
        """Show pictures beside their reconstructions by a checkpoint."""
        self._checkpoint = checkpoint
        self._set_look("beside")

    # --- The picture ----------------------------------------------------------------------------------------

    @on(Browser.Moved)
    def _show(self) -> None:
        """Show what the cursor stands on, in the way that is looked."""
        browser = self.browser
        if not browser.is_listed:
            return
        path, note = browser.current, browser.note()
        match self._look:
            case "picture":
                self.query_one(Picture).show(path, note)
            case "beside":
                self.query_one(SideBySide).show(path, self._checkpoint, note)
            case "sheet":
                self._show_sheet()
        if path is None or self._look != "picture":
            self._tell_facts(path, None)

    @on(Browser.Renewed)
    @on(Browser.Marked)
    def _show_sheet(self) -> None:
        """Show the thumbnails, which are other ones, or marked otherwise."""
        browser = self.browser
        if self._look == "sheet" and browser.is_listed:
            shown = Shown(browser.source.root, browser.names, browser.cursor, browser.is_marked)
            self.query_one(ContactSheet).show(shown)

    def _tell_facts(self, path: Path | None, facts: "Facts | None") -> None:
        """Tell what is known of a picture; a thread reads what was measured on it."""
        if path is None:
            self._put_facts(None)
            return
        number, source, known = next(self._facts_readings), self.here, self._known

        def read(records: Records) -> None:
            found = Datasets(records, known).of_picture(source, path)
            self.post_message(FactsRead(number, path, facts, records.image(*found) if found else None))

        self.fext.with_records(read, "facts")

    @on(FactsRead)
    def _take_facts(self, message: FactsRead) -> None:
        if message.path == self.browser.current and message.number > self._shown_facts:
            self._shown_facts = message.number
            nearer = self.query_one(Picture).nearer
            self._put_facts(Told(self._name_of(message.path), message.facts, message.measured, nearer))

    def _put_facts(self, told: Told | None) -> None:
        for one in self.query(PictureFacts):
            one.tell(told)

    @on(Picture.Shown)
    def _shown(self, message: Picture.Shown) -> None:
        self._tell_facts(message.path, message.facts)

    @on(Picture.Failed)
    def _failed(self, message: Picture.Failed) -> None:
        self._tell_facts(message.path, None)

    def _name_of(self, path: Path) -> str:
        folder = self.here.root
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
