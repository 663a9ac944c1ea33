"""The latent seen from outside: the directions in which vectors vary most, and whether their units do their work."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError

Vectors = NDArray[np.float32] | NDArray[np.float16]
Values = NDArray[np.float64]

MOST_IMAGES = 4096
"""As many images are looked at, fewer of vectors beyond 8,192 units; which ones is drawn from a seed."""

MOST_UNITS = 4096
"""As many units are correlated with one another; which ones is drawn from a seed."""

_MOST_VALUES = 2**25
_SEED = 0
_CHUNK = 1024
_LEVELS = (90, 95, 99)
_DEAD, _NEARLY_CONSTANT = 1e-6, 1e-2
_PAIRS = 10


class Projection(NamedTuple):
    """Vectors in the directions of their largest variance.

    Attributes:
        scores: coordinates along the principal components (N, d) float32; zero along those that do not exist.
        shares: share of the variance that each holds (d,), in [0, 1].
        images: how many images the components were fitted to.

    """

    scores: NDArray[np.float32]
    shares: Values
    images: int


class CorrelatedPair(NamedTuple):
    """Two units and their correlation, in [−1, 1]."""

    one: int
    other: int
    correlation: float


@dataclass(frozen=True)
class LatentHealth:
    """How well the units of a latent are used.

    Attributes:
        images: how many images were looked at.
        dim: units of a vector, D.
        explained: share of the variance along each principal component, the largest first: (min(N − 1, D),).
        components: how many components hold 90, 95 and 99 % of the variance, by percent; 0 where nothing varies.
        effective_rank: exp of the entropy of the singular values over their sum, in [1, D]; 0 where nothing varies.
        participation_ratio: (Σλ)² / Σλ² of the variances λ along the components, in [1, D]; 0 where nothing varies.
        dead: numbers of the units that are constant, or whose standard deviation is below 1e-6 of the median one of
            those that vary.
        nearly_constant: share of the units whose standard deviation is below 1 % of that, dead ones among them.
        mean_correlation: mean absolute correlation of two units that live; None where there are not two.
        most_correlated: up to ten pairs of the largest absolute correlation.
        correlated_units: how many units were correlated.

    """

    images: int
    dim: int
    explained: Values
    components: Mapping[int, int]
    effective_rank: float
    participation_ratio: float
    dead: tuple[int, ...]
    nearly_constant: float
    mean_correlation: float | None
    most_correlated: tuple[CorrelatedPair, ...]
    correlated_units: int


def project(vectors: Vectors, dimensions: int = 3, fitted_on: NDArray[np.bool_] | None = None) -> Projection:
    """Return the scores of vectors (N, D) along their first principal components.

    The components are fitted to at most `MOST_IMAGES` vectors, of those in the mask ``fitted_on`` (N,) if it is given;
    of many and long ones, by a randomized decomposition with a fixed seed.
    The largest coefficient of each is positive, so that the same vectors give the same picture.

    Raises:
        UsageError: there are none, or none to fit to, or they hold values that are not finite.

    """
    from sklearn.decomposition import PCA

    _check(vectors, 1)
    among = np.arange(len(vectors)) if fitted_on is None else np.flatnonzero(fitted_on)
    if not len(among):
        raise UsageError("There is no image to fit principal components to.", "Take more images for training.")
    sample = _sample(vectors, among)
    scores = np.zeros((len(vectors), dimensions), np.float32)
    shares = np.zeros(dimensions)
    if not _varying(sample).any():
        return Projection(scores, shares, len(sample))
    center = sample.mean(axis=0)
    sample -= center
    count = min(dimensions, len(sample) - 1, sample.shape[1])
    fitted = PCA(count, copy=False, random_state=_SEED).fit(sample)
    shares[:count] = fitted.explained_variance_ratio_
    for start, chunk in _chunks(vectors):
        scores[start : start + len(chunk), :count] = fitted.transform(chunk - center)
    return Projection(scores, shares, len(sample))


def health_of(vectors: Vectors) -> LatentHealth:
    """Return how well the units of vectors (N, D) are used, on at most `MOST_IMAGES` of them, as they are.

    Variances are those about the mean, and the singular values those of the centered vectors. Effective rank: O. Roy
    and M. Vetterli, "The Effective Rank: A Measure of Effective Dimensionality", EUSIPCO 2007. With fewer images than
    units, ranks are at most the number of images less one.

    Raises:
        UsageError: there are fewer than two, or they hold values that are not finite.

    """
    _check(vectors, 2)
    sample = _sample(vectors, np.arange(len(vectors)))
    varying = _varying(sample)
    sample -= sample.mean(axis=0)
    deviations = np.where(varying, sample.std(axis=0), 0.0)
    usual = float(np.median(deviations[varying])) if varying.any() else 0.0
    dead = ~varying | (deviations < _DEAD * usual)
    explained = _explained(sample[:, varying], min(len(sample) - 1, sample.shape[1]))
    spread = np.sqrt(explained)
    units = _drawn(np.flatnonzero(~dead), MOST_UNITS)
    correlations = _correlations(sample[:, units] / deviations[units])
    return LatentHealth(
        images=len(sample),
        dim=sample.shape[1],
        explained=explained,
        components=_components(explained),
        effective_rank=float(np.exp(_entropy(spread / spread.sum()))) if varying.any() else 0.0,
        participation_ratio=float(1 / np.square(explained).sum()) if varying.any() else 0.0,
        dead=tuple(np.flatnonzero(dead).tolist()),
        nearly_constant=float(np.mean(~varying | (deviations < _NEARLY_CONSTANT * usual))),
        mean_correlation=float(np.abs(correlations).mean()) if len(correlations) else None,
        most_correlated=_most_correlated(correlations, units),
        correlated_units=len(units),
    )


def _check(vectors: Vectors, least: int) -> None:
    """Raise a `UsageError` unless there are so many vectors, with finite values alone."""
    if len(vectors) < least or not vectors.shape[1]:
        wanted = "one image" if least == 1 else f"{least} images"
        raise UsageError(
            f"There are {len(vectors)} vectors of {vectors.shape[1]} values.", f"Encode at least {wanted}."
        )
    for start, chunk in _chunks(vectors):
        finite = np.isfinite(chunk).all(axis=1)
        if not finite.all():
            raise UsageError(
                f"The vector of image {start + int(np.argmin(finite)) + 1:,} holds values that are not finite.",
                "Encode again with precision float32, or train again with a lower rate.",
            )


def _chunks(vectors: Vectors) -> Iterator[tuple[int, Values]]:
    """Yield the vectors in double precision, some at a time, and the number of the first."""
    for start in range(0, len(vectors), _CHUNK):
        yield start, np.asarray(vectors[start : start + _CHUNK], np.float64)


def _sample(vectors: Vectors, among: NDArray[np.int64]) -> Values:
    """Return some of the vectors by their numbers, in double precision."""
    most = max(2, min(MOST_IMAGES, _MOST_VALUES // vectors.shape[1]))
    return np.array(vectors[_drawn(among, most)], np.float64)


def _varying(sample: Values) -> NDArray[np.bool_]:
    """Return which units (D,) have more than one value."""
    return np.asarray((sample != sample[:1]).any(axis=0))


def _drawn(numbers: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most so many of the numbers, in their order."""
    if len(numbers) <= most:
        return numbers
    return np.sort(np.random.default_rng(_SEED).choice(numbers, most, replace=False))


