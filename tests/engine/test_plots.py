"""Figures: what they show, that names are data, and that nothing but matplotlib's drawing is needed."""

import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.errors import FextError
from engine.plots import (
    Panel,
    comparison_figure,
    curves_figure,
    distribution_figure,
    errors_figure,
    overview_figure,
    reconstruction_figure,
)

BLUE, ORANGE, GREEN, PINK, GRAY = (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (89, 99, 110)
NAMES = ["$x^2$ \\frac{", "line\nbreak\x1b[31m", "\udcff.png", "$", "a" * 300, "日本.png", ""]


@pytest.fixture(autouse=True)
def _no_warnings() -> None:
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def rows_with(picture: NDArray[np.uint8], color: tuple[int, int, int], tolerance: int = 2) -> NDArray[np.int64]:
    """Return the row of every pixel of a color."""
    near = np.abs(picture.astype(int) - color).max(axis=2) <= tolerance
    return np.nonzero(near)[0]


def plain(color: tuple[int, ...], height: int = 128, width: int = 128) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(color, np.uint8), (height, width, len(color))).copy()


def columns_with(picture: NDArray[np.uint8], color: tuple[int, int, int]) -> NDArray[np.int64]:
    """Return the column of every pixel of a color within the axes of a distribution."""
    near = np.abs(picture[115:580, 95:1165].astype(int) - color).max(axis=2) <= 2
    return np.nonzero(near)[1]


def test_distribution_shows_where_the_pixels_are(tmp_path: Path) -> None:
    counts = np.zeros(256, np.int64)
    counts[128:] = 1000
    path = tmp_path / "new" / "plot.png"
    distribution_figure({"gray": counts}, path, "Title", "Subtitle")
    picture = pixels(path)
    assert picture.shape == (700, 1200, 3)
    found = columns_with(picture, GRAY)
    assert (found > 585).sum() > 500
    assert (found < 480).sum() <= 4 * 480


def test_distribution_shows_every_channel_in_its_color(tmp_path: Path) -> None:
    channels = {name: np.bincount([level] * 99, minlength=256) for level, name in ((40, "red"), (120, "green"))}
    channels = {"gray": np.ones(256), **channels, "blue": np.bincount([220] * 99, minlength=256)}
    distribution_figure(channels, tmp_path / "plot.png", "Title")
    picture = pixels(tmp_path / "plot.png")[:460]
    peaks = [int(np.median(columns_with(picture, color))) for color in (ORANGE, GREEN, BLUE)]
    assert peaks == sorted(peaks)
    assert len(set(peaks)) == 3
    assert np.ptp(columns_with(picture, GRAY)) > 1000


@pytest.mark.parametrize(
    "counts",
    [np.bincount([255], minlength=256), np.ones(256), np.zeros(256), np.bincount([0] * 999 + [*range(256)])],
    ids=["one level", "even", "nothing", "one peak"],
)
def test_distributions_at_the_limits(counts: NDArray[np.int64], tmp_path: Path) -> None:
    distribution_figure({"gray": counts, "red": counts[::-1]}, tmp_path / "plot.png", "Title")
    assert pixels(tmp_path / "plot.png").std() > 1


def test_comparison_shows_both(tmp_path: Path) -> None:
    dark, bright = np.zeros(256), np.zeros(256)
    dark[:100], bright[150:] = 1, 1
    comparison_figure({"train": dark, "validation": bright}, tmp_path / "plot.png", "Title", "Distances")
    picture = pixels(tmp_path / "plot.png").astype(int)[110:580]
    blue, orange = (np.nonzero(np.abs(picture - color).max(axis=2) <= 2)[1] for color in (BLUE, ORANGE))
    assert np.median(blue) < np.median(orange)


