"""Where the Viewer finds pictures: the folders of the workspace, and those that a person opens."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.images.scan import root_of
from engine.rankings import Ranking, list_rankings
from engine.settings import Settings
from engine.workspace import PROBES_FOLDER, Workspace

Figures = Mapping[str, Mapping[str, float]]
"""What is known of pictures: by the name of the figure, and by the name of the picture."""


@dataclass(frozen=True)
class Source:
    """One folder of pictures, or some of its files by name.

    Attributes:
        title: what it is called.
        folder: where the pictures lie; or a list of them.
        hint: what fills it while it is empty.
        names: the files, in their order; None: all that lie in the folder.
        figures: what is known of the files.
        ranking: the table that names the files, in their order.
        checkpoint: whose network the pictures have to do with.

    """

    title: str
    folder: Path
    hint: str
    names: tuple[str, ...] | None = None
    figures: Figures = field(default_factory=dict)
    ranking: Path | None = None
    checkpoint: str = ""

    @property
    def root(self) -> Path:
        """The folder that names are relative to."""
        return root_of(self.folder)

    @property
    def is_ordered(self) -> bool:
        """Whether its pictures have an order of their own, other than that of their names."""
        return self.names is not None or self.ranking is not None


@dataclass(frozen=True)
class Chosen:
    """What a dialog leaves to be shown: files under a title, or without one a file or folder where it belongs.

    ``checkpoint`` is the one whose reconstructions are to stand beside them; ``figures`` are known of them by path.
    """

    paths: tuple[Path, ...]
    title: str = ""
    checkpoint: str = ""
    figures: Mapping[str, Mapping[Path, float]] = field(default_factory=dict)


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
        *map(ranking_source, list_rankings(workspace)),
        *_evaluations(workspace),
    ]


def folder_source(folder: Path) -> Source:
    """Return the source that stands for any folder."""
    return Source("Folder", folder, "It holds no pictures; press o to open another.")


def files_source(chosen: Chosen) -> Source:
    """Return the source that stands for files, in the order given; their names are relative to what they share."""
    folder = Path(os.path.commonpath([path.parent for path in chosen.paths]))
    names = tuple(str(path.relative_to(folder)) for path in chosen.paths)
    figures = {
        figure: {str(path.relative_to(folder)): value for path, value in values.items()}
        for figure, values in chosen.figures.items()
    }
    hint = "The files are gone; press ctrl+r to look again."
    return Source(chosen.title, folder, hint, names, figures, checkpoint=chosen.checkpoint)


def ranking_source(ranking: Ranking) -> Source:
    """Return the source that stands for a ranking."""
    title = f"Odd in {ranking.folder.name}, by {ranking.checkpoint}"
    hint = "The files are gone; rank the folder again."
    return Source(title, ranking.folder, hint, ranking=ranking.table, checkpoint=ranking.checkpoint)


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
    return [source for _, path in sorted(folders, reverse=True) for source in _of_checkpoint(path)]


def _of_checkpoint(folder: Path) -> Iterator[Source]:
    """Yield what lies in the folder of a checkpoint: figures, and how its probe images looked from epoch to epoch."""
    hint = "Press 2 for Model and evaluate this checkpoint."
    yield Source(f"Evaluation {folder.name}", folder, hint, checkpoint=folder.name)
    probes = folder / PROBES_FOLDER
    if probes.is_dir():
        yield Source(f"Epochs of {folder.name}", probes, hint)
