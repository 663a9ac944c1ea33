"""A folder of hostile files, and of what else can lie in one: pipes, devices, links that lead in circles or nowhere."""

import os
from collections.abc import Iterable
from pathlib import Path

from tests.hostile.corpus import Sample, encoded

SPECIAL = frozenset({"pipe.png", "zeros.png", "full.tif", "folder.png", "gone.jpg"})
"""What has the name of an image and is no file: none of it may be opened."""
FOLLOWED = frozenset({"linked.png", "circle/in.png"})
"""Sound images that `special` adds."""


def written(folder: Path, samples: Iterable[Sample]) -> dict[str, Sample]:
    """Write samples into a folder, and return them by name."""
    folder.mkdir(parents=True, exist_ok=True)
    by_name = {}
    for sample in samples:
        (folder / sample.name).write_bytes(sample.data)
        by_name[sample.name] = sample
    return by_name


def special(folder: Path) -> None:
    """Put `SPECIAL` and `FOLLOWED` into a folder, and links that lead in circles."""
    os.mkfifo(folder / "pipe.png")
    (folder / "zeros.png").symlink_to("/dev/zero")
    (folder / "full.tif").symlink_to("/dev/mem")
    (folder / "folder.png").mkdir()
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "self.png").symlink_to("self.png")
    (folder / "circle").mkdir()
    (folder / "circle" / "in.png").write_bytes(encoded("PNG"))
    (folder / "circle" / "up").symlink_to("..")
    (folder / "circle" / "around").symlink_to("../circle")
    (folder / "linked.png").symlink_to("circle/in.png")


def everything_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of all files below a folder but those of a workspace."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118  of any name at all
            status = os.lstat(path)
            found[path] = status.st_size, status.st_mtime_ns
    return found
