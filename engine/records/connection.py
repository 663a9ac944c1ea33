"""A connection to the records of a workspace."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

import peewee

from engine.records.checking import check_numbers, damaged, understood
from engine.records.opening import open_database, told
from engine.records.schema import Table
from engine.workspace import Workspace

Row = dict[str, Any]

BATCH = 500
"""Rows of one statement."""


def lies_in(column: Any, folder: str) -> Any:
    """Return the condition that a column of paths names a folder, or something in it."""
    rest = peewee.fn.SUBSTR(column, len(folder) + 1)
    return (peewee.fn.SUBSTR(column, 1, len(folder)) == folder) & (peewee.fn.SUBSTR(rest, 1, 1) << ("", "/"))


class Connection:
    """A connection for the process and thread that opened it; what it holds is asked for by its heirs.

    Args:
        workspace: whose records they are; paths are stored relative to it.
        path: another file that holds them.

    Raises:
        FextError: the records cannot be opened, are damaged, or were written by a newer version.

    """

    def __init__(self, workspace: Workspace, path: Path | None = None) -> None:
        self.workspace = workspace
        self.path = path or workspace.database
        self._database = open_database(self.path)

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes of the body at once, or none of them."""
        with told(self.path), self._database.atomic("IMMEDIATE"):
            yield

    def _run(self, query: Any) -> Any:
        with told(self.path):
            try:
                return query.execute(self._database)
            except peewee.IntegrityError as error:
                if isinstance(query, peewee.Delete):  # what refers to a row goes with it, wherever all is sound
                    raise damaged(self.path, error) from error
                raise

    def _rows(self, query: Any) -> list[Row]:
        with told(self.path), understood(self.path):
            rows = list(query.dicts().execute(self._database))
        check_numbers(self.path, rows)
        return rows

    def _row(self, query: Any) -> Row | None:
        rows = self._rows(query.limit(1))
        return rows[0] if rows else None

    def _insert(self, table: type[Table], rows: Iterable[Mapping[str, Any]]) -> None:
        with self.transaction():
            for batch in peewee.chunked(rows, BATCH):
                table.insert_many(batch).execute(self._database)

    def _upsert(self, table: type[Table], rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows; where a unique key is there already, put the new values over the old."""
        with self.transaction():
            for batch in peewee.chunked(rows, BATCH):
                table.replace_many(batch).execute(self._database)

    def data_version(self) -> int:
        """Return a number that changes when another connection has changed the records: a look that costs nothing."""
        with told(self.path):
            return int(cast("tuple[int]", self._database.execute_sql("PRAGMA data_version").fetchone())[0])
