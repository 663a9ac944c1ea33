"""Pictures of a folder in batches, decoded on all cores while the network works on those before."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from engine.images.decode import UnreadableImage, load_image
from engine.images.parallel import parallel
from engine.images.scan import ImageFile, Manifest
from numpy.typing import NDArray


@dataclass(frozen=True)
class Batch:
    """Some pictures (n, H, W, C) and their files, and the files between them that cannot be read, with reasons."""

    files: tuple[ImageFile, ...]
    images: NDArray[np.uint8]
    skipped: tuple[tuple[str, str], ...]

    @property
    def seen(self) -> int:
        """The number of files that this batch is done with."""
        return len(self.files) + len(self.skipped)


def stream(
    manifest: Manifest, height: int, width: int, *, gray: bool, batch_size: int, workers: int
) -> Iterator[Batch]:
    """Yield the pictures of a manifest in its order, each decoded once and resized; the last batch may be smaller."""

    def load(file: ImageFile) -> NDArray[np.uint8]:
        return load_image(manifest.folder / file.path, height, width, gray)

    files: list[ImageFile] = []
    images: list[NDArray[np.uint8]] = []
    skipped: list[tuple[str, str]] = []
    for file, loaded in parallel(manifest.files, load, workers):
        if isinstance(loaded, UnreadableImage):
            skipped.append((file.path, loaded.cause))
        else:
            files.append(file)
            images.append(loaded)
        if len(images) == batch_size:
            yield _batch(files, images, skipped, height, width, gray=gray)
            files, images, skipped = [], [], []
    if files or skipped:
        yield _batch(files, images, skipped, height, width, gray=gray)


def _batch(
    files: list[ImageFile],
    images: list[NDArray[np.uint8]],
    skipped: list[tuple[str, str]],
    height: int,
    width: int,
    *,
    gray: bool,
) -> Batch:
    empty = np.empty((0, height, width, 1 if gray else 3), dtype=np.uint8)
    return Batch(tuple(files), np.stack(images) if images else empty, tuple(skipped))
