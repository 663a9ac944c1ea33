"""Writing sets of embeddings, whose form `engine.embeddings` tells."""

import csv
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy

from engine.checkpoints import digest
from engine.embeddings import (
    BEFORE,
    BUNDLE_FILE,
    EMBEDDINGS_FILE,
    INDEX_COLUMNS,
    INDEX_FILE,
    PARTS,
    UNFINISHED,
    Origin,
    Vectors,
)
from engine.errors import FextError
from engine.files import printable, replace_file, sync_folder, write_error
from engine.images.scan import ImageFile

_ENCODED = "encoded"
_FLUSHED_EVERY_SECONDS = 10.0


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder.

    Raises:
        FextError: another process holds it.

    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise FextError(f"Another process encodes into {folder}.", "Wait until it has ended.") from error
    except OSError:  # some network file systems have no locks
        pass
    try:
        yield
    finally:
        os.close(descriptor)


class PartWriter:
    """Writes vectors and the images they stand for row by row into a folder, in bounded memory.

    What is there of it at any time, `FormerVectors` finds again.
    """

    def __init__(self, folder: Path, origin: Origin, bundle: Mapping[str, Any]) -> None:
        self.rows = 0
        self.skipped = 0
        self._folder = folder
        self._named = folder / EMBEDDINGS_FILE
        self._origin = origin
        self._bundle = {**bundle, **asdict(origin)}
        self._kind = np.dtype(origin.dtype)
        self._stack = ExitStack()
        self._flushed = time.monotonic()

    def __enter__(self) -> Self:
        """Begin the files.

        Raises:
            FextError: they cannot be written.

        """
        with self._told(), ExitStack() as opened:
            self._begin(opened)
            self._stack = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files; what is in them, if anything, stays for the next time where they are not finished."""
        with self._told(), self._stack:
            if not self.rows and not self._values.closed:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _begin(self, opened: ExitStack) -> None:
        """Make the files, which the stack closes."""
        self._folder.mkdir(parents=True)
        self._values = opened.enter_context((self._folder / EMBEDDINGS_FILE).open("wb"))
        self._index = opened.enter_context(
            (self._folder / INDEX_FILE).open("w", encoding="utf-8", errors="surrogateescape", newline="")
        )
        self._write_header()
        self._lines = csv.writer(self._index)
        self._lines.writerow(INDEX_COLUMNS)
        self._write_bundle()

    def add(self, files: Sequence[ImageFile], vectors: Vectors, content_hashes: Sequence[str]) -> None:
        """Add vectors (n, D) of images.

        Raises:
            FextError: a value is not finite, or larger than float16 holds; or the disk is full.

        """
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(vectors, self._kind)
        if not np.isfinite(values).all():
            number = int(np.flatnonzero(~np.isfinite(values).all(1))[0])
            name = printable(files[number].path)
            if np.isfinite(vectors[number]).all():
                raise FextError(
                    f"The vector of {name} holds values that {self._kind} cannot.", "Set encoding.dtype to float32."
                )
            raise FextError(f"The vector of {name} holds values that are not finite.", "Train again with a lower rate.")
        with self._told():
            self._values.write(values.data)
            for file, content_hash in zip(files, content_hashes, strict=True):
                facts = (content_hash, _ENCODED, file.bytes, file.modified_ns)
                self._lines.writerow((self.rows, file.path, *facts))
                self.rows += 1
            if time.monotonic() - self._flushed > _FLUSHED_EVERY_SECONDS:
                self._values.flush()
                self._index.flush()
                self._flushed = time.monotonic()

    def skip(self, path: str, reason: str) -> None:
        """Add an image that could not be read."""
        with self._told():
            self._lines.writerow(("", path, "", reason, "", ""))
        self.skipped += 1

    def finish(self) -> None:
        """Bring all of it to the disk.

        Raises:
            FextError: the disk is full.

        """
        with self._told():
            self._write_header()
            for file in (self._values, self._index):
                file.flush()
                os.fsync(file.fileno())
                file.close()
            self._bundle |= {"rows": self.rows, "skipped": self.skipped}
            self._write_bundle()

    def _write_header(self) -> None:
        """Write the header for the present number of rows; NumPy pads it, so that its length does not change."""
        self._values.seek(0)
        facts = {"descr": self._kind.newbyteorder("<").str, "fortran_order": False}
        npy.write_array_header_1_0(self._values, {**facts, "shape": (self.rows, self._origin.dim)})

    def _write_bundle(self) -> None:
        content = {"rows": self.rows, **self._bundle, "created": time.time()}
        replace_file(self._folder / BUNDLE_FILE, (json.dumps(content, indent=2) + "\n").encode())

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise write_error(self._named, error) from error


class EmbeddingWriter(PartWriter):
    """Writes a set; it takes the place of an older one when it is whole.

    Until then it lies in ``unfinished``. One process at a time writes to a folder.
    """

    def __init__(self, target: Path, origin: Origin, bundle: Mapping[str, Any]) -> None:
        super().__init__(target / UNFINISHED, origin, bundle)
        self._target = target
        self._named = target / EMBEDDINGS_FILE

    def __exit__(self, *_: object) -> None:
        """Close the files; what is in them stays for the next time, unless that is nothing."""
        with self._told(), self._stack:
            if not self.rows:
                shutil.rmtree(self._folder, ignore_errors=True)
                if not any(self._target.iterdir()):
                    self._target.rmdir()

    def _begin(self, opened: ExitStack) -> None:
        """Make the files, alone in the target; what lay unfinished before stays readable to those who opened it."""
        self._target.mkdir(parents=True, exist_ok=True)
        opened.enter_context(_alone(self._target))
        self._keep_the_longer()
        super()._begin(opened)

    def _keep_the_longer(self) -> None:
        """Put aside what was unfinished, unless what was put aside before had come further."""
        aside = self._target / BEFORE
        if _size(self._folder / EMBEDDINGS_FILE) > _size(aside / EMBEDDINGS_FILE):
            shutil.rmtree(aside, ignore_errors=True)
            self._folder.rename(aside)
        shutil.rmtree(self._folder, ignore_errors=True)

    def finish(self) -> None:
        """Put the files in place of older ones; ``bundle.json`` comes last and holds the digest of the vectors."""
        super().finish()
        with self._told():
            self._bundle["embeddings_blake2b"] = digest(self._folder / EMBEDDINGS_FILE)
            self._write_bundle()
            (self._target / BUNDLE_FILE).unlink(missing_ok=True)
            for name in (EMBEDDINGS_FILE, INDEX_FILE, BUNDLE_FILE):
                (self._folder / name).replace(self._target / name)
            sync_folder(self._target)
            for left in (UNFINISHED, BEFORE, PARTS):
                shutil.rmtree(self._target / left, ignore_errors=True)
