"""What tells equal and near-equal pictures: hashes of their pixels."""

import cv2
import numpy as np

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
    means = cv2.resize(gray.astype(np.float32), (_COLUMNS + 1, _ROWS), interpolation=cv2.INTER_AREA)
    bits = np.diff(np.asarray(means, dtype=np.float32), axis=1) > _STEP
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
