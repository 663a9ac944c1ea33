"""Which vectors tell labelled pictures apart: latents pooled and normalized in several ways, and plain descriptors."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from measuring import tell
from numpy.typing import NDArray
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from engine.checkpoints import find_checkpoint
from engine.errors import UsageError
from engine.evaluation.descriptors import descriptors_of
from engine.evaluation.labels import folder_labels
from engine.evaluation.worth import worth_of
from engine.images.scan import scan
from engine.images.stream import stream
from engine.models.autoencoder import Autoencoder, pooled
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import PRESETS, DataSettings, from_layers
from engine.tensors import to_float
from engine.training import train
from engine.workspace import Workspace

_BATCH = 64
_COMPONENTS = (32, 64, 128, 256)
_SHRINKAGES = (0.01, 0.1, 1.0)
_TINY = 1e-6

Transform = Callable[[Tensor], Tensor]
Sets = dict[str, dict[str, Tensor]]
"""Vectors (N, D), by what they are made of and how they are normalized."""


class Pictures(NamedTuple):
    """Pictures (N, H, W, C), and their labels by folder, N of them."""

    images: NDArray[np.uint8]
    labels: list[str]


def read_pictures(folder: Path, data: DataSettings) -> Pictures:
    """Return the pictures of a folder as the network sees them.

    Raises:
        FextError: the folder is missing or holds no image.

    """
    batches = list(stream(scan(folder, CollectedReport()), data, _BATCH, workers=0))
    paths = [file.path for batch in batches for file in batch.files]
    return Pictures(np.concatenate([batch.images for batch in batches]), folder_labels(paths))


# --- Poolings of latents (N, Z, h, w) -----------------------------------------------------------------------


def _means(latent: Tensor, side: int) -> Tensor:
    return F.adaptive_avg_pool2d(latent, side).flatten(1)


def _with_cells(latent: Tensor, sides: Sequence[int]) -> Tensor:
    """Return means and deviations of the whole, and the means of so many rows and columns of cells."""
    return torch.cat([pooled(latent, "mean_std"), *(_means(latent, side) for side in sides)], 1)


def _second_moments(latent: Tensor) -> Tensor:
    """Return means and the signed square roots of covariances, (N, Z + Z·(Z + 1) / 2)."""
    values = latent.flatten(2)
    centered = values - values.mean(2, keepdim=True)
    covariances = centered @ centered.mT / values.shape[2]
    rows, columns = torch.triu_indices(latent.shape[1], latent.shape[1])
    return torch.cat([values.mean(2), _signed_root(covariances[:, rows, columns])], 1)


POOLINGS: dict[str, Transform] = {
    "flatten": lambda latent: pooled(latent, "flatten"),
    "mean": lambda latent: pooled(latent, "mean"),
    "mean_std": lambda latent: pooled(latent, "mean_std"),
    "mean_std, 2×2 means": lambda latent: _with_cells(latent, (2,)),
    "mean_std, 2×2 and 4×4 means": lambda latent: _with_cells(latent, (2, 4)),
    "mean, covariance": _second_moments,
    "pyramid": lambda latent: pooled(latent, "pyramid"),
}


# --- Normalizations of vectors (N, D) -----------------------------------------------------------------------


def _signed_root(vectors: Tensor) -> Tensor:
    return vectors.sign() * vectors.abs().sqrt()


class Components:
    """Principal components of vectors (N, D), of which there are at most N, by falling deviation."""

    def __init__(self, vectors: Tensor) -> None:
        exact = vectors.double()
        self._mean: Tensor = exact.mean(0)
        _, lengths, axes = torch.linalg.svd(exact - self._mean, full_matrices=False)
        self._deviations: Tensor = lengths / len(exact) ** 0.5
        self._axes: Tensor = axes.mT

    def of(self, vectors: Tensor, count: int, power: float) -> Tensor:
        """Return ``count`` components, each divided by a power of its deviation: 1 whitens."""
        scales = self._deviations[:count].clamp_min(_TINY) ** power
        return (self._turned(vectors)[:, :count] / scales).float()

    def shrunk(self, vectors: Tensor, shrinkage: float) -> Tensor:
        """Return all components, whitened by variances to which a share of their mean is added."""
        variances = self._deviations.square()
        scales = (variances + shrinkage * variances.mean()).sqrt()
        return (self._turned(vectors) / scales).float()

    def _turned(self, vectors: Tensor) -> Tensor:
        return (vectors.double() - self._mean) @ self._axes


def normalizations(training: Tensor, vectors: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield vectors by the name of what was done to them, with statistics of those of the training images."""
    mean, deviation = training.mean(0), training.std(0) + _TINY
    yield "raw", vectors
    yield "centered", vectors - mean
    yield "L2, centered", F.normalize(vectors, dim=1) - F.normalize(training, dim=1).mean(0)
    yield "standardized", (vectors - mean) / deviation
    yield "signed root", _signed_root((vectors - mean) / deviation)
    components = Components(training)
    for count in _COMPONENTS:
        if count < min(training.shape):
            yield f"whitened, {count}", components.of(vectors, count, 1.0)
            yield f"half whitened, {count}", components.of(vectors, count, 0.5)
    for shrinkage in _SHRINKAGES:
        yield f"whitened, shrinkage {shrinkage:g}", components.shrunk(vectors, shrinkage)


