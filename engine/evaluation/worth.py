"""How much features are worth: how well they tell apart what the labels of images tell apart."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.evaluation.labels import participants

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

Features = NDArray[np.float32]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_IMAGES = 5000
"""As many images are compared at most; which ones is drawn from a seed."""

NEIGHBORS = (1, 5, 20)
"""How many nearest neighbors vote."""

PENALTIES = (0.01, 0.1, 1.0, 10.0)
"""The inverse strengths of the penalty (C of scikit-learn) among which the linear probe chooses."""

_SEED = 0
_FOLDS, _INNER_FOLDS = 5, 4
_USUAL_PENALTY = 1.0
_ITERATIONS, _TOLERANCE = 100, 1e-3
_LEAST_SHARE = 1e-300
_CHUNK = 512
_JITTER = 1e-8
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Accuracy:
    """How many labels were told right.

    Attributes:
        accuracy: share of the tested images, in [0, 1].
        low: lower end of the interval of 95 %, `wilson`.
        high: its upper end.
        balanced: mean over the labels of the share of each one's images, in [0, 1].

    """

    accuracy: float
    low: float
    high: float
    balanced: float


@dataclass(frozen=True)
class FeatureWorth:
    """The worth of one set of features.

    Attributes:
        dim: values of a vector.
        neighbors: accuracy by the number of neighbors that vote, as many as there are where they are fewer.
        probe: accuracy of a linear probe.

    """

    dim: int
    neighbors: Mapping[int, Accuracy]
    probe: Accuracy


@dataclass(frozen=True)
class Worth:
    """The worth of several sets of features on the same images.

    Attributes:
        features: by the name of the set.
        labels: the labels compared.
        tested: of how many images the label was told.
        learned: from how many it was told: by k-NN from all others, or from those of the training side.
        images: how many images have a label, of which those compared were drawn.
        left_out: images of each label that takes no part, of those drawn.
        chance: accuracy of a guess that prefers no label.
        majority: accuracy of always telling the label that most of the images have that were learned from.

    """

    features: Mapping[str, FeatureWorth]
    labels: tuple[str, ...]
    tested: int
    learned: int
    images: int
    left_out: Mapping[str, int]
    chance: float
    majority: float

    def intervals(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        """Return accuracy and ends of its interval, by the method, by the name of the set."""
        return {
            name: {
                **{f"k-NN, k = {count}": _interval(one) for count, one in worth.neighbors.items()},
                "linear probe": _interval(worth.probe),
            }
            for name, worth in self.features.items()
        }


def worth_of(features: Mapping[str, Features], labels: Sequence[str], split: Mask | None = None) -> Worth:
    """Return how well sets of features, each (N, D), tell the labels of N images; ``""`` stands for no label.

    With ``split``, a mask (N,) of the images to learn from, the labels of the others are told. Without it, each image
    is told from all others by k-NN, and by the linear probe in five folds in which each label has its share.

    k-NN: a plain majority of the nearest by the cosine between the vectors as they are, divided by their length and
    not centered; of labels with as many votes, that of the nearest neighbor. Linear probe: multinomial logistic
    regression (scikit-learn, L-BFGS, at most 100 steps) on values standardized by the mean and deviation of the
    images learned from; C is that of `PENALTIES` with the least cross-entropy on a quarter of these that is held out
    meanwhile. No other normalization is done.

    The labels compared are at least two, of at least two images each (`engine.evaluation.labels.participants`), on at
    most `MOST_IMAGES` images. The same input gives the same figures.

    Raises:
        UsageError: there are not two labels to tell apart, or the features hold values that are not finite.

    """
    drawn = _drawn(np.flatnonzero([bool(label) for label in labels]))
    compared = participants([labels[row] for row in drawn], None if split is None else split[drawn])
    rows, numbers = drawn[compared.numbers >= 0], compared.numbers[compared.numbers >= 0]
    if not compared.names:
        raise UsageError(
            "There are not two labels to tell apart.",
            "Put the images of each label into a folder of its own, at least two in each, and some on either side.",
        )
    train = np.ones(len(rows), np.bool_) if split is None else split[rows]
    tested = numbers if split is None else numbers[~train]
    return Worth(
        features={
            name: _worth(_compared(name, vectors, rows), numbers, None if split is None else train)
            for name, vectors in features.items()
        },
        labels=compared.names,
        tested=len(tested),
        learned=int(train.sum()) - (split is None),
        images=sum(map(bool, labels)),
        left_out=compared.left_out,
        chance=1 / len(compared.names),
        majority=float(np.mean(tested == np.bincount(numbers[train]).argmax())),
    )


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return the ends of the interval of 95 % for a share of ``right`` in ``count`` trials.

    Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927. It
    takes the trials to be independent, which the folds of one set of images are not quite.
    """
    square = _NORMAL_95**2
    share = right / count
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = _NORMAL_95 / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _drawn(rows: Indices) -> Indices:
    if len(rows) <= MOST_IMAGES:
        return rows
    return np.sort(np.random.default_rng(_SEED).choice(rows, MOST_IMAGES, replace=False))


def _compared(name: str, vectors: Features, rows: Indices) -> Features:
    """Return the vectors of the images that are compared."""
    compared = np.asarray(vectors[rows], np.float32)
    if not np.isfinite(compared).all():
        raise UsageError(
            f"The features {name!r} hold values that are not finite.",
            "Encode again with precision float32, or train again with a lower rate.",
        )
    return compared


