"""A form made from the settings' schema: groups that open, fields that are changed where they stand."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from engine.errors import UsageError
from engine.settings import GROUPS, SettingField, Settings, fields_of, text_of
from fext_tui.text import safe
from fext_tui.widgets.field import Field
from fext_tui.widgets.setting_rows import GroupRow, Row, SettingRow

if TYPE_CHECKING:
    from fext_tui.app import FextApp


HELP_LINES = 5
"""Lines that the help has at least, so that the list stays where it is while the cursor moves."""
_BEYOND = 6
"""Rows by which an opened group may reach beyond the form at first."""
_ROOM = 6
"""Empty rows that are filled at first with the beginning of the next group, however far it reaches beyond the form."""


class SettingList(VerticalScroll):
    """The rows of a form, with a cursor that keys move."""

    BINDING_GROUP_TITLE = "Settings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "edit",
            "Edit",
            key_display="enter",
            id="form.edit",
            tooltip="Edit the field, or next choice",
        ),
        Binding("left", "step(-1)", "Change", show=False, id="form.previous", tooltip="Previous choice; close a group"),
        Binding(
            "right,space", "step(1)", "Change", key_display="←→", id="form.next", tooltip="Next choice; open a group"
        ),
        Binding(
            "backspace,delete",
            "default",
            "Default",
            key_display="bksp",
            id="form.default",
            tooltip="Back to the default",
        ),
        Binding("slash", "search", "Find", key_display="/", id="form.search", tooltip="Find a setting by a word"),
        Binding(
            "x", "changed", "Changed", id="form.changed", tooltip="Only what is not the default; again: everything"
        ),
        Binding("up,k", "move(-1)", "Up", show=False, id="form.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="form.down"),
        Binding("pageup", "move(-10)", "Page up", show=False, id="form.page_up"),
        Binding("pagedown", "move(10)", "Page down", show=False, id="form.page_down"),
        Binding("home", "move(-1000)", "First", show=False, id="form.first"),
        Binding("end", "move(1000)", "Last", show=False, id="form.last"),
    ]

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    class Filtered(Message):
        """Only changed settings are shown, or all of them again."""

        def __init__(self, *, only_changed: bool) -> None:
            super().__init__()
            self.only_changed = only_changed

    def __init__(self, groups: Sequence[str], opened: Sequence[str], search: Callable[[], None]) -> None:
        """Show groups, some of them opened; ``search`` lets words be typed that are to be found."""
        super().__init__(id="setting-list", can_focus=True)
        self._search = search
        self._groups = groups
        self._opened = set(opened)
        self._words = ""
        self._only_changed = False
        self._fitted = False
        self._row: Row | None = None

    @property
    def _settings(self) -> Settings:
        return cast("FextApp", self.app).settings

    def compose(self) -> ComposeResult:
        """Give a heading for each group, and its fields."""
        for group in self._groups:
            yield GroupRow(group, self._settings)
            for field in fields_of(group):
                yield SettingRow(field, self._settings)

    def on_mount(self) -> None:
        """Show the opened groups, put the cursor on the first field, and listen for other values."""
        self._arrange()
        self._stand_on(self._visible()[1 if self._opened else 0])
        self.watch(self.app, "settings", self._show, init=False)

    def on_resize(self, event: events.Resize) -> None:
        """At first, open the groups that have room, one after the other; the last may reach a little beyond.

        Later, keep the cursor in view.
        """
        if self._fitted:
            self.call_after_refresh(self._show_cursor)
        if self._fitted or not event.size.height:
            return
        self._fitted = True
        room = event.size.height - len(self._visible())
        for group in self._groups:
            rows = 0 if group in self._opened else len(list(fields_of(group)))
            if rows > room + _BEYOND and room < _ROOM:
                break
            self._opened.add(group)
            room -= rows
        self._arrange()

    def _show(self, settings: Settings) -> None:
        for row in self.query(Row):
            row.show(settings)
        if self._only_changed:
            self._show_changed(only=self._has_changes())
        elif self._row is not None:
            self.post_message(self.Moved(self._row))

    def _has_changes(self) -> bool:
        return any(row.is_changed for row in self.query(SettingRow))

    def _show_changed(self, *, only: bool) -> None:
        self._only_changed = only
        self._arrange()
        self.post_message(self.Filtered(only_changed=only))

    def _visible(self) -> list[Row]:
        return [row for row in self.query(Row) if row.display]

    def _arrange(self) -> None:
        """Show the rows of opened groups, or those that are looked for, or that are changed."""
        with self.app.batch_update():
            for row in self.query(Row):
                if isinstance(row, GroupRow):
                    row.opened = self._only_changed or row.group in self._opened
                    row.display = not self._words and (row.changed > 0 or not self._only_changed)
                elif isinstance(row, SettingRow):
                    row.display = self._is_shown(row)
        visible = self._visible()
        if self._row not in visible and visible:
            fields = [row for row in visible if isinstance(row, SettingRow)]
            self._stand_on(fields[0] if self._only_changed and fields else visible[0])

    def _is_shown(self, row: SettingRow) -> bool:
        if self._only_changed and not row.is_changed:
            return False
        return row.matches(self._words) if self._words else self._only_changed or row.group in self._opened

    def _stand_on(self, row: Row) -> None:
        if self._row is not None:
            self._row.remove_class("-cursor")
        self._row = row
        row.add_class("-cursor")
        self._show_cursor()
        self.call_after_refresh(self._show_cursor)  # where rows were shown or hidden just now, they have no place yet
        self.post_message(self.Moved(row))

    def _show_cursor(self) -> None:
        """Bring the row with the cursor into view."""
        if self._row is not None:
            self.scroll_to_widget(self._row, animate=False, immediate=True)

    def find(self, words: str) -> None:
        """Show only the settings that hold these words, on one that is named so; all groups again for none."""
        self._words = words.strip()
        self._arrange()
        found = [row for row in self._visible() if isinstance(row, SettingRow) and row.is_named(self._words)]
        if self._words and found and self._row not in found:
            self._stand_on(found[0])

    def reveal(self, key: str) -> None:
        """Open the group of a setting, and put the cursor on it."""
        row = next(row for row in self.query(SettingRow) if row.field.key == key)
        self._opened.add(row.group)
        self._show_changed(only=False)
        self._stand_on(row)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the keys of the rows while none of them is edited."""
        if action in {"edit", "step", "default", "search", "changed"}:
            return self.has_focus
        return super().check_action(action, parameters)

    def action_search(self) -> None:
        """Ask for words."""
        self._search()

    def action_changed(self) -> None:
        """Show only what is not the default, or everything again."""
        if self._only_changed or self._has_changes():
            self._show_changed(only=not self._only_changed)
        else:
            self.notify("Every setting has its default.", timeout=3)

    @property
    def only_changed(self) -> bool:
        """Whether only what is not the default is shown."""
        return self._only_changed

    def action_move(self, rows: int) -> None:
        """Move the cursor up or down."""
        visible = self._visible()
        if visible:
            here = visible.index(self._row) if self._row in visible else 0
            self._stand_on(visible[max(0, min(here + rows, len(visible) - 1))])

    def action_edit(self) -> None:
        """Open what the cursor stands on."""
        row = self._row
        if isinstance(row, GroupRow):
            self._toggle(row)
        elif isinstance(row, SettingRow):
            if row.options:
                self._set(row, row.neighbor(1))
            else:
                row.edit()

    def action_step(self, way: int) -> None:
        """Take the next or previous choice; open or close a group."""
        row = self._row
        if isinstance(row, GroupRow):
            if row.opened != (way > 0):
                self._toggle(row)
        elif isinstance(row, SettingRow):
            if row.options:
                self._set(row, row.neighbor(way))
            elif way > 0:
                row.edit()

    def _toggle(self, row: GroupRow) -> None:
        if self._only_changed:
            return
        self._opened ^= {row.group}
        self._arrange()
        self._stand_on(row)

    def action_default(self) -> None:
        """Put the setting back to its default."""
        if isinstance(self._row, SettingRow):
            self._set(self._row, self._row.field.default)

    def _set(self, row: SettingRow, value: Any) -> None:
        try:
            self._take(row.field.key, value)
            row.complain("")
        except UsageError as error:
            row.complain(f"{error.cause} {error.remedy}")

    def _take(self, key: str, value: Any) -> None:
        app = cast("FextApp", self.app)
        app.settings = app.settings.with_values({key: value})

    @on(Row.Clicked)
    def _click(self, event: Row.Clicked) -> None:
        """Put the cursor where the mouse is; on the cursor, act as enter does."""
        event.stop()
        self.focus()
        if event.row is self._row:
            self.action_edit()
        else:
            self._stand_on(event.row)

    @on(SettingRow.Finished)
    def _finished(self, event: SettingRow.Finished) -> None:
        """Take what was typed; where it is not allowed, say so and stay."""
        event.stop()
        row = event.row
        try:
            if event.text is not None:
                self._take(row.field.key, event.text)
        except UsageError as error:
            row.complain(f"{error.cause} {error.remedy}")
            return
        row.finish()
        if event.back:
            self.focus()
        if event.move:
            self.action_move(event.move)


