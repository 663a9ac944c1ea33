"""How sizes, times, ages, numbers and foreign names are written on the screen."""

import os
import unicodedata
from itertools import accumulate
from pathlib import Path

from rich.cells import cell_len

from engine.errors import FextError

NONE = "–"

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_JUST_NOW = "just now"


def safe(text: object, limit: int = 4000) -> str:
    """Return ``text`` with everything that could steer a terminal or hide itself written as an escape.

    Control characters, newlines, bidirectional marks, invisible and unassigned characters and the surrogates that
    stand for invalid UTF-8 become ``\\n``, ``\\x1b``, ``\\u202e`` and the like. What is left is shown as it is; put
    it into a `textual.content.Content` or `rich.text.Text`, never into markup. Texts beyond ``limit`` characters
    are cut, with an ellipsis.
    """
    shown = "".join(_printable(character) for character in str(text)[:limit])
    return f"{shown}…" if len(str(text)) > limit else shown


def safe_lines(text: object, limit: int = 100_000) -> str:
    """Return a text of several lines with each made `safe`, for instance a traceback; cut beyond ``limit``."""
    return "\n".join(safe(line) for line in str(text)[:limit].split("\n"))


def _printable(character: str) -> str:
    if character.isascii():
        return character if character.isprintable() else _escape(character)
    return _escape(character) if unicodedata.category(character) in _HIDDEN else character


def _escape(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if named:
        return named
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def shortened(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` columns, with an ellipsis in its middle where it is wider."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    tail = width // 2
    return f"{_begun(text, width - tail - 1)}…{_begun(text[::-1], tail)[::-1]}"


def _begun(text: str, width: int) -> str:
    """Return as many characters of the beginning of ``text`` as ``width`` columns hold."""
    ends = accumulate(cell_len(character) for character in text[: 2 * width])
    return text[: sum(end <= width for end in ends)]


def folder_name(path: Path) -> str:
    """Return a path as it is shown: the home folder as ``~``, hostile characters escaped."""
    home = Path.home()
    shown = Path("~") / path.relative_to(home) if path.is_relative_to(home) else path
    return safe(os.fspath(shown))


def size(count: float) -> str:
    """Return a number of bytes in decimal units, for instance ``12.3 MB``."""
    for unit in _UNITS[:-1]:
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {_UNITS[-1]}"


def duration(seconds: float | None) -> str:
    """Return a length of time: ``0:42``, ``12:05``, ``3:07:00`` or ``2 d 03:00``; a dash where it is not known."""
    if seconds is None:
        return NONE
    whole = max(round(seconds), 0)
    days, rest = divmod(whole, _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, seconds = divmod(rest, _MINUTE)
    if days:
        return f"{days} d {hours:02d}:{minutes:02d}"
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def age(now: float, then: float | None) -> str:
    """Return how long ago ``then`` was, both in seconds since the epoch: ``just now``, ``5 min``, ``3 h``, ``2 d``."""
    if then is None:
        return NONE
    seconds = now - then
    for unit, length, limit in (("min", _MINUTE, _HOUR), ("h", _HOUR, _DAY), ("d", _DAY, 365 * _DAY)):
        if seconds < length:
            return _JUST_NOW
        if seconds < limit:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds // (365 * _DAY))} y"


def ago(now: float, then: float | None) -> str:
    """Return `age` as words of a sentence: ``just now``, ``5 min ago``."""
    when = age(now, then)
    return when if when in {_JUST_NOW, NONE} else f"{when} ago"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with thousands separators and ``digits`` decimals; whole ones without; a dash for None."""
    if value is None:
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def counted(count: int, noun: str) -> str:
    """Return a number of things, for instance ``1 state`` or ``1,204 states``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def decibel(value: float | None) -> str:
    """Return a PSNR, for instance ``25.31 dB``."""
    return NONE if value is None else f"{value:.2f} dB"


def rate(value: float | None, unit: str = "img/s") -> str:
    """Return a rate with three digits that count, for instance ``61.3 img/s`` or ``12,400 img/s``."""
    if value is None:
        return NONE
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def cause_of(error: BaseException) -> tuple[str, str]:
    """Return cause and remedy of any error, ready to be shown."""
    if isinstance(error, FextError):
        return safe(error.cause), safe(error.remedy)
    return safe(f"{type(error).__name__}: {error}"), ""
