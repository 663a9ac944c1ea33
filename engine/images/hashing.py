"""What tells equal and near-equal pictures: hashes of their pixels."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.images.decode import Pixels

_ROWS, _COLUMNS = 8, 8
_STEP = 1.0
"""Smallest rise that counts, in gray levels: what saving a flat area anew does to its means is far less."""


def perceptual_hash(pixels: Pixels) -> int:
    """Return the difference hash of a picture (H, W, C): 64 bits, few of which change when it is saved anew.

    The picture is averaged to 8 rows of 9 gray levels; a bit is set where the level rises to the right.
    Source: N. Krawetz, "Kind of Like That" (2013); the threshold, which quiets flat areas, is added.
    """
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.shape[2] == 3 else pixels
    levels = np.asarray(gray, np.float32).reshape(pixels.shape[:2])
    means = _shares(pixels.shape[0], _ROWS) @ levels @ _shares(pixels.shape[1], _COLUMNS + 1).T
    bits = np.diff(means, axis=1) > _STEP
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


@cache
def _shares(length: int, parts: int) -> NDArray[np.float32]:
    """Return the share (parts, length) that each of ``length`` pixels has in the mean of each of equal parts."""
    edges = np.linspace(0, length, parts + 1)
    pixels = np.arange(length)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(covered.clip(0) * parts / length, np.float32)