# --- The benchmark ------------------------------------------------------------------------------------------


def run(options: argparse.Namespace, temporary: Path) -> dict[str, Any]:
    """Return the accuracies by vectors and normalization, those of the product (``auto``) and of plain descriptors."""
    model, data = _network(options, temporary)
    pictures = read_pictures(options.folder, data)
    training = read_pictures(options.training, data).images if options.training else pictures.images
    vectors: Sets = {
        "auto": {model.pooling("auto"): _by_batch(pictures.images, lambda images: model.embed(images, "auto"))}
    }
    described = descriptors_of(pictures.images)
    vectors |= {name: {"raw": torch.from_numpy(found)} for name, found in described.items()}
    latents, of_training = (_by_batch(images, model.encode) for images in (pictures.images, training))
    account: dict[str, Any] = {"images": len(pictures.images), "labels": len({*pictures.labels} - {""}), "vectors": {}}
    for name, normalized in vectors.items():
        account["vectors"][name] = _accuracies(normalized, pictures.labels)
    for name in options.pooling or POOLINGS:
        pool = POOLINGS[name]
        print(f"{name} …", file=sys.stderr)
        account["vectors"][name] = _accuracies(dict(normalizations(pool(of_training), pool(latents))), pictures.labels)
    return account


def _accuracies(vectors: Mapping[str, Tensor], labels: list[str]) -> dict[str, dict[str, float]]:
    worth = worth_of({name: found.numpy() for name, found in vectors.items()}, labels)
    return {
        name: {
            "dim": one.dim,
            **{f"knn_{count}": accuracy.accuracy for count, accuracy in one.neighbors.items()},
            "probe": one.probe.accuracy,
        }
        for name, one in worth.features.items()
    }


def _network(options: argparse.Namespace, temporary: Path) -> tuple[Autoencoder, DataSettings]:
    """Return the network of the checkpoint named, else one trained on the pictures without their labels."""
    if options.checkpoint and not options.resources:
        raise UsageError("A checkpoint lies in a workspace.", "Give --resources, too.")
    workspace = Workspace(options.resources or temporary).create()
    if not options.checkpoint:
        print(f"Training for {options.minutes:g} minutes …", file=sys.stderr)
        folder = str(options.folder.absolute())
        own = {"data.folder": folder, "training.minutes": options.minutes, "training.probe_images": 0}
        settings = from_layers(("", PRESETS.get(options.preset, {})), ("", own))
        with Records(workspace) as records:
            run = records.add_run("features", settings.model.variant)
            train(settings, workspace, records, CollectedReport(), run=run)
    model, config = load_weights(find_checkpoint(workspace, options.checkpoint or "features/last"))
    return model, config.settings.data


@torch.inference_mode()
def _by_batch(images: NDArray[np.uint8], function: Transform) -> Tensor:
    parts = np.array_split(images, -(-len(images) // _BATCH))
    return torch.cat([function(to_float(torch.from_numpy(part))).float() for part in parts])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench features", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument("--folder", type=Path, required=True, help="labelled pictures, a folder a label")
    parser.add_argument("--training", type=Path, help="pictures to take statistics from (default: the labelled ones)")
    parser.add_argument("--checkpoint", help="whose latents to compare (default: train on the labelled pictures)")
    parser.add_argument("--resources", type=Path, help="the workspace of the checkpoint")
    parser.add_argument("--pooling", action="append", choices=POOLINGS, help="only these poolings (repeatable)")
    parser.add_argument("--minutes", type=float, default=2.0, help="training time without a checkpoint (default: 2)")
    parser.add_argument("--preset", choices=PRESETS, help="settings of the training without a checkpoint")
    return parser.parse_args()


def _table(account: dict[str, Any]) -> Table:
    title = f"{account['images']:,} pictures, {account['labels']:,} labels"
    table = Table("vectors", "normalization", "values", "k-NN 1", "k-NN 5", "linear probe", title=title)
    for name, variations in account["vectors"].items():
        for kind, found in variations.items():
            figures = (found.get(key) for key in ("knn_1", "knn_5", "probe"))
            cells = ("" if figure is None else f"{figure:.3f}" for figure in figures)
            table.add_row(name, kind, f"{found['dim']:,}", *cells)
    return table


if __name__ == "__main__":
    tell(_options(), run, _table)
