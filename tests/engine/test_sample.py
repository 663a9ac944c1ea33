"""Sample images: the same for a seed, what their table says, and nobody's folder spoilt."""

import colorsys
import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from engine.errors import FextError, Stopped, UsageError
from engine.images.scan import scan
from engine.records import Records
from engine.report import CollectedReport
from engine.sample import LABELS, SampleResult, Shape, sample, shape_of
from engine.sample.picture import picture_of
from engine.sample.shapes import mask_of, outline
from engine.settings import Settings
from engine.workspace import Workspace


class Studio:
    """Draws into a folder of a workspace."""

    def __init__(self, workspace: Workspace, records: Records) -> None:
        self.workspace = workspace
        self.records = records

    def draw(
        self, folder: Path | str, count: int, seed: int = 1, report: CollectedReport | None = None
    ) -> SampleResult:
        report = report or CollectedReport()
        return sample(Settings(), self.workspace, self.records, report, folder=str(folder), count=count, seed=seed)


@pytest.fixture
def studio(workspace: Workspace, records: Records) -> Studio:
    return Studio(workspace, records)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# --- The folder -------------------------------------------------------------------------------------------------


def test_folders_are_labels_and_the_table_tells_all(studio: Studio, tmp_path: Path) -> None:
    report = CollectedReport()
    result = studio.draw(tmp_path / "s", 40, report=report)
    assert result == SampleResult(str(tmp_path / "s"), 40, LABELS)
    assert len(LABELS) >= 6
    rows = table(tmp_path / "s")
    assert [row["path"] for row in rows][:2] == [f"{LABELS[0]}/00001.jpg", f"{LABELS[1]}/00001.jpg"]
    assert sorted(row["path"] for row in rows) == [file.path for file in scan(tmp_path / "s", report).files]
    assert Counter(row["label"] for row in rows) == dict.fromkeys(LABELS, 5)
    assert all(row["path"].startswith(f"{row['label']}/") for row in rows)
    assert list(rows[0]) == ["path", "label", "x", "y", "size", "rotation", "r", "g", "b"]
    with Image.open(tmp_path / "s" / rows[0]["path"]) as picture:
        assert (picture.size, picture.mode, picture.format) == ((128, 128), "RGB", "JPEG")
    assert ("drawing", 40, 40, "images") in report.progresses
    assert report.artifacts == [("images", tmp_path / "s")]


def test_a_seed_gives_the_same_files_and_another_others(studio: Studio, tmp_path: Path) -> None:
    for name, count, seed in (("a", 16, 3), ("b", 16, 3), ("more", 24, 3), ("other", 16, 4)):
        studio.draw(tmp_path / name, count, seed)
    a, b, more, other = (contents(tmp_path / name) for name in ("a", "b", "more", "other"))
    assert a == b
    pictures = [name for name in a if name.endswith(".jpg")]
    assert all(a[name] == more[name] != other[name] for name in pictures)
    assert len({a[name] for name in pictures}) == 16


def test_fewer_images_than_labels(studio: Studio, tmp_path: Path) -> None:
    assert studio.draw(tmp_path / "s", 3).labels == LABELS[:3]
    assert {path.name for path in (tmp_path / "s").iterdir() if path.is_dir()} == set(LABELS[:3])


def test_without_a_folder_they_become_the_training_images(studio: Studio) -> None:
    (studio.workspace.images / ".gitkeep").touch()
    result = studio.draw("", 8)
    assert Path(result.folder) == studio.workspace.images
    assert len(scan(studio.workspace.images, CollectedReport()).files) == 8


def test_twice_does_nothing(studio: Studio, tmp_path: Path) -> None:
    first = studio.draw(tmp_path / "s", 20)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("*")}
    report = CollectedReport()
    assert studio.draw(tmp_path / "s", 20, report=report) == first
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("*")}
    assert not report.progresses


def test_what_is_missing_is_drawn_again(studio: Studio, tmp_path: Path) -> None:
    studio.draw(tmp_path / "s", 20)
    before = contents(tmp_path / "s")
    (tmp_path / "s" / LABELS[2] / "00001.jpg").unlink()
    report = CollectedReport()
    studio.draw(tmp_path / "s", 20, report=report)
    assert contents(tmp_path / "s") == before
    assert report.progresses[-1] == ("drawing", 1, 1, "images")


