"""How much room the parts of a workspace take."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from engine.workspace import Workspace


@dataclass(frozen=True)
class Room:
    """A part of the workspace: what it holds, where it lies, how many files that are, and their bytes."""

    name: str
    path: Path
    files: int
    bytes: int


def rooms(workspace: Workspace) -> list[Room]:
    """Return the parts of a workspace, largest first; nothing counts twice. Links are not followed."""
    parts = {
        "training images": workspace.images,
        "images to encode": workspace.inference_images,
        "embeddings": workspace.inference,
        "figures, reports": workspace.validation,
        "exported networks": workspace.exports,
        "packs": workspace.packs,
        "splits, exports": workspace.metadata,
        "checkpoints": workspace.checkpoints,
        "configurations": workspace.configurations,
        "logs": workspace.logs,
        "records": workspace.database.parent,
    }
    apart = frozenset(parts.values())
    found = [Room(name, path, *_measure(path, apart - {path})) for name, path in parts.items()]
    return sorted(found, key=lambda one: -one.bytes)


def _measure(folder: Path, apart: Collection[Path]) -> tuple[int, int]:
    """Return files and bytes of a folder without those that are counted apart."""
    files = count = 0
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if Path(place, name) not in apart]
        for name in names:
            try:
                count += os.lstat(Path(place, name)).st_size
            except FileNotFoundError:  # removed meanwhile
                continue
            files += 1
    return files, count
