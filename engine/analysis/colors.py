"""What the colors of a picture's pixels tell, each by itself."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.analysis.levels import LEVELS, Counts, count_levels
from engine.native import native

CHANNELS = ("gray", "red", "green", "blue")
"""The planes whose levels are counted, in the order of `Colors.counts`."""

Plane = NDArray[np.uint8]

_PALE = math.ceil(0.10 * 255)
_VIVID = math.floor(0.90 * 255)
_LEVELS = np.arange(LEVELS, dtype=np.float64)


@dataclass(frozen=True)
class Colors:
    """The levels of a picture (H, W, 3).

    Attributes:
        gray: its gray plane (H, W), OpenCV's BGR→GRAY.
        counts: pixels a level of gray, red, green and blue: (4, 256).
        means: mean level of gray, red, green, blue: (4,).
        saturation: Σ of S of HSV, 0 to 255, over the pixels.
        pale: pixels whose S is below 10 % of 255.
        vivid: pixels whose S is above 90 % of 255.
        red_green: Σ(R − G)² over the pixels.
        red_blue: Σ(R − B)².
        green_blue: Σ(G − B)².

    """

    gray: Plane
    counts: Counts
    means: NDArray[np.float64]
    saturation: int
    pale: int
    vivid: int
    red_green: int
    red_blue: int
    green_blue: int


def colors_of(bgr: NDArray[np.uint8]) -> Colors:
    """Return the levels of a picture (H, W, 3), blue-green-red."""
    gray, *sums = _gray_and_sums(np.ascontiguousarray(bgr))
    counts = np.empty((4, LEVELS), np.int64)
    counts[0] = count_levels(gray[..., None])
    counts[1:] = count_levels(bgr)[::-1]
    return Colors(gray, counts, counts @ _LEVELS / gray.size, *sums)


@native()
def _gray_and_sums(bgr: NDArray[np.uint8]) -> tuple[Plane, int, int, int, int, int, int]:
    """Return the gray plane (H, W), and of saturation Σ S, pale and vivid pixels, then Σ (R−G)², (R−B)², (G−B)².

    Gray and saturation are rounded as OpenCV rounds them, in fixed point. A row is taken apart into its channels, and
    then gone through in pieces: sums of one piece fit 32 bits, of which the processor adds sixteen at once.
    """
    rows, columns, channels = bgr.shape
    interleaved = bgr.reshape(rows, columns * channels)
    gray = np.empty((rows, columns), np.uint8)
    blue, green, red = np.empty(columns, np.uint8), np.empty(columns, np.uint8), np.empty(columns, np.uint8)
    saturation = pale = vivid = red_green = red_blue = green_blue = 0
    for y in range(rows):
        row = interleaved[y]
        for x in range(columns):
            blue[x] = row[3 * x]
            green[x] = row[3 * x + 1]
            red[x] = row[3 * x + 2]
        for start in range(0, columns, 4096):
            stop = min(start + 4096, columns)
            b, g, r, k = blue[start:stop], green[start:stop], red[start:stop], gray[y, start:stop]
            for x in range(stop - start):
                weighted = np.int32(np.int32(b[x]) * 3735 + np.int32(g[x]) * 19235 + np.int32(r[x]) * 9798 + 16384)
                k[x] = np.uint8(weighted >> 15)
            total = low_ones = high_ones = first = second = third = np.int32(0)
            for x in range(stop - start):
                low, middle, high = np.int32(b[x]), np.int32(g[x]), np.int32(r[x])
                highest = np.int32(max(high, max(middle, low)))  # noqa: PLW3301  of three, Numba makes a slower one
                spread = np.int32(highest - min(high, min(middle, low)))  # noqa: PLW3301
                share = np.int32(np.rint(np.float32(255 << 12) / np.float32(max(highest, np.int32(1)))))
                level = np.int32(np.int32(np.int32(spread * share) + 2048) >> 12)
                total = np.int32(total + level)
                low_ones = np.int32(low_ones + np.int32(level < _PALE))
                high_ones = np.int32(high_ones + np.int32(level > _VIVID))
                first = np.int32(first + np.int32((high - middle) ** 2))
                second = np.int32(second + np.int32((high - low) ** 2))
                third = np.int32(third + np.int32((middle - low) ** 2))
            saturation += int(total)
            pale += int(low_ones)
            vivid += int(high_ones)
            red_green += int(first)
            red_blue += int(second)
            green_blue += int(third)
    return gray, saturation, pale, vivid, red_green, red_blue, green_blue
