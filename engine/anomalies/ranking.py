"""Images in the order of how unusual they are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.anomalies.reference import Reference
from engine.anomalies.scoring import Scores
from engine.images.stream import Batch
from engine.rankings import SCORES

COMBINED = "combined"

_TINY = 1e-9
"""Stands for a threshold of zero, as a reference of equal images has it."""


@dataclass(frozen=True)
class Judged:
    """What scores (n, 3) mean by a reference.

    Attributes:
        scores: the scores.
        percentiles: how many of the reference's images lie below each, (n, 3).
        combined: the largest of the percentiles of an image, (n,).
        excess: the largest of its scores in units of their thresholds, (n,), which orders what is equal so far.
        is_anomaly: whether one of its scores is above its threshold, (n,).

    """

    scores: Scores
    percentiles: Scores
    combined: NDArray[np.float64]
    excess: NDArray[np.float64]
    is_anomaly: NDArray[np.bool_]

    def order(self) -> NDArray[np.int64]:
        """Return the numbers of the images, the most unusual first; equal ones stay in order."""
        return np.lexsort((-self.excess, -self.combined))

    def ranking_scores(self) -> dict[str, NDArray[np.float64]]:
        """Return each score (n,) by its name, and for ``combined`` one that orders as `order` does."""
        keys = np.column_stack([self.combined, self.excess])
        places = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
        return dict(zip(SCORES, self.scores.T, strict=True)) | {COMBINED: places.astype(np.float64)}


def judge(scores: Scores, reference: Reference, percentile: float) -> Judged:
    """Return what scores (n, 3) mean by a reference, with a percentile of its scores as thresholds."""
    thresholds = reference.thresholds(percentile)
    percentiles = reference.percentiles(scores)
    excess = (scores / np.maximum(thresholds, _TINY)).max(axis=1)
    return Judged(scores, percentiles, percentiles.max(axis=1), excess, np.asarray((scores > thresholds).any(axis=1)))


@dataclass(frozen=True)
class Odd:
    """A picture (H, W, C) and its reconstruction, how unusual it is, and its scores (3,)."""

    path: str
    image: NDArray[np.uint8]
    restored: NDArray[np.uint8]
    key: tuple[float, float]
    scores: Scores


class MostUnusual:
    """The pictures of the most unusual images so far, the most unusual first."""

    def __init__(self, count: int) -> None:
        self.pictures: list[Odd] = []
        self._count = count

    def add(self, batch: Batch, restored: NDArray[np.uint8], judged: Judged) -> None:
        """Take what is more unusual than those before from a batch, with the reconstructions (n, H, W, C)."""
        for row in judged.order()[: self._count]:
            key = float(judged.combined[row]), float(judged.excess[row])
            if len(self.pictures) < self._count or key > self.pictures[-1].key:
                pair = batch.images[row].copy(), restored[row].copy()
                self.pictures.append(Odd(batch.files[row].path, *pair, key, judged.scores[row]))
                self.pictures.sort(key=lambda one: one.key, reverse=True)
                del self.pictures[self._count :]
