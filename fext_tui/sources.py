"""Where the Viewer finds pictures: the folders of the workspace, and those that a person opens."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from engine.images.scan import root_of
from engine.rankings import Ranking, list_rankings, read_ranking
from engine.settings import Settings
from engine.workspace import PROBES_FOLDER, Workspace

Figures = Mapping[str, Mapping[str, float]]
"""What is known of pictures: by the name of the figure, and by the name of the picture."""

_RANKED = {"percentile": "percentile", "error": "error", "local error": "local_error", "distance": "distance"}
"""The columns of a ranking by what they are called; the first gives its order."""


@dataclass(frozen=True)
class Source:
    """One folder of pictures, or some of its files by name.

    Attributes:
        title: what it is called.
        folder: where the pictures lie; or a list of them.
        hint: what fills it while it is empty, with keys as `fext_tui.keys.with_keys` takes them.
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

    @cached_property
    def root(self) -> Path:
        """The folder that names are relative to; looked up once, as it is asked for with every name."""
        return root_of(self.folder)

    @property
    def is_ordered(self) -> bool:
        """Whether its pictures have an order of their own, other than that of their names."""
        return self.names is not None or self.ranking is not None

    @property
    def known(self) -> tuple[str, ...]:
        """The names of the figures that are known of its pictures; the first gives them their order."""
        return tuple(_RANKED if self.ranking is not None else self.figures)


@dataclass(frozen=True)
class Chosen:
    """What a dialog leaves to be shown: files under a title, or without one a file or folder where it belongs.

    ``checkpoint`` is the one whose reconstructions are to stand beside them; ``figures`` are known of them by path.
    """

    paths: tuple[Path, ...]
    title: str = ""
    checkpoint: str = ""
    figures: Mapping[str, Mapping[Path, float]] = field(default_factory=dict)


def encoding_folder(workspace: Workspace, settings: Settings) -> Path:
    """Return the folder of the images to encode."""
    return workspace.actual_path(settings.encoding.folder) if settings.encoding.folder else workspace.inference_images


def own_sources(workspace: Workspace, settings: Settings) -> list[Source]:
    """Return the sources that every workspace has, whether there is anything in them or not."""
    return [
        Source(
            "Training images",
            workspace.training_folder(settings.data.folder),
            "Press {mode.data:1} for Data, then {data.open:o} to choose your folder or {data.make:m} to make sample "
            "images.",
        ),
        Source(
            "Images to encode",
            encoding_folder(workspace, settings),
            "Put pictures into this folder, or press {mode.model:2} for Model and encode another.",
        ),
        Source(
            "Dataset plots",
            workspace.dataset_plots,
            "Press {mode.data:1} for Data, then {data.analyze:a} to analyze the training images.",
        ),
    ]


def made_sources(workspace: Workspace) -> list[Source]:
    """Return what jobs have made to look at, rankings and evaluations, newest first; for a thread."""
    return [*map(ranking_source, list_rankings(workspace)), *_evaluations(workspace)]


def source_of(path: Path, sources: Iterable[Source]) -> Source:
    """Return the source that a picture belongs to, or that a folder is; for a thread. Without any: its own folder."""
    folder = path if path.is_dir() else path.parent
    whole = (source for source in sources if not source.is_ordered and source.root == source.folder)
    if path == folder:
        holding = [source for source in whole if source.folder == path]
    else:
        holding = [source for source in whole if path.is_relative_to(source.root)]
    return max(holding, key=lambda one: len(one.folder.parts), default=folder_source(folder))


def read_ordered(source: Source) -> tuple[list[str], Mapping[str, float]]:
    """Return the pictures of a source with an order of its own, and the first figure known of them; for a thread.

    Raises:
        FextError: its ranking cannot be read.

    """
    values = read_figure(source, source.known[0]) if source.known else {}
    if source.names is None:
        return list(values), values
    return [name for name in source.names if (source.root / name).exists()], values


def read_figure(source: Source, name: str) -> Mapping[str, float]:
    """Return a figure that is known of a source's pictures, by their names; for a thread.

    Raises:
        FextError: its ranking cannot be read.

    """
    if source.ranking is None:
        return source.figures[name]
    return {row["path"]: row[_RANKED[name]] for row in read_ranking(source.ranking)}


def folder_source(folder: Path) -> Source:
    """Return the source that stands for any folder."""
    return Source("Folder", folder, "It holds no pictures; press {viewer.open:o} to open another.")


def files_source(chosen: Chosen) -> Source:
    """Return the source that stands for files, in the order given; their names are relative to what they share."""
    folder = Path(os.path.commonpath([path.parent for path in chosen.paths]))
    names = tuple(str(path.relative_to(folder)) for path in chosen.paths)
    figures = {
        figure: {str(path.relative_to(folder)): value for path, value in values.items()}
        for figure, values in chosen.figures.items()
    }
    hint = "The files are gone; press {viewer.reload:ctrl+r} to look again."
    return Source(chosen.title, folder, hint, names, figures, checkpoint=chosen.checkpoint)


def ranking_source(ranking: Ranking) -> Source:
    """Return the source that stands for a ranking."""
    title = f"Odd in {ranking.folder.name}, by {ranking.checkpoint}"
    hint = "The files are gone; rank the folder again."
    return Source(title, ranking.folder, hint, ranking=ranking.table, checkpoint=ranking.checkpoint)


def _evaluations(workspace: Workspace) -> list[Source]:
    try:
        found = list(workspace.validation.iterdir())
    except OSError:
        return []
    folders = [path for path in found if path != workspace.dataset_plots and not path.name.startswith(".")]
    newest_first = sorted(((changed, path) for path in folders if (changed := _changed(path))), reverse=True)
    return [source for _, path in newest_first for source in _of_checkpoint(path)]


def _changed(folder: Path) -> float:
    """Return when the files of a folder, or of a folder directly in it, changed last; 0 where it is none or gone."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()) if path.is_dir())
    except OSError:
        return 0.0


def _of_checkpoint(folder: Path) -> Iterator[Source]:
    """Yield what lies in the folder of a checkpoint: figures, and how its probe images looked from epoch to epoch."""
    hint = "Press {mode.model:2} for Model and evaluate this checkpoint."
    yield Source(f"Evaluation {folder.name}", folder, hint, checkpoint=folder.name)
    probes = folder / PROBES_FOLDER
    if probes.is_dir():
        yield Source(f"Epochs of {folder.name}", probes, hint)
