"""Sets of embeddings on disk: vectors that NumPy reads, the images they stand for, and the encoder they come from.

A set is a folder with ``embeddings.npy`` (N, D), ``index.csv`` (row, path, content_hash, status, bytes, modified_ns:
one line an image, with no row where it could not be read) and ``bundle.json``, which is there only where the set is
whole. What an encoding that was broken off has done lies in ``unfinished`` within, in the same form; so do the parts of
one in several processes, in ``unfinished-parts``.
"""

import csv
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, Self, get_args

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engine.checkpoints import digest
from engine.errors import FextError
from engine.files import printable
from engine.foreign import ARRAY_ERRORS, field, read_object, text, whole
from engine.images.scan import ImageFile
from engine.settings import Pooling

EMBEDDINGS_FILE = "embeddings.npy"
INDEX_FILE = "index.csv"
BUNDLE_FILE = "bundle.json"
UNFINISHED = "unfinished"
BEFORE = "unfinished-before"
"""What was unfinished when another encoding began, which may be broken off before it has come as far."""
PARTS = "unfinished-parts"
"""Folders of encodings in several processes, of each of which ``part-N`` holds what one has done."""

Vectors = NDArray[np.float32] | NDArray[np.float16]

_Key = tuple[str, ...]
"""Path, bytes and time of change of an image file, as the index has them."""

INDEX_COLUMNS = ("row", "path", "content_hash", "status", "bytes", "modified_ns")

_AGAIN = "Encode the folder again: `fext encode CHECKPOINT FOLDER`."
_TYPES = ("float32", "float16")
_LONGEST_REASON = 300


@dataclass(frozen=True)
class Origin:
    """What a vector is a function of, beside its image.

    Attributes:
        fingerprint: digest of the encoder's weights.
        pooling: how the latent became a vector.
        precision: that of the network.
        dtype: that of the stored values, ``float32`` or ``float16``.
        image_height: rows of the pictures that the network sees.
        image_width: their columns.
        image_channels: 1 or 3.
        dim: values of a vector.

    """

    fingerprint: str
    pooling: str
    precision: str
    dtype: str
    image_height: int
    image_width: int
    image_channels: int
    dim: int

    @classmethod
    def of(cls, bundle: Mapping[str, Any]) -> Self:
        """Return the origin that a bundle tells.

        Raises:
            ValueError: it does not, or tells something that cannot be.

        """
        return cls(
            fingerprint=field(bundle, "fingerprint", text),
            pooling=field(bundle, "pooling", partial(_one_of, get_args(Pooling))),
            precision=field(bundle, "precision", text),
            dtype=field(bundle, "dtype", partial(_one_of, _TYPES)),
            image_height=field(bundle, "image_height", partial(whole, least=1)),
            image_width=field(bundle, "image_width", partial(whole, least=1)),
            image_channels=field(bundle, "image_channels", partial(whole, least=1)),
            dim=field(bundle, "dim", partial(whole, least=1)),
        )


def _one_of(choices: Sequence[str], value: Any) -> str:
    if value not in choices:
        raise ValueError(f"{value!r:.40} is none of {', '.join(choices)}")
    return str(value)


class Indexed(NamedTuple):
    """What the index says of an image that has a row: path, bytes and time of change, as texts, and its hash."""

    key: _Key
    content_hash: str

    @property
    def path(self) -> str:
        """Where it lies, relative to the root of its folder."""
        return self.key[0]


@dataclass(frozen=True)
class EmbeddingSet:
    """A whole set: vectors (N, D), memory-mapped, their images, and what the bundle says."""

    folder: Path
    vectors: Vectors
    images: list[Indexed]
    bundle: dict[str, Any]

    @property
    def origin(self) -> Origin:
        """What the vectors are a function of."""
        return Origin.of(self.bundle)

    @cached_property
    def paths(self) -> list[str]:
        """The paths of the images."""
        return [image.path for image in self.images]

    def row_of(self, file: ImageFile) -> int | None:
        """Return the row of a file that has not changed since it was encoded; None where it has none."""
        key = _key_of(file)
        return next((row for row, image in enumerate(self.images) if image.key == key), None)


