"""How far two distributions of gray levels lie apart, in figures and in words."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.analysis.levels import Counts, levels_of

_CLOSE = 0.01 * 255
_APART = 0.05 * 255
_FEW = 30


@dataclass(frozen=True)
class Distances:
    """How far the gray levels of training and validation images lie apart; all 0 where they are alike.

    Attributes:
        jensen_shannon: square root of the Jensen-Shannon divergence to base 2, in [0, 1]; 1: no level in common.
        kolmogorov_smirnov: largest gap between the cumulative distributions, in [0, 1].
        wasserstein: gray levels by which a pixel must change on average to turn one into the other, in [0, 255].
        mean_shift: mean gray level of validation less that of training, in [-255, 255].

    """

    jensen_shannon: float
    kolmogorov_smirnov: float
    wasserstein: float
    mean_shift: float

    @property
    def figures(self) -> str:
        """The three distances in one line."""
        return (
            f"Jensen-Shannon {self.jensen_shannon:.3f}, Kolmogorov-Smirnov {self.kolmogorov_smirnov:.3f}, "
            f"Wasserstein {self.wasserstein:.2f} gray levels"
        )


def distances(train: Counts, validation: Counts) -> Distances:
    """Return the distances of two histograms (256,) that each count at least one pixel."""
    p, q = train / train.sum(), validation / validation.sum()
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    gaps = np.abs(np.cumsum(p - q))
    return Distances(
        jensen_shannon=float(np.sqrt(np.clip(divergence, 0, 1))),
        kolmogorov_smirnov=float(gaps.max()),
        wasserstein=float(gaps.sum()),
        mean_shift=levels_of(validation).mean - levels_of(train).mean,
    )


def _relative_entropy(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return ``Σ p·log2(p/q)`` over the levels that p has."""
    used = p > 0
    return float(p[used] @ np.log2(p[used] / q[used]))


def sentence(apart: Distances, train_images: int, validation_images: int) -> str:
    """Return what the distances mean, in words.

    The measure is the Wasserstein distance: up to 1 % of the gray range counts as alike, above 5 % as different.
    """
    if apart.wasserstein <= _CLOSE:
        return f"Training and validation images have practically the same gray levels ({apart.figures})."
    degree = "somewhat" if apart.wasserstein <= _APART else "clearly"
    text = f"Validation images differ {degree} from training images: {_manner(apart)} ({apart.figures})."
    few = min(train_images, validation_images)
    chance = f" With only {few:,} on one side, chance alone can do this." if few < _FEW else ""
    return text + chance


def _manner(apart: Distances) -> str:
    """Return how they differ: by the mean level, or, where that is the smaller part of it, by the spread."""
    if abs(apart.mean_shift) < apart.wasserstein / 2:
        return "about as bright, but of another contrast"
    return "brighter on the whole" if apart.mean_shift > 0 else "darker on the whole"
