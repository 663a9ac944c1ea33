"""Go to: a screen, a pane, or a place of the screen that is shown, by a few letters of its name."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from fext_tui.keys import key_hints, shown_key
from fext_tui.screens.base import MODES, Target
from fext_tui.text import safe, shortened
from fext_tui.widgets.dialog import Dialog
from fext_tui.widgets.field import Field
from fext_tui.widgets.options import Options

if TYPE_CHECKING:
    from fext_tui.app import FextApp
    from fext_tui.widgets.panes import Titles

_TITLE, _ROOM = 24, 54
"""Columns of a title at least, and of a line."""
_MOST = 600
"""Targets that are listed at once; typing narrows them."""


class Jump(Dialog[Target | str | None]):
    """Gives the chosen target, what was typed where the screen takes it as it stands, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", id="dialog.cancel"),
        Binding("down", "move('cursor_down')", "Down", show=False, id="jump.down"),
        Binding("up", "move('cursor_up')", "Up", show=False, id="jump.up"),
        Binding("pagedown", "move('page_down')", "Next page", show=False, id="jump.page_down"),
        Binding("pageup", "move('page_up')", "Page before", show=False, id="jump.page_up"),
    ]
    BINDING_GROUP_TITLE = "Go to"

    def __init__(self, targets: Sequence[Target], hint: str = "") -> None:
        """Offer ``targets``; ``hint`` says what text the screen takes beside their names, where it takes any."""
        super().__init__()
        self._targets = targets
        self._hint = hint
        self._found: list[Target | str] = []

    def compose(self) -> ComposeResult:
        """Give the field and the list."""
        placeholder = f"part of a name, or the {self._hint}" if self._hint else "part of a name"
        with Vertical(classes="dialog"):
            yield Static("Go to", classes="dialog-title")
            yield Field(placeholder=placeholder, compact=True)
            yield Options(compact=True)
            yield Static(key_hints(self, ("", "enter go"), ("", "↑↓ choose"), ("dialog.cancel", "esc cancel")),
                         classes="dialog-keys")  # fmt: skip

    def on_mount(self) -> None:
        """List everything; the keys are the field's, and go through it to the list."""
        self.query_one(Options).can_focus = False
        self._list("")

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        self._list(event.value.strip())

    def _list(self, typed: str) -> None:
        found: list[Target | str] = [*matching(self._targets, typed)[:_MOST]]
        if typed and self._hint:
            found.insert(0 if typed.isdigit() else len(found), typed)
        self._found = found
        listed = self.query_one(Options)
        listed.clear_options()
        listed.add_options(Option(self._line(one)) for one in found)
        listed.highlighted = 0 if found else None

    def _line(self, one: Target | str) -> Content:
        if isinstance(one, str):
            return Content.assemble((f"“{safe(one)}”  ", "bold"), (self._hint, "$text-muted"))
        title = safe(one.title).ljust(_TITLE)
        told = shortened(safe(one.help), max(_ROOM - len(title), 1))
        return Content.assemble((title, "bold"), "  ", (told, "$text-muted"))

    async def action_move(self, way: str) -> None:
        """Move the cursor of the list."""
        await self.query_one(Options).run_action(way)

    @on(Input.Submitted)
    def _take(self) -> None:
        index = self.query_one(Options).highlighted
        if index is not None:
            self.dismiss(self._found[index])

    @on(OptionList.OptionSelected)
    def _take_clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index])


def matching(targets: Sequence[Target], typed: str) -> list[Target]:
    """Return the targets in which every typed word is found; those whose title begins with the text come first."""
    words = typed.casefold().split()
    found = [one for one in targets if all(word in f"{one.title} {one.help}".casefold() for word in words)]
    return sorted(found, key=lambda one: not _begins(one, typed.casefold()))


def _begins(one: Target, typed: str) -> bool:
    return any(part.startswith(typed) for part in (one.title.casefold(), *one.title.casefold().split()))


def places(app: "FextApp") -> list[Target]:
    """Return the four screens and their panes, each with the keys that lead there."""
    from fext_tui.screens import data, model, runs

    panes: dict[str, Titles] = {"data": data.PANES, "model": model.PANES, "runs": runs.PANES}
    found = []
    for number, mode in enumerate(MODES, 1):
        key = shown_key(app, f"mode.{mode}", str(number))
        found.append(Target(mode.title(), f"key {key}", partial(app.switch_mode, mode)))
        for name, (usual, title) in panes.get(mode, {}).items():
            keys = f"keys {key} {shown_key(app, f'{mode}.{name}', usual)}"
            found.append(Target(f"{mode.title()}: {title}", keys, partial(app.show_pane, mode, name)))
    return found
