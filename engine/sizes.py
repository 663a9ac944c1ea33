"""How much room the parts of a workspace take."""

from dataclasses import dataclass
from pathlib import Path

from engine.files import measure_folder
from engine.workspace import Workspace


@dataclass(frozen=True)
class Room:
    """A part of the workspace: what it holds, where it lies, how many files that are, and their bytes."""

    name: str
    path: Path
    files: int
    bytes: int


def rooms(workspace: Workspace) -> list[Room]:
    """Return the parts of a workspace, largest first; nothing counts twice. Links within them are not followed."""
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
    found = [Room(name, path, *measure_folder(path, apart - {path})) for name, path in parts.items()]
    return sorted(found, key=lambda one: -one.bytes)
