"""Which images an evaluation is made on, and which of them are shown."""

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import UsageError
from engine.files import printable
from engine.images.of_run import RunImages
from engine.images.scan import ImageFile, Manifest, scan
from engine.report import Report
from engine.workspace import Workspace


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
