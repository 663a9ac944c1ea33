"""Nearest neighbors: exact as by brute force, by an index that knows its recall, and sound where cosines are not."""

import json
import os
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine import neighbors
from engine.embedding_writer import EmbeddingWriter
from engine.embeddings import BUNDLE_FILE, EmbeddingSet, Origin, read_embeddings
from engine.errors import FextError, Stopped, UsageError
from engine.images.scan import ImageFile
from engine.neighbors import MEASURED_FILE, NEIGHBORS_FILE, Neighbors
from engine.report import CollectedReport

Write = Callable[..., EmbeddingSet]


def in_memory(vectors: np.ndarray) -> EmbeddingSet:
    """Return a set without files."""
    return EmbeddingSet(Path("/nowhere"), vectors, [], {})


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes vectors as a set, and reads it back."""

    def make(vectors: np.ndarray, folder: Path = tmp_path / "set") -> EmbeddingSet:
        origin = Origin("f" * 32, "flatten", "float32", str(vectors.dtype), 32, 32, 3, vectors.shape[1])
        files = [ImageFile(f"{row}.png", 1, 1) for row in range(len(vectors))]
        with EmbeddingWriter(folder, origin, {"checkpoint": "c", "folder": "f"}) as writer:
            writer.add(files, vectors, [""] * len(files))
            writer.finish()
        return read_embeddings(folder)

    return make


def clusters(count: int, dim: int = 24, *, seed: int = 0) -> np.ndarray:
    """Return vectors around a hundred centers, shuffled."""
    generator = np.random.default_rng(seed)
    centers = generator.normal(size=(100, dim))
    return (centers[generator.integers(0, 100, count)] + 0.3 * generator.normal(size=(count, dim))).astype(np.float32)


def cosines(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return all cosines in double precision; 0 with zeros."""
    with np.errstate(divide="ignore", invalid="ignore"):
        units = [
            np.nan_to_num(scaled / np.linalg.norm(scaled, axis=1, keepdims=True))
            for values in (queries, vectors)
            for scaled in [np.nan_to_num(values.astype(float) / np.abs(values.astype(float)).max(1, keepdims=True))]
        ]
    product: np.ndarray = units[0] @ units[1].T
    return product


def check(found: neighbors.Nearest, truth: np.ndarray, k: int) -> None:
    """Check rows and cosines against all cosines (n, N), -inf where a row is left out."""
    there = np.isfinite(truth).sum(1).min() if truth.size else 0
    assert found.rows.shape == found.similarities.shape == (len(truth), min(k, there))
    assert np.abs(np.take_along_axis(truth, found.rows, 1) - found.similarities).max(initial=0) < 1e-5
    assert np.abs(-np.sort(-truth, 1)[:, : found.rows.shape[1]] - found.similarities).max(initial=0) < 1e-5
    assert (np.diff(found.similarities, axis=1) <= 0).all()
    assert all(len(set(row)) == len(row) for row in found.rows.tolist())


SPECIAL = {np.float32: [0.0, 1.0, -1.0, 1e-45, 1e30], np.float16: [0.0, 1.0, -1.0]}


@st.composite
def sets(draw: st.DrawFn) -> np.ndarray:
    kind = draw(st.sampled_from([np.float32, np.float16]))
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 6)))
    finite = st.floats(allow_nan=False, allow_infinity=False, width=32 if kind is np.float32 else 16)
    vectors = draw(arrays.arrays(kind, shape, elements=finite | st.sampled_from(SPECIAL[kind])))
    repeated = draw(st.lists(st.integers(0, shape[0] - 1), max_size=10))
    return np.concatenate([vectors, vectors[repeated]])


