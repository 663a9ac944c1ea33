"""Histograms as they are drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from fext_tui.dataset_facts import Histogram
from fext_tui.widgets.histogram import Curve, legend, mean_of, plot, shares, top_of

COUNTS = st.lists(st.integers(0, 10**9), min_size=256, max_size=256).filter(any)


@given(COUNTS, st.integers(1, 600))
def test_shares_keep_the_whole(counts: list[int], most: int) -> None:
    levels, values = shares(Histogram(1, tuple(counts)), most)
    assert len(levels) == len(values) <= max(most, 8)
    assert sum(values) * 256 / len(values) == pytest.approx(100)
    assert levels == sorted(levels)


def test_shares_of_few_bins_are_means() -> None:
    counts = list(range(256))
    levels, values = shares(Histogram(1, tuple(counts)), 64)
    expected = 100 * np.array(counts).reshape(64, 4).mean(axis=1) / sum(counts)
    assert values == pytest.approx(expected)
    assert levels[:2] == [1.5, 5.5]


def test_a_peak_that_would_flatten_all_else_is_cut() -> None:
    assert top_of([1.0] * 99 + [50.0]) == 3.0
    assert top_of([1.0] * 99 + [2.0]) == 2.0
    assert top_of([0.0] * 99 + [7.0]) == 7.0
    assert top_of([0.0] * 100) == 1.0


def test_the_mean_is_that_of_the_pixels() -> None:
    counts = [0] * 256
    counts[10], counts[20] = 3, 1
    assert mean_of(Histogram(1, tuple(counts))) == 12.5


def test_a_legend_says_as_much_as_there_is_room_for() -> None:
    curves = [
        Curve("training", "primary", Histogram(480, (1,) * 256)),
        Curve("validation", "accent", Histogram(120, (1,) * 256)),
    ]
    wide, medium, narrow = (legend(*curves, room=room).plain for room in (100, 40, 10))
    assert "480 images, mean 127.5" in wide
    assert medium == "─ training 480   ◆ validation 120"
    assert narrow == "─ training   ◆ validation"


def test_bins_of_a_metric_stand_at_its_values() -> None:
    values, heights = shares(Histogram(4, (1, 0, 3), low=-1.0, high=1.0, mean=0.4), 100)
    assert (values, heights) == ([-1.0, 0.0, 1.0], [25.0, 0.0, 75.0])
    assert mean_of(Histogram(4, (1, 0, 3), low=-1.0, high=1.0, mean=0.4)) == 0.4


def test_marks_are_drawn_upright_where_they_belong() -> None:
    curve = Curve("all", "primary", Histogram(9, (1,) * 64, low=0.0, high=10.0), filled=True)
    text = Text.from_ansi(plot([curve], [5.0], 61, 12, {"primary": (0, 0, 255), "warning": (255, 200, 0)}))
    columns = {line.find("┃") for line in text.plain.splitlines()[:-2]}
    assert len(columns) == 1
    assert abs(columns.pop() - (3 + 58 / 2)) <= 2
