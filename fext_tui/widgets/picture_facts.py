"""What is known of the picture on the screen: its file, its pixels, what was measured on it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Told:
    """What is known of a picture: its name, the facts of its file, and what was measured.

    ``nearer`` is how many times larger it is drawn than where all of it fits.
    """

    name: str
    facts: "Facts | None" = None
    measured: Mapping[str, Any] | None = None
    nearer: float = 1.0

    def lines(self, width: int) -> Content:
        """Return it in two lines at most: file name, pixels, size, and as many measures as there is room for."""
        muted = [Content.styled(text, "$text-muted") for text in self._of_file()]
        room = max(width - sum(one.cell_length + 2 for one in muted), width // 3)
        first = [Content.styled(shortened(safe(PurePosixPath(self.name).name), room), "bold"), *muted]
        second = [
            Content.assemble((f"{label(column)} ", "$text-muted"), figure(self.measured[column]))
            for column in _SHORT
            if self.measured and self.measured[column] is not None
        ]
        while second and Content("  ").join(second).cell_length > width:
            second.pop()
        return Content("\n").join(Content("  ").join(line) for line in (first, second) if line)

    def table(self, width: int) -> Content:
        """Return it one below the other, metrics by their groups."""
        lines = [Content.styled(safe(self.name, _LONGEST), "bold"), Content("")]
        lines += [Content.styled(text, "$text-muted") for text in self._of_file()]
        if self.measured:
            for group in METRIC_TABLES:
                rows = list(_rows_of(group, self.measured, width))
                title = Content.styled(group.capitalize(), "$text-primary")
                lines += [Content(""), title, *rows] if rows else []
        return Content("\n").join(lines)

    def _of_file(self) -> Iterator[str]:
        if self.facts:
            yield _extent(self.facts.width, self.facts.height)
            if self.nearer != 1.0:
                yield f"{self.nearer:.1f}× nearer"
            yield size(self.facts.bytes)
            if self.facts.channels == 1:
                yield "gray"
        elif self.measured:
            yield _extent(self.measured["width"], self.measured["height"])
            yield size(self.measured["bytes"])
        if self.measured and self.measured["format"]:
            yield safe(self.measured["format"])
        if self.measured and self.measured["subset"]:
            yield safe(self.measured["subset"])


def _extent(width: int, height: int) -> str:
    return f"{width:,} × {height:,} px"


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
        self._told: Told | None = None

    def tell(self, told: Told | None) -> None:
        """Show what is known of a picture; nothing where there is none."""
        self._told = told
        self._write()

    def on_resize(self) -> None:
        """Write for the new width."""
        self._write()

    def _write(self) -> None:
        if self._told is None:
            self.update("")
        else:
            write = self._told.table if self.size.height > 3 else self._told.lines
            self.update(write(self.content_size.width))
