"""How training and validation images differ: which they are, and the distances of their metrics and pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.analysis.colors import CHANNELS
from engine.analysis.distribution import Distances, LevelDistances, level_distances, value_distances
from engine.analysis.levels import LEVELS, unpacked
from engine.analysis.likeness import RecordedPictures
from engine.analysis.measuring import Measured
from engine.checkpoints import TRAIN, VALIDATION
from engine.images.alike import groups_of
from engine.images.scan import Manifest
from engine.images.split import split
from engine.records import Records
from engine.records.schema import columns_of
from engine.settings import DataSettings

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Subset:
    """Some images: their numbers in the records (N,), and pixels a level of `CHANNELS` over all of them (4, 256)."""

    name: str
    numbers: Numbers
    counts: NDArray[np.int64]

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self.numbers)


@dataclass(frozen=True)
class Comparison:
    """Two sets of images, their datasets, and how far their levels (by channel) and metrics (by column) lie apart."""

    datasets: tuple[int, int]
    one: Subset
    other: Subset
    levels: Mapping[str, LevelDistances]
    metrics: Mapping[str, Distances]


def all_images(records: Records, measured: Measured) -> Subset:
    """Return all measured images."""
    return _subsets(records, measured.dataset, {"all": np.array(measured.numbers, np.int64)})[0]


def compare_by_split(
    records: Records, measured: Measured, folder: Manifest, data: DataSettings, groups: Sequence[str]
) -> Comparison | None:
    """Compare the two sides of the split that training makes of the folder; None where one side is empty.

    It is the split of training where all images that training uses were measured, else one of its kind.
    """
    pictures = RecordedPictures(records, [measured.dataset], _drawn(records, measured, folder, data))
    if not len(pictures.numbers) or not data.validation_fraction:
        return None
    rows = split(pictures, data.validation_fraction, data.split_seed, data.near_distance)
    sides = [_without_excluded(records, measured.dataset, pictures.numbers[side]) for side in rows]
    if not all(map(len, sides)):
        return None
    one, other = _subsets(records, measured.dataset, dict(zip((TRAIN, VALIDATION), sides, strict=True)))
    return _compare(records, (measured.dataset, one), (measured.dataset, other), groups)


def compare_folders(
    records: Records,
    measured: tuple[Measured, Measured],
    folders: tuple[Manifest, Manifest],
    data: DataSettings,
    groups: Sequence[str],
) -> Comparison | None:
    """Compare the images that training uses of two folders; None where there are none in one of them."""
    datasets = [one.dataset for one in measured]
    drawn = [_drawn(records, one, folder, data) for one, folder in zip(measured, folders, strict=True)]
    drawn[0] = _apart(records, datasets, drawn, data.near_distance)
    sides = []
    for name, dataset, numbers in zip((TRAIN, VALIDATION), datasets, drawn, strict=True):
        [subset] = _subsets(records, dataset, {name: _without_excluded(records, dataset, numbers)})
        sides.append((dataset, subset))
    if not all(subset.images for _, subset in sides):
        return None
    return _compare(records, sides[0], sides[1], groups)


def _drawn(records: Records, measured: Measured, folder: Manifest, data: DataSettings) -> Numbers:
    """Return which images are in the sample that training draws from all files of the folder."""
    drawn = folder.sample(data.sample_fraction, data.sample_seed)
    if drawn is folder:
        return np.array(measured.numbers, np.int64)
    paths = {file.path for file in drawn.files}
    by_number = records.paths(measured.numbers)
    return np.array([number for number in measured.numbers if by_number[number] in paths], np.int64)


def _apart(records: Records, datasets: Sequence[int], drawn: Sequence[Numbers], distance: int) -> Numbers:
    """Return the first ones drawn but for those that the second ones equal, or nearly: training leaves them out."""
    pictures = RecordedPictures(records, datasets, np.concatenate(drawn))
    groups = groups_of(pictures, distance)
    held_out = np.isin(pictures.numbers, drawn[1])
    return pictures.numbers[~np.isin(groups, groups[held_out])]


def _without_excluded(records: Records, dataset: int, numbers: Numbers) -> Numbers:
    """Return images of a dataset but for those that a person has excluded."""
    excluded = records.excluded(dataset)
    if not excluded:
        return numbers
    by_number = records.paths(numbers.tolist())
    return np.array([number for number in numbers.tolist() if by_number[number] not in excluded], np.int64)


def _subsets(records: Records, dataset: int, numbers: Mapping[str, Numbers]) -> list[Subset]:
    """Return subsets of a dataset, whose images lie in the records."""
    subsets = [Subset(name, chosen, np.zeros((len(CHANNELS), LEVELS), np.int64)) for name, chosen in numbers.items()]
    sides = {number: subset for subset in subsets for number in subset.numbers.tolist()}
    for number, data in records.levels(dataset):
        if number in sides:
            np.add(sides[number].counts, unpacked(data), out=sides[number].counts)
    return subsets


def _compare(records: Records, one: tuple[int, Subset], other: tuple[int, Subset], groups: Sequence[str]) -> Comparison:
    levels = {
        channel: level_distances(one[1].counts[number], other[1].counts[number])
        for number, channel in enumerate(CHANNELS)
    }
    metrics = {
        column: value_distances(*values_of(records, column, one, other))
        for group in groups
        for column in columns_of(group)
    }
    return Comparison((one[0], other[0]), one[1], other[1], levels, metrics)


def values_of(records: Records, column: str, *sides: tuple[int, Subset]) -> list[NDArray[np.float64]]:
    """Return a metric (N,) of the images of each side, a subset of a dataset, on which it was measured.

    A dataset is read once, however many sides it has.
    """
    known = {dataset: records.metric_values(dataset, column) for dataset in dict(sides)}
    return [known[dataset][1][np.isin(known[dataset][0], subset.numbers)] for dataset, subset in sides]
