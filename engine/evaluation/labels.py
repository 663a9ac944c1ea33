"""Labels of images: what the folders that hold them say they show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

MOST_LABELS = 100
"""As many labels are compared at most."""

_SIDES = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Labels:
    """The labels that take part in a comparison, and which images have them.

    Attributes:
        names: the labels that take part, sorted; none, or two and more.
        numbers: number of each image's label among them (N,) int64, −1 where the image takes no part.
        left_out: images of each label that takes no part; the label ``""`` stands for no label.

    """

    names: tuple[str, ...]
    numbers: NDArray[np.int64]
    left_out: Mapping[str, int]


def folder_labels(paths: Sequence[str]) -> list[str]:
    """Return the label of each image, by its path relative to the dataset's root: the folder that directly holds it.

    It is written without the leading folders that are the same for all images in folders, and without ``train``,
    ``validation``, ``test`` and the like where nothing else lies at the top, so that ``train/cats/1.png`` and
    ``val/cats/2.png`` have one label. Images at the root, and those of a flat folder, have none: ``""``.
    """
    parents = [PurePosixPath(path).parent.parts for path in paths]
    folders = set(parents) - {()}
    start = _shared(folders)
    if {"".join(parts[start : start + 1]).lower() for parts in folders} <= _SIDES:
        start += 1 + _shared({parts[start + 1 :] for parts in folders} - {()})
    return ["/".join(parts[start:]) for parts in parents]


def _shared(folders: set[Parts]) -> int:
    """Return how many leading names all folders have in common."""
    count = 0
    for names in zip(*folders, strict=False):
        if len(set(names)) > 1:
            break
        count += 1
    return count


def participants(labels: Sequence[str], train: NDArray[np.bool_] | None = None) -> Labels:
    """Return the labels that can be compared: at least two, each of at least two images.

    With ``train``, a mask (N,) of the images that are learned from, each has an image on either side. At most
    `MOST_LABELS` take part: those of the most images.
    """
    names, numbers = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
    counts = np.bincount(numbers, minlength=len(names))
    fit = (counts >= 2) & (names != "")
    if train is not None:
        learned = np.bincount(numbers[train], minlength=len(names))
        fit &= (learned > 0) & (learned < counts)
    fit[np.argsort(np.where(fit, -counts, 1), kind="stable")[MOST_LABELS:]] = False
    if fit.sum() < 2:
        fit[:] = False
    place = np.where(fit, np.cumsum(fit) - 1, -1).astype(np.int64)
    left_out = {name: int(count) for name, count, inside in zip(names, counts, fit, strict=True) if not inside}
    return Labels(tuple(names[fit]), place[numbers], left_out)
