"""The worth of features against scikit-learn's own classifiers, SciPy's interval, and brute force."""

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from engine.errors import UsageError
from engine.evaluation.descriptors import descriptors_of
from engine.evaluation.labels import folder_labels
from engine.evaluation.worth import MOST_IMAGES, PENALTIES, wilson, worth_of
from engine.images.decode import load_image

Features = NDArray[np.float32]
CLIPART = Path(__file__).parents[4] / "shared" / "data" / "clipart"


@pytest.fixture(autouse=True)
def _no_warnings() -> None:
    warnings.simplefilter("error")


def clouds(count: int, dim: int, kinds: int = 2, apart: float = 1.0, seed: int = 0) -> tuple[Features, list[str]]:
    """Return vectors (count, dim) about a center for each kind, and the names of the kinds."""
    random = np.random.default_rng(seed)
    numbers = np.arange(count) % kinds
    centers = random.normal(size=(kinds, dim)) * apart
    return (centers[numbers] + random.normal(size=(count, dim))).astype(np.float32), [f"k{n}" for n in numbers]


def _brute_force(vectors: Features, labels: list[str], count: int, train: NDArray[np.bool_] | None) -> list[str]:
    """Return what the nearest neighbors tell of each image, or of those outside ``train``."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    told = []
    for row in range(len(labels)) if train is None else np.flatnonzero(~train):
        known = [other for other in range(len(labels)) if other != row and (train is None or train[other])]
        nearest = sorted(known, key=lambda other: -float(unit[row] @ unit[other]))[:count]
        votes = Counter(labels[other] for other in nearest)
        told.append(next(labels[other] for other in nearest if votes[labels[other]] == max(votes.values())))
    return told


@pytest.mark.parametrize("kinds", [2, 5])
@pytest.mark.parametrize("divided", [False, True])
def test_neighbors_tell_what_brute_force_tells(kinds: int, divided: bool) -> None:
    vectors, labels = clouds(90, 6, kinds)
    train = np.random.default_rng(1).random(90) < 0.7 if divided else None
    worth = worth_of({"f": vectors}, labels, train)
    actual = labels if train is None else [label for label, inside in zip(labels, train, strict=True) if not inside]
    for count, found in worth.features["f"].neighbors.items():
        told = _brute_force(vectors, labels, count, train)
        assert found.accuracy == pytest.approx(np.mean(np.array(told) == np.array(actual)))
        assert found.balanced == pytest.approx(balanced_accuracy_score(actual, told))
    assert list(worth.features["f"].neighbors) == [1, 5, 20]
    assert worth.tested == len(actual)
    assert worth.learned == (89 if train is None else int(train.sum()))


def test_odd_votes_of_two_labels_are_those_of_scikit_learn() -> None:
    vectors, labels = clouds(120, 5)
    found = worth_of({"f": vectors}, labels).features["f"].neighbors
    for count in (1, 5):
        reference = KNeighborsClassifier(count, metric="cosine", algorithm="brute")
        told = cross_val_predict(reference, vectors, labels, cv=LeaveOneOut())
        assert found[count].accuracy == pytest.approx(np.mean(told == np.array(labels)))


@pytest.mark.parametrize(("count", "dim"), [(300, 10), (60, 200)])
def test_the_probe_is_a_logistic_regression_on_standardized_values(count: int, dim: int) -> None:
    vectors, labels = clouds(count, dim, 3, 0.4)
    vectors *= np.geomspace(0.01, 100, dim).astype(np.float32)
    train = np.random.default_rng(2).random(count) < 0.6
    names = np.array(labels)
    possible = []
    for penalty in PENALTIES:
        reference = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=2000, tol=1e-6))
        told = reference.fit(vectors[train], names[train]).predict(vectors[~train])
        possible.append((np.mean(told == names[~train]), balanced_accuracy_score(names[~train], told)))
    found = worth_of({"f": vectors}, labels, train).features["f"].probe
    nearest = min(possible, key=lambda one: abs(one[0] - found.accuracy))
    assert (found.accuracy, found.balanced) == pytest.approx(nearest, abs=1.01 / (~train).sum())


def test_the_penalty_is_chosen_from_the_images() -> None:
    vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    labels = ["a" if value > -0.3 else "b" for value in vectors[:, 0]]
    probe = worth_of({"f": vectors}, labels).features["f"].probe
    strongest = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTIES[0]))
    told = cross_val_predict(strongest, vectors, labels)
    assert probe.accuracy > np.mean(told == np.array(labels)) + 0.1
    noise, kinds = np.random.default_rng(1).normal(size=(250, 200)).astype(np.float32), ["a", "b"] * 125
    noise[::2, :50] += 0.4
    probe = worth_of({"f": noise}, kinds).features["f"].probe
    weakest = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTIES[-1], max_iter=1000))
    assert probe.accuracy > np.mean(cross_val_predict(weakest, noise, kinds) == np.array(kinds)) + 0.03


@settings(deadline=None)
@given(st.integers(1, 3000), st.floats(0, 1))
def test_the_interval_is_that_of_scipy(count: int, share: float) -> None:
    right = round(share * count)
    low, high = wilson(right, count)
    reference = binomtest(right, count).proportion_ci(0.95, "wilson")
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-6)
    assert 0 <= low <= right / count <= high <= 1


def test_features_that_hold_the_label_are_worth_most_and_noise_nothing() -> None:
    _, labels = clouds(200, 1, 4)
    random = np.random.default_rng(3)
    certain = np.eye(4, dtype=np.float32)[np.arange(200) % 4] + random.normal(0, 0.01, (200, 4)).astype(np.float32)
    noise = random.normal(size=(200, 30)).astype(np.float32)
    worth = worth_of({"certain": certain, "noise": noise}, labels)
    best, least = worth.features["certain"], worth.features["noise"]
    assert [one.accuracy for one in (*best.neighbors.values(), best.probe)] == [1, 1, 1, 1]
    assert all(one.low < 0.25 < one.high for one in (*least.neighbors.values(), least.probe))
    assert worth.chance == worth.majority == 0.25
    assert best.dim == 4


def test_rare_labels_are_learned_from_in_every_fold() -> None:
    kinds = np.repeat(np.arange(5), [40, 40, 2, 2, 1])
    vectors = (10 * np.eye(5)[kinds] + np.random.default_rng(4).normal(0, 0.1, (85, 5))).astype(np.float32)
    worth = worth_of({"f": vectors}, [f"k{kind}" for kind in kinds])
    assert worth.labels == ("k0", "k1", "k2", "k3")
    assert worth.left_out == {"k4": 1}
    assert worth.tested == 84
    assert worth.features["f"].neighbors[1].accuracy == 1
    assert worth.features["f"].probe.balanced == 1
    assert worth.majority == pytest.approx(40 / 84)


def test_more_neighbors_than_images_vote_as_many_as_there_are() -> None:
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)
    worth = worth_of({"f": vectors}, ["a", "a", "b", "b"])
    found = worth.features["f"]
    assert list(found.neighbors) == [1, 3]
    assert found.neighbors[1].accuracy == found.probe.accuracy == 1
    divided = worth_of({"f": vectors}, ["a", "a", "b", "b"], np.array([1, 0, 1, 0], np.bool_))
    assert list(divided.features["f"].neighbors) == [1, 2]
    assert divided.features["f"].probe.accuracy == 1
    assert (divided.tested, divided.learned) == (2, 2)


@pytest.mark.parametrize("labels", [["a"] * 4, ["a", "b", "c", "d"], [""] * 4, ["a", "a", "b", ""]])
def test_fewer_than_two_labels_are_refused(labels: list[str]) -> None:
    with pytest.raises(UsageError, match="not two labels"):
        worth_of({"f": np.eye(4, dtype=np.float32)}, labels)


def test_labels_on_one_side_of_the_split_are_refused() -> None:
    with pytest.raises(UsageError, match="either side"):
        worth_of({"f": np.eye(4, dtype=np.float32)}, ["a", "a", "b", "b"], np.array([1, 1, 0, 0], np.bool_))


def test_values_that_are_not_finite_are_refused() -> None:
    vectors, labels = clouds(20, 3)
    vectors[7, 1] = np.nan
    with pytest.raises(UsageError, match="'latent'"):
        worth_of({"latent": vectors}, labels)


def test_identical_and_zero_vectors_are_told_without_a_warning() -> None:
    _, labels = clouds(30, 1, 3)
    for vectors in (np.zeros((30, 4), np.float32), np.full((30, 4), 0.1, np.float32)):
        found = worth_of({"f": vectors}, labels).features["f"]
        assert all(0 <= one.accuracy <= 0.4 for one in (*found.neighbors.values(), found.probe))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_scale_of_the_vectors_changes_nothing(scale: float) -> None:
    vectors, labels = clouds(60, 5, 3)
    plain, scaled = (worth_of({"f": values}, labels) for values in (vectors, vectors * np.float32(scale)))
    assert plain == scaled


def test_a_unit_that_is_constant_in_training_does_not_disturb() -> None:
    vectors, labels = clouds(60, 5, 2, 3.0)
    train = np.arange(60) < 40
    constant = np.where(train, 0.1, 0.2).astype(np.float32)
    found = worth_of({"f": vectors, "g": np.column_stack([vectors, constant])}, labels, train).features
    assert found["f"].probe == found["g"].probe


def test_of_many_images_a_sample_is_compared() -> None:
    vectors, labels = clouds(MOST_IMAGES + 400, 2, 2, 4.0)
    labels[:100] = [""] * 100
    worth = worth_of({"f": vectors}, labels)
    assert worth.images == MOST_IMAGES + 300
    assert worth.tested == MOST_IMAGES
    assert worth == worth_of({"f": vectors}, labels)


@pytest.mark.skipif(not CLIPART.is_dir(), reason=f"{CLIPART} is absent")
def test_descriptors_of_labelled_pictures_are_worth_more_than_a_guess() -> None:
    files = [file for folder in sorted(CLIPART.iterdir()) for file in sorted(folder.iterdir())[:25]]
    pictures = np.stack([load_image(file, 64, 64, False) for file in files])
    labels = folder_labels([file.relative_to(CLIPART).as_posix() for file in files])
    worth = worth_of(descriptors_of(pictures), labels)
    assert worth.labels == tuple(sorted({file.parent.name for file in files}))
    assert all(one.neighbors[1].low > worth.chance and one.probe.low > worth.chance for one in worth.features.values())
    assert worth.features["HOG"].probe.accuracy > worth.features["PCA of pixels"].probe.accuracy
    assert set(worth.intervals()["HOG"]) == {"k-NN, k = 1", "k-NN, k = 5", "k-NN, k = 20", "linear probe"}
