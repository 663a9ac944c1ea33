"""The rows of a settings form: headings of groups, and fields."""

import textwrap
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from engine.errors import UsageError
from engine.settings import GROUPS, SettingField, Settings, fields_of, text_of
from fext_tui.text import safe, shortened
from fext_tui.widgets.field import Field

if TYPE_CHECKING:
    from fext_tui.app import FextApp

MARGIN = 3
"""Columns before a title; the mark of a changed value stands there."""
TITLE = 24
"""Columns of a title."""
VALUE = MARGIN + TITLE
"""Column at which values begin."""


class Row(Widget):
    """Base of the rows."""

    class Clicked(Message):
        """The mouse was pressed on a row."""

        def __init__(self, row: "Row") -> None:
            super().__init__()
            self.row = row

    def __init__(self, group: str) -> None:
        super().__init__()
        self.group = group

    def show(self, settings: Settings) -> None:
        """Show the value that ``settings`` hold."""
        raise NotImplementedError

    def on_click(self, event: events.Click) -> None:
        """Tell the list."""
        event.stop()
        self.post_message(self.Clicked(self))


class GroupRow(Row):
    """The heading of a group: opened or closed, and how many of its values differ from the defaults."""

    def __init__(self, group: str, settings: Settings) -> None:
        super().__init__(group)
        self._opened = False
        self._changed = _count_changed(group, settings)

    @property
    def opened(self) -> bool:
        """Whether the fields of the group are shown."""
        return self._opened

    @opened.setter
    def opened(self, opened: bool) -> None:
        if opened != self._opened:
            self._opened = opened
            self.refresh()

    @property
    def changed(self) -> int:
        """How many values of the group differ from the defaults."""
        return self._changed

    def show(self, settings: Settings) -> None:
        """Count the changed values anew."""
        changed = _count_changed(self.group, settings)
        if changed != self._changed:
            self._changed = changed
            self.refresh()

    def render(self) -> Content:
        """Return the heading."""
        mark = "▾" if self._opened else "▸"
        changed = f"  {self._changed} changed" if self._changed else ""
        return Content.assemble((f" {mark} {GROUPS[self.group]}", "bold $text-primary"), (changed, "$text-accent"))


class ValueField(Field):
    """The field in which a value is typed."""

    BINDING_GROUP_TITLE = "Value"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Take", key_display="enter", id="value.take", tooltip="Take what was typed"),
        Binding("escape", "leave", "Leave", id="value.leave", tooltip="Leave the value as it was"),
        Binding("up", "leave(-1)", "Take, go up", show=False, id="value.up"),
        Binding("down", "leave(1)", "Take, go down", show=False, id="value.down"),
    ]

    class Left(Message):
        """The field is to be left, without a value or, where ``move`` is not 0, with one."""

        def __init__(self, field: "ValueField", move: int) -> None:
            super().__init__()
            self.field = field
            self.move = move

    def action_leave(self, move: int = 0) -> None:
        """Tell the row."""
        self.post_message(self.Left(self, move))


