"""Edge pixels of a picture by Canny's method."""

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.native import native

_TAN_22 = 13573
"""tan 22.5° in units of 2⁻¹⁵. It is odd: lengths compare with multiples of it as with these rounded down."""


def count_edges(gray: NDArray[np.uint8], low: int, high: int) -> int:
    """Return the number of edge pixels of ``gray`` (H, W): those that OpenCV's Canny finds, with two whole thresholds.

    An edge pixel is a maximum of the gradient's length |x| + |y| (Sobel, 3 × 3) across its direction, in steps of 45°,
    that is above ``high``, or above ``low`` and linked to one that is.

    Source: J. Canny, "A Computational Approach to Edge Detection" (1986).
    """
    framed = np.asarray(cv2.copyMakeBorder(gray, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.uint8)
    return _count(framed, low, high)


@native()
def _count(gray: NDArray[np.uint8], low: int, high: int) -> int:  # noqa: PLR0912, PLR0915  one kernel cannot call another
    """Return the number of edge pixels of a picture with a border of one pixel.

    Three rows of gradients are held at a time, in 16 bits, which is what they fit. All four directions are looked at
    for every pixel, for that takes the processor less than to choose; every loop writes one array, for of several it
    would have to find out first whether they overlap.
    """
    rows, columns = gray.shape[0] - 2, gray.shape[1] - 2
    width = columns + 2
    lengths = np.zeros((3, width), np.int16)
    outside = np.zeros(width, np.int16)
    horizontal, vertical = np.empty((3, columns), np.int16), np.empty((3, columns), np.int16)
    size = (rows + 2) * width
    marks = np.zeros((size + 7) // 8 * 8, np.uint8)
    least, sure = np.int16(low), np.int16(high)
    for y in range(rows + 1):
        below = lengths[y % 3]
        if y < rows:
            one, two, three = gray[y], gray[y + 1], gray[y + 2]
            xs, ys, inner = horizontal[y % 3], vertical[y % 3], below[1:]
            for x in range(columns):
                left = np.int16(np.int16(one[x]) + 2 * np.int16(two[x]) + np.int16(three[x]))
                xs[x] = np.int16(np.int16(one[x + 2]) + 2 * np.int16(two[x + 2]) + np.int16(three[x + 2]) - left)
            for x in range(columns):
                top = np.int16(np.int16(one[x]) + 2 * np.int16(one[x + 1]) + np.int16(one[x + 2]))
                ys[x] = np.int16(np.int16(three[x]) + 2 * np.int16(three[x + 1]) + np.int16(three[x + 2]) - top)
            for x in range(columns):
                inner[x] = np.int16(np.int16(abs(xs[x])) + np.int16(abs(ys[x])))
        else:
            below[:] = 0
        if y == 0:
            continue
        here = lengths[(y - 1) % 3]
        above = lengths[(y - 2) % 3] if y > 1 else outside
        xs, ys, row = horizontal[(y - 1) % 3], vertical[(y - 1) % 3], marks[y * width + 1 : (y + 1) * width]
        for x in range(columns):
            length = here[x + 1]
            across, down = np.int16(abs(xs[x])), np.int16(abs(ys[x]))
            slope = np.int16(np.int32(np.int32(across) * np.int32(2 * _TAN_22)) >> 16)
            is_flat, is_steep = down <= slope, down > np.int16(slope + np.int16(2 * across))
            falls = np.int16(xs[x] ^ ys[x]) < np.int16(0)
            beats_sides = (length > here[x]) & (length >= here[x + 2])
            beats_ends = (length > above[x + 1]) & (length >= below[x + 1])
            beats_falling = (length > above[x]) & (length > below[x + 2])
            beats_rising = (length > above[x + 2]) & (length > below[x])
            beats_corners = (falls & beats_rising) | ((not falls) & beats_falling)
            is_crest = (is_flat & beats_sides) | (
                (not is_flat) & ((is_steep & beats_ends) | ((not is_steep) & beats_corners))
            )
            is_edge = is_crest & (length > least)
            row[x] = np.uint8(is_edge) + np.uint8(is_edge & (length > sure))
    waiting = np.empty(rows * columns, np.int32)
    strong = 0
    words = marks.view(np.uint64)
    for word in range(words.size):
        if words[word] & np.uint64(0x0202020202020202):
            for place in range(8 * word, 8 * word + 8):
                if marks[place] == 2:
                    waiting[strong] = place
                    strong += 1
    found = 0
    while strong:
        strong -= 1
        place = waiting[strong]
        found += 1
        for step in (-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1):
            if marks[place + step] == 1:
                marks[place + step] = 2
                waiting[strong] = place + step
                strong += 1
    return found
