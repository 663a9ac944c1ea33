"""Maintenance: how much room everything takes, and what can be exported, checked, pruned or deleted."""

from pathlib import Path
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.records import Records
from engine.sizes import Room, rooms
from fext_tui.chores import CHORES, LOOKS, Offer
from fext_tui.keys import key_hints
from fext_tui.screens.base import WorkingDialog
from fext_tui.screens.dialogs import Choose, Reading
from fext_tui.text import folder_name, number, safe, size
from fext_tui.widgets.options import Options

_FOLDERS = "folders"


class Row(NamedTuple):
    """What can be done, what is to be known of it, and the part of the workspace whose size is told beside it."""

    title: str
    help: str
    part: str = ""


_ROWS = {
    _FOLDERS: Row("Show folders and sizes", "What takes room, largest first."),
    "states": Row("Prune checkpoints", "Old states of runs go; best and last stay.", "checkpoints"),
    "caches": Row("Remove unneeded caches", "Packs of images that no checkpoint needs.", "packs"),
    "logs": Row("Remove logs", "Those of jobs that have ended.", "logs"),
    "plots": Row("Remove figures of analyses", "The next analysis draws them anew."),
    "check": Row("Check the records", "Read all of them, and tell what is damaged.", "records"),
    "compact": Row("Compact the records", "Give back the room of what was deleted.", "records"),
    "export": Row("Export the records", "Every table as a CSV file."),
    "data": Row("Delete what is known of a folder", "Metrics, findings, exclusions; the images stay."),
    "records": Row("Delete all records", "Images, checkpoints and embeddings stay."),
    "release": Row("Look for a newer release", "Asks where FeXT was fetched from; nothing else does."),
}
_WIDTH = 40


class RoomsRead(Message):
    """The sizes of the parts of the workspace are known."""

    def __init__(self, found: list[Room]) -> None:
        super().__init__()
        self.found = found


class Offered(Message):
    """It was looked for what a chore could do."""

    def __init__(self, name: str, offers: list[Offer]) -> None:
        super().__init__()
        self.name = name
        self.offers = offers


class Maintenance(WorkingDialog[None]):
    """A list of chores with sizes; dangerous ones ask first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,U", "dismiss(None)", "Close", id="dialog.close"),
        Binding("j", "move('cursor_down')", "Down", show=False, id="dialog.down"),
        Binding("k", "move('cursor_up')", "Up", show=False, id="dialog.up"),
    ]
    BINDING_GROUP_TITLE = "Maintenance"

    def __init__(self) -> None:
        super().__init__()
        self._rooms: list[Room] = []

    def compose(self) -> ComposeResult:
        """Give the list, and the line that says what is done now."""
        with Vertical(classes="dialog"):
            yield Static("Maintenance", classes="dialog-title")
            yield Options(*(Option(self._line(name), id=name) for name in _ROWS), compact=True)
            yield Static("", id="maintenance-help")
            yield Static(key_hints(self, ("", "enter do"), ("dialog.close", "esc close")), classes="dialog-keys")

    def on_mount(self) -> None:
        """Measure, and listen."""
        self.fext.chore_ended.subscribe(self, self._measure)
        self._measure()

    def on_screen_resume(self) -> None:
        """Say what is done now: a question may have begun it."""
        self._tell()

    def _measure(self, _: object = None) -> None:
        self._tell()
        self.in_thread(lambda: RoomsRead(rooms(self.fext.workspace)), "rooms")

    @on(OptionList.OptionHighlighted)
    def _tell(self) -> None:
        """Say how much there is; what is done now, or else what the chosen row does."""
        total = sum(room.bytes for room in self._rooms)
        told = f"{size(total)} in all" if self._rooms else "Measuring …"
        self.query_one(".dialog-title", Static).update(Content(f"Maintenance   {told}"))
        chosen = self.query_one(Options).highlighted_option
        chore = self.fext.chore
        help_text = f"{chore.title} …" if chore else _ROWS[str(chosen.id)].help if chosen else ""
        self.query_one("#maintenance-help", Static).update(Content(help_text))

    @on(RoomsRead)
    def _show_rooms(self, message: RoomsRead) -> None:
        self._rooms = message.found
        listed = self.query_one(Options)
        for name in _ROWS:
            listed.replace_option_prompt(name, self._line(name))
        self._tell()

    def _line(self, name: str) -> Content:
        row = _ROWS[name]
        told = next((size(room.bytes) for room in self._rooms if room.name == row.part), "")
        return Content(f"{row.title:<{_WIDTH}}{told:>9}")

    async def action_move(self, way: str) -> None:
        """Move the cursor."""
        await self.query_one(Options).run_action(way)

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        name = str(event.option_id)
        if name == _FOLDERS:
            root = self.fext.workspace.root
            self.app.push_screen(Reading(f"Folders and sizes of {folder_name(root)}", room_table(self._rooms, root)))
        elif name in LOOKS:
            self._look(name)
        else:
            self.fext.do_chore(CHORES[name])
            self._tell()

    # --- Looking first ----------------------------------------------------------------------------------------

    def _look(self, name: str) -> None:
        def work() -> Message:
            with Records(self.fext.workspace) as records:
                return Offered(name, LOOKS[name](self.fext.workspace, records))

        self.query_one("#maintenance-help", Static).update("Looking …")
        self.in_thread(work, "look")

    @on(Offered)
    def _ask(self, message: Offered) -> None:
        self._tell()
        if not self.is_active:
            return
        if not message.offers:
            self.notify("There is nothing of that kind.", timeout=4)
            return
        offers = {str(index): offer for index, offer in enumerate(message.offers)}
        options = [("", "Leave all as it is", ""), *((key, one.title, one.help) for key, one in offers.items())]

        def answered(choice: str | None) -> None:
            if choice:
                self.fext.do_chore(offers[choice].chore)
                self._tell()

        self.app.push_screen(Choose(_ROWS[message.name].title, options), answered)

    @on(WorkingDialog.Failed)
    def _end_look(self) -> None:
        self._tell()


def room_table(found: list[Room], root: Path) -> Content:
    """Return the parts of a workspace with size, number of files, and folder below ``root``, one a line."""
    width = max((len(room.name) for room in found), default=0)
    lines = [
        Content.assemble(
            (f"{room.name:<{width}}  {size(room.bytes):>8}  {number(room.files):>9} files  ", ""),
            (safe(room.path.relative_to(root)), "$text-muted"),
        )
        for room in found
    ]
    return Content("\n").join(lines)
