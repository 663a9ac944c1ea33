"""Which of the measured images training would learn from, which it would hold out, and how the two differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.analysis.distribution import Distances, distances, sentence
from engine.analysis.levels import Counts
from engine.analysis.measuring import Measured
from engine.images.dataset import TRAIN, VALIDATION
from engine.images.index import Index, Layout
from engine.images.pack import FileImages
from engine.images.scan import Manifest
from engine.images.split import split
from engine.settings import DataSettings

Mask = NDArray[np.bool_]
"""One entry an image of `Measured.files`."""


@dataclass(frozen=True)
class Subset:
    """Some of the measured images: their numbers in the records, and the sum of their gray histograms (256,)."""

    name: str
    numbers: tuple[int, ...]
    counts: Counts

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self.numbers)


@dataclass(frozen=True)
class Comparison:
    """Training and validation images, and how far their gray levels lie apart."""

    train: Subset
    validation: Subset
    distances: Distances
    sentence: str


def all_images(measured: Measured) -> Subset:
    """Return all measured images."""
    return _subset("all", measured, np.ones(len(measured.files), np.bool_))


def compare_by_split(measured: Measured, folder: Manifest, data: DataSettings, workers: int) -> Comparison | None:
    """Compare the two sides of the split that training makes of the folder; None where one side is empty.

    It is the split of training where all images that training uses were measured, else one of its kind.
    """
    rows = np.flatnonzero(_used(measured, folder, data))
    if not len(rows) or not data.validation_fraction:
        return None
    index = Index(
        files=[measured.files[row] for row in rows],
        content_hashes=[measured.content_hashes[row] for row in rows],
        perceptual_hashes=[measured.perceptual_hashes[row] for row in rows],
    )
    layout = Layout(data.image_height, data.image_width, data.grayscale)
    images = FileImages(folder, index, layout, workers)
    train, validation = split(images, data.validation_fraction, data.split_seed)
    return _compare(_rows(TRAIN, measured, rows[train]), _rows(VALIDATION, measured, rows[validation]))


def compare_folders(
    measured: Measured, folder: Manifest, held_out: Measured, held_out_folder: Manifest, data: DataSettings
) -> Comparison | None:
    """Compare the images that training uses of two folders; None where there are none in one of them."""
    train = _subset(TRAIN, measured, _used(measured, folder, data))
    return _compare(train, _subset(VALIDATION, held_out, _used(held_out, held_out_folder, data)))


def _used(measured: Measured, folder: Manifest, data: DataSettings) -> Mask:
    """Return which images are in the sample that training draws from all files of the folder."""
    drawn = folder.sample(data.sample_fraction, data.sample_seed)
    if drawn is folder:
        return np.ones(len(measured.files), np.bool_)
    paths = {file.path for file in drawn.files}
    return np.array([file.path in paths for file in measured.files], np.bool_)


def _rows(name: str, measured: Measured, rows: NDArray[np.int64]) -> Subset:
    mask = np.zeros(len(measured.files), np.bool_)
    mask[rows] = True
    return _subset(name, measured, mask)


def _subset(name: str, measured: Measured, chosen: Mask) -> Subset:
    numbers = np.array(measured.numbers, np.int64)[chosen]
    return Subset(name, tuple(numbers.tolist()), measured.counts.total(chosen))


def _compare(train: Subset, validation: Subset) -> Comparison | None:
    if not train.images or not validation.images:
        return None
    apart = distances(train.counts, validation.counts)
    return Comparison(train, validation, apart, sentence(apart, train.images, validation.images))