class _StopsSoon(CollectedReport):
    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        super().progress(phase, done, total, unit)
        self.stop = done >= 1


def test_a_stop_is_obeyed_and_the_rest_drawn_later(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        studio.draw(tmp_path / "s", 200, report=_StopsSoon())
    assert len(list((tmp_path / "s").rglob("*.jpg"))) < 200
    studio.draw(tmp_path / "s", 200)
    studio.draw(tmp_path / "whole", 200)
    assert contents(tmp_path / "s") == contents(tmp_path / "whole")


def test_a_half_written_image_of_a_killed_process_is_drawn_anew(studio: Studio, tmp_path: Path) -> None:
    studio.draw(tmp_path / "s", 20)
    before = contents(tmp_path / "s")
    mark = tmp_path / "s" / "sample.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"whole": False}))
    (tmp_path / "s" / LABELS[0] / "00001.jpg").write_bytes(b"half")
    studio.draw(tmp_path / "s", 20)
    assert contents(tmp_path / "s") == before


@pytest.mark.parametrize(("count", "seed"), [(20, 2), (21, 1)])
def test_another_sample_is_not_drawn_over_one(studio: Studio, tmp_path: Path, count: int, seed: int) -> None:
    studio.draw(tmp_path / "s", 20, 1)
    before = contents(tmp_path / "s")
    with pytest.raises(UsageError, match="20 sample images of seed 1"):
        studio.draw(tmp_path / "s", count, seed)
    assert contents(tmp_path / "s") == before


@pytest.mark.parametrize("name", ["photo.jpg", "sample.json", "folder/notes.txt"])
def test_a_folder_in_use_is_refused_and_left_alone(studio: Studio, tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        studio.draw(tmp_path / "mine", 10)
    assert contents(tmp_path / "mine") == {name: b"mine"}


def test_bad_wishes_are_told(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        studio.draw(tmp_path / "file", 10)
    with pytest.raises(FextError, match="cannot be written"):
        studio.draw(tmp_path / "file" / "within", 10)
    for count, seed in ((0, 1), (5, -1)):
        with pytest.raises(UsageError, match="cannot be drawn"):
            studio.draw(tmp_path / "s", count, seed)


def test_drawing_loads_no_torch() -> None:
    code = "import engine.sample, sys; print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True).stdout
    assert told == "False False\n"


# --- The pictures -----------------------------------------------------------------------------------------------


def reference_mask(shape: Shape, size: int) -> NDArray[np.float64]:
    """Return the coverage of pixels by a shape from OpenCV, at 16 times the size."""
    fine = np.zeros((size * 16, size * 16), dtype=np.uint8)
    center, radius = (np.array([shape.x, shape.y]) * 16 - 0.5), shape.size * 8
    angle = np.radians(shape.rotation)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def disk(place: NDArray[np.float64], share: float, color: int) -> None:
        cv2.circle(fine, place.round().astype(int).tolist(), round(radius * share), color, -1)

    if shape.label in {"circle", "ring", "crescent"}:
        disk(center, 1.0, 255)
        if shape.label == "ring":
            disk(center, 0.58, 0)
        if shape.label == "crescent":
            disk(center + turn @ np.array([0.42, 0.0]) * radius, 0.84, 0)
    else:
        corners = center + np.array(outline(shape.label)) @ turn.T * radius
        cv2.fillPoly(fine, [corners.round().astype(np.int32)], 255)
    return fine.reshape(size, 16, size, 16).mean((1, 3)) / 255


def middle(mask: NDArray[np.float64]) -> NDArray[np.float64]:
    y, x = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]] + 0.5
    return np.array([(mask * x).sum(), (mask * y).sum()]) / mask.sum()


@given(st.integers(0, 2**31 - 1), st.integers(0, 100_000))
@settings(max_examples=60)
def test_masks_are_where_the_table_says(seed: int, index: int) -> None:
    shape = shape_of(seed, index, 128)
    mask = np.asarray(mask_of(shape, 128), dtype=float) / 255
    expected = reference_mask(shape, 128)
    assert np.abs(mask - expected).mean() < 0.005
    assert np.abs(middle(mask) - middle(expected)).max() < 0.2
    assert abs(mask.sum() - expected.sum()) < 0.03 * expected.sum() + 4
    assert ((mask > 0.1) & (mask < 0.9)).sum() > shape.size


@given(st.integers(0, 2**31 - 1), st.integers(0, 100_000))
@settings(max_examples=60)
def test_shapes_lie_within_and_their_color_is_exact(seed: int, index: int) -> None:
    shape = shape_of(seed, index, 128)
    assert shape.label == LABELS[index % len(LABELS)]
    assert shape.size / 2 < min(shape.x, shape.y, 128 - shape.x, 128 - shape.y)
    assert 0 <= shape.rotation < 360
    picture = np.asarray(picture_of(shape, seed, index, 128))
    inside = np.asarray(mask_of(shape, 128)) == 255
    assert inside.sum() > 150
    assert (picture[inside] == (shape.r, shape.g, shape.b)).all()


def test_rotations_are_less_than_turns_a_shape_into_itself() -> None:
    largest = dict.fromkeys(LABELS, 0.0)
    for index in range(800):
        shape = shape_of(7, index, 128)
        largest[shape.label] = max(largest[shape.label], shape.rotation)
    assert largest["circle"] == largest["ring"] == 0
    periods = {"square": 90, "cross": 90, "triangle": 120, "star": 72, "hexagon": 60, "crescent": 360}
    for label, period in periods.items():
        assert period * 0.9 < largest[label] < period
        if label != "crescent":
            corners = np.array(outline(label)) @ [[1], [1j]]
            turned = corners * np.exp(1j * np.radians(period))
            assert np.abs(turned - corners.T).min(axis=1).max() < 1e-9


def test_saved_images_show_what_the_table_says(studio: Studio, tmp_path: Path) -> None:
    """Found again from the file alone: the pixels near the told color have the told middle and extent."""
    studio.draw(tmp_path / "s", 80, seed=11)
    for row in table(tmp_path / "s"):
        if row["label"] not in {"circle", "ring", "square", "hexagon", "cross", "star"}:
            continue
        picture = np.asarray(Image.open(tmp_path / "s" / row["path"]), dtype=int)
        near = np.abs(picture - [int(row[name]) for name in "rgb"]).max(axis=2) < 16
        _, parts = cv2.connectedComponents(near.astype(np.uint8))
        largest = parts == np.bincount(parts[parts > 0]).argmax()
        y, x = np.nonzero(largest)
        assert abs(x.mean() + 0.5 - float(row["x"])) < 1.5, row
        assert abs(y.mean() + 0.5 - float(row["y"])) < 1.5, row
        extent = 2 * np.hypot(x + 0.5 - float(row["x"]), y + 0.5 - float(row["y"])).max()
        assert abs(extent - float(row["size"])) < 5, row


def test_grounds_are_textured_and_of_other_hues() -> None:
    spreads, hues = [], []
    for index in range(60):
        shape = shape_of(12, index, 128)
        picture = np.asarray(picture_of(shape, 12, index, 128), dtype=float)
        ground = picture[np.asarray(mask_of(shape, 128)) == 0]
        spreads.append(ground.std(axis=0).mean())
        own = colorsys.rgb_to_hsv(shape.r / 255, shape.g / 255, shape.b / 255)[0]
        other = colorsys.rgb_to_hsv(*(ground.mean(axis=0) / 255))[0]
        hues.append(min(abs(own - other), 1 - abs(own - other)))
    assert np.median(spreads) > 20
    assert min(spreads) > 3
    assert np.median(hues) > 0.2


def test_other_sizes_can_be_drawn() -> None:
    for size in (32, 100, 256):
        shape = shape_of(1, 4, size)
        picture = np.asarray(picture_of(shape, 1, 4, size))
        assert picture.shape == (size, size, 3)
        assert shape.size < size
