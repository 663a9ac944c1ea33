"""Figures of features: what they show, that names are data, and that they stand at the limits."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.errors import FextError
from engine.plots import ByLabel, ByValue, scatter3_figure, scatter_figure, spectrum_figure, worth_figure

BLUE, ORANGE, GREEN, PINK = (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167)
OTHERS, OTHER_BARS = (180, 188, 196), (169, 184, 198)
COLORS = (BLUE, ORANGE, GREEN, PINK, (86, 180, 233), (230, 159, 0), (136, 34, 85), (31, 39, 48))
NAMES = ["$x^2$ \\frac{", "line\nbreak\x1b[31m", "\udcff.png", "$", "a" * 300, "日本.png", "", "_hidden"]


@pytest.fixture(autouse=True)
def _no_warnings() -> None:
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")


def pixels(path: Path) -> NDArray[np.int64]:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"), np.int64)


def places(picture: NDArray[np.int64], color: tuple[int, int, int], tolerance: int = 2) -> NDArray[np.int64]:
    """Return row and column of every pixel of a color, (n, 2)."""
    return np.argwhere(np.abs(picture - color).max(axis=2) <= tolerance)


def clusters(count: int, dim: int, kinds: int) -> tuple[NDArray[np.float64], list[str]]:
    """Return points about a center of each kind, along the first axis, and their names."""
    random = np.random.default_rng(0)
    kind = np.arange(count) % kinds
    points = random.normal(0, 0.1, (count, dim))
    points[:, 0] += 10 * kind
    return points, [f"kind {number}" for number in kind]


def test_points_have_the_colors_of_their_labels_in_their_places(tmp_path: Path) -> None:
    points, labels = clusters(240, 2, 8)
    scatter_figure(points, tmp_path / "new" / "p.png", "T", "S", by=ByLabel(labels), shares=(0.34, 0.05))
    axes = pixels(tmp_path / "new" / "p.png")[90:750, 80:860]
    middles = [np.median(places(axes, color)[:, 1]) for color in COLORS]
    assert middles == sorted(middles)
    assert np.diff(middles).min() > 60
    assert not len(places(axes, OTHERS))


def test_labels_beyond_eight_and_none_are_gray(tmp_path: Path) -> None:
    points, labels = clusters(300, 2, 10)
    labels = ["" if label == "kind 0" else label for label in labels]
    labels[1::10] = ["kind 2"] * 30
    scatter_figure(points, tmp_path / "p.png", "T", by=ByLabel(labels))
    axes = pixels(tmp_path / "p.png")[90:750, 80:860]
    gray = places(axes, OTHERS)[:, 1]
    blue = places(axes, BLUE)[:, 1]
    assert 0 < np.median(gray) < blue.min()


def test_both_axes_have_one_scale(tmp_path: Path) -> None:
    square = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
    scatter_figure(square, tmp_path / "p.png", "T")
    found = places(pixels(tmp_path / "p.png"), BLUE)
    height, width = np.ptp(found, axis=0)
    assert height == pytest.approx(width, abs=2)
    assert height > 400


@pytest.mark.parametrize("dim", [2, 3])
def test_values_go_from_dark_to_bright_and_none_is_gray(dim: int, tmp_path: Path) -> None:
    points, _ = clusters(300, dim, 3)
    values = np.array([10.0, 20.0, np.nan] * 100)
    figure = scatter_figure if dim == 2 else scatter3_figure
    figure(points, tmp_path / "p.png", "T", by=ByValue(values, "PSNR", "dB"))
    picture = pixels(tmp_path / "p.png")
    axes = picture[90:750, 80:860] if dim == 2 else picture[80:760, 20:640]
    order = [np.median(places(axes, color)[:, 1]) for color in ((68, 1, 84), (253, 231, 36), OTHERS)]
    assert order == sorted(order)


def test_nearer_points_lie_over_farther_ones(tmp_path: Path) -> None:
    azimuth, elevation = np.deg2rad(-60), np.deg2rad(20)
    eye = np.array(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], np.float64
    )
    points = np.concatenate([np.outer([-5.0] * 50 + [5.0] * 50, eye), [[-9, -9, -9], [9, 9, 9]]])
    for near, far in (("a", "b"), ("b", "a")):
        labels = [far] * 50 + [near] * 50 + ["", ""]
        scatter3_figure(points, tmp_path / "p.png", "T", by=ByLabel(labels))
        left = pixels(tmp_path / "p.png")[80:760, 20:630]
        seen = {"a": len(places(left, BLUE)), "b": len(places(left, ORANGE))}
        assert seen[near] > 15
        assert seen[far] == 0


def test_three_dimensions_are_seen_from_two_sides(tmp_path: Path) -> None:
    points, labels = clusters(120, 3, 2)
    scatter3_figure(points, tmp_path / "p.png", "T", by=ByLabel(labels), shares=(0.5, 0.3, 0.1))
    picture = pixels(tmp_path / "p.png")[80:760]
    for start, first in ((20, BLUE), (650, ORANGE)):
        half = picture[:, start : start + 600]
        columns = {color: np.median(places(half, color)[:, 1]) for color in (BLUE, ORANGE)}
        assert min(columns, key=lambda color: columns[color]) == first


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("coloring", ["none", "labels", "values"])
def test_few_and_equal_points(count: int, coloring: str, tmp_path: Path) -> None:
    by = {
        "none": None,
        "labels": ByLabel(["a"] * count),
        "values": ByValue([np.nan, 3.0, 3.0, np.inf, 3.0][:count], "$n$", "dB"),
    }[coloring]
    scatter_figure(np.ones((count, 2)), tmp_path / "2.png", "T", by=by)
    scatter3_figure(np.ones((count, 3)), tmp_path / "3.png", "T", by=by)
    assert all(pixels(tmp_path / name).std() > 1 for name in ("2.png", "3.png"))


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    points, _ = clusters(len(NAMES), 2, 2)
    scatter_figure(points, tmp_path / "p.png", NAMES[0], NAMES[1], by=ByLabel(NAMES))
    for name in NAMES[:3]:
        scatter_figure(points, tmp_path / "p.png", name, by=ByValue(np.arange(len(NAMES)), name, name))
    accuracies = {name: dict.fromkeys(NAMES[:3], (0.5, 0.4, 0.6)) for name in NAMES}
    worth_figure(accuracies, tmp_path / "p.png", NAMES[0], levels={NAMES[0]: 0.1, NAMES[1]: 0.2})
    spectrum_figure([0.5, 0.5], tmp_path / "p.png", NAMES[0], NAMES[1])


def test_a_label_that_begins_with_a_line_stands_in_the_legend(tmp_path: Path) -> None:
    scatter_figure(np.eye(2), tmp_path / "p.png", "T", by=ByLabel(["_a", "_b"]))
    legend = pixels(tmp_path / "p.png")[:, 870:]
    assert len(places(legend, BLUE)) > 20
    assert len(places(legend, ORANGE)) > 20


def test_the_spectrum_rises_to_the_whole(tmp_path: Path) -> None:
    spectrum_figure(np.repeat(1 / 200, 200), tmp_path / "p.png", "T", "S")
    picture = pixels(tmp_path / "p.png")
    curve = places(picture, BLUE)
    assert curve[curve[:, 1].argmax(), 0] < curve[curve[:, 1].argmin(), 0]
    columns = [np.median(places(picture[150:], color, 40)[:, 1]) for color in (ORANGE, GREEN, PINK)]
    assert columns == sorted(columns)


@pytest.mark.parametrize("shares", [[], [1.0], [0.0, 0.0], [0.6, 0.4, 0.0]])
def test_spectra_at_the_limits(shares: list[float], tmp_path: Path) -> None:
    spectrum_figure(shares, tmp_path / "p.png", "T")
    assert pixels(tmp_path / "p.png").std() > 1


def test_bars_are_as_long_as_the_accuracies(tmp_path: Path) -> None:
    results = {
        "ours": {"k-NN": (0.8, 0.75, 0.85), "probe": (0.4, 0.35, 0.45)},
        "theirs": {"k-NN": (0.4, 0.35, 0.45), "probe": (0.8, 0.75, 0.85)},
    }
    worth_figure(results, tmp_path / "p.png", "T", "S", own=frozenset({"ours"}), levels={"chance": 0.1})
    picture = pixels(tmp_path / "p.png")[118:190]
    width = picture.shape[1]
    left, right = picture[:, 200 : (width + 180) // 2], picture[:, (width + 190) // 2 :]
    lengths = [np.ptp(places(half, color)[:, 1]) for half in (left, right) for color in (BLUE, OTHER_BARS)]
    assert lengths[0] == pytest.approx(2 * lengths[1], rel=0.05)
    assert lengths[3] == pytest.approx(2 * lengths[2], rel=0.05)
    assert places(left, BLUE)[:, 0].max() < places(left, OTHER_BARS)[:, 0].min()


@pytest.mark.parametrize(
    "results",
    [
        {},
        {"a": {}},
        {"a": {"m": (0.0, 0.0, 0.0)}},
        {"a": {"m": (1.0, 0.9, 1.0)}, "b": {"n": (0.5, 0.5, 0.5)}},
        {f"f{row}": {f"m{method}": (0.5, 0.4, 0.6) for method in range(5)} for row in range(9)},
    ],
    ids=["nothing", "no method", "zero", "gaps", "many"],
)
def test_worth_at_the_limits(results: dict[str, dict[str, tuple[float, float, float]]], tmp_path: Path) -> None:
    worth_figure(results, tmp_path / "p.png", "T")
    assert pixels(tmp_path / "p.png").std() > 1


def test_a_figure_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FextError, match="cannot be written"):
        scatter_figure(np.eye(2), tmp_path / "file" / "p.png", "T")
