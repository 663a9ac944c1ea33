"""Pictures of a folder in batches, decoded on all cores while the network works on those before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.images.decode import UnreadableImage, load_image
from engine.images.pack import ImageStore
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


def stream_packed(store: ImageStore, files: Sequence[ImageFile], batch_size: int) -> Iterator[Batch]:
    """Yield the pictures of some files of a store, in their order; those it could not read come last, with reasons."""
    numbers = {file.path: number for number, file in enumerate(store.files)}
    readable = [file for file in files if file.path in numbers]
    for start in range(0, len(readable), batch_size):
        part = tuple(readable[start : start + batch_size])
        rows = np.array([numbers[file.path] for file in part], np.int64)
        yield Batch(part, store.batch(rows), ())
    wanted = {file.path for file in files}
    skipped = tuple(entry for entry in store.skipped if entry[0] in wanted)
    if skipped:
        yield Batch((), np.empty((0, *store.shape), np.uint8), skipped)
