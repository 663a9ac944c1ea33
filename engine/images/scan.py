"""The images of a folder: which files there are, in a fixed order."""

import codecs
import hashlib
import os
import stat
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
    """Image files of a folder, or of a list of paths, sorted by path.

    Paths are relative to ``root``: the folder, or that in which the list lies; a list may name absolute ones too.
    """

    folder: Path
    files: tuple[ImageFile, ...]

    @cached_property
    def root(self) -> Path:
        """The folder that paths are relative to."""
        return root_of(self.folder)

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


def root_of(folder: Path) -> Path:
    """Return the folder that paths of a dataset are relative to: the folder itself, or that in which a list lies."""
    return folder.parent if folder.is_file() else folder


def _lot(file: ImageFile, salt: bytes) -> bytes:
    return hashlib.blake2b(os.fsencode(file.path), digest_size=8, key=salt).digest()


def _path(file: ImageFile) -> str:
    return file.path


def scan(folder: Path, report: Report) -> Manifest:
    """Return the image files of a folder and the folders in it, by extension, without opening them.

    Links are followed; a folder that is reached twice counts once, by its own path rather than a link's. A text file
    in place of a folder lists the paths of the images, one a line, or with a zero byte after each.

    Raises:
        UsageError: there is no such folder, or the file is no list of paths.
        FextError: it cannot be read, or holds no image.
        Stopped: the report says stop.

    """
    if not os.path.exists(folder):  # noqa: PTH110  of any name at all
        raise UsageError(
            f"The image folder {printable(str(folder))} does not exist.", "Give a folder that holds images."
        )
    walk: _Walk | _Listed = _Walk(folder, report) if folder.is_dir() else _Listed(folder, report)
    files = sorted(walk.files(), key=_path)
    report.progress("scanning", len(files), len(files), "images")
    walk.warn()
    if not files:
        raise FextError(
            f"There is no image in {printable(str(folder))}.",
            f"Put images there ({', '.join(sorted(EXTENSIONS))}), or choose another folder; folders in it count too.",
        )
    return Manifest(folder, tuple(files))


def listed_names(path: Path) -> list[str]:
    """Return the paths that a list names, each once, relative to the folder in which it lies or, outside it, absolute.

    Raises:
        UsageError: it names no image file.
        FextError: it cannot be read.

    """
    try:
        data = path.read_bytes() if path.suffix.lower() not in EXTENSIONS else b""
    except OSError as error:
        raise FextError(
            f"The list {printable(str(path))} cannot be read: {error.strerror or error}.",
            "Mend its permissions, or choose another.",
        ) from error
    lines = data.split(b"\0") if b"\0" in data else data.removeprefix(codecs.BOM_UTF8).splitlines()
    root = f"{os.path.normpath(path.parent)}/"
    names = dict.fromkeys(os.path.normpath(os.fsdecode(line)).removeprefix(root) for line in lines if line)
    if not any(map(_is_image_name, names)):
        raise UsageError(
            f"{printable(str(path))} is neither a folder nor a list of image files.",
            "Give a folder that holds images, or a text file with the path of an image on each line.",
        )
    return list(names)


def none_readable(folder: Path, skipped: Sequence[tuple[str, str]]) -> FextError:
    """Return the error for a folder of which every image was skipped, as (relative path, reason)."""
    path, reason = skipped[0]
    return FextError(
        f"None of the {len(skipped):,} images in {printable(str(folder))} can be read.",
        f"Choose another folder, or replace the files; the first, {printable(path)}: {reason}.",
    )


def warn_of_skipped(skipped: Sequence[tuple[str, str]], told_by: str, report: Report) -> None:
    """Warn of images that were skipped, as (relative path, reason): of the first, and where all are listed."""
    for path, reason in skipped[:_WARNED]:
        report.log(f"Skipped {printable(path)}: {reason}", "warning")
    if len(skipped) > _WARNED:
        report.log(f"Skipped {len(skipped) - _WARNED:,} more; {told_by} lists all.", "warning")


class _Search:
    """What looking for image files leaves out, told in the end."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._lost: list[str] = []
        self._found = 0

    def _count(self) -> None:
        self._found += 1
        if self._found % 1000 == 0:
            go_on(self._report)
            self._report.progress("scanning", self._found, 0, "images")

    def warn(self) -> None:
        """Tell what could not be looked at."""
        for name in self._lost[:_WARNED]:
            self._report.log(f"Cannot be looked at, left out: {printable(name)}", "warning")
        if len(self._lost) > _WARNED:
            self._report.log(f"Left out likewise: {len(self._lost) - _WARNED:,} more.", "warning")


class _Listed(_Search):
    """The files that a list names; a path counts once."""

    def __init__(self, path: Path, report: Report) -> None:
        super().__init__(report)
        self._path = path

    def files(self) -> Iterator[ImageFile]:
        for name in listed_names(self._path):
            self._count()
            try:
                status = (self._path.parent / name).stat()
            except (OSError, ValueError):
                self._lost.append(name)
                continue
            if _is_image_name(name) and stat.S_ISREG(status.st_mode):
                yield ImageFile(name, status.st_size, status.st_mtime_ns)
            else:
                self._lost.append(name)


class _Walk(_Search):
    """One walk through a folder: real folders first, then those that only links lead to."""

    def __init__(self, folder: Path, report: Report) -> None:
        super().__init__(report)
        self._root = os.fspath(folder)
        self._seen: set[tuple[int, int]] = set()
        self._links: list[str] = []

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
        self._count()
        return ImageFile(name, status.st_size, status.st_mtime_ns)


def _is_image_name(name: str) -> bool:
    _, dot, extension = name.rpartition(".")
    return bool(dot) and f".{extension.lower()}" in EXTENSIONS
