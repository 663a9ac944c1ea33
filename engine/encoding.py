"""Images become vectors: the encoder of a checkpoint over a folder, written as files that NumPy reads."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.checkpoints import find_checkpoint
from engine.embedding_writer import EmbeddingWriter
from engine.embeddings import (
    EMBEDDINGS_FILE,
    INDEX_FILE,
    FormerVectors,
    KnownVector,
    Origin,
    folder_of,
)
from engine.errors import UsageError
from engine.images.decode import content_hash
from engine.images.pack import ImageStore, find_pack
from engine.images.scan import ImageFile, Manifest, none_readable, scan, warn_of_skipped
from engine.images.stream import Batch, stream, stream_packed
from engine.models.loading import LoadedModel, load_for_use
from engine.records import Records
from engine.report import CollectedReport, Report, go_on
from engine.settings import DeviceSettings, EncodingSettings, Pooling, Settings
from engine.workspace import Workspace, find_workspace

_AT_ONCE = 1024
"""Vectors that are gathered and written at once."""


@dataclass(frozen=True)
class EncodingResult:
    """Where the embeddings lie, and their shape (rows, dim).

    ``skipped`` images could not be read; ``unchanged`` ones were encoded before.
    """

    embeddings: str
    rows: int
    dim: int
    skipped: int
    unchanged: int


class Embeddings(NamedTuple):
    """Vectors (N, D) float32, the N paths they stand for, and the paths that could not be read, with reasons."""

    vectors: NDArray[np.float32]
    paths: list[Path]
    skipped: list[tuple[Path, str]]


def load_model(
    checkpoint: str,
    *,
    resources: str | None = None,
    device: Literal["auto", "cpu", "gpu"] = "auto",
) -> LoadedModel:
    """Return the autoencoder of a checkpoint, ready to encode.

    Args:
        checkpoint: ``NAME`` (its best weights), ``NAME/last`` or ``NAME/epoch-0005``.
        resources: the workspace's folder; None: as the command line finds it.
        device: where to compute.

    Raises:
        FextError: there is no such checkpoint, it is damaged, or the device is not there.

    """
    workspace = find_workspace(resources, os.environ)
    return load_for_use(find_checkpoint(workspace, checkpoint), DeviceSettings(kind=device))


def encode_images(
    model: LoadedModel,
    images: str | Path | Iterable[str | Path],
    *,
    pooling: Pooling = "auto",
    batch_size: int = 32,
) -> Embeddings:
    """Return the vectors of the images of a folder (recursively, sorted by path) or of the files given, in their order.

    Raises:
        UsageError: whitened vectors are asked of a network without the statistics.
        FextError: the folder is missing or holds no image.

    """
    if isinstance(images, str | Path):
        manifest = scan(Path(images), CollectedReport())
    else:
        manifest = _manifest_of([Path(path) for path in images])
    vectors: list[NDArray[np.float32]] = []
    paths: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    batches = stream(manifest, model.config.settings.data, batch_size, workers=0)
    for batch, values in embedded(model, batches, pooling):
        vectors.append(values)
        paths += [manifest.root / file.path for file in batch.files]
        skipped += [(manifest.root / path, reason) for path, reason in batch.skipped]
    return Embeddings(np.concatenate(vectors), paths, skipped)


def _manifest_of(paths: list[Path]) -> Manifest:
    files = []
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            raise UsageError(
                f"{path} cannot be opened: {error.strerror or error}.", "Give paths of image files."
            ) from error
        files.append(ImageFile(str(path.absolute()), status.st_size, status.st_mtime_ns))
    if not files:
        raise UsageError("There is no image to encode.", "Give at least one path.")
    return Manifest(Path("/"), tuple(files))


def embedded(
    model: LoadedModel, batches: Iterable[Batch], pooling: Pooling
) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
    """Yield batches with their vectors (n, D); a GPU computes one batch while the one before is taken."""
    waiting: deque[tuple[Batch, Tensor]] = deque()
    for batch in batches:
        waiting.append((batch, model.embed(batch.images, pooling)))
        if len(waiting) > model.device.is_gpu:
            yield _fetched(waiting)
    while waiting:
        yield _fetched(waiting)


def _fetched(waiting: deque[tuple[Batch, Tensor]]) -> tuple[Batch, NDArray[np.float32]]:
    batch, vectors = waiting.popleft()
    return batch, vectors.cpu().numpy()


def encode(
    settings: Settings,
    workspace: Workspace,
    records: Records,
    report: Report,
    *,
    checkpoint: str,
    folder: str = "",
    again: bool = False,
    job: int | None = None,
) -> EncodingResult:
    """Encode the images of a folder with a checkpoint, into ``database/inference/CHECKPOINT``.

    What lies there then is described in `engine.embeddings`. Images that were encoded before, by the same weights in
    the same way, and have not changed since are not encoded ``again`` unless that is asked for; so an encoding that was
    broken off goes on where it was. Files of another folder stay, and the new ones go to a folder within.

    Raises:
        FextError: the checkpoint or the folder is not there or damaged, no image can be read, or the disk is full.
        Stopped: the report says stop; what was encoded until then is used the next time.

    """
    state = find_checkpoint(workspace, checkpoint)
    source = workspace.actual_path(folder or settings.encoding.folder or str(workspace.inference_images))
    manifest = scan(source, report)
    model = load_for_use(state, settings.device)
    origin = _origin(model, settings.encoding)
    target = _target(workspace, checkpoint, source)
    former = FormerVectors(target, origin, ignored=again)
    count = len(manifest.files)
    if former.is_set_of(manifest.files) and records.knows_embeddings(workspace.stored_path(target)):
        report.log(f"All {count:,} images are encoded, and none has changed.")
        return EncodingResult(str(target / EMBEDDINGS_FILE), count, origin.dim, 0, count)
    work = _Encoding(model, settings, manifest, former, report)
    report.log(work.beginning(checkpoint))
    began = time.monotonic()
    bundle = {"checkpoint": checkpoint, "folder": workspace.stored_path(source), "latent": model.config.latent}
    with EmbeddingWriter(target, origin, bundle) as writer:
        skipped = work.write(writer, find_pack(manifest, *_form(model), workspace))
        if not writer.rows:
            raise none_readable(source, skipped)
        writer.finish()
    warn_of_skipped(skipped, INDEX_FILE, report)
    seconds = time.monotonic() - began
    rate = f"{len(work.new) / seconds:,.0f} images/s" if work.new else "all of them before"
    report.log(f"{writer.rows:,} vectors of {origin.dim:,} values in {seconds:.1f} s, {rate}.")
    report.artifact("embeddings", target / EMBEDDINGS_FILE)
    records.add_embeddings(
        job=job,
        checkpoint=checkpoint,
        folder=bundle["folder"],
        path=workspace.stored_path(target),
        rows=writer.rows,
        dim=origin.dim,
        skipped=writer.skipped,
        fingerprint=origin.fingerprint,
        pooling=origin.pooling,
        dtype=origin.dtype,
    )
    unchanged = count - len(work.new)
    return EncodingResult(str(target / EMBEDDINGS_FILE), writer.rows, origin.dim, writer.skipped, unchanged)


def _form(model: LoadedModel) -> tuple[int, int, bool]:
    data = model.config.settings.data
    return data.image_height, data.image_width, data.grayscale


def _origin(model: LoadedModel, encoding: EncodingSettings) -> Origin:
    data = model.config.settings.data
    return Origin(
        fingerprint=model.fingerprint,
        pooling=model.model.pooling(encoding.pooling),
        precision=model.device.precision_name,
        dtype=encoding.dtype,
        image_height=data.image_height,
        image_width=data.image_width,
        image_channels=model.config.image_channels,
        dim=model.dimension(encoding.pooling),
    )


class _Encoding:
    """The encoding of the images of a folder, of which some may have vectors already."""

    def __init__(
        self, model: LoadedModel, settings: Settings, manifest: Manifest, former: FormerVectors, report: Report
    ) -> None:
        self.new = tuple(file for file in manifest.files if former.find(file) is None)
        self._model = model
        self._settings = settings
        self._manifest = manifest
        self._former = former
        self._report = report

    def beginning(self, checkpoint: str) -> str:
        """Return what is about to be done, in words."""
        unchanged = len(self._manifest.files) - len(self.new)
        before = f"; {unchanged:,} more were encoded before" if unchanged else ""
        return f"Encoding {len(self.new):,} images with {checkpoint} on {self._model.device.name}{before}."

    def write(self, writer: EmbeddingWriter, pack: ImageStore | None) -> list[tuple[str, str]]:
        """Write the vectors of all images in the order of their paths; return those skipped, with reasons."""
        remaining = iter(self._manifest.files)
        skipped: list[tuple[str, str]] = []
        seen = len(self._manifest.files) - len(self.new)
        for batch, vectors in embedded(self._model, self._batches(pack), self._settings.encoding.pooling):
            go_on(self._report)
            for path, reason in batch.skipped:
                writer.skip(path, reason)
            skipped += batch.skipped
            fresh = {
                file.path: KnownVector(vector, content_hash(image))
                for file, vector, image in zip(batch.files, vectors, batch.images, strict=True)
            }
            self._add(writer, _until(remaining, batch.files), fresh)
            seen += batch.seen
            self._report.progress("encoding", seen, len(self._manifest.files), "images")
        self._add(writer, remaining, {})
        return skipped

    def _batches(self, pack: ImageStore | None) -> Iterator[Batch]:
        size = self._settings.encoding.batch_size
        if pack:
            return stream_packed(pack, self.new, size)
        new = replace(self._manifest, files=self.new)
        return stream(new, self._model.config.settings.data, size, self._settings.device.workers)

    def _add(self, writer: EmbeddingWriter, files: Iterable[ImageFile], fresh: Mapping[str, KnownVector]) -> None:
        """Add the vectors of files, new ones and those from before; files that have none could not be read."""
        found = ((file, fresh.get(file.path) or self._former.find(file)) for file in files)
        there = ((file, vector) for file, vector in found if vector is not None)
        while part := list(islice(there, _AT_ONCE)):
            names, known = zip(*part, strict=True)
            writer.add(names, np.stack([one.vector for one in known]), [one.content_hash for one in known])


def _until(files: Iterator[ImageFile], batch: Sequence[ImageFile]) -> Iterator[ImageFile]:
    """Yield files up to the last of a batch."""
    if batch:
        for file in files:
            yield file
            if file == batch[-1]:
                return


def _target(workspace: Workspace, checkpoint: str, source: Path) -> Path:
    """Return the folder of the embeddings: the checkpoint's own, or one within it where that holds another folder's."""
    target = workspace.inference / checkpoint
    is_its_own = folder_of(target) in {"", workspace.stored_path(source)}
    return target if is_its_own else target / workspace.label_of(source)
