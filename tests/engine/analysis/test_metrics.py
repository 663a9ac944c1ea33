"""The metrics of one picture against their definitions, and against stored values."""

import csv
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.analysis.colors import CHANNELS, colors_of
from engine.analysis.metrics import GROUPS, measure
from engine.analysis.neighbors import neighbors_of
from engine.analysis.outlines import count_edges
from engine.images.decode import read_bgr
from engine.records.schema import columns_of
from engine.settings import METRIC_GROUPS
from tests.engine.analysis.naive_metrics import NAIVE

sides = st.integers(1, 70)


@st.composite
def pictures(draw: st.DrawFn) -> NDArray[np.uint8]:
    """Draw noise, flat areas, ramps, blurred shapes and gray pictures of any small size."""
    height, width = draw(sides), draw(sides)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["noise", "flat", "ramp", "blurred", "two levels"]))
    if kind == "flat":
        picture = np.full((height, width, 3), random.integers(0, 256, 3), np.uint8)
    elif kind == "ramp":
        ramp = np.linspace(0, 255, width).round().astype(np.uint8)
        picture = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (height, width, 3)))
    else:
        picture = random.integers(0, 256, (height, width, 3), np.uint8)
    if kind == "blurred":
        picture = cv2.GaussianBlur(picture, (0, 0), draw(st.floats(0.5, 8)))
    if kind == "two levels":
        picture = np.where(picture > draw(st.integers(0, 254)), np.uint8(255), np.uint8(0))
    if draw(st.booleans()):
        picture = np.repeat(picture[..., :1], 3, axis=2)
    return picture


def close(measured: float, expected: float, column: str) -> bool:
    relative = 1e-3 if column == "edge_density" else 1e-4
    return bool(abs(measured - expected) <= max(1e-6, relative * abs(expected)))


@settings(max_examples=250)
@given(pictures())
@example(np.zeros((1, 1, 3), np.uint8))
@example(np.full((2, 2, 3), 255, np.uint8))
@example(np.full((53, 67, 3), 201, np.uint8))
def test_every_metric_is_what_its_definition_says(picture: NDArray[np.uint8]) -> None:
    measured = measure(picture, METRIC_GROUPS)
    for group, naive in NAIVE.items():
        expected = naive(picture)
        assert measured.groups[group].keys() == expected.keys()
        for column, value in measured.groups[group].items():
            assert close(value, expected[column], column), (column, value, expected[column])
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    planes = dict(zip(CHANNELS, (gray, *cv2.split(picture)[::-1]), strict=True))
    for channel, counts in zip(CHANNELS, measured.counts, strict=True):
        assert np.array_equal(counts, np.bincount(planes[channel].ravel(), minlength=256)), channel


@settings(max_examples=200)
@given(pictures(), st.integers(0, 300), st.integers(0, 500))
def test_edges_are_those_that_opencv_finds(picture: NDArray[np.uint8], low: int, beyond: int) -> None:
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    assert count_edges(gray, low, low + beyond) == cv2.countNonZero(cv2.Canny(gray, low, low + beyond))


@pytest.mark.parametrize("size", [(240, 34), (34, 240), (211, 223), (128, 128), (1, 50), (50, 1)])
def test_share_of_high_frequencies_at_sizes_that_are_hard(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)
    measured = measure(picture, ["sharpness"]).groups["sharpness"]
    expected = NAIVE["sharpness"](picture)
    assert measured == pytest.approx(expected, rel=1e-5)


def test_only_the_groups_asked_for_are_measured() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    measured = measure(picture, ["edges", "entropy"])
    assert set(measured.groups) == {"edges", "entropy"}
    assert measured.counts.sum(axis=1).tolist() == [600] * 4


def test_groups_have_the_columns_of_the_records() -> None:
    measured = measure(np.zeros((8, 8, 3), np.uint8), METRIC_GROUPS)
    assert tuple(GROUPS) == METRIC_GROUPS
    for group, values in measured.groups.items():
        assert tuple(values) == columns_of(group)


def test_sums_of_a_picture_too_large_for_32_bits() -> None:
    picture = np.zeros((4100, 4097, 3), np.uint8)
    picture[::2, ::2, 2] = 255
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    colors, beside = colors_of(picture), neighbors_of(gray)
    assert np.array_equal(colors.gray, gray)
    lit = 2050 * 2049
    assert (colors.counts[1, 255], colors.counts[1, 0]) == (lit, picture[..., 0].size - lit)
    assert colors.red_green == colors.red_blue == lit * 255**2 > 2**32
    laplacian = cv2.Laplacian(gray, cv2.CV_32F, ksize=3).astype(np.float64)
    assert beside.laplacian_squares == np.square(laplacian).sum() > 2**32


def test_values_and_gray_histogram_equal_the_stored_ones(golden: Path) -> None:
    total = np.zeros(256, np.int64)
    with (golden / "statistics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        measured = measure(read_bgr(golden / "images" / row["name"]), METRIC_GROUPS)
        total += measured.counts[0]
        _assert_equal({column: value for values in measured.groups.values() for column, value in values.items()}, row)
    assert np.array_equal(total, np.loadtxt(golden / "gray_histogram.csv", dtype=np.int64))
    assert len(rows) == 24


def _assert_equal(measured: Mapping[str, float], row: Mapping[str, str]) -> None:
    assert set(measured) == set(row) - {"name"}
    for column, value in measured.items():
        assert close(value, float(row[column]), column), (row["name"], column, value, row[column])
