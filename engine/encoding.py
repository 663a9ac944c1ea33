"""Images become vectors: the encoder of a checkpoint over a folder, written as files that NumPy reads."""

import csv
import hashlib
import io
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, NamedTuple, Self

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray

from engine.checkpoints import digest, find_checkpoint
from engine.errors import UsageError
from engine.files import printable, replace_file, write_error
from engine.images.decode import content_hash
from engine.images.scan import ImageFile, Manifest, none_readable, scan
from engine.images.stream import Batch, stream
from engine.models.loading import LoadedModel, load_for_use
from engine.records import Records
from engine.report import CollectedReport, Report, go_on
from engine.settings import DeviceSettings, Pooling, Settings
from engine.workspace import Workspace, find_workspace

EMBEDDINGS_FILE = "embeddings.npy"
INDEX_FILE = "index.csv"
BUNDLE_FILE = "bundle.json"
_WARNED = 3


@dataclass(frozen=True)
class EncodingResult:
    """Where the embeddings lie, and their shape (rows, dim); ``skipped`` images could not be read."""

    embeddings: str
    rows: int
    dim: int
    skipped: int


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
    for batch in stream(manifest, model.config.settings.data, batch_size, workers=0):
        vectors.append(embed(model, batch.images, pooling))
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


@torch.inference_mode()
def embed(model: LoadedModel, images: NDArray[np.uint8], pooling: Pooling) -> NDArray[np.float32]:
    """Return the vectors (n, D) of pictures (n, H, W, C), a function of the pictures and the weights alone."""
    if not len(images):
        return np.empty((0, dimension(model, pooling)), dtype=np.float32)
    with model.device.autocast():
        vectors = model.model.embed(model.to_device(images), pooling)
    return vectors.float().cpu().numpy()


def dimension(model: LoadedModel, pooling: Pooling) -> int:
    """Return D of the vectors."""
    data = model.config.settings.data
    return model.model.dimension(data.image_height, data.image_width, pooling)


def encode(
    settings: Settings,
    workspace: Workspace,
    records: Records,
    report: Report,
    *,
    checkpoint: str,
    folder: str = "",
    job: int | None = None,
) -> EncodingResult:
    """Encode the images of a folder with a checkpoint, into ``database/inference/CHECKPOINT``.

    It holds ``embeddings.npy`` (N, D) float32, ``index.csv`` (row, path, content_hash, status: one line an image,
    with no row where it could not be read) and ``bundle.json``. Files of the same images and checkpoint are
    replaced; those of another folder stay, and the new ones go to a folder within.

    Raises:
        FextError: the checkpoint or the folder is not there or damaged, no image can be read, or the disk is full.

    """
    state = find_checkpoint(workspace, checkpoint)
    source = workspace.actual_path(folder or settings.encoding.folder or str(workspace.inference_images))
    manifest = scan(source, report)
    model = load_for_use(state, settings.device)
    report.log(f"Encoding {len(manifest.files):,} images with {checkpoint} on {model.device.name}.")
    target = _target(workspace, checkpoint, source)
    began = time.monotonic()
    with _Writer(target, dimension(model, settings.encoding.pooling)) as writer:
        seen = 0
        data, size = model.config.settings.data, settings.encoding.batch_size
        for batch in stream(manifest, data, size, settings.device.workers):
            go_on(report)
            writer.add(batch, embed(model, batch.images, settings.encoding.pooling))
            seen += batch.seen
            report.progress("encoding", seen, len(manifest.files), "images")
        _warn(writer.skipped, report)
        if not writer.rows:
            raise none_readable(source, writer.skipped)
        writer.finish(_bundle(model, settings, checkpoint, workspace.stored_path(source)))
    seconds = time.monotonic() - began
    report.log(f"{writer.rows:,} vectors of {writer.dim:,} values in {seconds:.1f} s, {seen / seconds:,.0f} images/s.")
    report.artifact("embeddings", target / EMBEDDINGS_FILE)
    records.add_embeddings(
        job=job,
        checkpoint=checkpoint,
        folder=workspace.stored_path(source),
        path=workspace.stored_path(target),
        rows=writer.rows,
        dim=writer.dim,
        skipped=len(writer.skipped),
    )
    return EncodingResult(str(target / EMBEDDINGS_FILE), writer.rows, writer.dim, len(writer.skipped))


