"""The pictures of a folder, told in portions, so that a large folder shows its first names at once."""

import heapq
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.errors import FextError
from engine.images.scan import EXTENSIONS, listed_names

PORTION = 2000
_PASSED_OVER = (".new-", "._")


def picture_names(folder: Path, *, portion: int = PORTION) -> Iterator[list[str]]:
    """Yield the pictures of a folder and those below it as relative paths, sorted within each portion.

    A list of paths in place of a folder gives the pictures that it names.

    Folders that cannot be read are passed over, and no folder is entered twice, so that links may form circles.

    Raises:
        OSError: the folder itself cannot be read.
        FextError: it is a file, but no list of paths.

    """
    is_list = folder.is_file()
    if not is_list:
        os.scandir(folder).close()
    names: list[str] = []
    for name in filter(is_picture, listed_names(folder)) if is_list else _walk(folder):
        names.append(name)
        if len(names) >= portion:
            yield sorted(names)
            names = []
    if names:
        yield sorted(names)


def merged(portions: list[list[str]]) -> list[str]:
    """Return sorted portions as one sorted list; other threads get their turn meanwhile, as in no single sort."""
    return list(heapq.merge(*portions)) if len(portions) > 1 else portions[0] if portions else []


def changed_at(folder: Path) -> int:
    """Return when the files of a folder were last other ones, in nanoseconds; 0 where it cannot be read."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def count_pictures(folder: Path, wanted: Callable[[], bool], seconds: float) -> tuple[int, bool, str]:
    """Return the number of pictures in a folder and below, whether that is all, and why it cannot be read if so.

    Counting ends after about so many seconds, and when ``wanted`` says that nobody waits for it.
    """
    deadline = time.monotonic() + seconds
    count = 0
    try:
        for portion in picture_names(folder, portion=200):
            count += len(portion)
            if time.monotonic() > deadline or not wanted():
                return count, False, ""
    except OSError as error:
        return 0, True, error.strerror or str(error)
    except FextError as error:
        return 0, True, error.cause.rstrip(".")
    return count, True, ""


def is_picture(name: str) -> bool:
    """Return whether a file's extension is that of a picture."""
    _, dot, extension = name.rpartition(".")
    return f"{dot}{extension.lower()}" in EXTENSIONS


def _walk(root: Path) -> Iterator[str]:
    """Yield the pictures below ``root``: those of real folders first, then of those that only links lead to."""
    seen: set[tuple[int, int]] = set()
    waiting, links = [""], list[str]()
    while waiting or links:
        below = waiting.pop() if waiting else links.pop(0)
        try:
            facts = (root / below).stat()
            if (facts.st_dev, facts.st_ino) not in seen:
                seen.add((facts.st_dev, facts.st_ino))
                yield from _pictures_in(root, below, waiting, links)
        except OSError:
            continue


def _pictures_in(root: Path, below: str, folders: list[str], links: list[str]) -> Iterator[str]:
    """Yield the pictures of one folder; put the folders that it holds, and the links to folders, into the lists."""
    with os.scandir(root / below) as entries:
        for entry in entries:
            if entry.name.startswith(_PASSED_OVER):
                continue
            name = f"{below}/{entry.name}" if below else entry.name
            if entry.is_dir():
                (links if entry.is_symlink() else folders).append(name)
            elif is_picture(entry.name) and entry.is_file():
                yield name
