"""The figure of scores: where the values and the thresholds stand."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.plots.anomalies import ScorePanel, scores_figure

BLUE, ORANGE, PINK = (0, 114, 178), (213, 94, 0), (204, 121, 167)


@pytest.fixture(autouse=True)
def _no_warnings() -> None:
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")


def pixels(path: Path) -> NDArray[np.int64]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(np.int64)


def columns_with(picture: NDArray[np.int64], color: tuple[int, int, int]) -> NDArray[np.int64]:
    """Return the column of every pixel of a color within the first panel, above its axis."""
    return np.nonzero(np.abs(picture[150:480, 76:484] - color).max(axis=2) <= 8)[1]


def test_the_threshold_stands_between_what_it_divides(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = {"usual": random.uniform(0.1, 0.2, 300), "odd": random.uniform(0.4, 0.5, 20)}
    scores_figure({"Error": ScorePanel(samples, 0.3, "unit")}, tmp_path / "plot.png", "Title", "Subtitle")
    blue, orange, cut = (columns_with(pixels(tmp_path / "plot.png"), color) for color in (BLUE, ORANGE, PINK))
    assert np.ptp(cut) <= 2
    assert blue.max() < cut.mean() < orange.min()


@pytest.mark.parametrize(
    ("values", "threshold"), [([0.0], 0.0), ([0.3] * 5, 0.3), ([0.0, 1e-12], 0.0), ([0.1, 0.2, 99.0], 0.2)], ids=str
)
def test_scores_at_the_limits(values: list[float], threshold: float, tmp_path: Path) -> None:
    panel = ScorePanel({"usual $x^2$\n": values, "these": values[:1]}, threshold, "unit")
    scores_figure({"A": panel, "B": panel, "C": panel}, tmp_path / "plot.png", "T")
    assert len(columns_with(pixels(tmp_path / "plot.png"), PINK)) > 100
