"""Encoding: files that NumPy reads, equal to the library's own vectors, and honest about what was skipped."""

import csv
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from engine import encode_images, load_model
from engine.checkpoints import find_checkpoint
from engine.embeddings import read_embeddings
from engine.encoding import EncodingResult, encode
from engine.errors import FextError, Stopped
from engine.images.pack import open_images
from engine.images.scan import scan
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.training import train
from engine.workspace import Workspace

Small = Callable[..., Settings]


@pytest.fixture
def trained(workspace: Workspace, records: Records, small: Small) -> str:
    settings = small(training__epochs=1)
    train(settings, workspace, records, CollectedReport(), run=records.add_run("encoder", "redux"))
    return "encoder"


def test_files_load_and_equal_the_library(
    workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str
) -> None:
    (pictures / "broken.jpg").write_bytes(b"not an image")
    result = encode(small(), workspace, records, CollectedReport(), checkpoint=trained, folder=str(pictures))
    vectors = np.load(result.embeddings, allow_pickle=False)
    assert vectors.shape == (40, 28 * 8) == (result.rows, result.dim)
    assert vectors.dtype == np.float32
    assert result.skipped == 1
    ours = encode_images(load_model(trained, resources=str(workspace.root), device="cpu"), pictures, batch_size=7)
    assert np.abs(ours.vectors - vectors).max() < 1e-4
    assert [path.name for path in ours.paths] == sorted(path.name for path in pictures.glob("*.png"))
    assert [path.name for path, _ in ours.skipped] == ["broken.jpg"]
    with (Path(result.embeddings).parent / "index.csv").open(newline="") as file:
        index = list(csv.DictReader(file))
    assert [row["path"] for row in index if row["row"]] == [path.name for path in ours.paths]
    assert [int(row["row"]) for row in index if row["row"]] == list(range(40))
    skipped = next(row for row in index if not row["row"])
    assert skipped["path"] == "broken.jpg"
    assert skipped["status"]


def test_the_encoder_sees_what_training_saw(
    workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str
) -> None:
    settings = small(encoding__pooling="flatten")
    result = encode(settings, workspace, records, CollectedReport(), checkpoint=trained, folder=str(pictures))
    model, _ = load_weights(find_checkpoint(workspace, trained))
    picture = cv2.imread(str(pictures / "picture_000.png"), cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    picture = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA)
    image = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        expected = model.encode(image).flatten().numpy()
    assert np.abs(np.load(result.embeddings)[0] - expected).max() < 1e-3


def test_the_bundle_ties_vectors_to_weights(
    workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str
) -> None:
    result = encode(
        small(encoding__pooling="mean_std"),
        workspace,
        records,
        CollectedReport(),
        checkpoint=trained,
        folder=str(pictures),
    )
    bundle = json.loads((Path(result.embeddings).parent / "bundle.json").read_text())
    mark = json.loads((find_checkpoint(workspace, trained) / "complete.json").read_text())
    assert bundle["fingerprint"] == mark["files"]["model.safetensors"]["blake2b"]
    assert (bundle["rows"], bundle["dim"], bundle["pooling"]) == (40, 16, "mean_std")
    assert records.embeddings()[0]["dim"] == 16


def test_another_folder_does_not_overwrite(
    workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str
) -> None:
    first = encode(small(), workspace, records, CollectedReport(), checkpoint=trained, folder=str(pictures))
    before = Path(first.embeddings).read_bytes()
    other = workspace.inference_images
    Image.new("RGB", (50, 50), "red").save(other / "red.png")
    second = encode(small(), workspace, records, CollectedReport(), checkpoint=trained)
    assert second.rows == 1
    assert second.embeddings != first.embeddings
    assert Path(first.embeddings).read_bytes() == before
    again = encode(small(), workspace, records, CollectedReport(), checkpoint=trained, folder=str(pictures))
    assert again.embeddings == first.embeddings


def test_nothing_readable_and_stops_leave_no_file(
    workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str
) -> None:
    bad = pictures / "bad"
    bad.mkdir()
    (bad / "a.png").write_bytes(b"")
    report = CollectedReport()
    with pytest.raises(FextError, match="None of the 1 images"):
        encode(small(), workspace, records, report, checkpoint=trained, folder=str(bad))
    assert [text for level, text in report.lines if level == "warning"] == []
    with pytest.raises(Stopped):
        encode(small(), workspace, records, CollectedReport(stop=True), checkpoint=trained, folder=str(pictures))
    assert not [path for path in workspace.inference.rglob("*") if path.is_file()]
    assert records.embeddings() == []


class Bench:
    """Encodes a folder again and again, and tells what the network saw."""

    def __init__(self, workspace: Workspace, records: Records, settings: Small, folder: Path) -> None:
        self.workspace, self.records, self.settings, self.folder = workspace, records, settings, folder

    def encode(self, report: CollectedReport | None = None, *, again: bool = False, **values: Any) -> EncodingResult:
        return encode(
            self.settings(**values), self.workspace, self.records, report or CollectedReport(),
            checkpoint="encoder", folder=str(self.folder), again=again,
        )  # fmt: skip

    @property
    def target(self) -> Path:
        return self.workspace.inference / "encoder"


