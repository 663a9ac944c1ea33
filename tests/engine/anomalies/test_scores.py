"""Scores, percentiles and ratings against accounts of their own in NumPy, SciPy and plain counting."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import percentileofscore

from engine.anomalies.labels import agreement, labels_of
from engine.anomalies.ranking import MostUnusual, judge
from engine.anomalies.reference import Reference, read_reference, write_reference
from engine.anomalies.scoring import Neighborhood, measure
from engine.device import choose_device
from engine.errors import FextError, UsageError
from engine.images.scan import ImageFile, Manifest
from engine.images.stream import Batch
from engine.models.autoencoder import Autoencoder
from engine.models.loading import LoadedModel
from engine.settings import DeviceSettings, ModelSettings

CPU = torch.device("cpu")
FEW = st.integers(0, 3).map(float)


def reference(scores: NDArray[np.float64]) -> Reference:
    return Reference("training", np.eye(2, 4, dtype=np.float32), np.array(["a", "b"]), scores)


def loaded(**values: Any) -> LoadedModel:
    model = Autoencoder(ModelSettings(latent_channels=8, downsampling=8, **values), 3).eval()
    if model.whitening:
        model.fit_whitening([torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(1))])
    return LoadedModel(model, SimpleNamespace(), choose_device(DeviceSettings(kind="cpu")), "")  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [{}, {"whitening": True}, {"shortcut": False}], ids=str)
def test_a_measure_is_of_reconstruction_and_vector(values: dict[str, Any]) -> None:
    model = loaded(**values)
    images = np.random.default_rng(0).integers(0, 256, (5, 30, 36, 3), dtype=np.uint8)
    found = measure(model, images)
    with torch.inference_mode():
        floats = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
        restored = model.model(floats).permute(0, 2, 3, 1).numpy()
        vectors = model.model.embed(floats, "auto").numpy()
    maps = np.abs(np.round(restored.clip(0, 1) * 255) / 255 - images / 255).mean(3)
    assert np.abs(found.restored / 255 - restored.clip(0, 1)).max() < 0.51 / 255
    assert found.errors[:, 0] == pytest.approx(maps.mean((1, 2)), abs=1e-5)
    worst = np.sort(maps.reshape(5, -1))[:, -54:]  # 5 % of 1,080 pixels
    assert found.errors[:, 1] == pytest.approx(worst.mean(1), abs=1e-5)
    assert found.vectors.numpy() == pytest.approx(vectors / np.linalg.norm(vectors, axis=1)[:, None], abs=1e-4)


def test_nothing_is_measured_of_no_pictures() -> None:
    found = measure(loaded(), np.empty((0, 32, 32, 3), np.uint8))
    assert (found.errors.shape, found.restored.shape, len(found.vectors)) == ((0, 2), (0, 32, 32, 3), 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(1, 8), st.integers(0, 2**31 - 1))
def test_distances_are_those_to_the_kth_other_image(count: int, neighbors: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = random.normal(size=(count, 6)).astype(np.float32)
    known[count // 2] = known[0]  # two equal images
    known /= np.linalg.norm(known, axis=1)[:, None]
    contents = [str(row if row != count // 2 else 0) for row in range(count)]
    new = random.normal(size=(3, 6)).astype(np.float32)
    new /= np.linalg.norm(new, axis=1)[:, None]
    neighborhood = Neighborhood(known, contents, neighbors, CPU)
    k = min(neighbors, count - 1)
    own = cdist(known, known, "cosine")
    expected = [np.sort(np.delete(row, number))[k - 1] for number, row in enumerate(own)]
    assert neighborhood.distances(torch.from_numpy(known), contents) == pytest.approx(expected, abs=1e-5)
    expected = np.sort(cdist(new, known, "cosine"))[:, k - 1]
    assert neighborhood.distances(torch.from_numpy(new), ["x", "y", "z"]) == pytest.approx(expected, abs=1e-5)


def test_equal_vectors_are_at_no_distance() -> None:
    vectors = np.random.default_rng(0).normal(size=(1, 4096)).astype(np.float32).repeat(8, 0)
    vectors /= np.linalg.norm(vectors[0])
    assert Neighborhood(vectors, list("abcdefgh"), 5, CPU).distances(torch.from_numpy(vectors), ["x"] * 8).max() < 1e-12


@given(arrays(np.float64, st.tuples(st.integers(1, 9), st.just(3)), elements=FEW), arrays(float, (4, 3), elements=FEW))
def test_percentiles_and_thresholds(known: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
    usual = reference(known)
    expected = [[percentileofscore(known[:, n], row[n], "mean") for n in range(3)] for row in scores]
    assert usual.percentiles(scores) == pytest.approx(np.array(expected))
    place = 0.9 * (len(known) - 1)
    below, ordered = int(place), np.sort(known, 0)
    above = ordered[min(below + 1, len(known) - 1)]
    assert usual.thresholds(90) == pytest.approx(ordered[below] + (place - below) * (above - ordered[below]))


@given(arrays(float, (7, 3), elements=FEW), arrays(float, (6, 3), elements=FEW))
def test_the_ranking(known: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
    usual = reference(known)
    judged = judge(scores, usual, 75)
    percentiles, thresholds = usual.percentiles(scores), usual.thresholds(75)
    assert judged.is_anomaly.tolist() == [any(row > thresholds) for row in scores]
    keys = [(-max(percentiles[n]), -max(row / np.maximum(thresholds, 1e-9)), n) for n, row in enumerate(scores)]
    assert judged.order().tolist() == [number for *_, number in sorted(keys)]
    combined = judged.ranking_scores()["combined"]
    for one, other in zip(judged.order()[:-1], judged.order()[1:], strict=True):
        assert (combined[one] == combined[other]) == (keys[one][:2] == keys[other][:2])
        assert combined[one] >= combined[other]


def test_what_is_beyond_all_is_ordered_by_how_far() -> None:
    usual = reference(np.linspace(0.1, 1, 10)[:, None].repeat(3, 1))
    judged = judge(np.array([[2.0, 0, 0], [0, 3.0, 0], [0, 0, 2.5], [0.5, 0.5, 0.5]]), usual, 100)
    assert judged.order().tolist() == [1, 2, 0, 3]
    assert judged.is_anomaly.tolist() == [True, True, True, False]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
def test_the_most_unusual_pictures_are_those_first_in_the_ranking(rows: list[tuple[int, int, int]]) -> None:
    scores = np.array(rows, float)
    usual = reference(np.arange(0, 8, dtype=float)[:, None].repeat(3, 1))
    unusual = MostUnusual(5)
    for start in range(0, len(rows), 7):
        part = scores[start : start + 7]
        files = tuple(ImageFile(str(start + n), 0, 0) for n in range(len(part)))
        numbers = np.arange(start, start + len(part))
        images = numbers.astype(np.uint8)[:, None, None, None]
        unusual.add(Batch(files, images, ()), 100 + images, judge(part, usual, 99))
    expected = judge(scores, usual, 99).order()[:5].tolist()
    assert [int(one.path) for one in unusual.pictures] == expected
    assert [int(one.image.item()) for one in unusual.pictures] == expected
    assert [int(one.restored.item()) - 100 for one in unusual.pictures] == expected


@given(st.lists(st.tuples(st.sampled_from([0, 1, None]), FEW), min_size=1, max_size=20))
def test_the_rating_is_a_count_of_pairs(rows: list[tuple[int | None, float]]) -> None:
    labels, scores = [label for label, _ in rows], np.array([score for _, score in rows])
    rated = agreement(labels, {"error": scores})
    normal, anomalous = ([score for label, score in rows if label == kind] for kind in (0, 1))
    assert rated.labeled == len(normal) + len(anomalous)
    if not normal or not anomalous:
        assert (rated.auroc, rated.average_precision) == ({}, {})
        assert ("both kinds" in rated.reason) == bool(rated.labeled)
        return
    won = sum((high > low) + (high == low) / 2 for high in anomalous for low in normal)
    assert rated.auroc["error"] == pytest.approx(won / len(normal) / len(anomalous))
    precision, gained = 0.0, 0.0
    for cut in sorted({*normal, *anomalous}, reverse=True):
        taken = [sum(score >= cut for score in kind) for kind in (normal, anomalous)]
        precision += (taken[1] - gained) / len(anomalous) * taken[1] / sum(taken)
        gained = taken[1]
    assert rated.average_precision["error"] == pytest.approx(precision)


class TestLabels:
    MANIFEST = Manifest(
        Path("/data/test"), tuple(ImageFile(p, 1, 1) for p in ("a\udcff.png", "b/good/c.png", "d,e.png"))
    )

    def test_a_file(self, tmp_path: Path) -> None:
        table = tmp_path / "labels.csv"
        with table.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = [("label", "path"), (1, "a\udcff.png"), (0, "/data/test/d,e.png"), (1, "gone.png")]
            csv.writer(file).writerows(rows)
        assert labels_of(self.MANIFEST, str(table), ()) == {"a\udcff.png": 1, "d,e.png": 0}

    @pytest.mark.parametrize(
        ("text", "cause"),
        [
            ("", "first line"),
            ("file,label\n", "first line"),
            ("path,label\nd,2\n", "line 2"),
            ("path,label\nd\n", "line 2"),
            ("path,label\ngone,1\n", "for no image"),
        ],
    )
    def test_a_bad_file(self, tmp_path: Path, text: str, cause: str) -> None:
        (tmp_path / "labels.csv").write_text(text)
        with pytest.raises(UsageError, match=cause):
            labels_of(self.MANIFEST, str(tmp_path / "labels.csv"), ())

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FextError, match="cannot be read"):
            labels_of(self.MANIFEST, str(tmp_path / "labels.csv"), ())

    def test_folders(self) -> None:
        labels = {"a\udcff.png": 1, "b/good/c.png": 0, "d,e.png": 1}
        assert labels_of(self.MANIFEST, "", ["good"]) == labels
        assert labels_of(self.MANIFEST, "", ["fine", "b"]) == labels
        with pytest.raises(UsageError, match=r"named c\.png") as caught:
            labels_of(self.MANIFEST, "", ["c.png"])
        assert "b, good" in caught.value.remedy

    def test_both(self) -> None:
        with pytest.raises(UsageError, match="or from the names"):
            labels_of(self.MANIFEST, "labels.csv", ["good"])

    def test_none(self) -> None:
        assert labels_of(self.MANIFEST, "", ()) == {}


class TestKeptReference:
    def test_it_comes_back_under_its_key_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "reference.npz"
        usual = reference(np.random.default_rng(0).random((4, 3)))
        write_reference(path, "key", usual)
        again = read_reference(path, "key", 4)
        assert again is not None
        assert again.judge == "training"
        for name in ("vectors", "contents", "scores"):
            assert np.array_equal(getattr(again, name), getattr(usual, name))
        assert read_reference(path, "other", 4) is None

    def test_damage_and_pickles_count_as_none(self, tmp_path: Path) -> None:
        path = tmp_path / "reference.npz"
        assert read_reference(path, "key", 4) is None
        write_reference(path, "key", reference(np.zeros((4, 3))))
        whole = path.read_bytes()
        for content in (b"", whole[: len(whole) // 2], b"x" * 100):
            path.write_bytes(content)
            assert read_reference(path, "key", 4) is None
        facts: dict[str, Any] = {"key": "key", "judge": "training", "contents": np.array(["a", "b"])}
        vectors = np.eye(2, 4, dtype=np.float32)
        for wrong in (
            {"vectors": vectors.astype(object), "scores": np.zeros((4, 3))},
            {"vectors": vectors[:1], "scores": np.zeros((4, 3))},
            {"vectors": vectors, "scores": np.zeros((4, 2))},
            {"vectors": vectors, "scores": np.zeros((0, 3))},
            {"vectors": vectors},
            {"vectors": vectors, "scores": np.full((4, 3), np.nan)},
            {"vectors": np.full_like(vectors, np.inf), "scores": np.zeros((4, 3))},
            {"vectors": vectors[:, 1:], "scores": np.zeros((4, 3))},
        ):
            np.savez(path, **facts, **wrong)
            assert read_reference(path, "key", 4) is None
        with path.open("wb") as file:
            np.save(file, vectors)
        assert read_reference(path, "key", 4) is None
