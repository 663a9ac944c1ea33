"""How measures are written."""

import math

import pytest

from engine.measures import label
from engine.records.schema import METRIC_TABLES, columns_of
from fext_tui.measures import figure


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0, "0"),
        (255.0, "255"),
        (1234.56, "1,235"),
        (12.3456, "12.35"),
        (0.123456, "0.1235"),
        (0.00012345, "0.000123"),
        (-3.14159, "-3.142"),
    ],
)
def test_four_digits_count(value: float | None, written: str) -> None:
    assert figure(value) == written


def test_no_two_columns_of_a_group_have_one_name() -> None:
    for group in METRIC_TABLES:
        labels = [label(column) for column in columns_of(group)]
        assert len(set(labels)) == len(labels)
        assert not any("_" in name for name in labels)
