"""What a picture's pixels tell beside their eight neighbors: edges, focus, noise, texture."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.analysis.levels import Counts
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
    return Neighbors(*_sums(np.asarray(mirrored, np.uint8)))


@native(reordered=True)
def _sums(gray: NDArray[np.uint8]) -> tuple[int, int, int, int, float, int, Counts]:
    """Return the sums of a picture with a border of one pixel.

    A row is gone through in pieces, whose sums fit 32 bits (those of the noise as floats, which are exact so far), and
    once for each operator: so the processor takes many pixels at once, and has registers enough.
    """
    rows, columns = gray.shape[0] - 2, gray.shape[1] - 2
    laplacian = laplacian_squares = gradient_squares = 0
    noise = noise_squares = gradient = 0.0
    codes = np.empty(columns, np.uint8)
    patterns = np.zeros((2, 256), np.uint32)
    for y in range(rows):
        for start in range(0, columns, 256):
            stop = min(start + 256, columns)
            above, here, below = (
                gray[y, start : stop + 2],
                gray[y + 1, start : stop + 2],
                gray[y + 2, start : stop + 2],
            )
            total = squares = np.int32(0)
            for x in range(stop - start):
                corners = np.int32(np.int32(above[x]) + above[x + 2] + below[x] + below[x + 2])
                second = np.int32(2 * corners - 8 * np.int32(here[x + 1]))
                total = np.int32(total + second)
                squares = np.int32(squares + np.int32(second * second))
            laplacian += int(total)
            laplacian_squares += int(squares)
            lost = lost_squares = np.float32(0)
            for x in range(stop - start):
                corners = np.int32(np.int32(above[x]) + above[x + 2] + below[x] + below[x + 2])
                sides = np.int32(np.int32(above[x + 1]) + here[x] + here[x + 2] + below[x + 1])
                blurred = np.float32(np.int32(corners + 2 * sides + 4 * np.int32(here[x + 1]) + 8)) * np.float32(1 / 16)
                difference = np.float32(here[x + 1]) - np.floor(blurred)
                lost += difference
                lost_squares += difference * difference
            noise += float(lost)
            noise_squares += float(lost_squares)
            squares = np.int32(0)
            lengths = np.float32(0)
            for x in range(stop - start):
                a, b, c = np.int32(above[x]), np.int32(above[x + 1]), np.int32(above[x + 2])
                d, f = np.int32(here[x]), np.int32(here[x + 2])
                g, h, i = np.int32(below[x]), np.int32(below[x + 1]), np.int32(below[x + 2])
                across = np.int32((c - a) + 2 * (f - d) + (i - g))
                down = np.int32((g - a) + 2 * (h - b) + (i - c))
                square = np.int32(np.int32(across * across) + np.int32(down * down))
                squares = np.int32(squares + square)
                lengths += np.sqrt(np.float32(square))
            gradient_squares += int(squares)
            gradient += float(lengths)
        if 0 < y < rows - 1:
            above, here, below = gray[y], gray[y + 1], gray[y + 2]
            for x in range(1, columns - 1):
                center = here[x + 1]
                codes[x] = (
                    (above[x] >= center)
                    | ((above[x + 1] >= center) << 1)
                    | ((above[x + 2] >= center) << 2)
                    | ((here[x + 2] >= center) << 3)
                    | ((below[x + 2] >= center) << 4)
                    | ((below[x + 1] >= center) << 5)
                    | ((below[x] >= center) << 6)
                    | ((here[x] >= center) << 7)
                )
            for x in range(1, columns - 1):
                patterns[x & 1, codes[x]] += np.uint32(1)
    counts = patterns[0].astype(np.int64) + patterns[1].astype(np.int64)
    return laplacian, laplacian_squares, int(noise), int(noise_squares), gradient, gradient_squares, counts
