"""The pictures that an exported network is compared on with the network itself."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoints import CheckpointConfig
from engine.errors import UsageError
from engine.images.of_run import RunImages
from engine.images.scan import Manifest, none_readable, scan
from engine.images.stream import stream
from engine.report import Report
from engine.tensors import to_float
from engine.workspace import Workspace

BATCH_SIZES = 1, 2, 5


def manifest_of(workspace: Workspace, config: CheckpointConfig, run: Path, folder: str, report: Report) -> Manifest:
    """Return the images of a folder, else those held out in training, else those trained on, that are there still."""
    if folder:
        return scan(workspace.actual_path(folder), report)
    images = RunImages(workspace, config, run, report)
    for side in ("validation", "training"):
        try:
            return images.side(side)
        except UsageError:
            continue
    raise UsageError(f"The images that {run.name} was trained with are gone.", "Give a folder of images to check with.")


def pictures_of(manifest: Manifest, config: CheckpointConfig) -> Tensor:
    """Return pictures (N, C, H, W) evenly from the files: as many as the largest batch, fewer where there are not."""
    count = len(manifest.files)
    wanted = min(sum(BATCH_SIZES), count)
    drawn = Manifest(manifest.folder, tuple(manifest.files[place * count // wanted] for place in range(wanted)))
    batches = list(stream(drawn, config.settings.data, wanted, workers=1))
    pictures = to_float(torch.cat([torch.from_numpy(batch.images) for batch in batches]))
    if not len(pictures):
        raise none_readable(manifest.folder, [one for batch in batches for one in batch.skipped])
    return pictures


def batches_of(pictures: Tensor) -> Iterator[Tensor]:
    """Yield a batch of each size; where there are too few pictures, they come again."""
    first = 0
    for size in BATCH_SIZES:
        yield pictures[torch.arange(first, first + size) % len(pictures)]
        first += size
