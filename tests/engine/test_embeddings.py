"""Sets of embeddings: written row by row, read back, refused where they are damaged, used where they are unfinished."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.embeddings import EmbeddingWriter, FormerVectors, Origin, read_embeddings
from engine.errors import FextError
from engine.images.scan import ImageFile

ORIGIN = Origin("f", "flatten", "float32", "float32", 32, 32, 3, 5)
BUNDLE = {"checkpoint": "encoder", "folder": "database/images"}


def files(count: int, start: int = 0) -> list[ImageFile]:
    return [ImageFile(f"{number:05}.png", 10 + number, 1_000 + number) for number in range(start, start + count)]


def values(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32)


def write(target: Path, count: int, *, finish: bool = True, seed: int = 0) -> np.ndarray:
    vectors = values(count, seed)
    with EmbeddingWriter(target, ORIGIN, BUNDLE) as writer:
        for start in range(0, count, 7):
            part = slice(start, start + 7)
            writer.add(files(count)[part], vectors[part], [f"{number:032x}" for number in range(count)][part])
        if finish:
            writer.finish()
    return vectors


def test_what_is_written_is_read(tmp_path: Path) -> None:
    vectors = write(tmp_path, 30)
    found = read_embeddings(tmp_path)
    assert np.array_equal(found.vectors, vectors)
    assert found.paths == [file.path for file in files(30)]
    assert found.origin == ORIGIN
    assert (found.bundle["rows"], found.bundle["skipped"], found.bundle["checkpoint"]) == (30, 0, "encoder")
    assert np.array_equal(np.load(tmp_path / "embeddings.npy", allow_pickle=False), vectors)


def corrupt_text(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return change


def corrupt_bytes(keep: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "embeddings.npy"
        path.write_bytes(path.read_bytes()[:keep])

    return change


def put_pickle(folder: Path) -> None:
    np.save(folder / "embeddings.npy", np.array([{"a": 1}] * 30, dtype=object), allow_pickle=True)


def put_integers(folder: Path) -> None:
    np.save(folder / "embeddings.npy", np.zeros((30, 5), np.int64))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (corrupt_bytes(0), "cannot be read"),
        (corrupt_bytes(60), "cannot be read"),
        (corrupt_bytes(300), "cannot be read"),
        (put_pickle, "cannot be read"),
        (put_integers, "int64"),
        (corrupt_text("bundle.json", '"dim": 5', '"dim": 6'), "vectors"),
        (corrupt_text("bundle.json", '"pooling"', '"poling"'), "cannot be understood"),
        (corrupt_text("bundle.json", "{", "[" * 100_000), "cannot be understood"),
        (corrupt_text("index.csv", "00003.png", "00003.png,"), "cannot be understood"),
        (corrupt_text("index.csv", "\n4,", "\n5,"), "cannot be understood"),
        (lambda folder: (folder / "index.csv").unlink(), "cannot be understood"),
        (lambda folder: (folder / "bundle.json").unlink(), "no embeddings"),
    ],
)
def test_damage_is_told(tmp_path: Path, damage: Callable[[Path], None], reason: str) -> None:
    write(tmp_path, 30)
    damage(tmp_path)
    with pytest.raises(FextError, match=reason) as told:
        read_embeddings(tmp_path)
    assert "fext encode" in told.value.remedy


@given(cut=st.integers(0, 4000), torn=st.integers(0, 2500))
def test_whatever_a_crash_leaves_is_used_as_far_as_it_is_whole(
    tmp_path_factory: pytest.TempPathFactory, cut: int, torn: int
) -> None:
    folder = tmp_path_factory.mktemp("set")
    vectors = write(folder, 60, finish=False)
    part = folder / "unfinished"
    for name, keep in (("embeddings.npy", cut), ("index.csv", torn)):
        (part / name).write_bytes((part / name).read_bytes()[:keep])
    former = FormerVectors(folder, ORIGIN)
    found = [former.find(file) for file in files(60)]
    known = [vector is not None for vector in found]
    assert known == sorted(known, reverse=True)
    for number, vector in enumerate(found):
        if vector is not None:
            assert np.array_equal(vector.vector, vectors[number])
            assert vector.content_hash == f"{number:032x}"
    assert former.find(ImageFile("00000.png", 11, 1_000)) is None
    whole_values = max(0, cut - 128) // 20
    assert sum(known) <= whole_values
    if torn == 2500:
        assert sum(known) == min(whole_values, (part / "index.csv").read_text().count("encoded"))


def test_another_attempt_that_comes_less_far_loses_nothing(tmp_path: Path) -> None:
    first = write(tmp_path, 40, finish=False)
    write(tmp_path, 10, finish=False, seed=1)
    with EmbeddingWriter(tmp_path, ORIGIN, BUNDLE):
        pass
    former = FormerVectors(tmp_path, ORIGIN)
    known = [former.find(file) for file in files(40)]
    assert all(known)
    assert np.array_equal(known[39].vector, first[39])  # type: ignore[union-attr]


def test_an_older_set_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    old = write(tmp_path, 20)
    write(tmp_path, 15, finish=False, seed=3)
    assert np.array_equal(read_embeddings(tmp_path).vectors, old)
    new = write(tmp_path, 25, seed=4)
    assert np.array_equal(read_embeddings(tmp_path).vectors, new)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.json", "embeddings.npy", "index.csv"]


def test_values_that_the_type_cannot_hold_are_refused(tmp_path: Path) -> None:
    half = Origin("f", "flatten", "float32", "float16", 32, 32, 3, 5)
    with EmbeddingWriter(tmp_path, half, BUNDLE) as writer, pytest.raises(FextError, match="00001") as told:
        writer.add(files(2), np.array([[1] * 5, [1, 2, 70_000, 4, 5]], np.float32), ["", ""])
    assert "float32" in told.value.remedy
    with EmbeddingWriter(tmp_path, ORIGIN, BUNDLE) as writer, pytest.raises(FextError, match="00000") as told:
        writer.add(files(1), np.array([[1, np.nan, 3, 4, 5]], np.float32), [""])
    assert "float32" not in told.value.remedy


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(FextError, match="cannot be written"), EmbeddingWriter(Path("/proc/none"), ORIGIN, BUNDLE):
        pass


def test_the_bundle_is_json_that_others_read(tmp_path: Path) -> None:
    write(tmp_path, 3)
    bundle = json.loads((tmp_path / "bundle.json").read_text())
    assert {"fingerprint", "pooling", "dim", "dtype", "image_height", "created", "embeddings_blake2b"} <= bundle.keys()
