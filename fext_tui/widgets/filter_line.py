"""The line over a list for a text that is looked for in it."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from fext_tui.widgets.field import Field


class FilterLine(Field):
    """Seen while it is edited or holds a text; the list around it hears of changes."""

    BINDING_GROUP_TITLE = "Filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "keep", "Keep", key_display="enter", id="filter.keep",
                tooltip="Keep it: letters are keys again"),
        Binding("escape", "screen.leave_field", "Everything", key_display="esc", id="filter.close",
                tooltip="Empty it: everything is shown again"),
    ]  # fmt: skip
    DEFAULT_CSS = "FilterLine { display: none; }"

    def __init__(self, placeholder: str, id: str, *, table: type[Widget] | None = None) -> None:  # noqa: A002
        """``table`` beside it has the keys when it is left; None: the screen."""
        super().__init__(placeholder=placeholder, compact=True, id=id)
        self._table = table

    @property
    def wanted(self) -> str:
        """The text that is looked for; empty: everything."""
        return self.value.strip()

    def open(self) -> None:
        """Let it be edited; it has the next key already, as `focus` would not have it."""
        self.display = True
        self.screen.set_focus(self)

    def action_keep(self) -> None:
        """Let it be seen only where it holds a text."""
        self.display = bool(self.wanted)
        self._give_keys_back()

    def close(self) -> bool:
        """Empty it and take it away; return whether it was seen."""
        was_seen = bool(self.display)
        self.value = ""
        self.display = False
        if was_seen:
            self._give_keys_back()
        return was_seen

    def _give_keys_back(self) -> None:
        """Let another have the next key already."""
        self.screen.set_focus(self.screen.query_one(self._table) if self._table else None)