def read_embeddings(folder: Path) -> EmbeddingSet:
    """Return the set of embeddings in a folder.

    Raises:
        FextError: there is none, or its files are damaged or do not belong together.

    """
    bundle = _read_bundle(folder / BUNDLE_FILE)
    if not isinstance(bundle.get("embeddings_blake2b"), str):
        raise damaged(folder, f"{BUNDLE_FILE} holds no digest of the vectors")
    vectors = _read_vectors(folder / EMBEDDINGS_FILE)
    images = _read_index(folder / INDEX_FILE)
    if (vectors.shape, vectors.dtype) != ((bundle["rows"], bundle["dim"]), bundle["dtype"]):
        told = f"{bundle['rows']:,} × {bundle['dim']:,} {bundle['dtype']}"
        raise damaged(folder, f"vectors are {vectors.dtype} of shape {vectors.shape}, by {BUNDLE_FILE} {told}")
    if len(images) != len(vectors):
        raise damaged(folder, f"{len(vectors):,} vectors are of {len(images):,} images")
    return EmbeddingSet(folder, vectors, images, bundle)


def folder_of(target: Path) -> str:
    """Return the folder, as it is stored, whose images a set is or will be of; empty where there is none."""
    for part in (target, target / UNFINISHED, *_parts_in(target)):
        try:
            return str(_read_bundle(part / BUNDLE_FILE)["folder"])
        except FextError:
            continue
    return ""


def _read_bundle(path: Path) -> dict[str, Any]:
    try:
        bundle = read_object(path)
        Origin.of(bundle)
        for name in ("checkpoint", "folder"):
            field(bundle, name, text)
        field(bundle, "rows", whole)
    except FileNotFoundError as error:
        raise FextError(f"There are no embeddings in {path.parent}.", _AGAIN) from error
    except (OSError, ValueError) as error:
        raise damaged(path.parent, f"{path.name} cannot be understood: {error}") from error
    return bundle


def _read_vectors(path: Path) -> Vectors:
    """Return the vectors (N, D) of a file that is whole."""
    header = _read_header(path)
    count, dim = header.shape
    if header.bytes != header.start + count * dim * header.kind.itemsize:
        raise damaged(path.parent, f"{path.name} is not as long as {header.shape} {header.kind} are")
    return _mapped(path, header, count)


class _Header(NamedTuple):
    """What the first bytes of a NumPy file tell: shape and type of the values, where they start; and its size."""

    shape: tuple[int, int]
    kind: np.dtype[np.float32] | np.dtype[np.float16]
    start: int
    bytes: int


def _read_header(path: Path) -> _Header:
    """Return the header of a file of vectors, row by row in the order of this machine."""
    try:
        with path.open("rb") as file:
            if npy.read_magic(file) != (1, 0):
                raise ValueError("it is of another version than 1.0")
            shape, is_by_columns, kind = npy.read_array_header_1_0(file)
            start, size = file.tell(), os.fstat(file.fileno()).st_size
    except ARRAY_ERRORS as error:
        raise damaged(path.parent, f"{path.name} cannot be read: {error}") from error
    if len(shape) != 2 or min(shape) < 0 or is_by_columns or kind not in (np.float32, np.float16):
        raise damaged(path.parent, f"{path.name} holds {kind} of shape {shape}, no vectors in rows")
    return _Header(shape, kind, start, size)


def _mapped(path: Path, header: _Header, rows: int) -> Vectors:
    """Return so many rows of a file that holds them."""
    shape = rows, header.shape[1]
    if not math.prod(shape):
        return np.empty(shape, header.kind)
    return np.asarray(np.memmap(path, header.kind, "r", header.start, shape))


class Line(NamedTuple):
    """A line of the index: the image, and why it has no row; None where it has one."""

    image: Indexed
    reason: str | None


def _read_index(path: Path, *, broken_off: bool = False) -> list[Indexed]:
    """Return the images that have a row, in its order; with ``broken_off`` those before a line that is not whole."""
    return [line.image for line in _lines(path, broken_off=broken_off) if line.reason is None]


