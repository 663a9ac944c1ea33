"""What the colors of a picture's pixels tell, each by itself."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.analysis.levels import LEVELS, Counts
from engine.native import native

CHANNELS = ("gray", "red", "green", "blue")
"""The planes whose levels are counted, in the order of `Colors.counts`."""

Plane = NDArray[np.uint8]

_LEVELS = np.arange(LEVELS, dtype=np.float64)


@dataclass(frozen=True)
class Colors:
    """The levels of a picture (H, W, 3).

    Attributes:
        gray: its gray plane (H, W), OpenCV's BGR→GRAY.
        counts: pixels a level of gray, red, green and blue: (4, 256).
        saturation: pixels a level of S of HSV, 0 to 255: (256,).
        means: mean level of gray, red, green, blue and saturation: (5,).
        red_green: Σ(R − G)² over the pixels.
        red_blue: Σ(R − B)².
        green_blue: Σ(G − B)².

    """

    gray: Plane
    counts: Counts
    saturation: Counts
    means: NDArray[np.float64]
    red_green: int
    red_blue: int
    green_blue: int


def colors_of(bgr: NDArray[np.uint8]) -> Colors:
    """Return the levels of a picture (H, W, 3), blue-green-red."""
    blue, green, red = (np.asarray(plane, np.uint8) for plane in cv2.split(bgr))
    gray, counts, red_green, red_blue, green_blue = _count(blue, green, red)
    return Colors(gray, counts[:4], counts[4], counts @ _LEVELS / gray.size, red_green, red_blue, green_blue)


@native()
def _count(blue: Plane, green: Plane, red: Plane) -> tuple[Plane, Counts, int, int, int]:
    """Return the gray plane, counts (5, 256) of gray, red, green, blue and saturation, and sums of squared differences.

    Gray and saturation are rounded as OpenCV rounds them, in fixed point. A row is gone through in pieces: sums of one
    piece fit 32 bits, of which the processor adds sixteen at once. Two tables take turns in counting, so that equal
    neighbors do not wait for one another.
    """
    rows, columns = blue.shape
    gray = np.empty((rows, columns), np.uint8)
    saturation = np.empty(columns, np.uint8)
    counts = np.zeros((2, 5, 256), np.uint32)
    evens, odds = counts[0], counts[1]
    one = np.uint32(1)
    red_green = red_blue = green_blue = 0
    for y in range(rows):
        for start in range(0, columns, 4096):
            stop = min(start + 4096, columns)
            b, g, r = blue[y, start:stop], green[y, start:stop], red[y, start:stop]
            k, s = gray[y, start:stop], saturation[start:stop]
            first = second = third = np.int32(0)
            for x in range(stop - start):
                low, middle, high = np.int32(b[x]), np.int32(g[x]), np.int32(r[x])
                k[x] = np.uint8(np.int32(low * 3735 + middle * 19235 + high * 9798 + 16384) >> 15)
                highest = np.int32(max(high, max(middle, low)))  # noqa: PLW3301  of three, Numba makes a slower one
                spread = np.int32(highest - min(high, min(middle, low)))  # noqa: PLW3301
                share = np.int32(np.rint(np.float32(255 << 12) / np.float32(max(highest, np.int32(1)))))
                s[x] = np.uint8(np.int32(np.int32(spread * share) + 2048) >> 12)
                first = np.int32(first + np.int32((high - middle) ** 2))
                second = np.int32(second + np.int32((high - low) ** 2))
                third = np.int32(third + np.int32((middle - low) ** 2))
            red_green += int(first)
            red_blue += int(second)
            green_blue += int(third)
        b, g, r, k = blue[y], green[y], red[y], gray[y]
        for x in range(columns // 2):
            evens[0, k[2 * x]] += one
            evens[1, r[2 * x]] += one
            evens[2, g[2 * x]] += one
            evens[3, b[2 * x]] += one
            evens[4, saturation[2 * x]] += one
            odds[0, k[2 * x + 1]] += one
            odds[1, r[2 * x + 1]] += one
            odds[2, g[2 * x + 1]] += one
            odds[3, b[2 * x + 1]] += one
            odds[4, saturation[2 * x + 1]] += one
        if columns % 2:
            evens[0, k[-1]] += one
            evens[1, r[-1]] += one
            evens[2, g[-1]] += one
            evens[3, b[-1]] += one
            evens[4, saturation[-1]] += one
    return gray, counts[0].astype(np.int64) + counts[1].astype(np.int64), red_green, red_blue, green_blue
