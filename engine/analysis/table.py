"""The table of metrics as CSV or Parquet: one row an image."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import IO, Any

from engine.files import replacing
from engine.records.schema import columns_of

Rows = Iterable[Mapping[str, Any]]

_GROUP_ROWS = 65_536


def columns_in(groups: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of those groups, in their order."""
    return tuple(column for group in groups for column in columns_of(group))


def replaced(path: Path | None) -> AbstractContextManager[IO[bytes] | None]:
    """Give a file that stands in ``path`` once the body has ended; None without a path.

    Raises:
        FextError: it cannot be written.

    """
    return nullcontext() if path is None else replacing(path)


def write_csv(file: IO[bytes], columns: Sequence[str], rows: Rows) -> None:
    """Write rows of ``path`` and columns: numbers to nine digits, the path as ``name``.

    Names that are no UTF-8 have backslash escapes in place of the bytes.
    """
    with _text(file) as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("name", *columns))
        for row in rows:
            writer.writerow((row["path"], *(f"{row[column]:.9g}" for column in columns)))


@contextmanager
def _text(file: IO[bytes]) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    yield text
    text.flush()
    text.detach()


def write_parquet(file: IO[bytes], columns: Sequence[str], rows: Rows) -> None:
    """Write the same rows as Parquet: ``name`` as text, all else as 64-bit floats."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([("name", pa.string()), *((column, pa.float64()) for column in columns)])
    rows = iter(rows)
    with parquet.ParquetWriter(file, schema) as writer:
        while batch := list(islice(rows, _GROUP_ROWS)):
            names = [row["path"].encode(errors="backslashreplace").decode() for row in batch]
            values = {column: [float(row[column]) for row in batch] for column in columns}
            writer.write_table(pa.table({"name": names, **values}, schema=schema))
