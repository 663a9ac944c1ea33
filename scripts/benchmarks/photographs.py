"""Pictures to measure with: drawn as photographs are, with detail at every scale."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.images.parallel import worker_count

Bgr = NDArray[np.uint8]
Size = tuple[int, int]
"""Width and height."""

_QUALITY = 90
_GROUNDS = 200


def draw_photographs(folder: Path, count: int, size: Size) -> None:
    """Write JPEG files with detail at every scale, as photographs have it (a 1/f spectrum), into a new folder."""
    _write(folder, count, lambda number: _photograph(number, size))


def draw_variations(folder: Path, count: int, size: Size) -> None:
    """Write so many files, each another part of a few hundred larger photographs, mirrored, lighter or darker.

    That takes a fraction of the time of drawing each one.
    """
    width, height = size
    with ThreadPoolExecutor(worker_count(0)) as pool:
        grounds = list(pool.map(lambda number: _photograph(number, (2 * width, 2 * height)), range(_GROUNDS)))

    def vary(number: int) -> Bgr:
        generator = np.random.default_rng((2, number))
        left, top = generator.integers(0, (width + 1, height + 1))
        part = grounds[number % _GROUNDS][top : top + height, left : left + width]
        mirrored = part[:: generator.choice((1, -1)), :: generator.choice((1, -1))]
        return np.asarray(cv2.convertScaleAbs(mirrored, alpha=generator.uniform(0.7, 1.3)), np.uint8)

    _write(folder, count, vary)


def _photograph(number: int, size: Size) -> Bgr:
    width, height = size
    generator = np.random.default_rng((1, number))
    picture = np.zeros((height, width, 3), np.uint8)
    for octave in range((width // 4).bit_length()):
        side = 4 << octave
        noise = generator.integers(0, 256, (side * 3 // 4, side, 3), np.uint8)
        drawn = cv2.GaussianBlur(cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC), (0, 0), 1)
        share = 0.5 / (1 + octave) if octave else 1.0
        cv2.addWeighted(picture, 1 - share, drawn, share, 0, dst=picture)
    return picture


def _write(folder: Path, count: int, draw: Callable[[int], Bgr]) -> None:
    """Write pictures by number as JPEG files, with a thread a core."""

    def write(number: int) -> None:
        _, encoded = cv2.imencode(".jpg", draw(number), (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
        (folder / f"{number:05d}.jpg").write_bytes(encoded.data)

    folder.mkdir(parents=True)
    with ThreadPoolExecutor(worker_count(0)) as pool:
        for _ in pool.map(write, range(count)):
            pass
