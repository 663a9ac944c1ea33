"""Images of one size, by number: decoded once into a memory-mapped file, or from their own files each time."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import FextError
from engine.files import printable, write_error
from engine.images.alike import thumbnail
from engine.images.decode import Pixels, UnreadableImage, load_image
from engine.images.index import Index, decode_all
from engine.images.layout import Layout, pack_key
from engine.images.packfile import NoRoomError, forecast, read_pack, remove_abandoned, write_pack
from engine.images.parallel import worker_count
from engine.images.scan import ImageFile, Manifest
from engine.report import Report
from engine.workspace import Workspace

_KEPT_FREE = 256 * 2**20
"""What a pack that nobody insists on leaves of the disk for records and checkpoints, in bytes."""


class ImageStore(Protocol):
    """Images of one size and what is known of them, by number from 0; unreadable files have none."""

    @property
    def folder(self) -> Path:
        """The folder, or the list of paths, that they are from."""

    @property
    def files(self) -> tuple[ImageFile, ...]:
        """The files, by number."""

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """The unreadable files as (relative path, reason)."""

    @property
    def content_hashes(self) -> tuple[str, ...]:
        """Hashes of the pixels by number, equal where the pictures are (`engine.images.decode.content_hash`)."""

    @property
    def perceptual_hashes(self) -> NDArray[np.uint64]:
        """Hashes (N,) that differ in few bits where pictures look alike (`engine.images.hashing`)."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of each."""

    def __len__(self) -> int:
        """Return the number of images."""

    def batch(self, indices: NDArray[np.int64]) -> Pixels:
        """Return a copy of images (n, H, W, C) by number, uint8, RGB or gray."""

    def thumbnails(self, numbers: NDArray[np.int64]) -> Pixels:
        """Return thumbnails (n, 256, C) by number (`engine.images.alike.thumbnail`)."""


class _Indexed:
    """What both stores know of their images."""

    def __init__(self, folder: Path, index: Index, layout: Layout) -> None:
        self.folder = folder
        self.files = tuple(index.files)
        self.skipped = tuple((file.path, reason) for file, reason in index.skipped)
        self.content_hashes = tuple(index.content_hashes)
        self.perceptual_hashes = index.hashes()
        self.shape = layout.shape

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, indices: NDArray[np.int64]) -> Pixels:
        """Return images (n, H, W, C) by number, uint8, RGB or gray."""
        raise NotImplementedError

    def thumbnails(self, numbers: NDArray[np.int64]) -> Pixels:
        """Return thumbnails (n, 256, C) by number."""
        return np.stack([thumbnail(pixels) for pixels in self.batch(numbers)])


class PackedImages(_Indexed):
    """Images in a pack."""

    def __init__(self, folder: Path, images: Pixels, index: Index, layout: Layout) -> None:
        super().__init__(folder, index, layout)
        self._images = images

    def batch(self, indices: NDArray[np.int64]) -> Pixels:
        """Return a copy of images (n, H, W, C) by number, uint8, RGB or gray."""
        return np.asarray(self._images[indices])


class FileImages(_Indexed):
    """Images that are decoded from their files each time."""

    def __init__(self, manifest: Manifest, index: Index, layout: Layout, workers: int) -> None:
        super().__init__(manifest.folder, index, layout)
        self._root = manifest.root
        self._layout = layout
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="images")

    def batch(self, indices: NDArray[np.int64]) -> Pixels:
        """Return images (n, H, W, C) by number, uint8, RGB or gray.

        Raises:
            FextError: a file has become unreadable since it was opened.

        """
        images = np.empty((len(indices), *self.shape), dtype=np.uint8)
        for place, pixels in enumerate(self._pool.map(self._load, indices)):
            images[place] = pixels
        return images

    def _load(self, number: np.int64) -> Pixels:
        path = self._root / self.files[number].path
        try:
            return load_image(path, self._layout.height, self._layout.width, self._layout.gray)
        except UnreadableImage as error:
            raise FextError(
                f"{printable(str(path))} can no longer be read: {error.cause}.",
                "Bring the file back, or start again without it; data.pack = on makes runs independent of their files.",
            ) from error


