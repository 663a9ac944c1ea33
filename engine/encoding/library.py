"""Vectors of images for Python, without a workspace's records."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.checkpoints import find_checkpoint
from engine.encoding.vectors import embedded
from engine.errors import UsageError
from engine.images.scan import ImageFile, Manifest, scan
from engine.images.stream import stream
from engine.models.loading import LoadedModel, load_for_use
from engine.report import CollectedReport
from engine.settings import DeviceSettings, Pooling
from engine.workspace import find_workspace


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
