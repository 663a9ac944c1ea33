"""A pack: images of one size in one file, written whole or not at all, found again by what it was made from.

``images.npy`` holds them, (N, H, W, C) uint8, ``index.csv`` their files and hashes; `numpy.load` reads the one and
any program the other.
"""

import csv
import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from engine.errors import FextError
from engine.files import new_folder, printable
from engine.foreign import ARRAY_ERRORS
from engine.images.decode import Pixels, UnreadableImage
from engine.images.index import Index, decode_all, read_index, write_index
from engine.images.layout import Layout, pack_bytes
from engine.images.scan import Manifest
from engine.report import Report

IMAGES_FILE = "images.npy"
INDEX_FILE = "index.csv"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CANNOT_RESERVE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_ABANDONED_AFTER_SECONDS = 600


class NoRoomError(FextError):
    """The disk has no room for a pack."""

    def __init__(self, folder: Path, images: int, needed: int) -> None:
        free = shutil.disk_usage(folder).free
        super().__init__(
            f"The pack of {images:,} images needs {needed:,} bytes; {free:,} are free in {printable(str(folder))}.",
            "Make space there, use smaller images or a smaller sample, or set data.pack to off: "
            "images are then decoded as they are needed.",
        )


def forecast(manifest: Manifest, layout: Layout) -> int:
    """Return how many bytes the pack of a manifest takes at most."""
    return pack_bytes(len(manifest.files), sum(len(file.path) for file in manifest.files), layout)


def write_pack(target: Path, manifest: Manifest, layout: Layout, workers: int, report: Report) -> None:
    """Decode the images of a manifest into the pack ``target``, which must not exist.

    Raises:
        NoRoomError: the disk is full; nothing is left of the pack.
        FextError: no image can be read, or the pack cannot be written.
        Stopped: the report says stop.

    """
    with ExitStack() as afterwards, new_folder(target) as folder:
        afterwards.enter_context(_shown_alive(folder))
        try:
            with (folder / IMAGES_FILE).open("wb") as file:
                index = _write_images(file, manifest, layout, workers, report)
            write_index(folder / INDEX_FILE, index)
        except OSError as error:
            if error.errno in _FULL:
                raise NoRoomError(target.parent, len(manifest.files), forecast(manifest, layout)) from error
            raise


def _write_images(file: IO[bytes], manifest: Manifest, layout: Layout, workers: int, report: Report) -> Index:
    """Write the images one after another; the header comes again when their number is known."""
    index = Index()
    _write_header(file, len(manifest.files), layout)
    _reserve(file, len(manifest.files) * layout.bytes)
    with closing(decode_all(manifest, layout, workers, report, "packing")) as results:
        for image, decoded in results:
            index.add(image, decoded)
            if not isinstance(decoded, UnreadableImage):
                file.write(decoded.pixels.data)
    index.check(manifest, report)
    file.truncate()
    file.seek(0)
    _write_header(file, len(index.files), layout)
    return index


def _write_header(file: IO[bytes], images: int, layout: Layout) -> None:
    """Write the header for a number of images; NumPy pads it, so that its length is the same for any number."""
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (images, *layout.shape)})


def _reserve(file: IO[bytes], size: int) -> None:
    """Take the room on the disk now, so that a full disk shows before the work rather than after it."""
    file.flush()
    try:
        os.posix_fallocate(file.fileno(), file.tell(), size)
    except OSError as error:
        if error.errno not in _CANNOT_RESERVE:
            raise


def read_pack(folder: Path, layout: Layout) -> tuple[Pixels, Index] | None:
    """Return the images of a pack, memory-mapped, and their index; None where it is not there or damaged."""
    try:
        images = np.load(folder / IMAGES_FILE, mmap_mode="r", allow_pickle=False)
        index = read_index(folder / INDEX_FILE)
    except (*ARRAY_ERRORS, csv.Error):
        return None
    if not isinstance(images, np.ndarray):  # an archive of arrays
        return None
    is_whole = images.dtype == np.uint8 and images.shape == (len(index.files), *layout.shape)
    return (images, index) if is_whole else None


@contextmanager
def _shown_alive(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder while it is filled, by which `remove_abandoned` knows that somebody is at it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks; there nothing is ever taken for abandoned
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def remove_abandoned(packs: Path) -> None:
    """Remove what killed processes left half-written, and nothing that another process is writing.

    On network file systems a lock on a folder holds on one machine alone: what is being written has a time of its own.
    """
    for folder in packs.glob(".new-*"):
        try:
            written = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if time.time() - written > _ABANDONED_AFTER_SECONDS:
                _remove_unless_locked(folder)
        except OSError:
            continue


def _remove_unless_locked(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
