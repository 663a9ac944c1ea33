"""What records hold, looked at before it is used: another person or program may have written them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import peewee

from engine.errors import FextError
from engine.records.schema import TABLES

T = TypeVar("T")

_NUMERIC = (peewee.IntegerField, peewee.FloatField, peewee.ForeignKeyField)
_FIELDS = [(field.name, isinstance(field, _NUMERIC)) for table in TABLES for field in table._meta.sorted_fields]
_NUMBERS = frozenset(name for name, is_number in _FIELDS if is_number) - {
    name for name, is_number in _FIELDS if not is_number
}
"""The columns that hold numbers in every table that has them; SQLite takes anything else, too."""
_TIMES = frozenset({"created", "started", "ended", "heartbeat", "time", "pid_started", "phase_started"})
_BEYOND = 2.0**62


def damaged(path: Path, reason: object) -> FextError:
    """Return the error for records that hold what they cannot."""
    told = str(reason).rstrip(".")
    return FextError(
        f"The records {path} are damaged: {told}.", "Move the file away to begin new records, or restore a copy."
    )


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Take values that cannot be turned into what a column holds for damage.

    Raises:
        FextError: there are some.

    """
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        raise damaged(path, error) from error


def check_numbers(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Check that the columns of numbers hold numbers or nothing, and those of times, times.

    Raises:
        FextError: they do not.

    """
    for name in _NUMBERS.intersection(rows[0]) if rows else ():
        is_time = name in _TIMES
        for row in rows:
            value = row[name]
            if value is None or (isinstance(value, int | float) and not (is_time and not 0 <= value < _BEYOND)):
                continue
            raise damaged(path, f"{value!r:.40} is no {'time' if is_time else 'number'} ({name})")


def document(path: Path, name: str, content: Any, kind: type[T]) -> T:
    """Return the JSON value in a column.

    Raises:
        FextError: it holds none, or one of another kind.

    """
    try:
        value = json.loads(content)
    except (TypeError, ValueError, RecursionError) as error:
        raise damaged(path, f"{name} holds no JSON") from error
    if not isinstance(value, kind):
        raise damaged(path, f"{name} holds no {kind.__name__}")
    return value


def whole_numbers(path: Path, name: str, content: Any) -> list[int]:
    """Return the list of whole numbers in a column.

    Raises:
        FextError: it holds something else.

    """
    values: Iterable[Any] = document(path, name, content, list)
    if any(type(value) is not int for value in values):
        raise damaged(path, f"{name} holds something else than whole numbers")
    return list(values)
