"""Values in files that another program, or another person, may have written: looked at before they are used."""

import json
import stat
import tokenize
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

_BEYOND = 2**63
_MOST_BYTES = 64 * 2**20
"""More than any JSON file of ours has; a larger one is not read into memory."""

ARRAY_ERRORS = (
    OSError,
    ValueError,
    EOFError,
    OverflowError,
    RecursionError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
)
"""What NumPy raises for a file that holds no array; the last four where Python cannot parse the text of its header."""

T = TypeVar("T")


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, is larger than any of ours, or holds no JSON object.

    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    if status.st_size > _MOST_BYTES:
        raise ValueError(f"it has {status.st_size:,} bytes")
    try:
        document = json.loads(path.read_bytes())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("it holds no object")
    return document


def field(document: Any, name: str, check: Callable[[Any], T]) -> T:
    """Return what ``check`` gives for a field of a document.

    Raises:
        ValueError: the field is missing, or ``check`` refuses it; its name comes first.

    """
    if not isinstance(document, Mapping) or name not in document:
        raise ValueError(f"{name} is missing")
    try:
        return check(document[name])
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def whole(value: Any, least: int = 0) -> int:
    """Return a whole number that a file holds.

    Raises:
        ValueError: it is none, is less than ``least``, or has more than 64 bits.

    """
    if type(value) is not int or not least <= value < _BEYOND:
        raise ValueError(f"{value!r:.40} is no whole number from {least} on")
    return value


def finite(value: Any) -> float:
    """Return a number that a file holds.

    Raises:
        ValueError: it is none, not finite, or beyond what any figure of ours is.

    """
    if type(value) not in {int, float} or not -_BEYOND < value < _BEYOND:
        raise ValueError(f"{value!r:.40} is no number")
    return float(value)


def text(value: Any) -> str:
    """Return a text that a file holds.

    Raises:
        ValueError: it is none.

    """
    if type(value) is not str:
        raise ValueError(f"{value!r:.40} is no text")
    return value