class SettingsForm(Vertical):
    """Settings by group, with the help of the one where the cursor stands.

    Values go to ``app.settings`` as they are accepted, and come from there when anything else changes them.
    """

    def __init__(self, groups: Sequence[str] = tuple(GROUPS), opened: Sequence[str] = ()) -> None:
        super().__init__()
        self._groups = groups
        self._opened = opened
        self._told = Content("")

    def compose(self) -> ComposeResult:
        """Give search, rows and help."""
        yield Field(placeholder="word of a setting", compact=True, disabled=True, id="setting-search")
        yield Static("Only what is not the default", id="setting-filter")
        yield SettingList(self._groups, self._opened, self._search)
        yield Static(id="setting-help")

    def focus_list(self) -> None:
        """Give the keys to the rows."""
        self.query_one(SettingList).focus()

    def reveal(self, key: str) -> None:
        """Open the group of a setting, and put the cursor on it."""
        self.query_one(SettingList).reveal(key)

    @on(SettingList.Moved)
    def _tell_help(self, event: SettingList.Moved) -> None:
        event.stop()
        self._told = help_of(event.row)
        self._draw_help()

    def on_resize(self) -> None:
        """Give the help as many lines as it has at this width."""
        self._draw_help()

    def _draw_help(self) -> None:
        """Write the help; what is longer than usual takes lines of the list, so that nothing of it is cut."""
        shown = self.query_one("#setting-help", Static)
        width = self.size.width
        lines = sum(len(line.wrap(width)) for line in self._told.split("\n")) if width else 0
        height = max(lines, HELP_LINES)
        changes = shown.styles.height is None or shown.styles.height.value != height
        shown.styles.height = height
        shown.update(self._told, layout=changes)

    @on(SettingList.Filtered)
    def _tell_filter(self, event: SettingList.Filtered) -> None:
        event.stop()
        self.set_class(event.only_changed, "-changed")

    def _search(self) -> None:
        """Let words be typed; the field has the next key already, as `focus` would not have it."""
        self.add_class("-searching")
        search = self.query_one("#setting-search", Input)
        search.disabled = False
        self.screen.set_focus(search)

    @on(Input.Changed, "#setting-search")
    def _find(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one(SettingList).find(event.value)

    @on(Input.Submitted, "#setting-search")
    def _found(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_list()

    def on_key(self, event: events.Key) -> None:
        """Leave the search: down to what was found, escape to everything."""
        search = self.query_one("#setting-search", Input)
        if self.has_class("-searching") and event.key == "escape":
            event.stop()
            event.prevent_default()
            search.value = ""
            search.disabled = True
            self.remove_class("-searching")
            self.focus_list()
        elif event.key == "escape" and self.query_one(SettingList).only_changed and not self.query("SettingRow Input"):
            event.stop()
            event.prevent_default()
            self.query_one(SettingList).action_changed()
        elif search.has_focus and event.key == "down":
            event.stop()
            self.focus_list()


def help_of(row: Row) -> Content:
    """Return the help of a row: title and key, what it is, what is allowed, what it is by default."""
    if not isinstance(row, SettingRow):
        return Content.styled("enter opens and closes this group", "$text-muted")
    return describe_field(row.field, is_changed=row.is_changed)


def describe_field(field: SettingField, *, is_changed: bool = False) -> Content:
    """Return what a person needs to know to choose a value."""
    default = safe(text_of(field.default)) or "empty"
    allowed = field.allowed or "any text"
    unit = f" {field.unit}" if field.unit and default != "empty" else ""
    return Content.assemble(
        (field.title, "bold"),
        (f"  {field.key}", "$text-muted"),
        ("  • changed\n" if is_changed else "\n", "$text-accent"),
        f"{field.help}\n",
        (f"{allowed[0].upper()}{allowed[1:]}. Default: {default}{unit}.", "$text-muted"),
    )
