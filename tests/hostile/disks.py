"""File systems of a few megabytes, which can be filled to the last byte, run out of names, or be read only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = 4096


class Disk:
    """A file system of its own, in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, left: int = 0) -> None:
        """Take all room but some bytes, rounded down to pages."""
        self.free()
        status = os.statvfs(self.folder)
        taken = status.f_bavail * status.f_frsize - left
        if taken > 0:
            with self._filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, taken)

    def take_names(self) -> None:
        """Make empty files until no further file can be made."""
        self._filler.mkdir(exist_ok=True)
        first = len(list(self._filler.iterdir()))
        for number in range(first, first + os.statvfs(self.folder).f_favail):
            (self._filler / str(number)).touch()

    def free(self) -> None:
        """Give all that was taken back."""
        if self._filler.is_dir():
            subprocess.run(["rm", "-r", self._filler], check=True)
        self._filler.unlink(missing_ok=True)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Let nothing be written for a while: by a second mount over the first, which nothing is open in yet."""
        subprocess.run(["mount", "--bind", self.folder, self.folder], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", self.folder], check=True)
            yield
        finally:
            subprocess.run(["umount", "--lazy", self.folder], check=True)


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Disk]:
    """Mount a file system of a size (``64m``) on a folder; skip the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes=2k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
