"""Pictures as every part of the product sees them: upright, 8 bits, transparent parts over white, one size."""

from pathlib import Path

import cv2
import numpy as np
import xxhash

from engine.images.reading import Pixels, Stored, UnreadableImage, read, read_both
from engine.images.resizing import resize

__all__ = ["Pixels", "Stored", "UnreadableImage", "content_hash", "decode", "load_both", "load_image", "read_bgr"]


def decode(path: Path, *, gray: bool, wanted: tuple[int, int] | None = None) -> Pixels:
    """Return the first picture of a file as uint8 (H, W, C), C = 1 if ``gray`` else 3 (RGB).

    EXIF orientation is applied, and what is transparent lies over white. Gray is OpenCV's RGB→GRAY. Where it is
    ``wanted`` only as large as fits into (height, width), a far larger JPEG file gives a reduced picture.

    Raises:
        UnreadableImage: it cannot be read whole, or its content is not what its extension says.

    """
    return _in_channels(read(path, over_white=True, wanted=wanted), gray=gray)


def load_image(path: Path, height: int, width: int, gray: bool) -> Pixels:
    """Return a picture as `decode` does, resized to (height, width): what every network of this product sees.

    A JPEG file that is far larger is decoded at a half, a quarter or an eighth of its size.

    Raises:
        UnreadableImage: as `decode`.

    """
    return _sized(read(path, over_white=True, wanted=(height, width)), height, width, gray=gray)


def load_both(path: Path, height: int, width: int, gray: bool) -> tuple[Pixels, Pixels, Stored]:
    """Return what `read_bgr` and what `load_image` return, and how the file holds it.

    The file is decoded once where one decode gives both.

    Raises:
        UnreadableImage: as `decode`.

    """
    bgr, over_white, stored = read_both(path, (height, width))
    return bgr, _sized(over_white, height, width, gray=gray), stored


def read_bgr(path: Path) -> Pixels:
    """Return a picture as OpenCV's ``IMREAD_COLOR``: uint8 (H, W, 3), BGR, EXIF orientation applied, alpha dropped.

    Raises:
        UnreadableImage: as `decode`.

    """
    return read(path, over_white=False)


def content_hash(pixels: Pixels) -> str:
    """Return the XXH3 digest (16 bytes, hexadecimal) of the shape and the values of a picture (H, W, C)."""
    digest = xxhash.xxh3_128(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _sized(bgr: Pixels, height: int, width: int, *, gray: bool) -> Pixels:
    if gray:
        return resize(_in_channels(bgr, gray=True), height, width)
    return _in_channels(resize(bgr, height, width), gray=False)


def _in_channels(bgr: Pixels, *, gray: bool) -> Pixels:
    converted = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY if gray else cv2.COLOR_BGR2RGB)
    return np.asarray(converted, dtype=np.uint8).reshape(*bgr.shape[:2], 1 if gray else 3)
