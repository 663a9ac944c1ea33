"""Which part of a picture is shown."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fext_tui.graphics import Cell
from fext_tui.view import WHOLE, Place, View

PLACE = Place(40, 20, "quadrants", Cell(10, 20))
sides = st.integers(1, 5000)


@given(sides, sides, st.integers(1, 300), st.integers(1, 100), st.floats(1.0, 50.0), st.floats(0, 1), st.floats(0, 1))
def test_a_window_lies_in_the_picture_and_in_its_place(
    width: int, height: int, columns: int, rows: int, zoom: float, x: float, y: float
) -> None:
    window = View(zoom, x, y).window(width, height, replace(PLACE, columns=columns, rows=rows))
    assert 0 <= window.left <= window.left + window.width <= width
    assert 0 <= window.top <= window.top + window.height <= height
    assert window.width >= 1
    assert window.height >= 1
    assert 1 <= window.columns <= columns
    assert 1 <= window.rows <= rows


@given(sides, sides)
def test_all_of_a_picture_is_seen_where_it_fits(width: int, height: int) -> None:
    window = WHOLE.window(width, height, PLACE)
    assert (window.left, window.top, window.width, window.height) == (0, 0, width, height)
    assert window.columns == PLACE.columns or window.rows == PLACE.rows


@given(sides, sides, st.integers(4, 30))
def test_a_picture_keeps_its_proportions(width: int, height: int, cell_width: int) -> None:
    place = replace(PLACE, columns=200, rows=200, cell=Cell(cell_width, 2 * cell_width))
    window = WHOLE.window(width, height, place)
    if window.columns > 8 and window.rows > 8:
        assert window.columns / (2 * window.rows) == pytest.approx(width / height, rel=0.15)


def test_a_square_picture_is_twice_as_many_columns_as_rows() -> None:
    for columns, rows in ((80, 20), (30, 20)):
        window = WHOLE.window(500, 500, replace(PLACE, columns=columns, rows=rows))
        assert (window.columns, window.rows) == (min(40, columns), min(40, columns) // 2)


def test_from_nearer_a_part_is_seen_in_the_same_proportions() -> None:
    view = WHOLE.zoomed(2, 400, 400, PLACE)
    assert view.zoom == 2.25
    window = view.window(400, 400, PLACE)
    assert (window.columns, window.rows) == (40, 20)
    assert (window.width, window.height) == (178, 178)
    assert abs(window.left + window.width / 2 - 200) <= 1, "the middle stays"


def test_it_comes_no_nearer_than_single_pixels_and_no_farther_than_all() -> None:
    assert WHOLE.zoomed(-3, 400, 400, PLACE) == WHOLE
    nearest = WHOLE.zoomed(99, 400, 400, PLACE).window(400, 400, PLACE)
    assert (nearest.width, nearest.height) == (5, 5), "each fills eight columns"
    assert WHOLE.zoomed(9, 2, 2, PLACE).window(2, 2, PLACE).width == 2, "a picture of few pixels is near enough"


def test_actual_size_shows_one_pixel_in_each_that_there_is() -> None:
    blocks = WHOLE.actual(4000, 3000, PLACE).window(4000, 3000, PLACE)
    assert (blocks.columns, blocks.width) == (40, 80), "two pixels a column"
    terminal = replace(PLACE, kind="kitty")
    assert WHOLE.actual(4000, 3000, terminal).window(4000, 3000, terminal).width == 400
    small = WHOLE.actual(20, 20, terminal).window(20, 20, terminal)
    assert (small.columns, small.rows, small.width) == (2, 1, 20), "what is smaller is drawn small"


def test_panning_stops_at_the_edges() -> None:
    view = WHOLE.zoomed(3, 400, 400, PLACE)
    for _ in range(20):
        view = view.panned(1, -1, 400, 400, PLACE)
    window = view.window(400, 400, PLACE)
    assert (window.left + window.width, window.top) == (400, 0)
    back = view.panned(-1, 0, 400, 400, PLACE).window(400, 400, PLACE)
    assert 0 < window.left - back.left < window.width, "what was in view stays partly in view"
    assert WHOLE.panned(1, 1, 400, 400, PLACE) == WHOLE
