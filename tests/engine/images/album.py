"""Pictures in memory, with what a store knows of them."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.images.alike import thumbnail
from engine.images.decode import content_hash
from engine.images.hashing import perceptual_hash

Pixels = NDArray[np.uint8]


class Album:
    """Pictures of one size."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self._pictures = np.stack(pictures)
        self.content_hashes = tuple(content_hash(picture) for picture in pictures)
        self.perceptual_hashes = np.array([perceptual_hash(picture) for picture in pictures], dtype=np.uint64)

    def thumbnails(self, numbers: NDArray[np.int64]) -> Pixels:
        return np.stack([thumbnail(picture) for picture in self._pictures[numbers]])


def saved_anew(picture: Image.Image, quality: int) -> Image.Image:
    """Return a picture after a visit to a JPEG file."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)
