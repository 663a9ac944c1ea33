"""The share of high frequencies in a picture's spectrum."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.native import native

Packed = NDArray[np.float32]


def highfreq_ratio(gray: NDArray[np.uint8], mean: float) -> float:
    """Return ``Σ|F|`` at radius ≥ r_max/4 over ``Σ|F|`` of the spectrum F of ``gray`` (H, W), in [0, 1].

    The radius is taken from the center (H//2, W//2) of the shifted spectrum, and r_max is the distance from there
    to the farthest corner, as if the spectrum had a row and a column more. 0 for a black picture.

    ``mean`` is the picture's mean level. The spectrum of real values is symmetric, so that half of it tells the
    sums; the mean is taken out before the transform, which keeps float32 exact to about 5e-6, and put back.
    """
    centered = _centered(gray, round(mean))
    packed = np.asarray(cv2.dft(centered, dst=centered), np.float32)
    packed[0, 0] = mean * gray.size
    low, high = _sums(packed)
    return high / (low + high) if low + high else 0.0


@native()
def _centered(gray: NDArray[np.uint8], level: int) -> Packed:
    """Return ``gray`` less a level, in half the time that NumPy takes."""
    centered = np.empty(gray.shape, np.float32)
    for row in range(gray.shape[0]):
        levels, places = gray[row], centered[row]
        for column in range(levels.size):
            places[column] = np.float32(np.int32(levels[column]) - np.int32(level))
    return centered


@native(reordered=True)
def _sums(packed: Packed) -> tuple[float, float]:
    """Return the sums of |F| at low and at high frequencies of a spectrum (H, W) as OpenCV packs it.

    Each row holds pairs (real, imaginary) of the frequencies 1 … (W − 1)//2 across, which stand for their mirrors
    as well. The first column, and the last of an even width, hold the frequencies 0 and W/2 in the same way from top
    to bottom.
    """
    rows, columns = packed.shape
    farthest = (rows - rows // 2) ** 2 + (columns - columns // 2) ** 2
    low = high = 0.0
    for row in range(rows):
        down = min(row, rows - row)
        pairs = (columns - 1) // 2
        reach = 0
        while reach < pairs and 16 * ((reach + 1) ** 2 + down**2) < farthest:
            reach += 1
        values = packed[row]
        inner = outer = 0.0
        for across in range(1, reach + 1):
            inner += math.sqrt(values[2 * across - 1] ** 2 + values[2 * across] ** 2)
        for across in range(reach + 1, pairs + 1):
            outer += math.sqrt(values[2 * across - 1] ** 2 + values[2 * across] ** 2)
        low += 2 * inner
        high += 2 * outer
    for column in range(0, columns, columns - 1) if columns % 2 == 0 else range(1):
        across = columns // 2 if column else 0
        for down in range(rows // 2 + 1):
            if down == 0:
                length = abs(packed[0, column])
            elif 2 * down == rows:
                length = abs(packed[rows - 1, column])
            else:
                length = 2 * math.sqrt(packed[2 * down - 1, column] ** 2 + packed[2 * down, column] ** 2)
            if 16 * (down**2 + across**2) < farthest:
                low += length
            else:
                high += length
    return low, high
