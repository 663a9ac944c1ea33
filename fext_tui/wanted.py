"""What a filter line asks of images: a part of their path, and bounds of their measures."""

import re
from dataclasses import dataclass

from engine.errors import UsageError
from engine.records import Condition
from engine.records.images import OPERATORS, OWN_COLUMNS
from engine.records.schema import METRIC_TABLES, columns_of

_CONDITION = re.compile(rf"([a-z_]+)({'|'.join(OPERATORS)})(.*)")
_MEASURES = tuple(
    dict.fromkeys(
        [*(name for name in OWN_COLUMNS if name not in {"path", "format", "mode", "subset"}),
         *(column for group in METRIC_TABLES for column in columns_of(group))]
    )
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Images whose path holds ``text``, and that meet all conditions."""

    text: str = ""
    conditions: tuple[Condition, ...] = ()


EVERYTHING = Wanted()


def wanted_of(line: str) -> Wanted:
    """Return what a line asks for: words like ``mean<20`` or ``entropy>=3`` are conditions, all else is the text.

    A measure may be cut short, where only one begins so. A condition whose number is still missing asks for nothing.

    Raises:
        UsageError: there is no such measure, or what stands behind the operator is no number.

    """
    words: list[str] = []
    conditions: list[Condition] = []
    for word in line.split():
        match = _CONDITION.fullmatch(word)
        if match is None:
            words.append(word)
            continue
        column = _measure(match[1])
        if match[3] in {"", "-", "."}:
            continue
        try:
            conditions.append(Condition(column, match[2], float(match[3])))
        except ValueError as error:
            raise UsageError(f"{match[3]} is no number.", "Write for instance mean<20.") from error
    return Wanted(" ".join(words), tuple(conditions))


def _measure(name: str) -> str:
    if name in _MEASURES:
        return name
    begun = [measure for measure in _MEASURES if measure.startswith(name)]
    if len(begun) == 1:
        return begun[0]
    some = ", ".join(begun or _MEASURES)
    raise UsageError(f"{name} is {'more than one measure' if begun else 'no measure'}: {some}.", "Write one of them.")
