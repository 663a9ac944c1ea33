"""What a picture's pixels tell beside their eight neighbors: edges, focus, noise, texture."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.analysis.levels import Counts, count_levels
from engine.native import native


@dataclass(frozen=True)
class Neighbors:
    """Sums over the pixels of a gray picture; beyond its border it is mirrored about the outermost pixels.

    Attributes:
        laplacian: Σ of the Laplacian (OpenCV's, ksize 3).
        laplacian_squares: Σ of its squares.
        noise: Σ(gray − blurred), blurred by a Gaussian of 3 × 3 and rounded to whole levels.
        noise_squares: Σ of its squares.
        gradient: Σ of the lengths of the Sobel gradient (3 × 3).
        gradient_squares: Σ of their squares.
        patterns: how often each local binary pattern occurs, (256,): bit n is set where the n-th neighbor, clockwise
            from the top left, is not darker than the pixel (T. Ojala et al., 1996). The border has none, so that all
            are 0 where a side is shorter than three pixels.

    """

    laplacian: int
    laplacian_squares: int
    noise: int
    noise_squares: int
    gradient: float
    gradient_squares: int
    patterns: Counts


def neighbors_of(gray: NDArray[np.uint8]) -> Neighbors:
    """Return the sums of ``gray`` (H, W); they are the same in every run, for whole numbers are exact."""
    mirrored = cv2.copyMakeBorder(gray, 1, 1, 1, 1, cv2.BORDER_REFLECT_101)
    sums, codes = _sums(np.asarray(mirrored, np.uint8))
    return Neighbors(*sums, count_levels(codes[..., None])[0])


@native(reordered=True)
def _sums(gray: NDArray[np.uint8]) -> tuple[tuple[int, int, int, int, float, int], NDArray[np.uint8]]:
    """Return the sums of a picture with a border of one pixel, and the patterns (H - 2, W - 2) within its own border.

    A row is gone through once for each operator, so that the processor has registers enough, and writes one array in
    each loop, so that it takes many pixels at once. Sums are taken in pieces that fit 32 bits.
    """
    rows, columns = gray.shape[0] - 2, gray.shape[1] - 2
    laplacian = laplacian_squares = noise = noise_squares = gradient_squares = 0
    gradient = 0.0
    blurred = np.empty(columns, np.uint8)
    across, down = np.empty(columns, np.int16), np.empty(columns, np.int16)
    codes = np.empty((max(0, rows - 2), max(0, columns - 2)), np.uint8)
    for y in range(rows):
        above, here, below = gray[y], gray[y + 1], gray[y + 2]
        for x in range(columns):
            corners = np.int32(np.int32(above[x]) + above[x + 2] + below[x] + below[x + 2])
            sides = np.int32(np.int32(above[x + 1]) + here[x] + here[x + 2] + below[x + 1])
            blurred[x] = np.uint8(np.int32(corners + 2 * sides + 4 * np.int32(here[x + 1]) + 8) >> 4)
        for x in range(columns):
            left = np.int16(np.int16(above[x]) + 2 * np.int16(here[x]) + np.int16(below[x]))
            across[x] = np.int16(np.int16(above[x + 2]) + 2 * np.int16(here[x + 2]) + np.int16(below[x + 2]) - left)
        for x in range(columns):
            top = np.int16(np.int16(above[x]) + 2 * np.int16(above[x + 1]) + np.int16(above[x + 2]))
            down[x] = np.int16(np.int16(below[x]) + 2 * np.int16(below[x + 1]) + np.int16(below[x + 2]) - top)
        for start in range(0, columns, 256):
            stop = min(start + 256, columns)
            one, two, three = above[start : stop + 2], here[start : stop + 2], below[start : stop + 2]
            total = squares = np.int32(0)
            for x in range(stop - start):
                corners = np.int32(np.int32(one[x]) + one[x + 2] + three[x] + three[x + 2])
                second = np.int32(2 * corners - 8 * np.int32(two[x + 1]))
                total = np.int32(total + second)
                squares = np.int32(squares + np.int32(second * second))
            laplacian += int(total)
            laplacian_squares += int(squares)
            smooth = blurred[start:stop]
            total = squares = np.int32(0)
            for x in range(stop - start):
                lost = np.int32(np.int32(two[x + 1]) - np.int32(smooth[x]))
                total = np.int32(total + lost)
                squares = np.int32(squares + np.int32(lost * lost))
            noise += int(total)
            noise_squares += int(squares)
            xs, ys = across[start:stop], down[start:stop]
            squares = np.int32(0)
            lengths = np.float32(0)
            for x in range(stop - start):
                square = np.int32(np.int32(np.int32(xs[x]) ** 2) + np.int32(np.int32(ys[x]) ** 2))
                squares = np.int32(squares + square)
                lengths += np.sqrt(np.float32(square))
            gradient_squares += int(squares)
            gradient += float(lengths)
    for y in range(rows - 2):
        above, here, below, row = gray[y + 1, 1:], gray[y + 2, 1:], gray[y + 3, 1:], codes[y]
        for x in range(columns - 2):
            center = here[x + 1]
            row[x] = (
                (above[x] >= center)
                | ((above[x + 1] >= center) << 1)
                | ((above[x + 2] >= center) << 2)
                | ((here[x + 2] >= center) << 3)
                | ((below[x + 2] >= center) << 4)
                | ((below[x + 1] >= center) << 5)
                | ((below[x] >= center) << 6)
                | ((here[x] >= center) << 7)
            )
    return (laplacian, laplacian_squares, noise, noise_squares, gradient, gradient_squares), codes
