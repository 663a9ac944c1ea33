"""The errors that the app told of in passing, so that each can be read in full and copied afterwards."""

import traceback
from dataclasses import dataclass

from textual.content import Content

from fext_tui.text import ago, cause_of, safe_lines

MOST_ERRORS = 20
"""How many of the last errors can be read again."""
_TOAST_CHARACTERS = 240


@dataclass(frozen=True)
class ToldError:
    """What went wrong, what to do about it, and where it arose; ``at`` in seconds since the epoch."""

    at: float
    cause: str
    remedy: str
    trace: str


def told_error(error: BaseException, at: float) -> ToldError:
    """Return what is to be known of an error."""
    cause, remedy = cause_of(error)
    return ToldError(at, cause, remedy, "".join(traceback.format_exception(error)))


def in_passing(told: ToldError, key: str) -> tuple[str, str]:
    """Return cause and remedy as a toast has room for them; where they are cut, ``key`` shows them in full."""
    cause, remedy = (_cut(text) for text in (told.cause, told.remedy))
    is_whole = (cause, remedy) == (told.cause, told.remedy)
    return cause, remedy if is_whole else f"{remedy}  {key} shows it in full.".strip()


def _cut(text: str) -> str:
    return text if len(text) <= _TOAST_CHARACTERS else f"{text[: _TOAST_CHARACTERS - 1]}…"


def told_facts(told: ToldError, now: float) -> Content:
    """Return an error in full: cause, remedy, when it was, and its trace."""
    parts = [
        Content.styled(told.cause, "bold $error"),
        Content(told.remedy),
        Content.styled(ago(now, told.at).capitalize(), "$text-muted"),
        Content.styled(safe_lines(told.trace), "$text-muted"),
    ]
    return Content("\n\n").join(part for part in parts if part)
