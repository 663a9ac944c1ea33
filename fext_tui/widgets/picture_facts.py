"""What is known of the picture on the screen: its file, its pixels, what was measured on it."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from textual.content import Content
from textual.widgets import Static

from engine.measures import label
from engine.records.schema import METRIC_TABLES, columns_of
from fext_tui.measures import figure
from fext_tui.text import safe, shortened, size

if TYPE_CHECKING:
    from fext_tui.pictures import Facts

_LONGEST = 300
_OWN = frozenset({"width", "height"})
_SHORT = ("mean", "std", "entropy_bits", "var_laplacian", "colorfulness")


def picture_lines(name: str, facts: "Facts | None", measured: Mapping[str, Any] | None, width: int) -> Content:
    """Return the facts in two lines at most: file name, pixels, size, and as many measures as there is room for."""
    muted = [Content.styled(text, "$text-muted") for text in _file_facts(facts, measured)]
    room = max(width - sum(one.cell_length + 2 for one in muted), width // 3)
    first = [Content.styled(shortened(safe(PurePosixPath(name).name), room), "bold"), *muted]
    second = [
        Content.assemble((f"{label(column)} ", "$text-muted"), figure(measured[column]))
        for column in _SHORT
        if measured and measured[column] is not None
    ]
    while second and Content("  ").join(second).cell_length > width:
        second.pop()
    return Content("\n").join(Content("  ").join(line) for line in (first, second) if line)


def picture_table(name: str, facts: "Facts | None", measured: Mapping[str, Any] | None, width: int) -> Content:
    """Return the facts one below the other, metrics by their groups."""
    lines = [Content.styled(safe(name, _LONGEST), "bold"), Content("")]
    lines += [Content.styled(text, "$text-muted") for text in _file_facts(facts, measured)]
    if measured:
        for group in METRIC_TABLES:
            rows = list(_rows_of(group, measured, width))
            lines += [Content(""), Content.styled(group.capitalize(), "$text-primary"), *rows] if rows else []
    return Content("\n").join(lines)


def _file_facts(facts: "Facts | None", measured: Mapping[str, Any] | None) -> Iterator[str]:
    if facts:
        yield f"{facts.width:,} × {facts.height:,} px"
        yield size(facts.bytes)
        if facts.channels == 1:
            yield "gray"
    if measured and measured["format"]:
        yield safe(measured["format"])
    if measured and measured["subset"]:
        yield safe(measured["subset"])


def _rows_of(group: str, measured: Mapping[str, Any], width: int) -> Iterator[Content]:
    for column in columns_of(group):
        if column not in _OWN and measured[column] is not None:
            value = figure(measured[column])
            yield Content.assemble((label(column).ljust(width - len(value)), "$text-muted"), value)


class PictureFacts(Static):
    """The facts, in one line or in a column, as its place allows."""

    DEFAULT_CSS = "PictureFacts { height: auto; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._told: tuple[str, Facts | None, Mapping[str, Any] | None] | None = None

    def tell(self, name: str, facts: "Facts | None", measured: Mapping[str, Any] | None) -> None:
        """Show the facts of a picture."""
        self._told = (name, facts, measured)
        self._write()

    def clear(self) -> None:
        """Show nothing."""
        self._told = None
        self.update("")

    def on_resize(self) -> None:
        """Write for the new width."""
        self._write()

    def _write(self) -> None:
        if self._told is None:
            return
        write = picture_table if self.size.height > 3 else picture_lines
        self.update(write(*self._told, self.content_size.width))
