"""The line over a list for a text that is looked for in it."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input


class FilterLine(Input):
    """Seen while it is edited or holds a text; the list around it hears of changes, and takes the focus back."""

    BINDING_GROUP_TITLE = "Filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Keep", key_display="enter", id="filter.keep",
                tooltip="Keep it: letters are keys again"),
        Binding("escape", "screen.leave_field", "Everything", key_display="esc", id="filter.close",
                tooltip="Empty it: everything is shown again"),
    ]  # fmt: skip
    DEFAULT_CSS = "FilterLine { display: none; }"

    def __init__(self, placeholder: str, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(placeholder=placeholder, compact=True, id=id)

    @property
    def wanted(self) -> str:
        """The text that is looked for; empty: everything."""
        return self.value.strip()

    def open(self) -> None:
        """Let it be edited; it has the next key already, as `focus` would not have it."""
        self.display = True
        self.screen.set_focus(self)

    def leave(self) -> None:
        """Let it be seen only where it holds a text."""
        self.display = bool(self.wanted)

    def close(self) -> bool:
        """Empty it and take it away; return whether it was seen."""
        was_seen = bool(self.display)
        self.value = ""
        self.display = False
        return was_seen
