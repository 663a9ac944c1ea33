"""The images of a run: found, packed, and divided into training and validation."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.checkpoints import LISTING_COLUMNS, TRAIN, VALIDATION
from engine.errors import UsageError
from engine.files import replace_file
from engine.images.alike import groups_of
from engine.images.pack import ImageStore, open_images
from engine.images.scan import scan
from engine.images.split import split
from engine.records import Records
from engine.report import Report
from engine.settings import Settings
from engine.workspace import Workspace

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Subset:
    """Some images of a store, by their rows."""

    store: ImageStore
    rows: Indices

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, numbers: Indices) -> NDArray[np.uint8]:
        """Return pictures (n, H, W, C) by their numbers in this subset."""
        return self.store.batch(self.rows[numbers])

    def listing(self, subset: str) -> Iterator[tuple[str, str, str]]:
        """Yield (subset, relative path, content hash) of each image."""
        for row in self.rows:
            yield subset, self.store.files[row].path, self.store.content_hashes[row]


@dataclass(frozen=True)
class TrainingData:
    """The images of a run; ``excluded`` are those left out as a person wished: (relative path, content hash)."""

    folder: Path
    train: Subset
    validation: Subset
    skipped: int
    excluded: frozenset[tuple[str, str]] = frozenset()

    @property
    def listing(self) -> list[tuple[str, str, str]]:
        """All images as (subset, relative path, content hash): the manifest and the split in one."""
        return [*self.train.listing(TRAIN), *self.validation.listing(VALIDATION)]


def prepare(settings: Settings, workspace: Workspace, records: Records, report: Report) -> TrainingData:
    """Return the images that the settings name, but for those that a person has excluded.

    Raises:
        FextError: a folder is missing or holds no readable image, or no image is left to train on.

    """
    data = settings.data
    folder = workspace.training_folder(data.folder)
    store = _open(folder, settings, workspace, report)
    if data.validation_folder:
        held_out = _open(workspace.actual_path(data.validation_folder), settings, workspace, report)
        train, validation = _apart(store, held_out, data.near_distance, report), Subset(held_out, _all(held_out))
    else:
        held_out = store
        rows = split(store, data.validation_fraction, data.split_seed, data.near_distance)
        train, validation = Subset(store, rows[0]), Subset(store, rows[1])
    skipped = len(store.skipped) + (len(held_out.skipped) if held_out is not store else 0)
    sides = [_without_excluded(side, records) for side in (train, validation)]
    prepared = TrainingData(folder, sides[0][0], sides[1][0], skipped, sides[0][1] | sides[1][1])
    if prepared.excluded:
        report.log(f"{len(prepared.excluded):,} images are excluded; they are not used.")
    if not len(prepared.validation):
        report.log("No image is held out: the curve has no validation, and best is last.", "warning")
    _remember(prepared, settings, workspace, records)
    return prepared


def _without_excluded(side: Subset, records: Records) -> tuple[Subset, frozenset[tuple[str, str]]]:
    """Return a side without the images that a person has excluded, and those as (relative path, content hash)."""
    store = side.store
    dataset = records.find_dataset(store.folder)
    paths = records.excluded(dataset) if dataset is not None else frozenset()
    out = np.array([store.files[row].path in paths for row in side.rows], dtype=bool)
    excluded = frozenset((store.files[row].path, store.content_hashes[row]) for row in side.rows[out])
    return Subset(store, side.rows[~out]), excluded


def _apart(store: ImageStore, held_out: ImageStore, distance: int, report: Report) -> Subset:
    """Return the images of a store that are not held out as well, the same or nearly so.

    So validation tells of unseen images.
    """
    groups = groups_of(_Both(store, held_out), distance)
    rows = np.flatnonzero(~np.isin(groups[: len(store)], groups[len(store) :]))
    if len(rows) < len(store):
        report.log(f"{len(store) - len(rows):,} images are held out too; they are not trained on.", "warning")
    return Subset(store, rows)


class _Both:
    """The pictures of two stores of one layout, one after the other."""

    def __init__(self, one: ImageStore, other: ImageStore) -> None:
        self._stores = one, other
        self.content_hashes = (*one.content_hashes, *other.content_hashes)
        self.perceptual_hashes = np.concatenate([one.perceptual_hashes, other.perceptual_hashes])

    def thumbnails(self, numbers: Indices) -> NDArray[np.uint8]:
        """Return thumbnails (n, 256, C) by number."""
        one, other = self._stores
        border = int(np.searchsorted(numbers, len(one)))
        parts = [
            store.thumbnails(rows)
            for store, rows in ((one, numbers[:border]), (other, numbers[border:] - len(one)))
            if len(rows)
        ]
        return np.concatenate(parts)


def _open(folder: Path, settings: Settings, workspace: Workspace, report: Report) -> ImageStore:
    data = settings.data
    manifest = scan(folder, report).sample(data.sample_fraction, data.sample_seed)
    return open_images(
        manifest,
        data.image_height,
        data.image_width,
        data.grayscale,
        data.pack,
        workspace,
        settings.device.workers,
        report,
    )


def _all(store: ImageStore) -> Indices:
    return np.arange(len(store), dtype=np.int64)


def _remember(prepared: TrainingData, settings: Settings, workspace: Workspace, records: Records) -> None:
    text = listing_text(prepared.listing)
    key = hashlib.blake2b(text, digest_size=16).hexdigest()
    path = workspace.metadata / f"split-{key}.csv"
    if not path.exists():
        replace_file(path, text)
    records.put_split(
        records.dataset(prepared.folder),
        key,
        seed=settings.data.split_seed,
        fraction=settings.data.validation_fraction,
        train_images=len(prepared.train),
        validation_images=len(prepared.validation),
        file=workspace.stored_path(path),
    )


def listing_text(listing: list[tuple[str, str, str]]) -> bytes:
    """Return a listing as the CSV that checkpoints carry: ``subset,path,content_hash``."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(LISTING_COLUMNS)
    writer.writerows(listing)
    return text.getvalue().encode(errors="surrogateescape")


