"""Files and folders that are written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.errors import FextError


def replace_file(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``; the old file stands until the new one is whole and on disk.

    Raises:
        FextError: it cannot be written.

    """
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write to; afterwards it is flushed and takes the place of ``path``.

    If the body raises, ``path`` stands as it was.

    Raises:
        FextError: it cannot be written.

    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_UMASK)
        Path(temporary).replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def make_folder(path: Path) -> Path:
    """Return a folder, made with those above it where it is missing.

    Raises:
        FextError: it cannot be made.

    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from error
    return path


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; afterwards it is flushed and renamed to ``path``, which must not exist.

    If the body raises, nothing is left behind.

    Raises:
        FextError: it cannot be written.

    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=".new-"))
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
        sync_folder(temporary)
        temporary.chmod(0o777 & ~_UMASK)
        temporary.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def measure_folder(folder: Path, apart: Collection[Path] = ()) -> tuple[int, int]:
    """Return how many files lie in a folder and the folders in it, and their bytes; 0 and 0 where it is not there.

    Links in it are not followed: they count with their own few bytes. What is removed meanwhile or may not be looked
    at does not count, and folders that are named ``apart`` are left out.
    """
    files = count = 0
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if Path(place, name) not in apart]
        for name in names:
            try:
                count += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118  pathlib is slow here
            except FileNotFoundError:
                continue
            files += 1
    return files, count


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left half-written in ``folder``."""
    for left in folder.glob(".new-*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that a rename in it survives a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_error(path: Path, error: OSError) -> FextError:
    """Return the error that tells a person why ``path`` could not be written."""
    return FextError(
        f"{path} cannot be written: {error.strerror or error}.",
        "Mend its permissions or make space on that disk, then try again; what was there before is untouched.",
    )


def printable(name: str) -> str:
    """Return a file name as one line that can be shown: control characters and broken UTF-8 are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def _read_umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_UMASK = _read_umask()