@pytest.mark.parametrize("count", [1, 7, 28])
def test_overview_has_a_panel_for_every_metric(count: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    panels = {f"m{n}": Panel([random.normal(n, 1, 500)]) for n in range(count)}
    overview_figure(panels, tmp_path / "plot.png", "T", "S")
    assert _marks(pixels(tmp_path / "plot.png"), ORANGE, count) == count


def _marks(picture: NDArray[np.uint8], color: tuple[int, int, int], panels: int) -> int:
    """Return how many upright lines of a color cross the middle of the panels."""
    near = np.abs(picture.astype(int) - color).max(axis=2) <= 40
    rows = -(-panels // 7)
    height = (picture.shape[0] - 110) / rows
    return sum(_runs(near[int(90 + row * height) + 60]) for row in range(rows))


@pytest.mark.parametrize("cuts", [(), (-1.0,), (-1.0, 1.5), (-1.0, 99.0)])
def test_overview_shows_the_cuts_that_lie_among_the_values(cuts: tuple[float, ...], tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0, 1, 500)
    overview_figure({"m": Panel([values], cuts)}, tmp_path / "plot.png", "T")
    assert _marks(pixels(tmp_path / "plot.png"), PINK, 1) == sum(cut < 90 for cut in cuts)


def test_overview_lays_two_samples_over_one_another(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = [random.normal(0, 1, 300), random.normal(6, 1, 40)]
    overview_figure({"m": Panel(samples, note="KS 1.00")}, tmp_path / "a.png", "T")
    overview_figure({"m": Panel(samples)}, tmp_path / "b.png", "T")
    noted, plainer = pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png")
    changed = np.argwhere((noted != plainer).any(axis=2))
    assert changed.min(axis=0)[0] > 80
    assert changed.max(axis=0)[0] < 105
    blue, orange = (_columns(noted, color) for color in (BLUE, ORANGE))
    assert blue.max() < np.median(orange)
    assert min(len(blue), len(orange)) > 2000


def _columns(picture: NDArray[np.uint8], color: tuple[int, int, int]) -> NDArray[np.int64]:
    """Return the column of every pixel of a color at half its strength over white."""
    return np.nonzero(np.abs(picture - (np.array(color) + 255) / 2).max(axis=2) <= 2)[1]


def _runs(line: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(np.diff(line.astype(int)) == 1))


def test_overview_of_equal_values_and_of_one_image(tmp_path: Path) -> None:
    flat = {"flat": Panel([np.full(9, 3.0), [3.0]], (3.0,)), "zero": Panel([np.zeros(9), np.ones(2)])}
    overview_figure(flat, tmp_path / "a.png", "T")
    overview_figure({"one": Panel([[7.5]])}, tmp_path / "b.png", "T")
    assert pixels(tmp_path / "b.png").std() > 1


def test_originals_stand_over_their_reconstructions(tmp_path: Path) -> None:
    red, green = (250, 5, 5), (5, 250, 5)
    reconstruction_figure([(plain(red), plain(green), f"{name}\n31.2 dB") for name in NAMES], tmp_path / "p.png", "T")
    picture = pixels(tmp_path / "p.png")
    above, below = rows_with(picture, red), rows_with(picture, green)
    assert len(above) == pytest.approx(len(below), rel=0.02)
    assert len(above) == pytest.approx(len(NAMES) * 176 * 176, rel=0.05)
    assert above.max() < below.min()


def test_the_error_of_each_pixel_has_one_color_in_every_figure(tmp_path: Path) -> None:
    ground = plain((100, 100, 100))
    half = ground.copy()
    half[:, 64:] = (100, 100, 253)  # a third of 0.6: the end of the scale
    far = plain((100, 255, 255))
    reconstruction_figure([(ground, half, "half"), (ground, far, "far")], tmp_path / "p.png", "T")
    picture = pixels(tmp_path / "p.png").astype(int)
    none, most = (np.abs(picture - color).max(axis=2) <= 3 for color in ((0, 34, 78), (254, 232, 56)))
    assert none.sum() == pytest.approx(176 * 88, rel=0.05)
    assert most.sum() == pytest.approx(176 * 88 + 176 * 176, rel=0.05)
    below = rows_with(picture.astype(np.uint8), (100, 255, 255)).max()
    assert np.nonzero(none)[0].min() > below


def test_errors_have_lines_where_the_means_are(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(30, 1, 500)
    means = {"network": 30.0, "near": 32.0, "far": 12.0}
    errors_figure({"PSNR": values}, {name: {"PSNR": mean} for name, mean in means.items()}, tmp_path / "a.png", "T")
    picture = pixels(tmp_path / "a.png")[140:]
    network, near, far = (columns_of_color(picture, color) for color in (BLUE, ORANGE, GREEN))
    assert np.ptp(network) <= 3
    assert network.mean() < near.mean()
    assert 0 < far.max() < network.min(), "written at the side where it lies"
    assert np.ptp(far) > 10, "in figures"


def columns_of_color(picture: NDArray[np.uint8], color: tuple[int, int, int]) -> NDArray[np.int64]:
    return np.nonzero(np.abs(picture.astype(int) - color).max(axis=2) <= 2)[1]


@pytest.mark.parametrize("count", [1, 4, 7])
def test_errors_of_any_number_of_metrics_and_of_one_image(count: int, tmp_path: Path) -> None:
    samples = {f"{name}{number}": [0.5] for number, name in enumerate(NAMES[:count])}
    errors_figure(samples, {name: dict.fromkeys(samples, 0.5) for name in NAMES[:1]}, tmp_path / "a.png", NAMES[1])
    assert pixels(tmp_path / "a.png").std() > 1


@pytest.mark.parametrize(("count", "size"), [(1, (128, 128)), (9, (64, 200)), (64, (300, 40)), (0, (16, 16))])
def test_any_number_of_pairs_of_any_shape(count: int, size: tuple[int, int], tmp_path: Path) -> None:
    gray = np.linspace(0, 255, size[0] * size[1]).astype(np.uint8).reshape(*size, 1)
    reconstruction_figure([(gray, gray, "name")] * count, tmp_path / "plot.png", "Title")
    height, width, _ = pixels(tmp_path / "plot.png").shape
    assert 100 < height < 12_000
    assert 500 < width < 1700


def test_gray_pictures_keep_their_levels(tmp_path: Path) -> None:
    reconstruction_figure([(plain((90,)), plain((200,)), "name")], tmp_path / "plot.png", "Title")
    picture = pixels(tmp_path / "plot.png")
    assert min(len(rows_with(picture, (level,) * 3)) for level in (90, 200)) > 170 * 170


def test_curves_of_both_losses_and_psnr(tmp_path: Path) -> None:
    x = np.arange(1, 60)
    curves_figure({"train": (x, 1 / x), "validation": (x, 2 / x)}, (x, 10 + x / 4), tmp_path / "plot.png", "$run_1$")
    picture = pixels(tmp_path / "plot.png").astype(int)
    left, right = picture[:, :700], picture[:, 700:]
    assert (np.abs(left - BLUE).max(axis=2) <= 2).any()
    assert (np.abs(left - ORANGE).max(axis=2) <= 2).any()
    assert (np.abs(right - ORANGE).max(axis=2) <= 2).any()


def test_curves_without_validation_or_with_odd_values(tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    curves_figure({"train": ([1], [0.5])}, ([], []), path, "Title")
    curves_figure({"train": ([1, 2, 3], [0.5, float("nan"), float("inf")])}, ([1], [20]), path, "Title")
    curves_figure({"train": ([1, 2], [0.0, -1.0]), "validation": ([], [])}, ([1], [20]), path, "Title")
    curves_figure({}, ([], []), path, "Title")
    assert pixels(path).std() > 1


def test_titles_are_shown_as_they_are(tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        distribution_figure({"gray": np.ones(256)}, tmp_path / f"{number}.png", name, name)
        overview_figure({name: Panel([np.ones(9)], note=name)}, tmp_path / f"{number}.png", name)


def test_threads_may_draw_at_once(tmp_path: Path) -> None:
    counts = np.random.default_rng(2).integers(0, 99, 256)

    def draw(number: int) -> bytes:
        path = tmp_path / f"{number}.png"
        distribution_figure({"gray": counts}, path, "Title")
        return path.read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(draw, range(8)))) == 1


def test_a_figure_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FextError, match="cannot be written"):
        distribution_figure({"gray": np.ones(256)}, tmp_path / "file" / "plot.png", "Title")


def test_neither_pyplot_nor_torch_nor_a_screen_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path; from engine.plots import distribution_figure\n"
        "distribution_figure({'gray': np.ones(256)}, Path(sys.argv[1]), 'Title')\n"
        "assert not {'torch', 'matplotlib.pyplot', 'tkinter'} & set(sys.modules)"
    )
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "MPLBACKEND": "TkAgg"}
    subprocess.run([sys.executable, "-c", code, tmp_path / "plot.png"], env=environment, check=True, timeout=120)
    assert pixels(tmp_path / "plot.png").shape == (700, 1200, 3)
