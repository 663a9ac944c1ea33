"""What is known of the images of a store beside their pixels, and its file."""

import csv
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.files import printable
from engine.images.decode import Pixels, UnreadableImage, content_hash, load_image
from engine.images.hashing import perceptual_hash
from engine.images.layout import Layout
from engine.images.parallel import parallel, reported
from engine.images.scan import ImageFile, Manifest, none_readable
from engine.report import Report

_COLUMNS = ("row", "path", "bytes", "modified_ns", "content_hash", "perceptual_hash", "reason")
_WARNED = 5


@dataclass(frozen=True)
class Decoded:
    """A picture (H, W, C) with its hashes."""

    pixels: Pixels
    content_hash: str
    perceptual_hash: int


@dataclass
class Index:
    """The readable files of a manifest in its order, with the hashes of their pictures, and those that are not."""

    files: list[ImageFile] = field(default_factory=list)
    content_hashes: list[str] = field(default_factory=list)
    perceptual_hashes: list[int] = field(default_factory=list)
    skipped: list[tuple[ImageFile, str]] = field(default_factory=list)

    def add(self, file: ImageFile, decoded: Decoded | UnreadableImage) -> None:
        """Add a file as what reading it gave."""
        if isinstance(decoded, UnreadableImage):
            self.skipped.append((file, decoded.cause))
            return
        self.files.append(file)
        self.content_hashes.append(decoded.content_hash)
        self.perceptual_hashes.append(decoded.perceptual_hash)

    def hashes(self) -> NDArray[np.uint64]:
        """Return the perceptual hashes (N,)."""
        return np.array(self.perceptual_hashes, dtype=np.uint64)

    def check(self, manifest: Manifest, report: Report) -> None:
        """Tell which files are skipped, and why.

        Raises:
            FextError: there is no readable one.

        """
        if not self.files:
            raise none_readable(manifest.folder, [(file.path, reason) for file, reason in self.skipped])
        for file, reason in self.skipped[:_WARNED]:
            report.log(f"Skipped {printable(file.path)}: {reason}", "warning")
        if len(self.skipped) > _WARNED:
            report.log(f"Skipped {len(self.skipped) - _WARNED:,} more that cannot be read.", "warning")
        if self.skipped:
            report.log(f"{len(self.files):,} images are used, {len(self.skipped):,} skipped.", "warning")


def decode_all(
    manifest: Manifest, layout: Layout, workers: int, report: Report, phase: str
) -> Generator[tuple[ImageFile, Decoded | UnreadableImage], None, None]:
    """Yield each file of a manifest with its picture, decoded on threads, telling the progress.

    Raises:
        Stopped: the report says stop.

    """

    def load(file: ImageFile) -> Decoded:
        pixels = load_image(manifest.root / file.path, layout.height, layout.width, layout.gray)
        return Decoded(pixels, content_hash(pixels), perceptual_hash(pixels))

    return reported(parallel(manifest.files, load, workers), report, phase, len(manifest.files))


def write_index(path: Path, index: Index) -> None:
    """Write an index as CSV, UTF-8 but for the bytes of file names that are none; skipped files have no row."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        known = zip(index.files, index.content_hashes, index.perceptual_hashes, strict=True)
        for row, (image, content, perceptual) in enumerate(known):
            writer.writerow((row, image.path, image.bytes, image.modified_ns, content, f"{perceptual:016x}", ""))
        for image, reason in index.skipped:
            writer.writerow(("", image.path, image.bytes, image.modified_ns, "", "", reason))


def read_index(path: Path) -> Index:
    """Return the index that `write_index` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is none.

    """
    index = Index()
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        reader = csv.reader(file)
        if tuple(next(reader, ())) != _COLUMNS:
            raise ValueError("the columns are others")
        for row, name, size, modified, content, perceptual, reason in reader:
            image = ImageFile(name, int(size), int(modified))
            if not row:
                index.skipped.append((image, reason))
                continue
            index.files.append(image)
            index.content_hashes.append(content)
            index.perceptual_hashes.append(_hash(perceptual))
    return index


def _hash(text: str) -> int:
    value = int(text, 16)
    if not 0 <= value < 2**64:
        raise ValueError(f"{text[:20]} is no hash of 64 bits")
    return value
