"""What a histogram of 256 levels tells: mean, median, spread, entropy."""

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = 256

Counts = NDArray[np.int64]
"""Pixels a level: shape (256,)."""

_QUICK = 1
_LEVEL = np.arange(LEVELS, dtype=np.float64)


@dataclass(frozen=True)
class Levels:
    """A picture's levels in [0, 255]; ``std`` is that of the population."""

    mean: float
    median: float
    std: float
    low: int
    high: int


def levels_of(counts: Counts) -> Levels:
    """Return the figures of a histogram that counts at least one pixel."""
    total = int(counts.sum())
    used = np.flatnonzero(counts)
    mean = float(counts @ _LEVEL) / total
    variance = float(counts @ np.square(_LEVEL - mean)) / total
    return Levels(mean, _median(counts, total), math.sqrt(variance), int(used[0]), int(used[-1]))


def _median(counts: Counts, total: int) -> float:
    middle = np.searchsorted(np.cumsum(counts), [(total - 1) // 2, total // 2], side="right")
    return float(middle.mean())


def entropy_bits(counts: Counts) -> float:
    """Return ``−Σ p·log2 p`` of a histogram, in [0, 8]; 0 where it counts nothing."""
    used = counts[counts > 0]
    shares = used / max(1, used.sum())
    return max(0.0, -float(shares @ np.log2(shares)))


def percent(counts: Counts, start: int = 0, stop: int = LEVELS) -> float:
    """Return the share of pixels with a level in [start, stop), in percent."""
    return 100.0 * float(counts[start:stop].sum()) / float(counts.sum())


def packed(counts: NDArray[np.int64]) -> bytes:
    """Return the histograms of one picture (n, 256), of fewer than 2³² pixels, in few bytes.

    Bytes of the same weight stand together, for the higher ones are mostly zero.
    """
    by_weight = counts.astype("<u4").view(np.uint8).reshape(-1, 4).T
    return zlib.compress(np.ascontiguousarray(by_weight).data, _QUICK)


def unpacked(data: bytes) -> NDArray[np.int64]:
    """Return the histograms (n, 256) that `packed` was given."""
    by_weight = np.frombuffer(zlib.decompress(data), np.uint8).reshape(4, -1)
    return np.ascontiguousarray(by_weight.T).view("<u4").reshape(-1, LEVELS).astype(np.int64)
