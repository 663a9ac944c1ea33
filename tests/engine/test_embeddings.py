"""Sets of embeddings: written row by row, read back, refused where they are damaged, used where they are unfinished."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib import format as npy

from engine.embedding_writer import EmbeddingWriter
from engine.embeddings import FormerVectors, Origin, read_embeddings
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


def test_one_at_a_time_writes_to_a_folder(tmp_path: Path) -> None:
    """A second one, of a job in another lane for instance, is refused, and harms nothing."""
    vectors = values(7)
    with EmbeddingWriter(tmp_path, ORIGIN, BUNDLE) as writer:
        writer.add(files(7), vectors, ["0"] * 7)
        with pytest.raises(FextError, match="Another process encodes into"), EmbeddingWriter(tmp_path, ORIGIN, BUNDLE):
            pass
        writer.finish()
    assert np.array_equal(read_embeddings(tmp_path).vectors, vectors)
    write(tmp_path, 9)
    assert len(read_embeddings(tmp_path).images) == 9


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


def put_header(shape: tuple[int, int]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / "embeddings.npy").open("r+b") as file:
            npy.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})

    return change


def put(write: Callable[[Path, np.ndarray], object]) -> Callable[[Path], None]:
    return lambda folder: write(folder / "embeddings.npy", np.load(folder / "embeddings.npy"))


def put_archive(path: Path, vectors: np.ndarray) -> None:
    with path.open("wb") as file:
        np.savez(file, vectors=vectors)


def tell(**values: object) -> Callable[[Path], None]:
    """Return what puts values into the bundle."""

    def change(folder: Path) -> None:
        path = folder / "bundle.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def put_integers(folder: Path) -> None:
    np.save(folder / "embeddings.npy", np.zeros((30, 5), np.int64))


def put_header_text(text: bytes) -> Callable[[Path], None]:
    """Return what puts a header over the file that NumPy takes for a Python value."""
    content = npy.magic(1, 0) + len(text).to_bytes(2, "little") + text
    return lambda folder: (folder / "embeddings.npy").write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (corrupt_bytes(0), "cannot be read"),
        (corrupt_bytes(60), "cannot be read"),
        (corrupt_bytes(300), "is not as long as"),
        (put_pickle, "holds object"),
        (put_integers, "int64"),
        (put_header((-1, 5)), "no vectors in rows"),
        (put_header((10**12, 5)), "is not as long as"),
        (put_header((2**62, 2**62)), "is not as long as"),
        (put(lambda path, vectors: np.save(path, np.asfortranarray(vectors))), "no vectors in rows"),
        (put(lambda path, vectors: np.save(path, vectors.astype(">f4"))), "holds >f4"),
        (put(lambda path, vectors: np.save(path, vectors[0])), "no vectors in rows"),
        (put(put_archive), "cannot be read"),
        (tell(dtype="float16"), "by bundle.json 30 × 5 float16"),
        (tell(dtype="O"), "dtype: 'O' is none of float32, float16"),
        (tell(dtype=["float32"]), "dtype"),
        (tell(rows="30"), "rows"),
        (tell(rows=10**300), "rows"),
        (tell(dim=0), "dim"),
        (tell(image_height=-1), "image_height"),
        (tell(image_channels="3"), "image_channels"),
        (tell(pooling="best"), "pooling"),
        (tell(fingerprint=[1]), "fingerprint"),
        (tell(checkpoint=5), "checkpoint"),
        (tell(folder=None), "folder"),
        (tell(embeddings_blake2b=None), "holds no digest"),
        (put_header_text(b"-" * 9000 + b"1"), "cannot be read"),
        (put_header_text(b"(" * 3000), "cannot be read"),
        (put_header_text(b"{'descr': '04,f4', 'fortran_order': False, 'shape': (3, 5)}\n"), "cannot be read"),
        (lambda folder: (folder / "bundle.json").write_text("null"), "holds no object"),
        (lambda folder: os.truncate(folder / "bundle.json", 2**34), "has 17,179,869,184 bytes"),
        (corrupt_text("bundle.json", '"dim": 5', '"dim": 6'), "vectors"),
        (corrupt_text("bundle.json", '"pooling"', '"poling"'), "cannot be understood: pooling is missing"),
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


def flip_a_bit(folder: Path) -> None:
    path = folder / "embeddings.npy"
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage", [flip_a_bit, corrupt_bytes(300), corrupt_text("index.csv", "\n4,", "\n5,"), tell(dtype="O")]
)
def test_vectors_that_are_damaged_are_made_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    write(tmp_path, 30)
    assert FormerVectors(tmp_path, ORIGIN).is_set_of(files(30))
    damage(tmp_path)
    former = FormerVectors(tmp_path, ORIGIN)
    assert not former.is_set_of(files(30))
    assert [former.find(file) for file in files(30)] == [None] * 30


def test_what_is_unfinished_in_another_form_is_made_anew(tmp_path: Path) -> None:
    write(tmp_path, 30, finish=False)
    put_header((0, 4))(tmp_path / "unfinished")
    assert FormerVectors(tmp_path, ORIGIN).find(files(1)[0]) is None


def test_where_nothing_was_encoded_no_folder_stays(tmp_path: Path) -> None:
    with EmbeddingWriter(tmp_path / "new", ORIGIN, BUNDLE) as writer:
        writer.skip("a.png", "not a PNG image")
    assert not (tmp_path / "new").exists()
    write(tmp_path / "old", 3)
    with EmbeddingWriter(tmp_path / "old", ORIGIN, BUNDLE):
        pass
    assert len(read_embeddings(tmp_path / "old").vectors) == 3


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
