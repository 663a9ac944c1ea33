"""A directory picker for keys alone: a list to walk through, and a line that takes a typed path."""

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from fext_tui.keys import key_hints
from fext_tui.listing import count_pictures
from fext_tui.text import folder_name, safe
from fext_tui.widgets.dialog import Dialog
from fext_tui.widgets.field import Field
from fext_tui.widgets.options import Options

_MOST_FOLDERS = 2000
_KEYS = (
    ("folder.use", "u use"), ("folder.open", "→ open"), ("folder.parent", "← parent"),
    ("folder.type", "/ type a path"), ("folder.cancel", "esc cancel"),
)  # fmt: skip
_COUNT_S = 1.0
"""How long the pictures below a folder are counted; then the count says ``at least``."""


@dataclass(frozen=True)
class Inside:
    """What a folder holds: its folders by name, or why it cannot be read."""

    folder: Path
    folders: tuple[str, ...] = ()
    problem: str = ""


def look_inside(folder: Path) -> Inside:
    """Return the first folders in a folder, sorted, those whose name starts with a dot last."""
    try:
        with os.scandir(folder) as entries:
            names = islice((entry.name for entry in entries if entry.is_dir()), _MOST_FOLDERS)
            return Inside(folder, tuple(sorted(names, key=lambda name: (name.startswith("."), name.lower()))))
    except OSError as error:
        return Inside(folder, problem=error.strerror or str(error))


def begun_anew(text: str) -> str:
    """Return a typed path from where it begins anew: an absolute path typed behind another one wins."""
    root, home = text.rfind("//"), text.rfind("/~")
    return text[max(root, home) + 1 :] if max(root, home) >= 0 else text


def typed_folder(text: str, base: Path) -> Path:
    """Return the folder that a typed text means: ``~`` is the home folder, other relative paths start at ``base``."""
    text = begun_anew(text)
    return Path(os.path.normpath(base / Path(text).expanduser())) if text else base


