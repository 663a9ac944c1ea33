"""What the colors of a picture's pixels tell, each by itself."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.analysis.levels import LEVELS, Counts
from engine.native import native

CHANNELS = ("gray", "red", "green", "blue")
"""The planes whose levels are counted, in the order of `Colors.counts`."""

_LEVELS = np.arange(LEVELS, dtype=np.float64)
_SATURATION_SHIFT = 12
_SATURATION_SHARES = np.array([0, *(round((255 << _SATURATION_SHIFT) / level) for level in range(1, LEVELS))], np.int64)


@dataclass(frozen=True)
class Colors:
    """The levels of a picture (H, W, 3).

    Attributes:
        counts: pixels a level of gray, red, green and blue: (4, 256).
        saturation: pixels a level of S of HSV, 0 to 255: (256,).
        means: mean level of gray, red, green, blue and saturation: (5,).
        red_green: Σ(R − G)² over the pixels.
        red_blue: Σ(R − B)².
        green_blue: Σ(G − B)².

    """

    counts: Counts
    saturation: Counts
    means: NDArray[np.float64]
    red_green: int
    red_blue: int
    green_blue: int


def colors_of(bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> Colors:
    """Return the levels of a picture (H, W, 3) whose gray plane is ``gray`` (H, W)."""
    counts, red_green, red_blue, green_blue = _count(bgr, gray, _SATURATION_SHARES)
    means = counts @ _LEVELS / gray.size
    return Colors(counts[:4], counts[4], means, red_green, red_blue, green_blue)


def gray_of(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the gray plane (H, W) of a picture (H, W, 3): OpenCV's BGR→GRAY."""
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)


@native()
def _count(bgr: NDArray[np.uint8], gray: NDArray[np.uint8], shares: NDArray[np.int64]) -> tuple[Counts, int, int, int]:
    """Return counts (5, 256) of gray, red, green, blue and saturation, and the sums of squared differences.

    Saturation is rounded as OpenCV rounds it: a table of 255/max in fixed point, times max − min.
    """
    counts = np.zeros((5, 256), np.uint32)
    one = np.uint32(1)
    red_green = red_blue = green_blue = 0
    for y in range(gray.shape[0]):
        for x in range(gray.shape[1]):
            blue, green, red = np.int64(bgr[y, x, 0]), np.int64(bgr[y, x, 1]), np.int64(bgr[y, x, 2])
            highest = max(red, max(green, blue))  # noqa: PLW3301  of three, Numba makes a slower one
            spread = highest - min(red, min(green, blue))  # noqa: PLW3301
            counts[0, gray[y, x]] += one
            counts[1, red] += one
            counts[2, green] += one
            counts[3, blue] += one
            counts[4, (spread * shares[highest] + 2048) >> 12] += one
            red_green += int((red - green) ** 2)
            red_blue += int((red - blue) ** 2)
            green_blue += int((green - blue) ** 2)
    return counts.astype(np.int64), red_green, red_blue, green_blue