@given(sets(), st.integers(1, 60), st.integers(1, 64), st.data())
def test_search_is_that_by_brute_force(vectors: np.ndarray, k: int, block: int, data: st.DataObject) -> None:
    asked = np.array(data.draw(st.lists(st.integers(0, len(vectors) - 1), min_size=1, max_size=8)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbors, "_BLOCK_VALUES", block)
        patch.setattr(neighbors, "_QUERIES_AT_ONCE", 3)
        search = Neighbors(in_memory(vectors))
        truth = cosines(vectors[asked], vectors)
        check(search.nearest(vectors[asked], k), truth, k)
        truth[np.arange(len(asked)), asked] = -np.inf
        check(search.nearest(vectors[asked], k, leave_out=asked), truth, k)
    assert search.recall == 1


def test_the_only_vector_has_no_other() -> None:
    search = Neighbors(in_memory(np.ones((1, 4), np.float16)), exact_up_to=0)
    assert search.nearest(np.ones((2, 4), np.float32), 5).rows.tolist() == [[0], [0]]
    assert search.nearest(np.ones((1, 4), np.float32), 5, leave_out=np.array([0])).rows.shape == (1, 0)
    assert search.nearest(np.ones((0, 4), np.float32), 5).similarities.shape == (0, 1)


def test_zeros_are_like_nothing_and_equals_come_in_their_order() -> None:
    vectors = np.array([[0, 0], [2, 0], [1, 0], [-3, 0], [4, 0]], np.float32)
    rows, similarities = Neighbors(in_memory(vectors)).nearest(vectors[:2], 5)
    assert (rows[0].tolist(), similarities[0].tolist()) == ([0, 1, 2, 3, 4], [0.0] * 5)
    assert (rows[1].tolist(), similarities[1].tolist()) == ([1, 2, 4, 0, 3], [1, 1, 1, 0, -1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_what_is_not_finite_is_refused(bad: float, kind: Any) -> None:
    vectors = np.ones((20, 3), kind)
    vectors[17, 1] = bad
    with pytest.raises(FextError, match=r"/nowhere hold values that are not finite\.\nEncode the folder again"):
        Neighbors(in_memory(vectors)).nearest(np.ones((1, 3), np.float32), 2)
    with pytest.raises(UsageError, match="The vector to search with holds"):
        Neighbors(in_memory(np.ones((2, 3), kind))).nearest(vectors[17:18], 2)


def test_what_cannot_be_asked_is_refused() -> None:
    search = Neighbors(in_memory(np.ones((20, 3), np.float32)))
    with pytest.raises(UsageError, match="at least 1"):
        search.nearest(np.ones((1, 3), np.float32), 0)
    with pytest.raises(UsageError, match=r"\(1, 4\) do not fit vectors of 3"):
        search.nearest(np.ones((1, 4), np.float32), 1)


def test_memory_is_bounded() -> None:
    """What NumPy holds at once is some blocks of 16 MB, not the 102 MB that the vectors would be as float32."""
    vectors = np.tile(clusters(1000, 128).astype(np.float16), (200, 1))
    tracemalloc.start()
    try:
        Neighbors(in_memory(vectors)).nearest(vectors[:40], 7)
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()


# --- The index ----------------------------------------------------------------------------------------------------


def test_an_index_finds_nearly_all_and_knows_how_much(write: Write) -> None:
    stored = write(clusters(20_000))
    report = CollectedReport()
    search = Neighbors(stored, report, exact_up_to=10_000)
    asked = np.arange(7, 20_000, 97)
    rows, similarities = search.nearest(stored.vectors[asked], 10, leave_out=asked)
    truth = cosines(stored.vectors[asked], stored.vectors)
    truth[np.arange(len(asked)), asked] = -np.inf
    best = np.argsort(-truth, 1)[:, :10]
    found = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows.tolist(), best.tolist(), strict=True)])
    assert found > 0.9
    assert abs(search.recall - found) < 0.05
    assert np.abs(np.take_along_axis(truth, rows, 1) - similarities).max() < 1e-5
    assert report.progresses[-1] == ("indexing", 20_000, 20_000, "vectors")
    assert f"of the 10 nearest, {search.recall:.1%} are found" in report.lines[-1][1]
    assert json.loads((stored.folder / MEASURED_FILE).read_text())["recall"] == search.recall
    assert sorted(path.name for path in stored.folder.iterdir()) == sorted(
        [MEASURED_FILE, NEIGHBORS_FILE, BUNDLE_FILE, "embeddings.npy", "index.csv"]
    )


def test_an_index_is_kept_until_the_vectors_change(write: Write) -> None:
    stored = write(clusters(2000))
    first = Neighbors(stored, exact_up_to=100)
    made = (stored.folder / NEIGHBORS_FILE).stat().st_mtime_ns
    report = CollectedReport()
    again = Neighbors(stored, report, exact_up_to=100, build=False)
    assert again.recall == first.recall < 1.1
    assert not report.lines
    assert (again.nearest(stored.vectors[:5], 4).rows == first.nearest(stored.vectors[:5], 4).rows).all()
    assert (stored.folder / NEIGHBORS_FILE).stat().st_mtime_ns == made
    other = write(clusters(2000, seed=1))
    search = Neighbors(other, report, exact_up_to=100)
    assert report.lines
    assert search.nearest(other.vectors[:50], 1).rows[:, 0].tolist() == list(range(50))


