"""What was found in a dataset, a row a kind."""

from collections.abc import Mapping
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from fext_tui.finding_kinds import EXPLANATIONS, TITLES
from fext_tui.text import NONE
from fext_tui.widgets.table import KeyTable

_FEWEST = 24
"""Columns from which on it is worth beginning to explain."""
_OTHER_COLUMNS = max(map(len, TITLES.values())) + 16
_COLUMNS = {"title": "finding", "files": "files", "meaning": "what it means"}


class FindingsTable(KeyTable):
    """Kinds of findings with the number of files of each, the gravest first; those without a file come last."""

    BINDING_GROUP_TITLE = "Findings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "Files", id="findings.files", tooltip="List the files of this kind"),
    ]

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="findings")
        self._findings: Mapping[str, int] = {}

    def show_findings(self, findings: Mapping[str, int]) -> None:
        """Show the numbers of findings by kind."""
        self._findings = findings
        self.on_resize()

    def on_resize(self) -> None:
        """Write for this width."""
        ordered = sorted(TITLES, key=lambda kind: not self._findings.get(kind))
        room = self.size.width - _OTHER_COLUMNS
        self.show({kind: _row(kind, self._findings.get(kind, 0), room) for kind in ordered})


def _row(kind: str, number: int, room: int) -> list[Text]:
    number_text = Text(f"{number:,}" if number else NONE, style="bold" if number else "dim", justify="right")
    meaning = Text(EXPLANATIONS[kind] if room >= _FEWEST else "", style="dim")
    meaning.truncate(max(room, 1), overflow="ellipsis")
    return [Text(TITLES[kind], style="" if number else "dim"), number_text, meaning]
