"""Local binary patterns."""

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.analysis.levels import LEVELS, Counts, histogram

_CLOCKWISE = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
"""Row and column of the eight neighbors in a 3 × 3 window, from the top left."""


def pattern_counts(gray: NDArray[np.uint8]) -> Counts:
    """Return how often each of the 256 patterns occurs in ``gray`` (H, W), its border left out.

    Bit n of a pattern is set where the n-th neighbor, clockwise from the top left, is not darker than the pixel
    (T. Ojala et al., 1996). All zero where a side is shorter than three pixels.
    """
    height, width = gray.shape
    if min(height, width) < 3:
        return np.zeros(LEVELS, np.int64)
    center = gray[1:-1, 1:-1]
    patterns = np.zeros(center.shape, np.uint8)
    is_set = np.empty_like(patterns)
    for bit, (row, column) in enumerate(_CLOCKWISE):
        neighbor = gray[row : row + height - 2, column : column + width - 2]
        cv2.compare(neighbor, center, cv2.CMP_GE, dst=is_set)
        np.bitwise_and(is_set, 1 << bit, out=is_set)
        np.bitwise_or(patterns, is_set, out=patterns)
    return histogram(patterns)