def _worth(vectors: Features, labels: Indices, train: Mask | None) -> FeatureWorth:
    """Return the worth of vectors (n, D) for labels (n,), told from the mask ``train`` or from all others."""
    tested = labels if train is None else labels[~train]
    neighbors = _told_by_neighbors(vectors, labels, train)
    probed = _told_by_probe(vectors, labels, train)
    return FeatureWorth(
        dim=vectors.shape[1],
        neighbors={count: _accuracy(told, tested) for count, told in neighbors.items()},
        probe=_accuracy(probed if train is None else probed[~train], tested),
    )


def _accuracy(told: Indices, labels: Indices) -> Accuracy:
    right = told == labels
    counts = np.bincount(labels)
    shares = np.bincount(labels, right)[counts > 0] / counts[counts > 0]
    return Accuracy(float(right.mean()), *wilson(int(right.sum()), len(right)), float(shares.mean()))


def _interval(accuracy: Accuracy) -> tuple[float, float, float]:
    return accuracy.accuracy, accuracy.low, accuracy.high


def _told_by_neighbors(vectors: Features, labels: Indices, train: Mask | None) -> dict[int, Indices]:
    """Return the labels (tests,) that the nearest neighbors tell, by how many vote."""
    unit = _of_unit_length(vectors)
    known = np.arange(len(labels)) if train is None else np.flatnonzero(train)
    tested = known if train is None else np.flatnonzero(~train)
    most = min(max(NEIGHBORS), len(known) - (train is None))
    nearest = np.empty((len(tested), most), np.int64)
    for start in range(0, len(tested), _CHUNK):
        rows = tested[start : start + _CHUNK]
        cosines = unit[rows] @ unit[known].T
        if train is None:
            cosines[np.arange(len(rows)), rows] = -np.inf
        found = np.argpartition(-cosines, most - 1, axis=1)[:, :most]
        order = np.lexsort((found, -np.take_along_axis(cosines, found, 1)))
        nearest[start : start + _CHUNK] = known[np.take_along_axis(found, order, 1)]
    return {count: _majority(labels[nearest[:, :count]]) for count in sorted({min(k, most) for k in NEIGHBORS})}


def _of_unit_length(vectors: Features) -> Features:
    """Return vectors divided by their length; those of no length stay."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    scaled = vectors / np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(lengths > 0, lengths, 1), np.float32)


def _majority(votes: Indices) -> Indices:
    """Return the label with the most votes in each row (n, k), which is sorted by nearness; of equals, the nearest."""
    agreeing = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    return np.asarray(votes[np.arange(len(votes)), agreeing.argmax(axis=1)])


def _told_by_probe(vectors: Features, labels: Indices, train: Mask | None) -> Indices:
    """Return the labels (n,) that a linear probe tells of the images that it did not learn from, −1 of the others."""
    told = np.full(len(labels), -1, np.int64)
    for learned in [train] if train is not None else _folds(labels, _FOLDS):
        learning, telling = _standardized(vectors, learned)
        told[~learned] = _fitted(learning, labels[learned]).predict(telling)
    return told


def _folds(labels: Indices, count: int) -> Iterator[Mask]:
    """Yield the mask of the images to learn from, of each of so many folds, or of one an image where those are fewer.

    The images of each label are dealt to the folds in turn, in an order drawn from a seed, so that a label of two
    images or more is always learned from.
    """
    order = np.lexsort((np.random.default_rng(_SEED).random(len(labels)), labels))
    fold = np.empty(len(labels), np.int64)
    fold[order] = np.arange(len(labels)) % count
    for number in range(min(count, len(labels))):
        yield fold != number


def _standardized(vectors: Features, learned: Mask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return standardized vectors of the images to learn from (n, D) and of the others, of less values where D > n.

    A penalty on the squares of the coefficients knows no directions, so that the coordinates within the space of the
    vectors learned from, n of them, give the same labels.
    """
    from sklearn.preprocessing import StandardScaler

    values = vectors.astype(np.float64)
    scaler = StandardScaler().fit(values[learned])
    learning, telling = scaler.transform(values[learned]), scaler.transform(values[~learned])
    if learning.shape[1] <= len(learning):
        return learning, telling
    products = learning @ learning.T
    products[np.diag_indices(len(products))] += _JITTER * max(1.0, products.trace() / len(products))
    root = np.linalg.cholesky(products)
    return root, np.linalg.solve(root, learning @ telling.T).T


def _fitted(vectors: NDArray[np.float64], labels: Indices) -> "LogisticRegression":
    """Return a linear probe with the penalty that is the least surprised by a part held out; 1 where none can be."""
    inner = next(_folds(labels, _INNER_FOLDS))
    known = np.unique(labels[inner])
    told = ~inner & np.isin(labels, known)
    penalty = _USUAL_PENALTY
    if len(known) > 1 and told.any():
        places = np.arange(told.sum()), np.searchsorted(known, labels[told])
        surprises = []
        for one in PENALTIES:
            shares = _probe(vectors[inner], labels[inner], one).predict_proba(vectors[told])[places]
            surprises.append(-np.log(np.maximum(shares, _LEAST_SHARE)).mean())
        penalty = PENALTIES[int(np.argmin(surprises))]
    return _probe(vectors, labels, penalty)


def _probe(vectors: NDArray[np.float64], labels: Indices, penalty: float) -> "LogisticRegression":
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=penalty, max_iter=_ITERATIONS, tol=_TOLERANCE).fit(vectors, labels)
