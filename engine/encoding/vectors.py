"""Vectors of batches of pictures."""

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.images.stream import Batch
from engine.models.loading import LoadedModel
from engine.settings import Pooling


def embedded(
    model: LoadedModel, batches: Iterable[Batch], pooling: Pooling
) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
    """Yield batches with their vectors (n, D); a GPU computes one batch while the one before is taken."""
    waiting: deque[tuple[Batch, Tensor]] = deque()
    for batch in batches:
        waiting.append((batch, model.embed(batch.images, pooling)))
        if len(waiting) > model.device.is_gpu:
            yield _fetched(waiting)
    while waiting:
        yield _fetched(waiting)


def _fetched(waiting: deque[tuple[Batch, Tensor]]) -> tuple[Batch, NDArray[np.float32]]:
    batch, vectors = waiting.popleft()
    return batch, vectors.cpu().numpy()
