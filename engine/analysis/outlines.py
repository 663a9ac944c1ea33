"""Edge pixels of a picture by Canny's method."""

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.native import native

_TAN_22 = 13573
"""tan 22.5° in units of 2⁻¹⁵."""


def count_edges(gray: NDArray[np.uint8], low: int, high: int) -> int:
    """Return the number of edge pixels of ``gray`` (H, W): those that OpenCV's Canny finds, with two whole thresholds.

    An edge pixel is a maximum of the gradient's length |x| + |y| (Sobel, 3 × 3) across its direction, in steps of 45°,
    that is above ``high``, or above ``low`` and linked to one that is.

    Source: J. Canny, "A Computational Approach to Edge Detection" (1986).
    """
    framed = np.asarray(cv2.copyMakeBorder(gray, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.uint8)
    return _count(framed, low, high)


@native()
def _count(gray: NDArray[np.uint8], low: int, high: int) -> int:  # noqa: PLR0915  one kernel cannot call another
    """Return the number of edge pixels of a picture with a border of one pixel.

    Three rows of gradients are held at a time. All four directions are looked at for every pixel, for that takes the
    processor less than to choose.
    """
    rows, columns = gray.shape[0] - 2, gray.shape[1] - 2
    width = columns + 2
    lengths = np.zeros((3, width), np.int32)
    outside = np.zeros(width, np.int32)
    horizontal, vertical = np.empty((3, columns), np.int32), np.empty((3, columns), np.int32)
    marks = np.zeros((rows + 2, width), np.uint8)
    waiting = np.empty(rows * columns, np.int32)
    strong = 0
    for y in range(rows + 1):
        below = lengths[y % 3]
        if y < rows:
            one, two, three = gray[y], gray[y + 1], gray[y + 2]
            xs, ys, inner = horizontal[y % 3], vertical[y % 3], below[1:]
            for x in range(columns):
                a, b, c = np.int32(one[x]), np.int32(one[x + 1]), np.int32(one[x + 2])
                d, f = np.int32(two[x]), np.int32(two[x + 2])
                g, h, i = np.int32(three[x]), np.int32(three[x + 1]), np.int32(three[x + 2])
                xs[x] = np.int32((c - a) + 2 * (f - d) + (i - g))
                ys[x] = np.int32((g - a) + 2 * (h - b) + (i - c))
                inner[x] = np.int32(abs(xs[x]) + abs(ys[x]))
        else:
            below[:] = 0
        if y == 0:
            continue
        here = lengths[(y - 1) % 3]
        above = lengths[(y - 2) % 3] if y > 1 else outside
        xs, ys, row = horizontal[(y - 1) % 3], vertical[(y - 1) % 3], marks[y, 1:]
        for x in range(columns):
            length = here[x + 1]
            across, down = np.int32(abs(xs[x])), np.int32(abs(ys[x]) << 15)
            flat = np.int32(across * _TAN_22)
            is_flat, is_steep = down < flat, down > np.int32(flat + (across << 16))
            falls = np.int32(xs[x] ^ ys[x]) < np.int32(0)
            beats_sides = (length > here[x]) & (length >= here[x + 2])
            beats_ends = (length > above[x + 1]) & (length >= below[x + 1])
            beats_falling = (length > above[x]) & (length > below[x + 2])
            beats_rising = (length > above[x + 2]) & (length > below[x])
            beats_corners = (falls & beats_rising) | ((not falls) & beats_falling)
            is_crest = (is_flat & beats_sides) | (
                (not is_flat) & ((is_steep & beats_ends) | ((not is_steep) & beats_corners))
            )
            is_edge = is_crest & (length > np.int32(low))
            row[x] = np.uint8(is_edge) + np.uint8(is_edge & (length > np.int32(high)))
        for x in range(columns):
            if row[x] == 2:
                waiting[strong] = y * width + x + 1
                strong += 1
    found = 0
    every = marks.reshape(-1)
    while strong:
        strong -= 1
        place = waiting[strong]
        found += 1
        for step in (-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1):
            if every[place + step] == 1:
                every[place + step] = 2
                waiting[strong] = place + step
                strong += 1
    return found