@pytest.mark.parametrize("damage", ["none", "cut", "not JSON", "a list", "other bytes", "one byte", "another's"])
def test_an_index_that_does_not_fit_is_made_again(write: Write, tmp_path: Path, damage: str) -> None:
    stored = write(clusters(500))
    Neighbors(stored, exact_up_to=100)
    graph, measured = stored.folder / NEIGHBORS_FILE, stored.folder / MEASURED_FILE
    if damage == "cut":
        graph.write_bytes(graph.read_bytes()[:1000])
    elif damage == "one byte":
        data = bytearray(graph.read_bytes())
        data[len(data) // 2] ^= 1
        graph.write_bytes(data)
    elif damage == "other bytes":
        graph.write_bytes(b"x" * graph.stat().st_size)
    elif damage == "another's":
        other = write(clusters(300), tmp_path / "other")
        Neighbors(other, exact_up_to=100)
        graph.write_bytes((other.folder / NEIGHBORS_FILE).read_bytes())
        facts = json.loads(measured.read_text()) | {"bytes": graph.stat().st_size}
        measured.write_text(json.dumps(facts))
    elif damage != "none":
        measured.write_text({"not JSON": "{", "a list": "[]"}[damage])
    report = CollectedReport()
    search = Neighbors(stored, report, exact_up_to=100)
    assert bool(report.lines) == (damage != "none")
    assert np.mean(search.nearest(stored.vectors[:50], 1).rows[:, 0] == np.arange(50)) > 0.9


def test_an_index_of_another_user_is_made_again(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stored = write(clusters(500))
    Neighbors(stored, exact_up_to=100)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    report = CollectedReport()
    Neighbors(stored, report, exact_up_to=100)
    assert report.lines
    key = tmp_path / "another" / "fext" / "seal.key"
    assert (key.stat().st_mode & 0o777, key.stat().st_size) == (0o600, 32)


def test_without_building_a_large_set_is_searched_exactly(write: Write) -> None:
    stored = write(clusters(500))
    search = Neighbors(stored, exact_up_to=100, build=False)
    assert search.recall == 1
    check(search.nearest(stored.vectors[:3], 9), cosines(stored.vectors[:3], stored.vectors), 9)
    assert not (stored.folder / NEIGHBORS_FILE).exists()


def test_equals_zeros_and_many_neighbors_by_an_index(write: Write) -> None:
    vectors = np.concatenate([np.zeros((300, 8)), np.ones((1500, 8)), clusters(300, 8)]).astype(np.float32)
    stored = write(vectors)
    search = Neighbors(stored, exact_up_to=100)
    rows, similarities = search.nearest(vectors[[0, 400]], 5, leave_out=np.array([0, 400]))
    assert similarities[0].tolist() == [0] * 5
    assert np.allclose(similarities[1], 1)
    assert 400 not in rows[1]
    asked = np.array([400, 2000])
    truth = cosines(vectors[asked], vectors)
    check(search.nearest(vectors[asked], 3000), truth, 3000)
    truth[[0, 1], asked] = -np.inf
    check(search.nearest(vectors[asked], 1500, leave_out=asked), truth, 1500)


def test_an_index_of_what_is_not_finite_is_refused(write: Write) -> None:
    stored = write(clusters(500))
    with (stored.folder / "embeddings.npy").open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(np.float32(np.nan).tobytes())
    with pytest.raises(FextError, match="not finite"):
        Neighbors(read_embeddings(stored.folder), exact_up_to=100)
    assert not (stored.folder / NEIGHBORS_FILE).exists()


def test_a_stop_leaves_nothing(write: Write) -> None:
    stored = write(clusters(500))
    with pytest.raises(Stopped):
        Neighbors(stored, CollectedReport(stop=True), exact_up_to=100)
    assert not [path for path in stored.folder.iterdir() if path.name.startswith((".", "neighbors"))]


def test_an_index_that_cannot_be_written_is_told(write: Write) -> None:
    stored = write(clusters(500))
    (stored.folder / NEIGHBORS_FILE).mkdir()
    with pytest.raises(FextError, match=r"neighbors\.usearch cannot be written: Is a directory"):
        Neighbors(stored, exact_up_to=100)
    assert not list(stored.folder.glob(".new-*"))


def test_a_folder_that_cannot_be_written_is_searched_exactly(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = write(clusters(500))
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # permissions do not hold root back
    report = CollectedReport()
    search = Neighbors(stored, report, exact_up_to=100)
    assert search.recall == 1
    assert report.lines[0][0] == "warning"
    check(search.nearest(stored.vectors[:3], 9), cosines(stored.vectors[:3], stored.vectors), 9)


def test_an_index_that_names_rows_which_are_not_there_is_damaged(write: Write) -> None:
    stored = write(clusters(500))
    search = Neighbors(stored, exact_up_to=100)
    fewer = replace(stored, vectors=stored.vectors[:400])
    search._set = fewer
    with pytest.raises(FextError, match=r"neighbors\.usearch is damaged\.\nDelete it: it is made again"):
        search.nearest(stored.vectors[450:451], 5)
