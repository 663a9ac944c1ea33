"""Values of foreign files: taken where they are what they should be, else refused by name."""

from typing import Any

import pytest

from engine.foreign import field, finite, text, whole


@pytest.mark.parametrize("value", [0, 7, 2**63 - 1])
def test_whole_numbers(value: int) -> None:
    assert whole(value) == value


@pytest.mark.parametrize("value", [-1, 2**63, 10**400, 1.0, float("inf"), True, "7", None, [7]])
def test_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(ValueError, match="is no whole number from 0 on"):
        whole(value)


@pytest.mark.parametrize("value", [0, -3, 2.5])
def test_numbers(value: float) -> None:
    assert finite(value) == value
    assert type(finite(value)) is float


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e300, 10**400, False, "1", None, {}])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(ValueError, match="is no number"):
        finite(value)


def test_a_field_is_named() -> None:
    assert field({"one": "word"}, "one", text) == "word"
    with pytest.raises(ValueError, match=r"^one: 1 is no text$"):
        field({"one": 1}, "one", text)
    for document in ({}, [], None, "one", 1):
        with pytest.raises(ValueError, match=r"^one is missing$"):
            field(document, "one", text)
