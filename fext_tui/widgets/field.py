"""A line to type into."""

from textual.reactive import reactive
from textual.widgets import Input


class Field(Input):
    """A line whose cursor does not blink, as that would send something to the terminal for ever."""

    cursor_blink: reactive[bool] = reactive(False, init=False)