class SettingRow(Row):
    """A field: its title, its value, its unit; under it what is wrong with what was typed."""

    class Finished(Message):
        """The editing is over: with ``text`` as the new value, or without one."""

        def __init__(self, row: "SettingRow", text: str | None, *, move: int = 0, back: bool = True) -> None:
            """Then the keys go ``back`` to the list, and its cursor moves by ``move`` rows."""
            super().__init__()
            self.row = row
            self.text = text
            self.move = move
            self.back = back

    def __init__(self, field: SettingField, settings: Settings) -> None:
        super().__init__(field.group)
        self.field = field
        self._value = settings.values()[field.key]
        self._complaint = ""

    @property
    def options(self) -> tuple[str, ...]:
        """What may be chosen; empty where a value is typed."""
        return ("off", "on") if self.field.kind == "bool" else self.field.choices if self.field.kind == "choice" else ()

    @property
    def is_changed(self) -> bool:
        """Whether the value is not the default."""
        return bool(self._value != self.field.default)

    def neighbor(self, way: int) -> str:
        """Return the next (1) or previous (-1) choice, around the end."""
        return self.options[(self.options.index(text_of(self._value)) + way) % len(self.options)]

    def matches(self, words: str) -> bool:
        """Return whether every word stands in the field's title, key or help."""
        text = f"{self.field.title} {self.field.key} {self.field.help} {GROUPS[self.group]}".lower()
        return all(word in text for word in words.lower().split())

    def is_named(self, words: str) -> bool:
        """Return whether every word stands in the field's title."""
        return all(word in self.field.title.lower() for word in words.lower().split())

    def show(self, settings: Settings) -> None:
        """Show the value."""
        value = settings.values()[self.field.key]
        if value != self._value:
            self._value = value
            self.complain("")
            self.refresh()

    def complain(self, text: str) -> None:
        """Show under the value what is wrong; an empty text takes it away."""
        if text != self._complaint:
            self._complaint = text
            self.styles.height = 1 + len(self._complaint_lines())
            self.call_after_refresh(self.scroll_visible, animate=False)
            self.refresh()

    def _complaint_lines(self) -> list[str]:
        return textwrap.wrap(safe(self._complaint), max(self.size.width - MARGIN - 2, 20))

    # --- Editing ----------------------------------------------------------------------------------------------

    def edit(self) -> None:
        """Let the value be typed."""
        if not self.query(Input):
            field = ValueField(text_of(self._value), compact=True, select_on_focus=True)
            field.styles.margin = (0, 0, 0, VALUE)
            self.mount(field)
            field.focus()

    def finish(self) -> None:
        """End the editing."""
        self.query(Input).remove()
        self.complain("")
        self.refresh()

    @on(Input.Changed)
    def _check(self, event: Input.Changed) -> None:
        event.stop()
        settings = cast("FextApp", self.app).settings
        try:
            settings.with_values({self.field.key: event.value.strip()})
            self.complain("")
        except UsageError as error:
            self.complain(self._allowed() or error.cause)

    def _allowed(self) -> str:
        return f"Allowed is {self.field.allowed}." if self.field.allowed else ""

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Finished(self, event.value.strip()))

    @on(Input.Blurred)
    def _blur(self, event: Input.Blurred) -> None:
        """Take the value where it is allowed, when the person goes elsewhere; but not to another window."""
        event.stop()
        if event.input.is_attached and self.app.app_focus:
            self.post_message(self.Finished(self, None if self._complaint else event.value.strip(), back=False))

    @on(ValueField.Left)
    def _leave(self, event: "ValueField.Left") -> None:
        event.stop()
        text = event.field.value.strip() if event.move else None
        self.post_message(self.Finished(self, text, move=event.move))

    # --- Drawing ----------------------------------------------------------------------------------------------

    def render(self) -> Content:
        """Return the line, and the complaint under it."""
        mark = Content.styled("•", "bold $text-accent") if self.is_changed else Content(" ")
        title = Content(shortened(self.field.title, TITLE - 1).ljust(TITLE))
        line = Content(" ") + mark + Content(" ") + title + self._draw_value()
        below = (Content.styled(" " * MARGIN + part, "$text-error") for part in self._complaint_lines())
        return Content("\n").join([line, *below])

    def _draw_value(self) -> Content:
        """Return the value, and where it is changed and there is room the default."""
        room = max(self.size.width - VALUE - 1, 4)
        style = "bold $text-accent" if self.is_changed else ""
        value = self._draw_options(room, style) if self.options else self._draw_text(room, style)
        default = f"  default {safe(text_of(self.field.default)) or 'empty'}" if self.is_changed else ""
        return value + Content.styled(default, "$text-muted") if value.cell_length + len(default) <= room else value

    def _draw_text(self, room: int, style: str) -> Content:
        shown = safe(text_of(self._value))
        if not shown:
            return Content.styled("–", "$text-muted")
        unit = f" {self.field.unit}" if self.field.unit else ""
        return Content.styled(shortened(shown, room - len(unit)), style) + Content.styled(unit, "$text-muted")

    def _draw_options(self, room: int, style: str) -> Content:
        now = text_of(self._value)
        if sum(len(option) + 2 for option in self.options) > room:
            return Content.assemble(("‹ ", "$text-muted"), (now, style), (" ›", "$text-muted"))
        return Content("").join(
            Content.styled(f"[{option}]", style or "bold")
            if option == now
            else Content.styled(f" {option} ", "$text-muted")
            for option in self.options
        )


def _count_changed(group: str, settings: Settings) -> int:
    values = settings.values()
    return sum(values[field.key] != field.default for field in fields_of(group))