class _FolderSuggester(Suggester):
    """Completes the last part of a typed path."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """Return the first folder that begins as the text does."""
        head, slash, begun = value.rpartition("/")
        if not slash or not begun:
            return None
        inside = look_inside(Path(begun_anew(head + slash)).expanduser())
        found = next((name for name in inside.folders if name.startswith(begun)), None)
        return head + slash + found if found and found.isprintable() else None


class FolderDialog(Dialog[Path | None]):
    """Gives the chosen folder, or None."""

    DEFAULT_CSS = """
    FolderDialog #folder-count { color: $text-muted; height: 1; margin-bottom: 1; }
    FolderDialog OptionList { max-height: 12; }
    FolderDialog Input { margin-top: 1; }
    FolderDialog .dialog-keys { margin-top: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Cancel", id="folder.cancel"),
        Binding("u", "use", "Use this folder", id="folder.use"),
        Binding("slash", "type", "Type a path", key_display="/", id="folder.type"),
        Binding("j", "move('cursor_down')", "Down", show=False, id="folder.down"),
        Binding("k", "move('cursor_up')", "Up", show=False, id="folder.up"),
        Binding("right,l", "enter", "Open", show=False, id="folder.open"),
        Binding("left,h,backspace", "parent", "Parent", show=False, id="folder.parent"),
    ]

    class Listed(Message):
        """A folder's folders are known."""

        def __init__(self, inside: Inside) -> None:
            super().__init__()
            self.inside = inside

    class Counted(Message):
        """A folder's pictures are counted."""

        def __init__(self, folder: Path, count: int, complete: bool) -> None:
            super().__init__()
            self.folder = folder
            self.count = count
            self.complete = complete

    def __init__(self, title: str, start: Path) -> None:
        super().__init__()
        self._title = title
        self._folder = start
        self._inside = Inside(start)
        self._came_from = ""

    def compose(self) -> ComposeResult:
        """Give the line, the list and what the folder holds."""
        with Vertical(classes="dialog folder-dialog"):
            yield Static(Content(self._title), classes="dialog-title")
            yield Static("", id="folder-here")
            yield Static("", id="folder-count")
            yield Options(compact=True)
            yield Field(placeholder="/ type a path", suggester=_FolderSuggester(), compact=True, select_on_focus=False)
            yield Static("", classes="dialog-error")
            yield Static(key_hints(self, *_KEYS), classes="dialog-keys")

    def on_mount(self) -> None:
        """Begin in the first folder that is there."""
        self.query_one(Options).focus()
        while not self._folder.is_dir() and self._folder != self._folder.parent:
            self._folder = self._folder.parent
        self._go(self._folder)

    def _go(self, folder: Path, came_from: str = "") -> None:
        self._folder, self._came_from = folder, came_from
        self.query_one("#folder-here", Static).update(Content(folder_name(folder)))
        self.query_one("#folder-count", Static).update("")
        self._look(folder)

    @work(thread=True, exclusive=True, group="folder")
    def _look(self, folder: Path) -> None:
        worker = get_current_worker()
        self.post_message(self.Listed(look_inside(folder)))
        count, complete, _ = count_pictures(folder, lambda: not worker.is_cancelled, _COUNT_S)
        if not worker.is_cancelled:
            self.post_message(self.Counted(folder, count, complete))

    @on(Listed)
    def _listed(self, message: Listed) -> None:
        if message.inside.folder != self._folder:
            return
        self._inside = message.inside
        options = [Option(Content.styled("Use this folder", "bold")), Option(Content("..  parent folder"))]
        options += [Option(Content(f"{safe(name)}/")) for name in message.inside.folders]
        listed = self.query_one(Options)
        listed.set_options(options)
        names = message.inside.folders
        listed.highlighted = names.index(self._came_from) + 2 if self._came_from in names else 0
        self.query_one(".dialog-error", Static).update(Content(safe(message.inside.problem)))

    @on(Counted)
    def _counted(self, message: Counted) -> None:
        if message.folder == self._folder:
            how_many = f"{'' if message.complete else 'at least '}{message.count:,}"
            self.query_one("#folder-count", Static).update(f"{how_many} pictures here and below")

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_index == 0:
            self.action_use()
        elif event.option_index == 1:
            self.action_parent()
        else:
            self._go(self._folder / self._inside.folders[event.option_index - 2])

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        folder = typed_folder(event.value.strip(), self._folder)
        if folder.is_dir():
            self.dismiss(folder)
        else:
            problem = "is not a folder" if folder.exists() else "is not there"
            self.query_one(".dialog-error", Static).update(Content(f"{folder_name(folder)} {problem}."))

    def action_use(self) -> None:
        """Choose the folder that is open."""
        if self._inside.problem:
            self.query_one(".dialog-error", Static).update(Content(f"Not readable: {safe(self._inside.problem)}."))
        else:
            self.dismiss(self._folder)

    def action_enter(self) -> None:
        """Open the folder under the cursor."""
        listed = self.query_one(Options)
        if listed.highlighted is not None and listed.highlighted > 0:
            listed.action_select()

    def action_parent(self) -> None:
        """Open the folder that holds this one."""
        self._go(self._folder.parent, self._folder.name)

    def action_type(self) -> None:
        """Edit the path."""
        line = self.query_one(Input)
        if not line.value:
            here = os.fspath(self._folder)
            line.value = (here if here.isprintable() else "").rstrip("/") + "/"
            line.cursor_position = len(line.value)
        self.set_focus(line)

    def action_back(self) -> None:
        """Leave the line where it is edited; else leave without a choice."""
        if isinstance(self.focused, Input):
            self.query_one(Options).focus()
        else:
            self.dismiss(None)

    def action_move(self, way: str) -> None:
        """Move the cursor."""
        getattr(self.query_one(Options), f"action_{way}")()
