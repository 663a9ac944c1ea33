"""Values in files that another program, or another person, may have written: looked at before they are used."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

_BEYOND = 2**63

T = TypeVar("T")


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
