"""The images of a folder: which files there are, in a fixed order."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.errors import FextError, UsageError
from engine.files import printable
from engine.images.formats import FORMATS
from engine.report import Report, go_on

EXTENSIONS = frozenset(extension for extensions in FORMATS.values() for extension in extensions)
"""The extensions of image files, in lower case; files may have them in any case."""

_UNFINISHED, _RESOURCE_FORK = ".new-", "._"
_WARNED = 3


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file: its path relative to the folder, with ``/``, its size and when it was last changed.

    In the path, bytes that are no UTF-8 are surrogates, as `os.fsdecode` gives them.
    """

    path: str
    bytes: int
    modified_ns: int


@dataclass(frozen=True)
class Manifest:
    """Image files of a folder, sorted by path."""

    folder: Path
    files: tuple[ImageFile, ...]

    @cached_property
    def key(self) -> str:
        """The BLAKE2 digest (16 bytes, hexadecimal) of paths, sizes and times of change."""
        digest = hashlib.blake2b(digest_size=16)
        for file in self.files:
            digest.update(os.fsencode(file.path) + b"\0%d\0%d\0" % (file.bytes, file.modified_ns))
        return digest.hexdigest()

    def sample(self, fraction: float, seed: int) -> "Manifest":
        """Return a share of the files, at least one, in the same order.

        Which ones depends on the seed and their paths alone, so that a larger share holds a smaller one.
        """
        count = max(1, round(fraction * len(self.files)))
        if count >= len(self.files):
            return self
        salt = b"%d" % seed
        drawn = sorted(self.files, key=lambda file: _lot(file, salt))[:count]
        return Manifest(self.folder, tuple(sorted(drawn, key=_path)))


def _lot(file: ImageFile, salt: bytes) -> bytes:
    return hashlib.blake2b(os.fsencode(file.path), digest_size=8, key=salt).digest()


def _path(file: ImageFile) -> str:
    return file.path


def scan(folder: Path, report: Report) -> Manifest:
    """Return the image files of a folder and the folders in it, by extension, without opening them.

    Links are followed; a folder that is reached twice counts once, by its own path rather than a link's.

    Raises:
        UsageError: there is no such folder.
        FextError: it cannot be read, or holds no image.
        Stopped: the report says stop.

    """
    if not folder.is_dir():
        is_what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise UsageError(f"The image folder {printable(str(folder))} {is_what}.", "Give a folder that holds images.")
    walk = _Walk(folder, report)
    files = sorted(walk.files(), key=_path)
    report.progress("scanning", len(files), len(files), "images")
    walk.warn()
    if not files:
        raise FextError(
            f"There is no image in {printable(str(folder))}.",
            f"Put images there ({', '.join(sorted(EXTENSIONS))}), or choose another folder; folders in it count too.",
        )
    return Manifest(folder, tuple(files))


def none_readable(folder: Path, skipped: Sequence[tuple[str, str]]) -> FextError:
    """Return the error for a folder of which every image was skipped, as (relative path, reason)."""
    path, reason = skipped[0]
    return FextError(
        f"None of the {len(skipped):,} images in {printable(str(folder))} can be read.",
        f"Choose another folder, or replace the files; the first, {printable(path)}: {reason}.",
    )


class _Walk:
    """One walk through a folder: real folders first, then those that only links lead to."""

    def __init__(self, folder: Path, report: Report) -> None:
        self._root = os.fspath(folder)
        self._report = report
        self._seen: set[tuple[int, int]] = set()
        self._links: list[str] = []
        self._lost: list[str] = []
        self._found = 0

    def files(self) -> Iterator[ImageFile]:
        try:
            os.scandir(self._root).close()
        except OSError as error:
            raise FextError(
                f"The image folder {printable(self._root)} cannot be read: {error.strerror or error}.",
                "Mend its permissions, or choose another folder.",
            ) from error
        waiting = [""]
        while waiting:
            yield from self._real_folders(waiting.pop())
            if not waiting:
                waiting = sorted(self._links, reverse=True)
                self._links = []

    def _real_folders(self, start: str) -> Iterator[ImageFile]:
        waiting = [start]
        while waiting:
            go_on(self._report)
            relative = waiting.pop()
            for entry in self._entries(relative):
                name = f"{relative}{entry.name}"
                try:
                    if entry.is_dir():
                        (self._links if entry.is_symlink() else waiting).append(f"{name}/")
                    elif _is_image_name(entry.name) and entry.is_file():
                        yield self._image(name, entry)
                    elif entry.is_symlink() and _is_image_name(entry.name) and not Path(entry.path).exists():
                        self._lost.append(name)
                except OSError:
                    self._lost.append(name)

    def _entries(self, relative: str) -> list[os.DirEntry[str]]:
        path = os.path.join(self._root, relative)  # noqa: PTH118  pathlib is slow here, and drops a final slash
        try:
            status = os.stat(path)  # noqa: PTH116  as above
            identity = status.st_dev, status.st_ino
            if identity in self._seen:
                return []
            self._seen.add(identity)
            with os.scandir(path) as entries:
                return [entry for entry in entries if not entry.name.startswith((_UNFINISHED, _RESOURCE_FORK))]
        except OSError:
            self._lost.append(relative)
            return []

    def _image(self, name: str, entry: os.DirEntry[str]) -> ImageFile:
        status = entry.stat()
        self._found += 1
        if self._found % 1000 == 0:
            go_on(self._report)
            self._report.progress("scanning", self._found, 0, "images")
        return ImageFile(name, status.st_size, status.st_mtime_ns)

    def warn(self) -> None:
        """Tell what could not be looked at."""
        for name in self._lost[:_WARNED]:
            self._report.log(f"Cannot be looked at, left out: {printable(name)}", "warning")
        if len(self._lost) > _WARNED:
            self._report.log(f"Left out likewise: {len(self._lost) - _WARNED:,} more.", "warning")


def _is_image_name(name: str) -> bool:
    _, dot, extension = name.rpartition(".")
    return bool(dot) and f".{extension.lower()}" in EXTENSIONS