def open_images(  # noqa: PLR0917  callers name a store by all of them, in this order
    manifest: Manifest,
    height: int,
    width: int,
    gray: bool,
    pack: Literal["auto", "on", "off"],
    workspace: Workspace,
    workers: int,
    report: Report,
) -> ImageStore:
    """Return the readable images of a manifest at one size; unreadable ones are skipped with a warning.

    Args:
        manifest: the files.
        height: rows of every image.
        width: columns of every image.
        gray: one channel in place of three.
        pack: ``on``: from a pack under ``metadata/packs``, made where it is not there yet; ``off``: from the files;
            ``auto``: from a pack where the disk has room for it.
        workspace: where packs lie.
        workers: threads that decode; 0: one a core.
        report: told the phase ``packing`` (or ``hashing``, where files are read without a pack), in images.

    Raises:
        FextError: no image can be read, or there is no room for a pack that must be.
        Stopped: the report says stop; nothing is left behind.

    """
    layout = Layout(height, width, gray)
    workers = worker_count(workers)
    if pack == "off":
        return _from_files(manifest, layout, workers, report)
    target = workspace.packs / pack_key(manifest, workspace.stored_path(manifest.folder), layout)
    found = read_pack(target, layout)
    if found:
        found[1].check(manifest, report)
        report.log(f"The pack of {len(found[1].files):,} images is there already.")
        return PackedImages(manifest.folder, *found, layout)
    try:
        _make_room(target, manifest, layout, 0 if pack == "on" else _KEPT_FREE)
        return _packed(target, manifest, layout, workers, report)
    except NoRoomError as error:
        if pack == "on":
            raise
        report.log(f"{error.cause} Images are decoded as they are needed.", "warning")
        return _from_files(manifest, layout, workers, report)


def find_pack(name: str, folder: Path, layout: Layout, workspace: Workspace) -> ImageStore | None:
    """Return the pack of that name, of the images of a folder, where there is one (`engine.images.layout.pack_key`)."""
    found = read_pack(workspace.packs / name, layout)
    return PackedImages(folder, *found, layout) if found else None


def _make_room(target: Path, manifest: Manifest, layout: Layout, kept_free: int) -> None:
    """Remove what is in the way of a pack, and see that the disk has room for it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(target.parent)
        if target.exists() and not read_pack(target, layout):
            shutil.rmtree(target, ignore_errors=True)
    except OSError as error:
        raise write_error(target, error) from error
    needed = forecast(manifest, layout)
    if needed + kept_free > shutil.disk_usage(target.parent).free:
        raise NoRoomError(target.parent, len(manifest.files), needed)


def _packed(target: Path, manifest: Manifest, layout: Layout, workers: int, report: Report) -> ImageStore:
    began = time.monotonic()
    try:
        write_pack(target, manifest, layout, workers, report)
    except FextError as error:
        if not (isinstance(error.__cause__, OSError) and read_pack(target, layout)):
            raise
        report.log("Another process has packed the same images meanwhile.")
    found = read_pack(target, layout)
    if not found:
        raise FextError(f"The pack {target} is damaged as soon as it is written.", "Check the disk.")
    seconds = time.monotonic() - began
    report.log(f"Packed {len(found[1].files):,} images in {seconds:.1f} s.")
    return PackedImages(manifest.folder, *found, layout)


def _from_files(manifest: Manifest, layout: Layout, workers: int, report: Report) -> ImageStore:
    index = Index()
    with closing(decode_all(manifest, layout, workers, report, "hashing")) as results:
        for file, decoded in results:
            index.add(file, decoded)
    index.check(manifest, report)
    return FileImages(manifest, index, layout, workers)
