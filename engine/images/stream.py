"""Pictures of a folder in batches, decoded on all cores while the network works on those before."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.images.decode import UnreadableImage, load_image
from engine.images.parallel import parallel, worker_count
from engine.images.scan import ImageFile, Manifest
from engine.settings import DataSettings


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


def stream(manifest: Manifest, data: DataSettings, batch_size: int, workers: int) -> Iterator[Batch]:
    """Yield the pictures of a manifest in its order, at the size and in the channels of ``data``, each decoded once.

    The last batch may be smaller; ``workers`` threads decode, 0: one a core.
    """
    height, width, gray = data.image_height, data.image_width, data.grayscale

    def load(file: ImageFile) -> NDArray[np.uint8]:
        return load_image(manifest.root / file.path, height, width, gray)

    empty = np.empty((0, height, width, 1 if gray else 3), dtype=np.uint8)
    files: list[ImageFile] = []
    images: list[NDArray[np.uint8]] = []
    skipped: list[tuple[str, str]] = []
    for file, loaded in parallel(manifest.files, load, worker_count(workers)):
        if isinstance(loaded, UnreadableImage):
            skipped.append((file.path, loaded.cause))
        else:
            files.append(file)
            images.append(loaded)
        if len(images) == batch_size:
            yield Batch(tuple(files), np.stack(images), tuple(skipped))
            files, images, skipped = [], [], []
    if files or skipped:
        yield Batch(tuple(files), np.stack(images) if images else empty, tuple(skipped))
