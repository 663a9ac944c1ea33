"""The small dialogs: a question, a choice, a line of text, something to read."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from engine.errors import FextError, UsageError
from engine.files import replace_file
from fext_tui.keys import key_hints, shown_key
from fext_tui.text import folder_name, safe
from fext_tui.widgets.dialog import Dialog
from fext_tui.widgets.field import Field
from fext_tui.widgets.options import Options

_AROUND_TEXT = 12
"""Rows of a reading dialog beside its text, and of the terminal beside the dialog."""


class Confirm(Dialog[bool]):
    """A question before something that cannot be taken back: No is where the cursor stands."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="dialog.yes"),
        Binding("n,escape", "answer(False)", "No", id="dialog.no"),
        Binding("left,right,h,l", "app.focus_next", "Other", show=False, id="dialog.other"),
    ]

    def __init__(self, question: str, detail: str = "", yes: str = "Yes", no: str = "No") -> None:
        super().__init__()
        self._texts = (question, detail)
        self._buttons = (yes, no)

    def compose(self) -> ComposeResult:
        """Give the question and its two answers, No first."""
        question, detail = self._texts
        yes, no = self._buttons
        with Vertical(classes="dialog"):
            yield Static(Content(question), classes="dialog-title")
            if detail:
                yield Static(Content(detail), classes="dialog-detail")
            with Horizontal(classes="dialog-buttons"):
                yield Button(Content(f"{shown_key(self, 'dialog.no', 'n')}  {no}"), id="no", compact=True)
                yield Button(Content(f"{shown_key(self, 'dialog.yes', 'y')}  {yes}"), id="yes", compact=True)

    def on_mount(self) -> None:
        """Put the cursor on No."""
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer."""
        self.dismiss(answer)


class Choose(Dialog[str | None]):
    """One of several: gives the chosen one's name, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", id="dialog.cancel"),
        Binding("j", "move('cursor_down')", "Down", show=False, id="dialog.down"),
        Binding("k", "move('cursor_up')", "Up", show=False, id="dialog.up"),
    ]

    def __init__(self, title: str, options: Sequence[tuple[str, str, str]], detail: str = "") -> None:
        """Offer ``options`` as (name, title, help); the cursor stands on the first."""
        super().__init__()
        self._heading = title
        self._detail = detail
        self._options = options

    def compose(self) -> ComposeResult:
        """Give the list."""
        width = max(len(title) for _, title, _ in self._options) + 2
        with Vertical(classes="dialog"):
            yield Static(Content(self._heading), classes="dialog-title")
            if self._detail:
                yield Static(Content(self._detail), classes="dialog-detail")
            yield Options(
                *(
                    Option(_line(title, help_text, width), id=str(index))
                    for index, (_, title, help_text) in enumerate(self._options)
                ),
                compact=True,
            )
            yield Static(key_hints(self, ("", "enter choose"), ("dialog.cancel", "esc cancel")), classes="dialog-keys")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Give the chosen name."""
        self.dismiss(self._options[event.option_index][0])

    async def action_move(self, way: str) -> None:
        """Move the cursor."""
        await self.query_one(Options).run_action(way)


def _line(title: str, help_text: str, width: int) -> Content:
    if not help_text:
        return Content.styled(title, "bold")
    return Content.assemble((title.ljust(width), "bold"), (help_text, "$text-muted"))


class Ask(Dialog[str | None]):
    """A line of text, checked where it stands: gives it, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel", id="dialog.cancel")]

    def __init__(
        self, title: str, detail: str = "", value: str = "", check: Callable[[str], object] | None = None
    ) -> None:
        """Ask; ``check`` raises a `UsageError` for a text that is not allowed."""
        super().__init__()
        self._texts = (title, detail, value)
        self._check = check

    def compose(self) -> ComposeResult:
        """Give the field."""
        title, detail, value = self._texts
        with Vertical(classes="dialog"):
            yield Static(Content(title), classes="dialog-title")
            if detail:
                yield Static(Content(detail), classes="dialog-detail")
            yield Field(safe(value), compact=True)
            yield Static("", classes="dialog-error")
            yield Static(key_hints(self, ("", "enter go on"), ("dialog.cancel", "esc cancel")), classes="dialog-keys")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the text, or say what is wrong with it."""
        text = event.value.strip()
        try:
            if self._check is not None:
                self._check(text)
        except UsageError as error:
            self.query_one(".dialog-error", Static).update(Content(safe(f"{error.cause} {error.remedy}")))
        else:
            self.dismiss(text)

    def on_input_changed(self) -> None:
        """Take the complaint away."""
        self.query_one(".dialog-error", Static).update("")


class Reading(Dialog[None]):
    """Something to read, to scroll and to copy."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss(None)", "Close", id="dialog.close"),
        Binding("y", "copy", "Copy", id="dialog.copy"),
        Binding("j,down", "scroll('down')", "Down", show=False, id="dialog.down"),
        Binding("k,up", "scroll('up')", "Up", show=False, id="dialog.up"),
        Binding("space,pagedown", "scroll('page_down')", "Next page", show=False, id="dialog.page_down"),
        Binding("pageup", "scroll('page_up')", "Page before", show=False, id="dialog.page_up"),
        Binding("g,home", "scroll('home')", "Start", show=False, id="dialog.home"),
        Binding("G,end", "scroll('end')", "End", show=False, id="dialog.end"),
    ]

    def __init__(self, title: str, content: Content, file: Path | None = None) -> None:
        """Show ``content``; it is written to ``file`` when it is copied, for terminals that cannot."""
        super().__init__()
        self._heading = title
        self._content = content
        self._file = file

    def compose(self) -> ComposeResult:
        """Give the text."""
        with Vertical(classes="dialog reading"):
            yield Static(Content(self._heading), classes="dialog-title")
            with VerticalScroll():
                yield Static(self._content)
            keys = key_hints(self, ("", "↑↓ scroll"), ("dialog.copy", "y copy"), ("dialog.close", "esc close"))
            yield Static(keys, classes="dialog-keys")

    def on_resize(self, event: Resize) -> None:
        """Let the text be as high as it is, within the terminal."""
        self.query_one(VerticalScroll).styles.max_height = max(event.size.height - _AROUND_TEXT, 3)

    def action_scroll(self, way: str) -> None:
        """Scroll."""
        getattr(self.query_one(VerticalScroll), f"scroll_{way}")(animate=False)

    def action_copy(self) -> None:
        """Copy the text to the person's clipboard through the terminal (OSC 52), and to its file."""
        self.app.copy_to_clipboard(self._content.plain)
        place = ""
        try:
            if self._file is not None:
                replace_file(self._file, f"{self._content.plain}\n".encode())
                place = f" The same is in {folder_name(self._file)}."
        except FextError as error:
            place = f" {safe(error.cause)}"
        self.notify(f"Copied, where the terminal allows it.{place}", markup=False)


class KeyList(Reading):
    """What the keys do."""


class ErrorList(Reading):
    """What went wrong."""
