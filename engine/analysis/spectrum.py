"""The share of high frequencies in a picture's spectrum."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Magnitudes = NDArray[np.float32]

_CACHED_SIZES = 64


def highfreq_ratio(gray: NDArray[np.uint8], mean: float) -> float:
    """Return ``Σ|F|`` at radius ≥ r_max/4 over ``Σ|F|`` of the spectrum F of ``gray`` (H, W), in [0, 1].

    The radius is taken from the center (H//2, W//2) of the shifted spectrum, and r_max is the distance from there
    to the farthest corner, as if the spectrum had a row and a column more. 0 for a black picture.

    ``mean`` is the picture's mean level. The spectrum of real values is symmetric, so that half of it tells the
    sums; the mean is taken out before the transform, which keeps float32 exact to about 5e-6, and put back.
    """
    half = _half_spectrum(gray, round(mean))
    half[0, 0] = mean * gray.size
    total = 2 * _sum(half) - _sum(half[:, 0])
    if gray.shape[1] % 2 == 0:
        total -= _sum(half[:, -1])
    return max(0.0, 1 - _low_sum(half, gray.shape[1]) / total) if total else 0.0


def _sum(values: Magnitudes) -> float:
    return float(cv2.sumElems(values)[0])


def _half_spectrum(gray: NDArray[np.uint8], level: int) -> Magnitudes:
    """Return |F| of ``gray − level`` for the frequencies 0 … W//2 across: shape (H, W//2 + 1), not shifted.

    OpenCV packs the spectrum of a real picture into a real matrix of its size: pairs (real, imaginary) in each row,
    but for the first column, and the last of an even width, which are packed so from top to bottom.
    """
    height, width = gray.shape
    pairs = (width - 1) // 2
    centered = np.subtract(gray, level, dtype=np.float32)
    packed = np.asarray(cv2.dft(centered, dst=centered), np.float32)
    half = np.empty((height, width // 2 + 1), np.float32)
    half[:, 0] = _unpacked(packed[:, 0])
    if pairs:
        np.abs(packed[:, 1 : 1 + 2 * pairs].view(np.complex64), out=half[:, 1 : 1 + pairs])
    if width % 2 == 0:
        half[:, -1] = _unpacked(packed[:, -1])
    return half


def _unpacked(column: Magnitudes) -> Magnitudes:
    """Return |F| of all H frequencies of a packed column (H,)."""
    pairs = (column.size - 1) // 2
    inner = column[1 : 1 + 2 * pairs].reshape(pairs, 2)
    magnitudes = np.hypot(inner[:, 0], inner[:, 1])
    middle = np.abs(column[-1:]) if column.size % 2 == 0 else column[:0]
    return np.concatenate([np.abs(column[:1]), magnitudes, middle, magnitudes[::-1]])


def _low_sum(half: Magnitudes, width: int) -> float:
    height = half.shape[0]
    weights = _low_weights(height, width)
    rows, columns = weights.shape
    mirrored = min(rows - 1, (height - 1) // 2)
    low = float((half[:rows, :columns] * weights).sum())
    if mirrored:
        low += float((half[: -mirrored - 1 : -1, :columns] * weights[1 : 1 + mirrored]).sum())
    return low


@lru_cache(_CACHED_SIZES)
def _low_weights(height: int, width: int) -> NDArray[np.float64]:
    """Return how often each frequency (down, across) counts among the low ones: 0, 1, or 2 for it and its mirror."""
    farthest = (height - height // 2) ** 2 + (width - width // 2) ** 2
    reach = int(np.sqrt(farthest) / 4) + 1
    down = np.arange(min(reach, height // 2) + 1)[:, None]
    across = np.arange(min(reach, width // 2) + 1)[None, :]
    is_low = 16 * (down**2 + across**2) < farthest
    has_no_mirror = (across == 0) | (2 * across == width)
    return np.where(is_low, np.where(has_no_mirror, 1.0, 2.0), 0.0)
