"""The reference of a checkpoint: found where it was kept, else made of images and kept."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.anomalies.reference import Judge, Reference, read_reference, write_reference
from engine.anomalies.scoring import Neighborhood, Scores, measured
from engine.checkpoints import IMAGES_FILE, TRAIN, VALIDATION, digest, read_listing
from engine.errors import UsageError
from engine.images.of_run import RunImages
from engine.images.scan import ImageFile, Manifest, scan
from engine.models.loading import LoadedModel
from engine.report import Report
from engine.settings import Settings
from engine.workspace import Workspace

HELD_OUT_AT_LEAST = 50
"""From so many on, held-out images say what is usual: training images are restored better than new ones."""

_MOST_VECTOR_BYTES = 512 * 2**20
_AT_ONCE = 256
_VERSION = 1


def find_reference(
    settings: Settings,
    workspace: Workspace,
    model: LoadedModel,
    report: Report,
    *,
    run: Path,
    target: Path,
    folder: str,
) -> Reference:
    """Return the reference that the folder ``target`` keeps, else make it and keep it there.

    It is of the images of a ``folder``, a path as the workspace stores it. Where that is empty, it is of those that a
    run was trained on; those it held out then say what is usual, where there are enough of them.

    Raises:
        UsageError: the training images are gone, or too few images can be read.
        FextError: a folder or a listing cannot be read, or the reference cannot be written.
        Stopped: the report says stop.

    """
    making = _Making(settings, workspace, model, report)
    manifest = scan(workspace.actual_path(folder), report) if folder else None
    if manifest:
        path, key = target / f"reference-{workspace.label_of(manifest.folder)}.npz", making.key(manifest.key)
    else:
        path, key = target / "reference-training.npz", making.key(digest(run / IMAGES_FILE))
    kept = read_reference(path, key, model.dimension("auto"))
    if kept:
        report.log(f"The scores of {len(kept.scores):,} reference images are there already.")
        return kept
    reference, is_whole = making.of_folder(manifest) if manifest else making.of_run(run)
    if is_whole:
        write_reference(path, key, reference)
    return reference


@dataclass(frozen=True)
class _Gathered:
    """What was measured on N images: vectors (N, D), content hashes and errors (N, 2).

    ``is_whole`` tells whether all that were wanted are there, and as they were.
    """

    vectors: NDArray[np.float32]
    contents: list[str]
    errors: Scores
    is_whole: bool


class _Making:
    """Makes references."""

    def __init__(self, settings: Settings, workspace: Workspace, model: LoadedModel, report: Report) -> None:
        self._settings = settings
        self._workspace = workspace
        self._model = model
        self._report = report
        self._dim = model.dimension("auto")
        self._most = max(2, min(settings.anomalies.reference_images, _MOST_VECTOR_BYTES // (4 * self._dim)))

    def key(self, images: str) -> str:
        """Return a digest of all that a reference is a function of; ``images`` stands for those it is drawn from."""
        anomalies = self._settings.anomalies
        facts = (
            _VERSION, images, self._model.fingerprint, self._model.device.precision_name,
            self._most, anomalies.seed, anomalies.neighbors,
        )  # fmt: skip
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()

    def of_folder(self, manifest: Manifest) -> tuple[Reference, bool]:
        """Return the reference of the images of a folder, and that it can be kept."""
        usual = self._gather(manifest)
        return self._reference("folder", usual, usual), True

    def of_run(self, run: Path) -> tuple[Reference, bool]:
        """Return the reference of a run's images, and whether all of them are there as they were."""
        images = RunImages(self._workspace, self._model.config, run, self._report)
        listing = read_listing(run / IMAGES_FILE)
        train, held_out = (
            {path: content for subset, path, content in listing if subset == side} for side in (TRAIN, VALIDATION)
        )
        try:
            usual = self._gather(images.side("training"), train)
        except UsageError as error:
            raise UsageError(error.cause, "Bring them back, or give other usual images with --reference.") from error
        if len(held_out) < HELD_OUT_AT_LEAST:
            return self._reference("training", usual, usual), usual.is_whole
        try:
            judges = self._gather(images.side("validation"), held_out)
        except UsageError as error:
            self._report.log(error.cause, "warning")
        else:
            if len(judges.contents) >= HELD_OUT_AT_LEAST:
                return self._reference("validation", usual, judges), usual.is_whole and judges.is_whole
        self._report.log("Too few held-out images are left: training images say what is usual.", "warning")
        return self._reference("training", usual, usual), False

    def _gather(self, manifest: Manifest, known: Mapping[str, str] | None = None) -> _Gathered:
        """Measure a sample of images; those that are not of the ``known`` content of their path are left out."""
        files = self._drawn(manifest.files)
        vectors = np.empty((len(files), self._dim), np.float32)
        contents: list[str] = []
        errors = [np.empty((0, 2))]
        wanted = Manifest(manifest.folder, files)
        for batch, found in measured(self._settings, self._model, wanted, "measuring reference", self._report):
            named = zip(batch.files, found.contents, strict=True)
            rows = [row for row, (file, content) in enumerate(named) if not known or known[file.path] == content]
            vectors[len(contents) : len(contents) + len(rows)] = found.vectors.cpu().numpy()[rows]
            contents += [found.contents[row] for row in rows]
            errors.append(found.errors[rows])
        lost = len(files) - len(contents)
        if lost:
            self._report.log(f"{lost:,} reference images cannot be read or have changed; they are left out.", "warning")
        is_whole = not lost and (known is None or len(manifest.files) == len(known))
        return _Gathered(vectors[: len(contents)], contents, np.concatenate(errors), is_whole)

    def _drawn(self, files: tuple[ImageFile, ...]) -> tuple[ImageFile, ...]:
        """Return at most so many of the files as a reference has, drawn at random, in their order."""
        if len(files) <= self._most:
            return files
        if self._most < self._settings.anomalies.reference_images:
            self._report.log(f"Vectors have {self._dim:,} values: the reference is limited to {self._most:,} images.")
        generator = np.random.default_rng(self._settings.anomalies.seed)
        return tuple(files[number] for number in np.sort(generator.choice(len(files), self._most, replace=False)))

    def _reference(self, judge: Judge, usual: _Gathered, judges: _Gathered) -> Reference:
        """Return the reference of ``usual`` images, with the scores of ``judges`` by their vectors."""
        if len(usual.contents) < 2:
            which = "One reference image does not tell" if usual.contents else "No reference image is left to tell"
            raise UsageError(f"{which} what is usual.", "Give a folder of more with --reference.")
        neighborhood = Neighborhood(
            usual.vectors, usual.contents, self._settings.anomalies.neighbors, self._model.device.handle
        )
        parts = [slice(start, start + _AT_ONCE) for start in range(0, len(judges.contents), _AT_ONCE)]
        distances = [
            neighborhood.distances(torch.from_numpy(judges.vectors[part]), judges.contents[part]) for part in parts
        ]
        scores = np.column_stack([judges.errors, np.concatenate(distances)])
        return Reference(judge, usual.vectors, np.array(usual.contents), scores)