@pytest.fixture
def bench(workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str) -> Bench:
    return Bench(workspace, records, small, pictures)


def test_only_new_and_changed_images_are_encoded(bench: Bench, draw_pictures: Callable[..., Path]) -> None:
    first = bench.encode()
    before = dict(zip(*_set(bench.target), strict=True))
    draw_pictures(bench.folder / "aa", 2, seed=5)
    (bench.folder / "picture_003.png").unlink()
    draw_pictures(bench.folder / "changed", 1, seed=9)
    (bench.folder / "changed" / "picture_000.png").rename(bench.folder / "picture_010.png")
    report = CollectedReport()
    second = bench.encode(report)
    assert (first.unchanged, second.unchanged, second.rows) == (0, 38, 41)
    assert any("Encoding 3 images" in text and "38 more" in text for _, text in report.lines)
    paths, vectors = _set(bench.target)
    assert paths == sorted(paths)
    assert len(vectors) == 41
    whole = bench.encode(again=True)
    assert whole.unchanged == 0
    _, anew = _set(bench.target)
    assert np.abs(vectors - anew).max() < 1e-5
    for path, vector in zip(paths, vectors, strict=True):
        if path in before and path != "picture_010.png":
            assert np.array_equal(vector, before[path])
    assert not np.array_equal(vectors[paths.index("picture_010.png")], before["picture_010.png"])


def _set(target: Path) -> tuple[list[str], np.ndarray]:
    found = read_embeddings(target)
    return found.paths, np.array(found.vectors)


def test_nothing_new_leaves_the_files_alone(bench: Bench) -> None:
    bench.encode()
    before = {path: path.stat().st_mtime_ns for path in bench.target.iterdir()}
    result = bench.encode()
    assert (result.rows, result.unchanged) == (40, 40)
    assert {path: path.stat().st_mtime_ns for path in bench.target.iterdir()} == before
    assert len(bench.records.embeddings()) == 1


@pytest.mark.parametrize("values", [{"encoding__pooling": "mean"}, {"encoding__dtype": "float16"}])
def test_vectors_of_another_kind_are_not_reused(bench: Bench, values: dict[str, Any]) -> None:
    bench.encode(encoding__pooling="flatten")
    assert bench.encode(**{"encoding__pooling": "flatten"} | values).unchanged == 0


def test_what_was_done_before_a_stop_is_used(bench: Bench) -> None:
    with pytest.raises(Stopped):
        bench.encode(_StopAfter(2))
    assert not (bench.target / "bundle.json").exists()
    with pytest.raises(FextError, match="no embeddings"):
        read_embeddings(bench.target)
    with pytest.raises(Stopped):
        bench.encode(_StopAfter(0))
    result = bench.encode()
    assert (result.rows, result.unchanged) == (40, 16)
    assert sorted(path.name for path in bench.target.iterdir()) == ["bundle.json", "embeddings.npy", "index.csv"]
    _, vectors = _set(bench.target)
    bench.encode(again=True)
    assert np.abs(vectors - _set(bench.target)[1]).max() < 1e-5


class _StopAfter(CollectedReport):
    """Stops when so many batches have been told of."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self._batches = batches

    def stopping(self) -> bool:
        return sum(phase == "encoding" for phase, *_ in self.progresses) >= self._batches


def test_half_floats_are_those_of_the_whole_ones(bench: Bench) -> None:
    bench.encode(encoding__pooling="flatten")
    whole = _set(bench.target)[1]
    bench.encode(encoding__pooling="flatten", encoding__dtype="float16")
    half = np.load(bench.target / "embeddings.npy", allow_pickle=False)
    assert half.dtype == np.float16
    assert np.abs(half - whole).max() <= np.abs(whole).max() * 2**-10
    bundle = json.loads((bench.target / "bundle.json").read_text())
    assert bundle["dtype"] == "float16"
    digest = hashlib.blake2b((bench.target / "embeddings.npy").read_bytes(), digest_size=16).hexdigest()
    assert bundle["embeddings_blake2b"] == digest


def test_a_pack_gives_the_same_vectors(bench: Bench) -> None:
    bench.encode()
    paths, vectors = _set(bench.target)
    manifest = scan(bench.folder, CollectedReport())
    open_images(manifest, 32, 32, False, "on", bench.workspace, 1, CollectedReport())
    times = {file.path: (file.bytes, file.modified_ns) for file in manifest.files}
    for path, (size, modified) in times.items():  # only the pack still has the pictures
        (bench.folder / path).write_bytes(b"\0" * size)
        os.utime(bench.folder / path, ns=(modified, modified))
    bench.encode(again=True)
    again, packed = _set(bench.target)
    assert again == paths
    assert np.abs(packed - vectors).max() < 1e-5


def test_hostile_names_come_back(bench: Bench) -> None:
    names = ["new\nline.png", 'quote".png', "comma,.png", "\x1b[31m.png", os.fsdecode(b"\xff.png"), "日本.png"]
    source = (bench.folder / "picture_000.png").read_bytes()
    for path in bench.folder.iterdir():
        path.unlink()
    for name in names:
        (bench.folder / name).write_bytes(source)
    assert bench.encode().rows == 6
    assert sorted(read_embeddings(bench.target).paths) == sorted(names)
    assert bench.encode().unchanged == 6