def _lines(path: Path, *, broken_off: bool) -> Iterator[Line]:
    rows = 0
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            lines = csv.reader(file)
            assert tuple(next(lines, ())) == INDEX_COLUMNS
            for line in lines:
                is_whole = len(line) == len(INDEX_COLUMNS) and line[0] in {"", str(rows)}
                if not is_whole and broken_off:
                    break
                assert is_whole
                row, name, content_hash, status, *facts = line
                rows += bool(row)
                yield Line(Indexed((name, *facts), content_hash), None if row else status)
    except (OSError, ValueError, AssertionError, csv.Error) as error:
        raise damaged(path.parent, f"{path.name} cannot be understood") from error


def damaged(folder: Path, reason: str) -> FextError:
    """Return the error for a set whose files cannot be used."""
    told = printable(reason)[:_LONGEST_REASON].removesuffix(".")
    return FextError(f"The embeddings in {folder} are damaged: {told}.", _AGAIN)


class KnownVector(NamedTuple):
    """A vector (D,) that is there already, and the content hash of its image."""

    vector: Vectors
    content_hash: str


class FormerVectors:
    """The vectors in a folder that have the same origin: those of its set, and of encodings that were broken off."""

    def __init__(self, folder: Path, origin: Origin, *, ignored: bool = False) -> None:
        """Read what there is, unless it is to be ``ignored``."""
        self._known: dict[_Key, tuple[Vectors, int, str]] = {}
        self._whole: list[_Key] = []
        for part in () if ignored else (folder / BEFORE, *_parts_in(folder), folder / UNFINISHED, folder):
            try:
                if Origin.of(_read_bundle(part / BUNDLE_FILE)) != origin:
                    continue
                images, vectors = _verified(part) if part == folder else _broken_off(part, origin)
            except FextError:
                continue  # they are made anew
            for row, image in enumerate(images[: len(vectors)]):
                self._known[image.key] = (vectors, row, image.content_hash)
            self._whole = [image.key for image in images] if part == folder else []

    def find(self, file: ImageFile) -> KnownVector | None:
        """Return the vector of a file that has not changed since it was made."""
        found = self._known.get(_key_of(file))
        if found is None:
            return None
        vectors, row, content_hash = found
        return KnownVector(vectors[row], content_hash)

    def is_set_of(self, files: Sequence[ImageFile]) -> bool:
        """Return whether the set that is there is of just these files, none of which has changed."""
        return self._whole == [_key_of(file) for file in files]


def _key_of(file: ImageFile) -> _Key:
    return file.path, str(file.bytes), str(file.modified_ns)


def _verified(folder: Path) -> tuple[list[Indexed], Vectors]:
    """Return images and vectors of a set whose vectors are those that were written, to the byte."""
    found = read_embeddings(folder)
    if digest(folder / EMBEDDINGS_FILE) != found.bundle["embeddings_blake2b"]:
        raise damaged(folder, f"the contents of {EMBEDDINGS_FILE} are not those that were written")
    return found.images, found.vectors


def _broken_off(folder: Path, origin: Origin) -> tuple[list[Indexed], Vectors]:
    """Return images and vectors of what is unfinished: those that are whole."""
    lines, vectors = read_part(folder, origin)
    return [line.image for line in lines if line.reason is None], vectors


def read_part(folder: Path, origin: Origin) -> tuple[Iterator[Line], Vectors]:
    """Return what the index of a part says, line by line, and its vectors, whatever number its header tells.

    Raises:
        FextError: the files are damaged, or of another form; so may the iterator.

    """
    path = folder / EMBEDDINGS_FILE
    header = _read_header(path)
    if (header.shape[1], header.kind) != (origin.dim, np.dtype(origin.dtype)):
        raise damaged(folder, f"{path.name} holds vectors of another length or type")
    rows = (header.bytes - header.start) // (header.kind.itemsize * origin.dim)
    return _lines(folder / INDEX_FILE, broken_off=True), _mapped(path, header, rows)


def _parts_in(target: Path) -> list[Path]:
    return sorted((target / PARTS).glob("*/part-*"))