def _explained(centered: Values, count: int) -> Values:
    """Return the shares (count,) of the variance of centered vectors (N, D) along their principal components."""
    if not centered.size:
        return np.zeros(count)
    scaled = centered / max(centered.max(), -centered.min())
    products = scaled.T @ scaled if len(scaled) > scaled.shape[1] else scaled @ scaled.T
    variances = np.linalg.eigvalsh(products)[::-1][:count]
    rounding = variances[0] * len(products) * np.finfo(np.float64).eps
    kept = np.where(variances > rounding, variances, 0.0)
    return np.pad(kept / kept.sum(), (0, count - len(kept)))


def _components(explained: Values) -> dict[int, int]:
    if not explained.any():
        return dict.fromkeys(_LEVELS, 0)
    reached = np.cumsum(explained)
    return {level: int(np.argmax(reached >= level / 100 - 1e-12)) + 1 for level in _LEVELS}


def _entropy(shares: Values) -> float:
    """Return the entropy of shares that sum to one, in nats."""
    present = shares[shares > 0]
    return float(-(present * np.log(present)).sum())


def _correlations(standardized: Values) -> Values:
    """Return the correlations of every two units of standardized vectors (N, D), as the upper triangle by rows."""
    products = standardized.T @ standardized / len(standardized)
    return np.asarray(products[np.triu_indices(len(products), 1)]).clip(-1, 1)


def _most_correlated(correlations: Values, units: NDArray[np.int64]) -> tuple[CorrelatedPair, ...]:
    strongest = np.argsort(-np.abs(correlations), kind="stable")[:_PAIRS]
    rows, columns = np.triu_indices(len(units), 1)
    return tuple(
        CorrelatedPair(int(units[rows[place]]), int(units[columns[place]]), float(correlations[place]))
        for place in strongest
    )
