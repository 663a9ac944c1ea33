"""What a filter line asks for."""

import pytest

from engine.errors import UsageError
from engine.records import Condition
from fext_tui.wanted import Wanted, wanted_of


@pytest.mark.parametrize(
    ("line", "text", "conditions"),
    [
        ("", "", []),
        ("  cats  and dogs ", "cats and dogs", []),
        ("mean<20", "", [("mean", "<", 20.0)]),
        ("cat mean>=1e2 width=640 pet", "cat pet", [("mean", ">=", 100.0), ("width", "=", 640.0)]),
        ("entropy<=3.5", "", [("entropy_bits", "<=", 3.5)]),
        ("mean<", "", []),
        ("a/b=c.png 5<6", "a/b=c.png 5<6", []),
    ],
)
def test_words_with_an_operator_are_conditions(line: str, text: str, conditions: list[tuple[str, str, float]]) -> None:
    assert wanted_of(line) == Wanted(text, tuple(Condition(*one) for one in conditions))


@pytest.mark.parametrize(
    ("line", "cause"), [("nothing<3", "no measure"), ("lbp>1", "more than one measure"), ("mean<x", "x is no number")]
)
def test_what_cannot_be_understood_is_told(line: str, cause: str) -> None:
    with pytest.raises(UsageError, match=cause):
        wanted_of(line)
