"""Which images an evaluation is made on, and which of them are shown."""

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.checkpoints import IMAGES_FILE, CheckpointConfig
from engine.errors import UsageError
from engine.files import printable
from engine.images.dataset import TRAIN, VALIDATION, read_listing
from engine.images.scan import ImageFile, Manifest, scan
from engine.report import Report
from engine.workspace import Workspace

Subset = Literal["validation", "training", "all"]

_SIDES: dict[str, frozenset[str]] = {
    "validation": frozenset({VALIDATION}),
    "training": frozenset({TRAIN}),
    "all": frozenset({VALIDATION, TRAIN}),
}
_REMEDIES: dict[str, str] = {
    "validation": "Give a folder to evaluate on.",
    "training": "Give a folder to evaluate on, or train again.",
    "all": "Give a folder to evaluate on, or train again.",
}


@dataclass(frozen=True)
class EvaluatedImages:
    """The images of an evaluation.

    Attributes:
        manifest: their files.
        source: their folder, as the workspace stores its path.
        subset: ``validation``, ``training`` or ``folder``.
        name: the folder of their report, one a set of images.
        trained_on: paths of those that the network was trained on, where they are known beside others.

    """

    manifest: Manifest
    source: str
    subset: str
    name: str
    trained_on: frozenset[str] | None = None


class RunImages:
    """The images that a run was trained on and those that it held out, as far as they are still there."""

    def __init__(self, workspace: Workspace, config: CheckpointConfig, run: Path, report: Report) -> None:
        self._workspace = workspace
        self._data = config.settings.data
        self._run = run
        self._report = report
        self._scanned: dict[Path, Manifest] = {}

    def side(self, subset: str) -> Manifest:
        """Return the images of ``validation``, of ``training``, or ``all`` of both where they lie in one folder.

        Raises:
            UsageError: there is no such subset, it is empty, or its images are gone.
            FextError: the listing of the checkpoint or the folder cannot be read.
            Stopped: the report says stop.

        """
        if subset not in _SIDES:
            raise UsageError(f"There is no subset {subset!r}.", f"Choose one of {', '.join(_SIDES)}.")
        if subset == "all" and self._data.validation_folder:
            raise UsageError(
                f"The images of {self._run.name} lie in two folders.",
                "Choose validation or training, or give a folder.",
            )
        listed = self._listed(subset)
        what = "held-out" if subset == "validation" else "training"
        if not listed:
            raise UsageError(f"{self._run.name} was trained without {what} images.", _REMEDIES[subset])
        source = (subset == "validation" and self._data.validation_folder) or self._data.folder
        manifest = self._scan(self._workspace.actual_path(source) if source else self._workspace.images)
        kept = tuple(file for file in manifest.files if file.path in listed)
        if not kept:
            raise UsageError(f"The {what} images of {self._run.name} are gone.", "Bring them back, or give a folder.")
        if len(kept) < len(listed):
            self._report.log(f"{len(listed) - len(kept):,} of the {what} images are gone.", "warning")
        return Manifest(manifest.folder, kept)

    def _listed(self, subset: str) -> frozenset[str]:
        rows = read_listing(self._run / IMAGES_FILE)
        return frozenset(path for side, path, _ in rows if side in _SIDES[subset])

    @property
    def trained_on(self) -> frozenset[str]:
        """The paths of the training images."""
        return self._listed("training")

    def _scan(self, folder: Path) -> Manifest:
        if folder not in self._scanned:
            self._scanned[folder] = scan(folder, self._report)
        return self._scanned[folder]


def choose_images(workspace: Workspace, run: RunImages, folder: str, subset: str, report: Report) -> EvaluatedImages:
    """Return the images of a folder, as the workspace stores its path, or a subset of the run's where it is empty.

    Raises:
        UsageError: there is no such folder or subset, both are given, or the images of the run are gone.
        FextError: there is no image, or a folder or listing cannot be read.

    """
    if folder and subset != "validation":
        raise UsageError(f"A folder and the subset {subset!r} are two sets of images.", "Give one of the two.")
    manifest = scan(workspace.actual_path(folder), report) if folder else run.side(subset)
    source = workspace.stored_path(manifest.folder)
    if not folder:
        return EvaluatedImages(manifest, source, subset, subset, run.trained_on if subset == "all" else None)
    return EvaluatedImages(manifest, source, "folder", workspace.label_of(manifest.folder))


def named_files(manifest: Manifest, names: Iterable[str]) -> tuple[ImageFile, ...]:
    """Return the files of a manifest that paths name, relative to its folder or absolute, in their order.

    Raises:
        UsageError: one of them is not among the images.

    """
    files = {file.path: file for file in manifest.files}
    root = f"{os.path.normpath(manifest.root)}/"
    found = []
    for name in names:
        path = os.path.normpath(name)
        file = files.get(path) or files.get(path.removeprefix(root))
        if file is None:
            near = difflib.get_close_matches(name, files, n=1)
            remedy = f"Did you mean {printable(near[0])}?" if near else "Give paths relative to the image folder."
            where = printable(str(manifest.folder))
            raise UsageError(f"{printable(name)} is not among the evaluated images of {where}.", remedy)
        found.append(file)
    return tuple(dict.fromkeys(found))
