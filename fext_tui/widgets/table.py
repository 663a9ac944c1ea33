"""A table of rows with names: short, updated cell by cell, its contents data and never markup."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.coordinate import Coordinate
from textual.widgets import DataTable
from textual.widgets.data_table import RowDoesNotExist, RowKey

Cells = Sequence[Text]


class TextTable(DataTable[Text]):
    """A table of texts whose columns are as wide as these."""

    def _update_dimensions(self, new_rows: Iterable[RowKey]) -> None:
        """Give the columns their widths; lines that were painted before have others, and would be kept."""
        before = [column.content_width for column in self.ordered_columns]
        super()._update_dimensions(new_rows)
        if before != [column.content_width for column in self.ordered_columns]:
            self._paint_anew()

    def on_resize(self) -> None:
        """Paint anew what was painted before the table heard of its width: lines that end where it ended before."""
        self._paint_anew()

    def _paint_anew(self) -> None:
        self._clear_caches()
        self.refresh()


class KeyTable(TextTable):
    """A table whose rows have names, with a cursor on a whole row."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False, id="table.down"),
        Binding("k", "cursor_up", "Up", show=False, id="table.up"),
        Binding("home", "scroll_top", "First", show=False, id="table.first"),
        Binding("end", "scroll_bottom", "Last", show=False, id="table.last"),
    ]

    def __init__(self, columns: Mapping[str, str], id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Make an empty table of ``columns``: titles by name."""
        super().__init__(id=id, cursor_type="row", zebra_stripes=False, cell_padding=1)
        self._titles = columns

    def on_mount(self) -> None:
        """Add the columns."""
        for name, title in self._titles.items():
            self.add_column(Text(title), key=name)

    @property
    def selected(self) -> str | None:
        """The name of the row under the cursor; None in an empty table."""
        if not self.row_count:
            return None
        return self.coordinate_to_cell_key(Coordinate(self.cursor_row, 0)).row_key.value

    def show(self, rows: Mapping[str, Cells]) -> None:
        """Show these rows in this order; the cursor stays on its row where that is still there."""
        names = [key.value for key in self.rows]
        if names == list(rows):
            self._renew(rows)
            return
        selected = self.selected
        self.clear()
        for name, cells in rows.items():
            self.add_row(*cells, key=name)
        if selected is not None:
            self.select(selected)

    def _renew(self, rows: Mapping[str, Cells]) -> None:
        for name, cells in rows.items():
            for column, cell in zip(self._titles, cells, strict=True):
                if self.get_cell(name, column) != cell:
                    self.update_cell(name, column, cell, update_width=True)

    def select(self, name: str) -> None:
        """Put the cursor on a row, where it is there."""
        try:
            self.move_cursor(row=self.get_row_index(name), animate=False)
        except RowDoesNotExist:
            return


def right(text: str) -> Text:
    """Return a cell that stands on the right, as numbers do."""
    return Text(text, justify="right")
