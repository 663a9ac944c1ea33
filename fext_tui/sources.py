"""Where the Viewer finds pictures: the folders of the workspace, and those that a person opens."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from engine.images.scan import root_of
from engine.settings import Settings
from engine.workspace import Workspace


@dataclass(frozen=True)
class Source:
    """One folder of pictures, or some of its files by name; ``hint`` says what fills it while it is empty."""

    title: str
    folder: Path
    hint: str
    names: tuple[str, ...] | None = None

    @property
    def root(self) -> Path:
        """The folder that names are relative to."""
        return root_of(self.folder)


class Chosen(NamedTuple):
    """What a dialog leaves to be shown: files under a title, or without one a file or folder where it belongs."""

    paths: tuple[Path, ...]
    title: str = ""


def training_folder(workspace: Workspace, settings: Settings) -> Path:
    """Return the folder of the training images."""
    return workspace.actual_path(settings.data.folder) if settings.data.folder else workspace.images


def encoding_folder(workspace: Workspace, settings: Settings) -> Path:
    """Return the folder of the images to encode."""
    return workspace.actual_path(settings.encoding.folder) if settings.encoding.folder else workspace.inference_images


def workspace_sources(workspace: Workspace, settings: Settings) -> list[Source]:
    """Return the sources of a workspace; evaluations are those that are there, newest first."""
    return [
        Source(
            "Training images",
            training_folder(workspace, settings),
            "Press 1 for Data, then o to choose your folder or m to make sample images.",
        ),
        Source(
            "Images to encode",
            encoding_folder(workspace, settings),
            "Put pictures into this folder, or press 2 for Model and encode another.",
        ),
        Source("Dataset plots", workspace.dataset_plots, "Press 1 for Data, then a to analyze the training images."),
        *_evaluations(workspace),
    ]


def folder_source(folder: Path) -> Source:
    """Return the source that stands for any folder."""
    return Source("Folder", folder, "It holds no pictures; press o to open another.")


def files_source(title: str, paths: Sequence[Path]) -> Source:
    """Return the source that stands for files, in the order given; their names are relative to what they share."""
    folder = Path(os.path.commonpath([path.parent for path in paths]))
    names = tuple(str(path.relative_to(folder)) for path in paths)
    return Source(title, folder, "The files are gone; press r to look again.", names)


def _changed(folder: Path) -> float:
    """Return when the files of a folder, or of a folder directly in it, changed last."""
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()) if path.is_dir())


def _evaluations(workspace: Workspace) -> list[Source]:
    try:
        folders = [
            (_changed(path), path)
            for path in workspace.validation.iterdir()
            if path.is_dir() and path != workspace.dataset_plots and not path.name.startswith(".")
        ]
    except OSError:
        return []
    return [
        Source(f"Evaluation {path.name}", path, "Press 2 for Model and evaluate this checkpoint.")
        for _, path in sorted(folders, reverse=True)
    ]