def _target(workspace: Workspace, checkpoint: str, source: Path) -> Path:
    """Return the folder of the embeddings: the checkpoint's own, or one within it where that holds another folder's."""
    target = workspace.inference / checkpoint
    try:
        occupied_by = json.loads((target / BUNDLE_FILE).read_text(encoding="utf-8"))["folder"]
    except (OSError, ValueError, KeyError, TypeError):
        return target
    stored = workspace.stored_path(source)
    if occupied_by == stored:
        return target
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", source.name)[:40] or "images"
    return target / f"{name}-{hashlib.blake2b(os.fsencode(stored), digest_size=4).hexdigest()}"


def _warn(skipped: list[tuple[str, str]], report: Report) -> None:
    for path, reason in skipped[:_WARNED]:
        report.log(f"Skipped {printable(path)}: {reason}", "warning")
    if len(skipped) > _WARNED:
        report.log(f"Skipped {len(skipped) - _WARNED:,} more; index.csv lists all.", "warning")


def _bundle(model: LoadedModel, settings: Settings, checkpoint: str, folder: str) -> dict[str, object]:
    data = model.config.settings.data
    return {
        "checkpoint": checkpoint,
        "fingerprint": model.fingerprint,
        "folder": folder,
        "pooling": model.model.pooling(settings.encoding.pooling),
        "image_height": data.image_height,
        "image_width": data.image_width,
        "image_channels": model.config.image_channels,
        "latent": model.config.latent,
        "precision": model.device.precision_name,
        "created": time.time(),
    }


class _Writer:
    """Writes vectors as they come, so that memory does not grow with their number; nothing shows until `finish`."""

    def __init__(self, target: Path, dim: int) -> None:
        self.dim = dim
        self.rows = 0
        self.skipped: list[tuple[str, str]] = []
        self._target = target
        self._temporary = target / f".new-{os.getpid()}-{EMBEDDINGS_FILE}"
        self._index = io.StringIO()
        self._lines = csv.writer(self._index)
        self._lines.writerow(("row", "path", "content_hash", "status"))
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        with self._told():
            self._target.mkdir(parents=True, exist_ok=True)
            self._file = self._temporary.open("wb")
            self._write_header()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def add(self, batch: Batch, vectors: NDArray[np.float32]) -> None:
        """Add the vectors (n, D) of a batch."""
        assert self._file is not None
        with self._told():
            self._file.write(np.ascontiguousarray(vectors, dtype="<f4").data)
        for number, (file, image) in enumerate(zip(batch.files, batch.images, strict=True)):
            self._lines.writerow((self.rows + number, file.path, content_hash(image), "encoded"))
        for path, reason in batch.skipped:
            self._lines.writerow(("", path, "", reason))
        self.rows += len(batch.files)
        self.skipped += batch.skipped

    def finish(self, bundle: dict[str, object]) -> None:
        """Put the files in place of older ones; ``bundle.json`` comes last and holds the digest of the vectors."""
        assert self._file is not None
        with self._told():
            self._write_header()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            whole = {**bundle, "rows": self.rows, "dim": self.dim, "skipped": len(self.skipped)}
            whole |= {"embeddings_blake2b": digest(self._temporary)}
            self._temporary.replace(self._target / EMBEDDINGS_FILE)
        replace_file(self._target / INDEX_FILE, self._index.getvalue().encode(errors="surrogateescape"))
        replace_file(self._target / BUNDLE_FILE, (json.dumps(whole, indent=2) + "\n").encode())

    def _write_header(self) -> None:
        """Write the header for the present number of rows; NumPy pads it, so that its length does not change."""
        assert self._file is not None
        self._file.seek(0)
        facts = {"descr": "<f4", "fortran_order": False, "shape": (self.rows, self.dim)}
        npy.write_array_header_1_0(self._file, facts)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise write_error(self._target / EMBEDDINGS_FILE, error) from error
