"""What a network makes of pictures: how badly it restores them, and how far from known ones their vectors lie."""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.images.decode import content_hash
from engine.images.scan import Manifest
from engine.images.stream import Batch, stream
from engine.models.loading import LoadedModel
from engine.report import Report, go_on
from engine.settings import Settings
from engine.tensors import to_float, to_uint8

Scores = NDArray[np.float64]
"""Scores of images, in columns as `engine.rankings.SCORES` has them."""

_WORST_SHARE = 0.05


class Measured(NamedTuple):
    """What a network makes of n pictures.

    Attributes:
        contents: hashes of the pictures (`engine.images.decode.content_hash`).
        errors: mean absolute errors on the scale [0, 1], (n, 2): of all pixels, and of the worst 5 % of them.
        restored: the reconstructions, (n, H, W, C), as a person sees them: clamped to [0, 1] and rounded to 8 bits.
        vectors: the latents as vectors of length 1, (n, D) float32 on the device.

    """

    contents: list[str]
    errors: Scores
    restored: NDArray[np.uint8]
    vectors: Tensor


@torch.inference_mode()
def measure(model: LoadedModel, images: NDArray[np.uint8]) -> Measured:
    """Return what a network makes of pictures (n, H, W, C), each of which it encodes once.

    Raises:
        FextError: it gives values that are not finite.

    """
    network, (height, width) = model.model, images.shape[1:3]
    if not len(images):
        return Measured([], np.empty((0, 2)), images, torch.empty((0, network.dimension(height, width, "auto"))))
    original = model.to_device(images)
    with model.device.autocast():
        latent = network.encode(original)
        restored = to_uint8(model.sound(network.decode(latent)[..., :height, :width]))
        vectors = model.sound(network.vectors_of(latent, "auto"))
    maps = (original - to_float(restored)).abs().mean(1)
    worst = maps.flatten(1).topk(math.ceil(_WORST_SHARE * height * width)).values
    errors = torch.stack([maps.flatten(1).mean(1), worst.mean(1)], 1)
    unit = torch.nn.functional.normalize(vectors)
    return Measured([content_hash(one) for one in images], errors.double().cpu().numpy(), restored.cpu().numpy(), unit)


def measured(
    settings: Settings, model: LoadedModel, manifest: Manifest, phase: str, report: Report
) -> Iterator[tuple[Batch, Measured]]:
    """Yield the pictures of a manifest in batches with what a network makes of them; each is decoded once.

    Raises:
        Stopped: the report says stop.

    """
    seen = 0
    data, size = model.config.settings.data, settings.anomalies.batch_size
    for batch in stream(manifest, data, size, settings.device.workers):
        go_on(report)
        seen += batch.seen
        yield batch, measure(model, batch.images)
        report.progress(phase, seen, len(manifest.files), "images")


class Neighborhood:
    """Vectors (N, D) of length 1, N at least 2, and how far from them others lie.

    Args:
        vectors: what distances are measured to.
        contents: hashes of the N pictures.
        neighbors: k; N − 1 where that is less.
        device: where to compute.

    """

    def __init__(
        self, vectors: NDArray[np.float32], contents: Collection[str], neighbors: int, device: torch.device
    ) -> None:
        self._vectors = torch.from_numpy(vectors).to(device)
        self._contents = frozenset(contents)
        self._neighbors = min(neighbors, len(vectors) - 1)

    @torch.inference_mode()
    def distances(self, vectors: Tensor, contents: Sequence[str]) -> Scores:
        """Return the cosine distance (n,) from vectors (n, D) of length 1 to their k-th nearest.

        A picture that is one of the N is left out of its own neighbors, once.
        """
        vectors = vectors.to(self._vectors.device)
        nearest = (vectors @ self._vectors.T).topk(self._neighbors + 1).indices
        # Half the squared difference is the cosine distance, and exact where the product rounds it away.
        apart = torch.stack([(self._vectors[one] - vectors).square().sum(1) / 2 for one in nearest.T], 1)
        is_own = torch.tensor([content in self._contents for content in contents], device=vectors.device)
        place = (self._neighbors - 1 + is_own.long())[:, None]
        return np.asarray(apart.sort(1).values.gather(1, place)[:, 0].double().cpu().numpy())
