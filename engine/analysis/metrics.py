"""The metrics of one picture, in the groups that the records keep."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.analysis.levels import Counts, Levels, entropy_bits, histogram, levels_of, percent
from engine.analysis.spectrum import highfreq_ratio
from engine.analysis.texture import pattern_counts

Values = dict[str, float]

_DARK = 10
_BRIGHT = 245
_PALE = math.ceil(0.10 * 255)
_VIVID = math.floor(0.90 * 255) + 1


@dataclass(frozen=True)
class Measurement:
    """What was measured on one picture: metrics by group and name, and its gray histogram (256,)."""

    groups: dict[str, Values]
    gray_counts: Counts


@dataclass(frozen=True)
class Gradient:
    """Mean length of the gradient, and mean of its square."""

    mean: float
    mean_square: float


class Picture:
    """A picture and what several groups of metrics need of it, each computed once."""

    def __init__(self, bgr: NDArray[np.uint8]) -> None:
        self.bgr = bgr
        self.gray: NDArray[np.uint8] = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        self.counts = histogram(self.gray)
        self.levels: Levels = levels_of(self.counts)
        self._gradient: Gradient | None = None

    @property
    def gradient(self) -> Gradient:
        """The Sobel gradient."""
        if self._gradient is None:
            self._gradient = gradient_of(self.gray)
        return self._gradient


def gradient_of(gray: NDArray[np.uint8]) -> Gradient:
    """Return the figures of the Sobel gradient (3 × 3) of ``gray`` (H, W).

    Squares are whole numbers that float32 holds exactly, so that the figures are the same in every run; those of
    `cv2.magnitude` depend on where the arrays lie in memory.
    """
    across = np.asarray(cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3), np.float32)
    down = np.asarray(cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3), np.float32)
    np.multiply(across, across, out=across)
    np.multiply(down, down, out=down)
    squares = np.add(across, down, out=across)
    mean_square = cv2.sumElems(squares)[0] / gray.size
    return Gradient(cv2.sumElems(np.sqrt(squares, out=squares))[0] / gray.size, mean_square)


def measure(bgr: NDArray[np.uint8], groups: Collection[str]) -> Measurement:
    """Return the metrics of those groups for a picture (H, W, 3), 8-bit, blue-green-red."""
    picture = Picture(bgr)
    return Measurement({group: GROUPS[group](picture) for group in groups}, picture.counts)


def statistics(picture: Picture) -> Values:
    """Return size, gray levels in [0, 255], and the noise that a 3 × 3 Gaussian blur takes away.

    ``noise_ratio`` is the noise over the standard deviation.
    """
    levels = picture.levels
    noise_std = _noise(picture)
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


def _noise(picture: Picture) -> float:
    gray, size = picture.gray, picture.gray.size
    blurred = cv2.GaussianBlur(gray, (3, 3), 0)
    mean = picture.levels.mean - cv2.sumElems(blurred)[0] / size
    return _spread(cv2.norm(gray, blurred, cv2.NORM_L2SQR) / size, mean)


def exposure(picture: Picture) -> Values:
    """Return the shares of pixels below level 10, above 245 and between, in percent, and the mean level."""
    under = percent(picture.counts, stop=_DARK)
    over = percent(picture.counts, start=_BRIGHT + 1)
    return {
        "underexposed_pct": under,
        "overexposed_pct": over,
        "midtone_pct": percent(picture.counts, _DARK, _BRIGHT + 1),
        "mean_gray": picture.levels.mean,
    }


def entropy(picture: Picture) -> Values:
    """Return the entropy of the gray histogram in bits, and as a share of the 8 bits there can be."""
    bits = entropy_bits(picture.counts)
    return {"entropy_bits": bits, "normalized_entropy": bits / 8}


def sharpness(picture: Picture) -> Values:
    """Return variance of the Laplacian, Tenengrad (mean squared gradient), and share of high frequencies."""
    gray, size = picture.gray, picture.gray.size
    laplacian = cv2.Laplacian(gray, cv2.CV_16S, ksize=3)
    mean = cv2.sumElems(laplacian)[0] / size
    return {
        "var_laplacian": max(0.0, cv2.norm(laplacian, cv2.NORM_L2SQR) / size - mean**2),
        "tenengrad": picture.gradient.mean_square,
        "spectral_highfreq_ratio": highfreq_ratio(gray, picture.levels.mean),
    }


def color(picture: Picture) -> Values:
    """Return colorfulness (Hasler and Süsstrunk, 2003), mean saturation, and shares of pale and vivid pixels.

    Saturation is that of HSV in [0, 1]; pale is below 0.10, vivid above 0.90, in percent.
    """
    saturation = histogram(np.asarray(cv2.cvtColor(picture.bgr, cv2.COLOR_BGR2HSV), np.uint8), channel=1)
    return {
        "colorfulness": _colorfulness(picture.bgr),
        "mean_saturation": levels_of(saturation).mean / 255,
        "low_sat_pct": percent(saturation, stop=_PALE),
        "high_sat_pct": percent(saturation, start=_VIVID),
    }


def _colorfulness(bgr: NDArray[np.uint8]) -> float:
    """Return colorfulness from sums over the 8-bit channels, which are exact.

    With rg = R − G and 2·yb = (R − B) + (G − B): Σ(2·yb)² = 2Σ(R − B)² + 2Σ(G − B)² − Σ(R − G)².
    """
    size = bgr.shape[0] * bgr.shape[1]
    blue, green, red = cv2.split(bgr)
    mean_blue, mean_green, mean_red = (total / size for total in cv2.sumElems(bgr)[:3])
    red_green = cv2.norm(red, green, cv2.NORM_L2SQR)
    red_blue = cv2.norm(red, blue, cv2.NORM_L2SQR)
    green_blue = cv2.norm(green, blue, cv2.NORM_L2SQR)
    rg_mean = mean_red - mean_green
    yb_mean = (mean_red + mean_green) / 2 - mean_blue
    rg_std = _spread(red_green / size, rg_mean)
    yb_std = _spread((2 * red_blue + 2 * green_blue - red_green) / (4 * size), yb_mean)
    return math.hypot(rg_std, yb_std) + 0.3 * math.hypot(rg_mean, yb_mean)


def _spread(mean_square: float, mean: float) -> float:
    return math.sqrt(max(0.0, mean_square - mean**2))


def edges(picture: Picture) -> Values:
    """Return the share of Canny edge pixels, with thresholds about the median level, and the mean gradient."""
    median = picture.levels.median
    lower, upper = int(max(0, 0.67 * median)), int(min(255, 1.33 * median))
    found = cv2.countNonZero(cv2.Canny(picture.gray, lower, upper))
    return {"edge_density": found / picture.gray.size, "mean_gradient": picture.gradient.mean}


def texture(picture: Picture) -> Values:
    """Return energy and entropy in bits of the histogram of local binary patterns."""
    counts = pattern_counts(picture.gray)
    shares = counts / max(1, counts.sum())
    return {"lbp_energy": float(shares @ shares), "lbp_entropy": entropy_bits(counts)}


GROUPS: dict[str, Callable[[Picture], Values]] = {
    "statistics": statistics,
    "exposure": exposure,
    "entropy": entropy,
    "sharpness": sharpness,
    "color": color,
    "edges": edges,
    "texture": texture,
}
