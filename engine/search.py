"""Search by example: the images that a network takes to be most like a given one."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.checkpoints import find_checkpoint, fingerprint
from engine.embeddings import BUNDLE_FILE, EmbeddingSet, Vectors, damaged, folder_of, read_embeddings
from engine.errors import FextError, UsageError
from engine.files import printable
from engine.images.scan import ImageFile, root_of
from engine.neighbors import Neighbors
from engine.records import Records, Row
from engine.report import Report
from engine.settings import Settings
from engine.workspace import Workspace


@dataclass(frozen=True)
class Neighbor:
    """An image, the cosine of its vector and that looked for, in [-1, 1], and whether its file is there."""

    path: Path
    similarity: float
    is_there: bool


@dataclass(frozen=True)
class Similar:
    """The images nearest to one, nearest first, which is none of them itself.

    Attributes:
        image: the one.
        checkpoint: whose vectors were compared.
        folder: of the images that they are of.
        embeddings: where the vectors lie.
        images: number of them.
        is_stored: the image is one of them; else it was encoded now.
        recall: share of the nearest that is found; 1 where each vector was compared.
        neighbors: the nearest.

    """

    image: Path
    checkpoint: str
    folder: Path
    embeddings: Path
    images: int
    is_stored: bool
    recall: float
    neighbors: tuple[Neighbor, ...]


def find_similar(
    workspace: Workspace,
    records: Records,
    image: Path,
    *,
    k: int,
    checkpoint: str = "",
    folder: str = "",
    settings: Settings,
    report: Report | None = None,
) -> Similar:
    """Return the ``k`` images most like one, from the newest embeddings of a checkpoint, a folder or both.

    Where neither is asked for: the newest that hold the image, else the newest. An image that they do not hold as it is
    now is encoded by their checkpoint in their own way, on the device of ``settings``.

    Raises:
        UsageError: there are no such embeddings, or the image is not among them and what made them is no longer there.
        FextError: the embeddings are damaged, or the image cannot be read.
        Stopped: ``report`` says stop while an index is made.

    """
    image = Path(os.path.abspath(image))
    if not image.is_file():
        raise UsageError(f"There is no file {printable(str(image))}.", "Give the path of an image.")
    sets = list(_sets(workspace, records, checkpoint, folder))
    if not sets:
        _refuse_damaged(workspace, records, checkpoint, folder)
        raise _none(checkpoint, folder)
    looked_at = sets[:1] if checkpoint or folder else sets
    held = next(filter(None, (_held(one, image) for one in looked_at)), None)
    query = held or _encoded(workspace, sets[0], image, settings)
    return _nearest(query, image, k, Neighbors(query.embeddings, report))


def find_stored(workspace: Workspace, records: Records, image: Path, *, k: int) -> Similar | None:
    """Return the ``k`` images most like one from the newest embeddings that hold it as it is; None where none do.

    Nothing is encoded, and no index is made.

    Raises:
        FextError: the embeddings are damaged.

    """
    held = (_held(one, image) for one in _sets(workspace, records) if image.is_file())
    query = next(filter(None, held), None)
    return query and _nearest(query, image, k, Neighbors(query.embeddings, build=False))


class _Set(NamedTuple):
    """Embeddings that are there: their place, and what they are of."""

    place: Path
    checkpoint: str
    folder: Path


class _Query(NamedTuple):
    """A vector (D,) to look for in a set, and the row of its own image there; None where it has none."""

    origin: _Set
    embeddings: EmbeddingSet
    vector: Vectors
    row: int | None


def _sets(workspace: Workspace, records: Records, checkpoint: str = "", folder: str = "") -> Iterator[_Set]:
    """Yield the embeddings of the records that are still there, newest first."""
    for place, row in _recorded(workspace, records, checkpoint, folder):
        if folder_of(place) == row["folder"]:
            yield _Set(place, row["checkpoint"], workspace.actual_path(row["folder"]))


def _recorded(workspace: Workspace, records: Records, checkpoint: str, folder: str) -> Iterator[tuple[Path, Row]]:
    """Yield the places of embeddings, each once, and their newest record; what lies there may be damaged.

    All are in the workspace: records of another's lead nowhere else.
    """
    wanted = workspace.stored_path(workspace.actual_path(folder)) if folder else ""
    seen: set[str] = set()
    for row in records.embeddings():
        place = Path(os.path.normpath(workspace.actual_path(row["path"])))
        if not place.is_relative_to(workspace.inference):
            continue
        is_asked_for = checkpoint in {"", row["checkpoint"]} and wanted in {"", row["folder"]}
        if is_asked_for and row["path"] not in seen and (place / BUNDLE_FILE).is_file():
            seen.add(row["path"])
            yield place, row


def _refuse_damaged(workspace: Workspace, records: Records, checkpoint: str, folder: str) -> None:
    """Do nothing where no embeddings that are asked for are damaged.

    Raises:
        FextError: some are.

    """
    for place, _ in _recorded(workspace, records, checkpoint, folder):
        read_embeddings(place)


def _none(checkpoint: str, folder: str) -> UsageError:
    of = f" of {printable(folder)}" if folder else ""
    by = f" by {printable(checkpoint)}" if checkpoint else ""
    return UsageError(
        f"There are no embeddings{of}{by} to search.",
        f"Make them first: `fext encode {printable(checkpoint) or 'CHECKPOINT'} {printable(folder) or 'FOLDER'}`.",
    )


def _held(one: _Set, image: Path) -> _Query | None:
    """Return the vector of an image in a set that has the file as it is now; None where it does not."""
    names = _names(root_of(one.folder), image)
    if not names:
        return None
    embeddings = read_embeddings(one.place)
    status = image.stat()
    files = (ImageFile(name, status.st_size, status.st_mtime_ns) for name in names)
    row = next((row for file in files if (row := embeddings.row_of(file)) is not None), None)
    return None if row is None else _Query(one, embeddings, embeddings.vectors[row], row)


def _names(root: Path, image: Path) -> list[str]:
    """Return what an image may be called in a set of this root, as it is given or without links."""
    pairs = ((root, image), (Path(os.path.realpath(root)), Path(os.path.realpath(image))))
    return [path.relative_to(folder).as_posix() for folder, path in pairs if path.is_relative_to(folder)]


def _encoded(workspace: Workspace, one: _Set, image: Path, settings: Settings) -> _Query:
    """Return the vector that the set's own checkpoint gives an image, in the set's own way."""
    embeddings = read_embeddings(one.place)
    origin = embeddings.origin
    state = _maker(workspace, one, origin.fingerprint, image)
    from engine.images.decode import UnreadableImage, load_image
    from engine.models.loading import load_for_use

    same = _in_the_way_of(embeddings, settings)
    model = load_for_use(state, same.device)
    data = model.config.settings.data
    form = data.image_height, data.image_width, model.config.image_channels, model.dimension(same.encoding.pooling)
    if form != (origin.image_height, origin.image_width, origin.image_channels, origin.dim):
        told = " × ".join(map(str, form[:3]))
        raise damaged(one.place, f"{one.checkpoint} gives {form[3]:,} values for pictures of {told}")
    try:
        pixels = load_image(image, data.image_height, data.image_width, data.grayscale)
    except UnreadableImage as error:
        raise FextError(
            f"{printable(str(image))} cannot be read: {error.cause}.", "Give the path of another image."
        ) from error
    vector = model.embed(pixels[None], same.encoding.pooling)[0].cpu().numpy()
    return _Query(one, embeddings, vector, None)


def _in_the_way_of(embeddings: EmbeddingSet, settings: Settings) -> Settings:
    """Return settings with the precision and the pooling that a set was made with."""
    origin = embeddings.origin
    try:
        return settings.with_values({"device.precision": origin.precision, "encoding.pooling": origin.pooling})
    except UsageError as error:
        raise damaged(embeddings.folder, error.cause) from error


def _maker(workspace: Workspace, one: _Set, wanted: str, image: Path) -> Path:
    """Return the checkpoint's state that made a set, from the digest of its weights."""
    new = f"{printable(image.name)} is not among these embeddings as it is now, and cannot be encoded as they were"
    again = f"Encode the folder again: `fext encode CHECKPOINT {printable(str(one.folder))}`."
    try:
        state = find_checkpoint(workspace, one.checkpoint)
    except FextError as error:
        raise UsageError(f"{new}: {error.cause}", again) from error
    if fingerprint(state) != wanted:
        reason = f"they were made by other weights of {one.checkpoint} than those that are there now"
        raise UsageError(f"{new}: {reason}.", again.replace("CHECKPOINT", one.checkpoint))
    return state


def _nearest(query: _Query, image: Path, k: int, neighbors: Neighbors) -> Similar:
    own = None if query.row is None else np.array([query.row])
    found = neighbors.nearest(query.vector[None], k, leave_out=own)
    root = root_of(query.origin.folder)
    paths = [root / query.embeddings.paths[row] for row in found.rows[0]]
    return Similar(
        image=image,
        checkpoint=query.origin.checkpoint,
        folder=query.origin.folder,
        embeddings=query.embeddings.folder,
        images=len(query.embeddings.images),
        is_stored=query.row is not None,
        recall=neighbors.recall,
        neighbors=tuple(
            Neighbor(path, float(similarity), os.path.isfile(path))  # noqa: PTH113  of any name at all
            for path, similarity in zip(paths, found.similarities[0], strict=True)
        ),
    )
