"""The choice of a preset: what each is for, and what it would change."""

from collections.abc import Iterator
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.settings import FIELDS, PRESETS, PURPOSES, Settings, text_of
from fext_tui.keys import key_hints
from fext_tui.text import safe, shortened
from fext_tui.widgets.dialog import Dialog
from fext_tui.widgets.options import Options

DEFAULTS = "defaults"
_CHOICES = {**PURPOSES, DEFAULTS: "everything as it was at first"}
_NAME = max(map(len, _CHOICES)) + 2
_MOST = 10
"""Changes that are told."""
_TITLE, _VALUE = 32, 14


def settings_of(choice: str, before: Settings) -> Settings:
    """Return settings with a preset's values put over them, or the defaults."""
    return Settings() if choice == DEFAULTS else before.with_values(PRESETS[choice])


def changes(before: Settings, after: Settings) -> dict[str, tuple[Any, Any]]:
    """Return the values that differ, by key: before and after."""
    old, new = before.values(), after.values()
    return {key: (old[key], new[key]) for key in FIELDS if old[key] != new[key]}


class ChoosePreset(Dialog[str | None]):
    """The presets, and under them what the one at the cursor would change; gives its name, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", id="dialog.cancel"),
        Binding("j", "move('cursor_down')", "Down", show=False, id="dialog.down"),
        Binding("k", "move('cursor_up')", "Up", show=False, id="dialog.up"),
    ]

    def __init__(self, before: Settings) -> None:
        super().__init__()
        self._before = before

    def compose(self) -> ComposeResult:
        """Give the list, and room for as many changes as any of them makes."""
        with Vertical(classes="dialog presets"):
            yield Static("Take a preset", classes="dialog-title")
            yield Options(
                *(
                    Option(Content.assemble((name.ljust(_NAME), "bold"), (purpose, "$text-muted")), id=name)
                    for name, purpose in _CHOICES.items()
                ),
                compact=True,
            )
            yield Static(id="preset-changes")
            yield Static(key_hints(self, ("", "enter choose"), ("dialog.cancel", "esc cancel")), classes="dialog-keys")

    @on(OptionList.OptionHighlighted)
    def _tell_changes(self, event: OptionList.OptionHighlighted) -> None:
        found = changes(self._before, settings_of(str(event.option_id), self._before))
        lines = list(_lines(found)) or [Content.styled("Changes nothing: all is set so.", "$text-muted")]
        if len(lines) > _MOST:
            lines[_MOST - 1 :] = [Content.styled(f"and {len(lines) - _MOST + 1} more", "$text-muted")]
        self.query_one("#preset-changes", Static).update(Content("\n").join(lines), layout=False)

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    async def action_move(self, way: str) -> None:
        """Move the cursor."""
        await self.query_one(Options).run_action(way)


def _lines(found: dict[str, tuple[Any, Any]]) -> Iterator[Content]:
    for key, values in found.items():
        before, after = (shortened(safe(text_of(value)) or "empty", _VALUE) for value in values)
        title = f"{FIELDS[key].group}: {FIELDS[key].title}".ljust(_TITLE)
        yield Content.assemble(title, (before, "$text-muted"), " → ", (after, "bold $text-accent"))
