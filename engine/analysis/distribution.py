"""How far two distributions lie apart, in figures and in words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.analysis.levels import Counts, levels_of
from engine.measures import label

Values = NDArray[np.float64]

_CLOSE = 0.01 * 255
_APART = 0.05 * 255
_FEW = 30
_FEWEST_BINS, _MOST_BINS = 8, 64
_BY_CHANCE = 1.95
"""Factor of the Kolmogorov-Smirnov distance that two samples of one distribution pass once in a thousand times."""
_NOTABLE = 0.2
"""Least difference that is told, as a share of the deviation: a small effect by J. Cohen (1988)."""


@dataclass(frozen=True)
class Distances:
    """How far two samples of values lie apart; the first three are 0 where they are alike.

    Attributes:
        wasserstein: by how much a value must change on average to turn one sample into the other, in its own unit.
        jensen_shannon: square root of the Jensen-Shannon divergence to base 2 over equal bins between the extremes, in
            [0, 1]; 1: no bin in common. There are as many bins as the root of the smaller number of values, 8 to 64.
        kolmogorov_smirnov: largest gap between the cumulative distributions, in [0, 1].
        means: mean of the one and of the other.
        effect: the Wasserstein distance over the deviation of all values; 0 where they are all equal.
        by_chance: whether samples of that size from one distribution would lie so far apart more than once in a
            thousand times (Kolmogorov-Smirnov).
        is_notable: whether the difference is no chance, and the effect at least a fifth.

    """

    wasserstein: float
    jensen_shannon: float
    kolmogorov_smirnov: float
    means: tuple[float, float]
    effect: float
    by_chance: bool
    is_notable: bool = field(init=False)

    def __post_init__(self) -> None:
        """Judge whether the difference is notable."""
        object.__setattr__(self, "is_notable", not self.by_chance and self.effect >= _NOTABLE)


@dataclass(frozen=True)
class LevelDistances:
    """How far the levels of two sets of images lie apart; all 0 where they are alike.

    Attributes:
        jensen_shannon: square root of the Jensen-Shannon divergence to base 2, in [0, 1]; 1: no level in common.
        kolmogorov_smirnov: largest gap between the cumulative distributions, in [0, 1].
        wasserstein: levels by which a pixel must change on average to turn one into the other, in [0, 255].
        mean_shift: mean level of the other less that of the one, in [-255, 255].

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


def level_distances(one: Counts, other: Counts) -> LevelDistances:
    """Return the distances of two histograms (256,) that each count at least one pixel."""
    p, q = one / one.sum(), other / other.sum()
    gaps = np.abs(np.cumsum(p - q))
    return LevelDistances(
        jensen_shannon=_jensen_shannon(p, q),
        kolmogorov_smirnov=float(gaps.max()),
        wasserstein=float(gaps.sum()),
        mean_shift=levels_of(other).mean - levels_of(one).mean,
    )


def value_distances(one: Values, other: Values) -> Distances:
    """Return the distances of two samples (N,) and (M,), in any order, that each hold at least one value."""
    one, other = np.sort(one), np.sort(other)  # so that sums of floats do not depend on the order either
    every = np.sort(np.concatenate([one, other]))
    gaps = np.abs(_cumulative(one, every) - _cumulative(other, every))
    wasserstein = float(gaps[:-1] @ np.diff(every))
    spread = float(every.std())
    bins = int(np.clip(math.sqrt(min(len(one), len(other))), _FEWEST_BINS, _MOST_BINS))
    edges = np.linspace(every[0], every[-1], bins + 1)
    p, q = (np.histogram(values, edges)[0] / len(values) for values in (one, other))
    chance = _BY_CHANCE * math.sqrt((len(one) + len(other)) / (len(one) * len(other)))
    return Distances(
        wasserstein=wasserstein,
        jensen_shannon=_jensen_shannon(p, q) if every[0] < every[-1] else 0.0,
        kolmogorov_smirnov=float(gaps.max()),
        means=(float(one.mean()), float(other.mean())),
        effect=wasserstein / spread if spread else 0.0,
        by_chance=bool(gaps.max() <= chance),
    )


def _cumulative(values: Values, points: Values) -> Values:
    """Return the share of ascending ``values`` (N,) at or below each of ``points`` (M,)."""
    return np.searchsorted(values, points, side="right") / len(values)


def _jensen_shannon(p: Values, q: Values) -> float:
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return float(np.sqrt(np.clip(divergence, 0, 1)))


def _relative_entropy(p: Values, q: Values) -> float:
    """Return ``Σ p·log2(p/q)`` over the levels that p has."""
    used = p > 0
    return float(p[used] @ np.log2(p[used] / q[used]))


def level_sentence(apart: LevelDistances, train_images: int, validation_images: int) -> str:
    """Return what the distances of gray levels mean, in words.

    The measure is the Wasserstein distance: up to 1 % of the gray range counts as alike, above 5 % as different.
    """
    if apart.wasserstein <= _CLOSE:
        return f"Training and validation images have practically the same gray levels ({apart.figures})."
    degree = "somewhat" if apart.wasserstein <= _APART else "clearly"
    text = f"Validation images differ {degree} from training images: {_manner(apart)} ({apart.figures})."
    few = min(train_images, validation_images)
    chance = f" With only {few:,} on one side, chance alone can do this." if few < _FEW else ""
    return text + chance


def _manner(apart: LevelDistances) -> str:
    """Return how they differ: by the mean level, or, where that is the smaller part of it, by the spread."""
    if abs(apart.mean_shift) < apart.wasserstein / 2:
        return "about as bright, but of another contrast"
    return "brighter on the whole" if apart.mean_shift > 0 else "darker on the whole"


def metrics_sentence(metrics: Mapping[str, Distances]) -> str:
    """Return which metrics of training and validation images differ, in words; empty where none was measured."""
    if not metrics:
        return ""
    notable = sorted(((apart.effect, column) for column, apart in metrics.items() if apart.is_notable), reverse=True)
    if not notable:
        return f"None of {len(metrics)} metrics differs by more than chance and a fifth of its deviation."
    named = ", ".join(f"{label(column)} {_change(metrics[column])}" for _, column in notable[:3])
    more = f" and {len(notable) - 3} more" if len(notable) > 3 else ""
    verb = "differs" if len(notable) == 1 else "differ"
    return f"{len(notable)} of {len(metrics)} metrics {verb} notably: {named}{more}."


def _change(apart: Distances) -> str:
    one, other = apart.means
    return f"{one:.4g} → {other:.4g}"
