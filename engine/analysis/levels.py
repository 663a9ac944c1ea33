"""Histograms of 256 levels, and what they tell: mean, median, spread, entropy."""

import math
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.native import native

LEVELS = 256

Counts = NDArray[np.int64]
"""Pixels a level: shape (256,), or (n, 256) for several histograms."""

_QUICK = 1
_LEVEL = np.arange(LEVELS, dtype=np.float64)


class Levels(NamedTuple):
    """What a histogram tells of levels in [0, 255].

    ``std`` is that of the population, ``entropy`` is −Σ p·log2 p in bits, in [0, 8], and ``energy`` is Σ p², in (0, 1].
    """

    mean: float
    median: float
    std: float
    low: int
    high: int
    entropy: float
    energy: float


def count_levels(pixels: NDArray[np.uint8]) -> Counts:
    """Return how often each level occurs in each channel of ``pixels`` (H, W, C): (C, 256)."""
    return _count(np.ascontiguousarray(pixels).reshape(-1), pixels.shape[2])


@native()
def _count(values: NDArray[np.uint8], channels: int) -> Counts:
    """Return the counts (channels, 256) of interleaved ``values`` (N,).

    They are taken eight at a time, each of the eight into a table of its own: loads are few, and equal neighbors do
    not wait for one another. One store a value is what the processor allows.
    """
    tables = np.zeros((channels, 8, LEVELS), np.uint32)
    groups = values.size // (8 * channels)
    words = values[: groups * channels * 8].view(np.uint64)
    byte, one = np.uint64(255), np.uint32(1)
    for word in range(channels):
        table = tables[word]
        for group in range(groups):
            eight = words[group * channels + word]
            table[0, eight & byte] += one
            table[1, (eight >> np.uint64(8)) & byte] += one
            table[2, (eight >> np.uint64(16)) & byte] += one
            table[3, (eight >> np.uint64(24)) & byte] += one
            table[4, (eight >> np.uint64(32)) & byte] += one
            table[5, (eight >> np.uint64(40)) & byte] += one
            table[6, (eight >> np.uint64(48)) & byte] += one
            table[7, eight >> np.uint64(56)] += one
    counts = np.zeros((channels, LEVELS), np.int64)
    for place in range(8 * channels):
        counts[place % channels] += tables[place // 8, place % 8]
    for place in range(8 * words.size, values.size):
        counts[place % channels, values[place]] += 1
    return counts


def levels_of(counts: Counts) -> Levels:
    """Return the figures of a histogram (256,); all are 0 where it counts nothing."""
    return Levels(*_figures(counts))


@native()
def _figures(counts: Counts) -> tuple[float, float, float, int, int, float, float]:
    """Return what `Levels` holds."""
    total = weighted = high = 0
    low = -1
    for level in range(counts.size):
        if counts[level]:
            low = level if low < 0 else low
            high = level
            total += counts[level]
            weighted += level * counts[level]
    if total == 0:
        return 0.0, 0.0, 0.0, 0, 0, 0.0, 0.0
    mean = weighted / total
    squares = bits = energy = 0.0
    seen = middle = 0
    for level in range(low, high + 1):
        share = counts[level] / total
        squares += share * (level - mean) ** 2
        energy += share**2
        bits -= share * math.log2(share) if share else 0.0
        before, seen = seen, seen + counts[level]
        middle += level * (before <= (total - 1) // 2 < seen) + level * (before <= total // 2 < seen)
    return mean, middle / 2, math.sqrt(squares), low, high, max(0.0, bits), energy


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
