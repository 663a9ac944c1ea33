"""What is known of images, normal or not, and how well scores agree with it."""

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from engine.errors import FextError, UsageError
from engine.files import printable
from engine.images.scan import Manifest

_SOME = 8


@dataclass(frozen=True)
class Agreement:
    """How well scores tell normal images from others, by the name of the score; nothing where that cannot be said.

    ``auroc`` is the share of pairs, one image of each kind, in which the anomalous one has the higher score, equal ones
    counted half; ``average_precision`` is the mean precision at the ranks of the anomalous images. ``reason`` says why
    there is nothing.
    """

    labeled: int
    auroc: dict[str, float]
    average_precision: dict[str, float]
    reason: str = ""


def labels_of(manifest: Manifest, file: str, normal: Sequence[str]) -> dict[str, int]:
    """Return which images are normal (0) and which anomalous (1), by path, as a file or the names of folders tell.

    Args:
        manifest: the images.
        file: CSV with a first line ``path,label``; paths are absolute or relative to the folder. Empty: none.
        normal: images within folders of these names are normal, all others are not. Empty: none.

    Raises:
        UsageError: both are given, the file is no such table, or nothing in it or no folder fits the images.
        FextError: the file cannot be read.

    """
    if file and normal:
        raise UsageError("Labels come from a file or from the names of folders.", "Give one of the two.")
    if normal:
        return _by_folder(manifest, frozenset(normal))
    return _from_file(manifest, Path(file)) if file else {}


def _by_folder(manifest: Manifest, normal: frozenset[str]) -> dict[str, int]:
    folders = {file.path: PurePosixPath(file.path).parts[:-1] for file in manifest.files}
    labels = {path: int(normal.isdisjoint(names)) for path, names in folders.items()}
    if all(labels.values()):
        there = sorted({name for names in folders.values() for name in names})
        shown = ", ".join(map(printable, there[:_SOME])) or "none"
        raise UsageError(
            f"No image lies in a folder named {' or '.join(map(printable, sorted(normal)))}.",
            f"Folders in {printable(str(manifest.folder))} are: {shown}{' …' if len(there) > _SOME else ''}.",
        )
    return labels


def _from_file(manifest: Manifest, file: Path) -> dict[str, int]:
    known = {one.path for one in manifest.files}
    root = f"{os.path.normpath(manifest.root)}/"
    labels: dict[str, int] = {}
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as opened:
            lines = csv.DictReader(opened)
            if not {"path", "label"} <= set(lines.fieldnames or ()):
                raise _no_table(file, "its first line does not name path and label")
            for line in lines:
                if line["label"] not in {"0", "1"} or not line["path"]:
                    raise _no_table(file, f"line {lines.line_num:,} has no path with 0 or 1")
                path = os.path.normpath(line["path"])
                labels[path.removeprefix(root)] = int(line["label"])
    except (OSError, csv.Error) as error:
        raise FextError(f"{printable(str(file))} cannot be read: {error}.", "Mend it, or choose another.") from error
    found = {path: label for path, label in labels.items() if path in known}
    if not found:
        where = printable(str(manifest.folder))
        raise UsageError(
            f"{printable(str(file))} has a label for no image of {where}.", "Give paths relative to that folder."
        )
    return found


def _no_table(file: Path, reason: str) -> UsageError:
    return UsageError(
        f"{printable(str(file))} holds no labels: {reason}.",
        "Write path,label into its first line and then, for each image, its path and 0 for normal or 1 for anomalous.",
    )


def agreement(labels: Sequence[int | None], scores: Mapping[str, NDArray[np.float64]]) -> Agreement:
    """Return how well scores (n,), by name, agree with n labels, some or all of which may be missing."""
    is_known = np.array([label is not None for label in labels], bool)
    truth = np.array([label for label in labels if label is not None], np.int64)
    count, anomalous = len(truth), int(truth.sum())
    if anomalous in {0, count}:
        kind = "anomalous" if anomalous else "normal"
        reason = f"all {count:,} labeled images are {kind}; it takes both kinds." if count else ""
        return Agreement(count, {}, {}, reason)
    from sklearn.metrics import average_precision_score, roc_auc_score

    return Agreement(
        count,
        {name: float(roc_auc_score(truth, values[is_known])) for name, values in scores.items()},
        {name: float(average_precision_score(truth, values[is_known])) for name, values in scores.items()},
    )
