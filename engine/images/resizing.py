"""Pictures of another size."""

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.native import native

Pixels = NDArray[np.uint8]


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Return uint8 pixels (H, W, C) resized to (height, width, C).

    Along each axis: the mean over the area when shrinking, linear interpolation when enlarging.
    """
    shrunk = min(pixels.shape[0], height), min(pixels.shape[1], width)
    if pixels.shape[:2] == (2 * height, 2 * width):  # the same means, ten times as fast
        halved = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(halved, dtype=np.uint8).reshape(height, width, pixels.shape[2])
    if pixels.shape[:2] != shrunk:
        pixels = _area_means(np.ascontiguousarray(pixels), *shrunk)
    if pixels.shape[:2] != (height, width):
        enlarged = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        pixels = np.asarray(enlarged, dtype=np.uint8).reshape(height, width, pixels.shape[2])
    return pixels


@native()
def _area_means(pixels: Pixels, height: int, width: int) -> Pixels:
    """Return the mean of ``pixels`` (H, W, C) over the area of each of (height, width) pixels, none of them enlarged.

    Columns of the picture are added up with their shares of a row's area first: whole rows at once, which is what
    the processor does fastest. OpenCV's INTER_AREA takes the same means in the other order, in six times the time.
    """
    rows, columns, channels = pixels.shape
    down, across = rows / height, columns / width
    most = int(np.ceil(across)) + 1
    first = np.empty(width, np.int64)
    shares = np.zeros((width, most), np.float32)
    for x in range(width):
        first[x] = min(int(x * across), columns - most) if most <= columns else 0
        for tap in range(min(most, columns)):
            column = first[x] + tap
            covered = min((x + 1) * across, column + 1.0) - max(x * across, float(column))
            shares[x, tap] = max(0.0, covered) / across
    taps = min(most, columns)
    flat = pixels.reshape(rows, columns * channels)
    sums = np.empty(columns * channels, np.float32)
    means = np.empty((height, width, channels), np.uint8)
    for y in range(height):
        top, bottom = y * down, (y + 1) * down
        sums[:] = 0
        for row in range(int(top), min(rows, int(np.ceil(bottom)))):
            share = np.float32(max(0.0, min(bottom, row + 1.0) - max(top, float(row))) / down)
            values = flat[row]
            for place in range(values.size):
                sums[place] += share * np.float32(values[place])
        for x in range(width):
            place, share = first[x] * channels, shares[x]
            if channels == 3:  # all at once, in half the time
                covered = sums[place : place + 3 * taps]
                one = two = three = np.float32(0.5)
                for tap in range(taps):
                    one += share[tap] * covered[3 * tap]
                    two += share[tap] * covered[3 * tap + 1]
                    three += share[tap] * covered[3 * tap + 2]
                means[y, x, 0], means[y, x, 1], means[y, x, 2] = np.uint8(one), np.uint8(two), np.uint8(three)
            else:
                for channel in range(channels):
                    mean = np.float32(0.5)
                    for tap in range(taps):
                        mean += share[tap] * sums[place + channel + tap * channels]
                    means[y, x, channel] = np.uint8(mean)
    return means
