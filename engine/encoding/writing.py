"""Writing the vectors of a folder's images, of which some may be there already."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from engine.embedding_writer import PartWriter
from engine.embeddings import FormerVectors, KnownVector
from engine.encoding.vectors import embedded
from engine.images.decode import content_hash
from engine.images.pack import ImageStore
from engine.images.scan import ImageFile, Manifest
from engine.images.stream import Batch, stream, stream_packed
from engine.models.loading import LoadedModel
from engine.report import Report, go_on
from engine.settings import Settings

_AT_ONCE = 1024
"""Vectors that are gathered and written at once."""

Skipped = list[tuple[str, str]]
"""Images that could not be read, as (path, reason)."""


class Encoding:
    """The encoding of the images of a manifest by one process."""

    def __init__(
        self, model: LoadedModel, settings: Settings, manifest: Manifest, former: FormerVectors | None = None
    ) -> None:
        self.manifest = manifest
        self.new = tuple(file for file in manifest.files if not former or former.find(file) is None)
        self._model = model
        self._settings = settings
        self._former = former

    def write(self, writer: PartWriter, pack: ImageStore | None, report: Report) -> Skipped:
        """Write the vectors of all images in the order of their paths; return those skipped."""
        remaining = iter(self.manifest.files)
        skipped: Skipped = []
        seen = len(self.manifest.files) - len(self.new)
        for batch, vectors in embedded(self._model, self._batches(pack), self._settings.encoding.pooling):
            go_on(report)
            for path, reason in batch.skipped:
                writer.skip(path, reason)
            skipped += batch.skipped
            fresh = {
                file.path: KnownVector(vector, content_hash(image))
                for file, vector, image in zip(batch.files, vectors, batch.images, strict=True)
            }
            write_all(writer, self._found(_until(remaining, batch.files), fresh))
            seen += batch.seen
            report.progress("encoding", seen, len(self.manifest.files), "images")
        write_all(writer, self._found(remaining, {}))
        return skipped

    def _batches(self, pack: ImageStore | None) -> Iterator[Batch]:
        size = self._settings.encoding.batch_size
        if pack:
            return stream_packed(pack, self.new, size)
        new = replace(self.manifest, files=self.new)
        return stream(new, self._model.config.settings.data, size, self._settings.device.workers)

    def _found(
        self, files: Iterable[ImageFile], fresh: Mapping[str, KnownVector]
    ) -> Iterator[tuple[ImageFile, KnownVector]]:
        """Yield files with their vectors, new ones and those from before; files that have none could not be read."""
        for file in files:
            vector = fresh.get(file.path) or (self._former.find(file) if self._former else None)
            if vector is not None:
                yield file, vector

    def completed(
        self, made: Iterator[tuple[ImageFile, KnownVector | None]]
    ) -> Generator[tuple[ImageFile, KnownVector], None, None]:
        """Yield all files with their vectors: those of the new ones, as they were ``made``, and those from before."""
        for file in self.manifest.files:
            vector = (self._former.find(file) if self._former else None) or next(made)[1]
            if vector is not None:
                yield file, vector
        next(made, None)  # which sees that nothing is left over


def write_all(writer: PartWriter, vectors: Iterable[tuple[ImageFile, KnownVector]]) -> None:
    """Write files with their vectors."""
    vectors = iter(vectors)
    while part := list(islice(vectors, _AT_ONCE)):
        files, known = zip(*part, strict=True)
        writer.add(files, np.stack([one.vector for one in known]), [one.content_hash for one in known])


def _until(files: Iterator[ImageFile], batch: Sequence[ImageFile]) -> Iterator[ImageFile]:
    """Yield files up to the last of a batch."""
    if batch:
        for file in files:
            yield file
            if file == batch[-1]:
                return
