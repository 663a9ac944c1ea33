"""How the errors of many images are told in few numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Metric(NamedTuple):
    """How a metric is told: its key, its name, its unit, and the format of its figures."""

    key: str
    title: str
    unit: str
    form: str

    @property
    def label(self) -> str:
        """Name and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def written(self, value: float) -> str:
        """Return a figure as it is told."""
        return format(value, self.form)


METRICS = (
    Metric("psnr", "PSNR", "dB", ".2f"),
    Metric("ssim", "SSIM", "", ".4f"),
    Metric("ms_ssim", "MS-SSIM", "", ".4f"),
    Metric("mae", "MAE", "0–1", ".4f"),
    Metric("rmse", "RMSE", "0–1", ".4f"),
    Metric("mse", "MSE", "0–1", ".2e"),
    Metric("cosine", "Cosine", "", ".4f"),
)
"""All metrics in the order they are told; errors are on the scale of pictures from 0 (black) to 1 (white)."""


@dataclass(frozen=True)
class Distribution:
    """How a figure is spread over images: mean, population standard deviation, extremes and percentiles.

    Percentiles are interpolated linearly between the values in order.
    """

    mean: float
    std: float
    min: float
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    max: float


def distribution(values: ArrayLike) -> Distribution:
    """Return how values (N,) are spread; N is 1 or more."""
    exact = np.asarray(values, np.float64)
    points = np.percentile(exact, (0, 5, 25, 50, 75, 95, 100))
    return Distribution(float(exact.mean()), float(exact.std()), *map(float, points))


def summarize(errors: Mapping[str, ArrayLike]) -> dict[str, Distribution]:
    """Return how each metric is spread over N images, from its values (N,), in the order of `METRICS`."""
    return {metric.key: distribution(errors[metric.key]) for metric in METRICS if metric.key in errors}


def worst_and_best(psnr: ArrayLike, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the ``count`` images of lowest PSNR, lowest first, and of highest, highest first.

    Of equal images, that which comes first in the set comes first.
    """
    values = np.asarray(psnr, np.float64)
    return np.argsort(values, kind="stable")[:count], np.argsort(-values, kind="stable")[:count]
