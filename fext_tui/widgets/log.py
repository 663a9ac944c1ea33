"""The lines that a job told, newest last."""

from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.records import Row
from fext_tui.text import safe

SHOWN_LINES = 300
"""Lines that are shown; the file of the job's output has all of them."""

_STYLES = {"warning": "$text-warning", "error": "bold $text-error"}


class JobLog(VerticalScroll):
    """The log of one job; it stays at its end unless the person scrolls up."""

    BINDING_GROUP_TITLE = "Log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False, id="log.down"),
        Binding("k", "scroll_up", "Up", show=False, id="log.up"),
    ]

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, can_focus=True)
        self._shown: deque[Content] = deque(maxlen=SHOWN_LINES)
        self._last = 0

    def compose(self) -> ComposeResult:
        """Give the text."""
        yield Static()

    def begin(self) -> None:
        """Begin with another job."""
        self._shown.clear()
        self._last = 0
        self.query_one(Static).update("")

    def take(self, rows: Iterable[Row]) -> None:
        """Add the lines that are not there yet."""
        new = [row for row in rows if row["id"] > self._last]
        if new:
            self._last = new[-1]["id"]
            self._shown.extend(map(log_content, new))
            at_end = self.is_vertical_scroll_end
            self.query_one(Static).update(Content("\n").join(self._shown))
            if at_end:
                self.scroll_end(animate=False)


def log_content(row: Row) -> Content:
    """Return one line; warnings and errors are told apart by word and color."""
    level = row["level"]
    mark = "" if level == "info" else f"{level}: "
    return Content.styled(f"{mark}{safe(row['text'])}", _STYLES.get(level, ""))