def as_before(
    prepared: TrainingData, listing: list[tuple[str, str, str]], report: Report, *, accept: bool
) -> TrainingData:
    """Return the images divided as they were when the run began.

    Raises:
        UsageError: images were added, changed or removed, and ``accept`` is off.

    """
    if sorted(prepared.listing) == sorted(listing):
        return prepared
    before = {(path, content) for _, path, content in listing}
    now = {(path, content) for _, path, content in prepared.listing}
    gone = before - now - prepared.excluded
    if not gone and now <= before:
        report.log("Images that were excluded since the run began stay in it.")
        return _listed(prepared, set(listing))
    change = f"{len(now - before)} new or changed, {len(gone)} gone"
    if not accept:
        raise UsageError(
            f"The images are not those the run began with: {change}.",
            "Bring the folder back to what it was, or resume with training.accept_changed_images = on.",
        )
    report.log(f"The images changed since the run began ({change}); known ones keep their side.", "warning")
    sides = {name: subset for subset, path, content in listing for name in (path, content)}
    return _divided_by(prepared, sides)


def _listed(prepared: TrainingData, listing: set[tuple[str, str, str]]) -> TrainingData:
    """Return the images of a listing, which are all there."""

    def side(subset: Subset, name: str) -> Subset:
        every = Subset(subset.store, _all(subset.store))
        return Subset(subset.store, np.array([n for n, e in enumerate(every.listing(name)) if e in listing], np.int64))

    train, validation = side(prepared.train, TRAIN), side(prepared.validation, VALIDATION)
    return TrainingData(prepared.folder, train, validation, prepared.skipped)


def _divided_by(prepared: TrainingData, sides: Mapping[str, str]) -> TrainingData:
    """Return images on the side that their content has, else their path; those that are new are trained on."""
    train, validation = prepared.train, prepared.validation
    if train.store is not validation.store:
        return prepared
    rows = np.sort(np.concatenate([train.rows, validation.rows]))
    store = train.store
    named = [(store.content_hashes[row], store.files[row].path) for row in rows]
    held_out = np.array([sides.get(content, sides.get(path)) == VALIDATION for content, path in named], dtype=bool)
    return TrainingData(
        prepared.folder, Subset(store, rows[~held_out]), Subset(store, rows[held_out]), prepared.skipped
    )
