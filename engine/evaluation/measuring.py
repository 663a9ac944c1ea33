"""Images go through a network and the baselines, and what comes out is compared with what went in."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.evaluation.baselines import Baseline
from engine.evaluation.images import EvaluatedImages
from engine.files import printable
from engine.images.scan import ImageFile, Manifest
from engine.images.stream import stream
from engine.metrics import image_errors
from engine.models.loading import LoadedModel
from engine.report import Report, go_on
from engine.settings import Settings

Pixels = NDArray[np.uint8]

Values = dict[str, NDArray[np.float32]]
"""The figures (N,) of N images by metric."""

_WARNED = 3


@dataclass(frozen=True)
class Measured:
    """What was measured on N images: their paths, the network's errors, and those of each baseline by its name.

    ``skipped`` are the images that cannot be read, as (relative path, reason).
    """

    paths: list[str]
    errors: Values
    baselines: dict[str, Values]
    skipped: list[tuple[str, str]]


@dataclass(frozen=True)
class Evaluated:
    """What the sections of a report are made from.

    Attributes:
        checkpoint: its name, perhaps with a tag.
        settings: those of the evaluation.
        model: the network.
        images: the images that it was evaluated on.
        measured: what was measured on them.
        folder: where the report and its figures lie.

    """

    checkpoint: str
    settings: Settings
    model: LoadedModel
    images: EvaluatedImages
    measured: Measured
    folder: Path


def measure(
    settings: Settings, model: LoadedModel, manifest: Manifest, baselines: Sequence[Baseline], report: Report
) -> Measured:
    """Return the errors of a network and of baselines on the images of a manifest, each of which is decoded once.

    Raises:
        FextError: the network gives values that are not finite.
        Stopped: the report says stop.

    """
    paths: list[str] = []
    skipped: list[tuple[str, str]] = []
    parts: defaultdict[str, list[dict[str, Tensor]]] = defaultdict(list)
    data, size = model.config.settings.data, settings.evaluation.batch_size
    for batch in stream(manifest, data, size, settings.device.workers):
        go_on(report)
        if len(batch.images):
            original = torch.from_numpy(batch.images).to(model.device.handle)
            parts[""].append(image_errors(original, model.reconstruct(batch.images)))
            for baseline in baselines:
                parts[baseline.name].append(image_errors(original, baseline.reconstruct(original)))
        paths += [file.path for file in batch.files]
        for path, reason in batch.skipped[: max(0, _WARNED - len(skipped))]:
            report.log(f"Skipped {printable(path)}: {reason}", "warning")
        skipped += batch.skipped
        report.progress("evaluating", len(paths) + len(skipped), len(manifest.files), "images")
    errors = {name: _joined(batches) for name, batches in parts.items()}
    return Measured(paths, errors.pop("", {}), errors, skipped)


def _joined(batches: Sequence[dict[str, Tensor]]) -> Values:
    return {metric: torch.cat([batch[metric] for batch in batches]).cpu().numpy() for metric in batches[0]}


def reconstructions(done: Evaluated, files: Iterable[ImageFile]) -> dict[str, tuple[Pixels, Pixels]]:
    """Return original and reconstruction (H, W, C) of some of the images, by path, but for those that are gone."""
    some = Manifest(done.images.manifest.folder, tuple(files))
    data, size = done.model.config.settings.data, done.settings.evaluation.batch_size
    found: dict[str, tuple[Pixels, Pixels]] = {}
    for batch in stream(some, data, size, done.settings.device.workers):
        if len(batch.images):
            output = done.model.reconstruct(batch.images).cpu().numpy()
            found.update(zip((file.path for file in batch.files), zip(batch.images, output, strict=True), strict=True))
    return found
