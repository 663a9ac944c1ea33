"""The table of metrics as CSV: one row an image."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from engine.analysis.metrics import Values
from engine.files import replacing
from engine.records.schema import columns_of


class Table(Protocol):
    """Takes the rows of the table."""

    def add(self, path: str, values: Values) -> None:
        """Add an image by its relative path, with its metrics by column."""


class _NoTable:
    """A table that keeps nothing."""

    def add(self, path: str, values: Values) -> None:
        """Keep nothing."""


class _CsvTable:
    """A table in an open file."""

    def __init__(self, text: io.TextIOWrapper, columns: Sequence[str]) -> None:
        self._writer = csv.writer(text, lineterminator="\n")
        self._columns = columns
        self._writer.writerow(("name", *columns))

    def add(self, path: str, values: Values) -> None:
        """Write the row, numbers to nine digits."""
        self._writer.writerow((path, *(f"{values[column]:.9g}" for column in self._columns)))


def no_table() -> Table:
    """Return a table that keeps nothing."""
    return _NoTable()


def columns_in(groups: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of those groups, in their order."""
    return tuple(column for group in groups for column in columns_of(group))


@contextmanager
def table_at(path: Path | None, groups: Sequence[str]) -> Iterator[Table]:
    """Give a table whose rows stand in ``path`` once the body has ended; without a path, one that keeps nothing.

    Columns are ``name`` and those of the groups. Names that are no UTF-8 have backslash escapes in place of the bytes.

    Raises:
        FextError: the file cannot be written.

    """
    if path is None:
        yield no_table()
        return
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        yield _CsvTable(text, columns_in(groups))
        text.flush()
        text.detach()
