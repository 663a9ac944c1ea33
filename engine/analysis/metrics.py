"""The metrics of one picture, in the groups that the records keep."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.analysis.colors import Colors, colors_of
from engine.analysis.levels import Counts, levels_of
from engine.analysis.neighbors import Neighbors, neighbors_of
from engine.analysis.outlines import count_edges
from engine.analysis.spectrum import highfreq_ratio

Values = dict[str, float]

_DARK = 10
_BRIGHT = 245


@dataclass(frozen=True)
class Measurement:
    """What was measured on one picture: metrics by group and name, and its levels.

    ``counts`` are pixels a level of `CHANNELS`: (4, 256). With ``is_gray``, red, green and blue are equal everywhere.
    """

    groups: dict[str, Values]
    counts: Counts
    is_gray: bool


class Picture:
    """A picture (H, W, 3) and what several groups of metrics need of it, each computed once."""

    def __init__(self, bgr: NDArray[np.uint8]) -> None:
        self.bgr = bgr
        self.colors = colors_of(bgr)
        self.gray = self.colors.gray
        self.size = self.gray.size
        self.counts = self.colors.counts[0]
        self.levels = levels_of(self.counts)

    @cached_property
    def neighbors(self) -> Neighbors:
        """What the pixels are beside their neighbors."""
        return neighbors_of(self.gray)


def measure(bgr: NDArray[np.uint8], groups: Collection[str]) -> Measurement:
    """Return the metrics of those groups for a picture (H, W, 3), 8-bit, blue-green-red."""
    picture = Picture(bgr)
    colors = picture.colors
    is_gray = not (colors.red_green or colors.red_blue)
    return Measurement({group: GROUPS[group](picture) for group in groups}, colors.counts, is_gray)


def statistics(picture: Picture) -> Values:
    """Return size, gray levels in [0, 255], and the noise that a 3 × 3 Gaussian blur takes away.

    ``noise_ratio`` is the noise over the standard deviation.
    """
    levels = picture.levels
    beside = picture.neighbors
    noise_std = _spread(beside.noise_squares / picture.size, beside.noise / picture.size)
    return {
        "height": picture.gray.shape[0],
        "width": picture.gray.shape[1],
        "mean": levels.mean,
        "median": levels.median,
        "std": levels.std,
        "min": levels.low,
        "max": levels.high,
        "pixel_range": levels.high - levels.low,
        "noise_std": noise_std,
        "noise_ratio": noise_std / (levels.std + 1e-9),
    }


def exposure(picture: Picture) -> Values:
    """Return the shares of pixels below level 10, above 245 and between, in percent, and the mean level."""
    dark, middle, bright = np.add.reduceat(picture.counts, (0, _DARK, _BRIGHT + 1)).tolist()
    return {
        "underexposed_pct": 100 * dark / picture.size,
        "overexposed_pct": 100 * bright / picture.size,
        "midtone_pct": 100 * middle / picture.size,
        "mean_gray": picture.levels.mean,
    }


def entropy(picture: Picture) -> Values:
    """Return the entropy of the gray histogram in bits, and as a share of the 8 bits there can be."""
    bits = picture.levels.entropy
    return {"entropy_bits": bits, "normalized_entropy": bits / 8}


def sharpness(picture: Picture) -> Values:
    """Return variance of the Laplacian, Tenengrad (mean squared gradient), and share of high frequencies."""
    beside, size = picture.neighbors, picture.size
    return {
        "var_laplacian": max(0.0, beside.laplacian_squares / size - (beside.laplacian / size) ** 2),
        "tenengrad": beside.gradient_squares / size,
        "spectral_highfreq_ratio": highfreq_ratio(picture.gray, picture.levels.mean),
    }


def color(picture: Picture) -> Values:
    """Return colorfulness (Hasler and Süsstrunk, 2003), mean saturation, and shares of pale and vivid pixels.

    Saturation is that of HSV in [0, 1]; pale is below 0.10, vivid above 0.90, in percent.
    """
    colors = picture.colors
    return {
        "colorfulness": _colorfulness(colors),
        "mean_saturation": colors.saturation / (255 * picture.size),
        "low_sat_pct": 100 * colors.pale / picture.size,
        "high_sat_pct": 100 * colors.vivid / picture.size,
    }


def _colorfulness(colors: Colors) -> float:
    """Return colorfulness from sums over the 8-bit channels, which are exact.

    With rg = R − G and 2·yb = (R − B) + (G − B): Σ(2·yb)² = 2Σ(R − B)² + 2Σ(G − B)² − Σ(R − G)².
    """
    size = colors.gray.size
    red, green, blue = colors.means[1:].tolist()
    rg_mean = red - green
    yb_mean = (red + green) / 2 - blue
    rg_std = _spread(colors.red_green / size, rg_mean)
    yb_std = _spread((2 * colors.red_blue + 2 * colors.green_blue - colors.red_green) / (4 * size), yb_mean)
    return math.hypot(rg_std, yb_std) + 0.3 * math.hypot(rg_mean, yb_mean)


def _spread(mean_square: float, mean: float) -> float:
    return math.sqrt(max(0.0, mean_square - mean**2))


def edges(picture: Picture) -> Values:
    """Return the share of Canny edge pixels, with thresholds about the median level, and the mean gradient."""
    median = picture.levels.median
    lower, upper = int(max(0, 0.67 * median)), int(min(255, 1.33 * median))
    found = count_edges(picture.gray, lower, upper)
    return {"edge_density": found / picture.size, "mean_gradient": picture.neighbors.gradient / picture.size}


def texture(picture: Picture) -> Values:
    """Return energy and entropy in bits of the histogram of local binary patterns."""
    patterns = levels_of(picture.neighbors.patterns)
    return {"lbp_energy": patterns.energy, "lbp_entropy": patterns.entropy}


GROUPS: dict[str, Callable[[Picture], Values]] = {
    "statistics": statistics,
    "exposure": exposure,
    "entropy": entropy,
    "sharpness": sharpness,
    "color": color,
    "edges": edges,
    "texture": texture,
}
