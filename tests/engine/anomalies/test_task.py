"""The search for anomalies on a small trained network: what is planted is found, and what is missing is told."""

import csv
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.distance import cdist
from scipy.stats import percentileofscore

from engine.anomalies import AnomalyResult, find_anomalies
from engine.checkpoints import find_checkpoint
from engine.errors import FextError, Stopped, UsageError
from engine.images.decode import load_image
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import CollectedReport
from engine.sample.picture import picture_of
from engine.sample.shapes import shape_of
from engine.settings import Settings, from_layers
from engine.workspace import Workspace

Find = Callable[..., AnomalyResult]
Draw = Callable[..., Path]

PLANTED = ("drawings_0.png", "drawings_1.png", "noise_0.png", "noise_1.png")


@pytest.fixture
def report() -> CollectedReport:
    return CollectedReport()


@pytest.fixture
def find(trained: Workspace, records: Records, report: CollectedReport, small_values: dict[str, Any]) -> Find:
    def search(
        checkpoint: str, folder: Path, *, values: Mapping[str, Any] | None = None, **given: Any
    ) -> AnomalyResult:
        settings: Settings = from_layers(("", small_values | {"anomalies.batch_size": 16}), ("", values or {}))
        return find_anomalies(settings, trained, records, report, checkpoint=checkpoint, folder=str(folder), **given)

    return search


@pytest.fixture
def mixed(tmp_path: Path, draw_pictures: Draw) -> Path:
    """Return a folder of 20 pictures of the kind trained on, with two sheets of sample drawings and two of noise."""
    folder = draw_pictures(tmp_path / "mixed folder", 20, seed=9)
    random = np.random.default_rng(0)
    for number in range(2):
        sheet = Image.new("RGB", (384, 384))
        for place in range(9):
            drawing = picture_of(shape_of(number, place, 128), number, place, 128)
            sheet.paste(drawing, (place % 3 * 128, place // 3 * 128))
        sheet.save(folder / f"drawings_{number}.png")
        noise = random.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"noise_{number}.png")
    return folder


def table(result: AnomalyResult) -> list[dict[str, str]]:
    with Path(result.table).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def told(result: AnomalyResult) -> dict[str, Any]:
    return dict(json.loads(Path(result.table).with_name("anomalies.json").read_text()))


def own_scores(workspace: Workspace, checkpoint: str, images: list[Path]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return errors (n, 2) and vectors (n, D) of images, by NumPy from what the network gives."""
    model, _ = load_weights(find_checkpoint(workspace, checkpoint))
    pixels = np.stack([load_image(path, 32, 32, False) for path in images])
    with torch.inference_mode():
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
        restored, vectors = model(images).permute(0, 2, 3, 1).numpy(), model.embed(images, "auto").numpy()
    maps = np.abs(np.round(restored.clip(0, 1) * 255) - pixels).mean(3).reshape(len(images), -1) / 255
    errors = np.column_stack([maps.mean(1), np.sort(maps)[:, -52:].mean(1)])
    return errors, vectors


def test_what_is_planted_comes_first(find: Find, trained: Workspace, mixed: Path, report: CollectedReport) -> None:
    (mixed / "labels.csv").write_text(
        "path,label\n" + "".join(f"{path},1\n" for path in PLANTED) + "picture_003.png,0\n"
    )
    result = find("many", mixed, labels=str(mixed / "labels.csv"))
    rows = table(result)
    assert {row["path"] for row in rows[:4]} == set(PLANTED)
    assert [int(row["rank"]) for row in rows] == list(range(1, 25))
    assert [row["label"] for row in rows].count("") == 19
    assert all(row["is_anomaly"] == "1" for row in rows[:4])
    assert result.anomalies == sum(int(row["is_anomaly"]) for row in rows)
    assert (result.images, result.skipped, result.labeled) == (24, 0, 5)
    assert result.auroc["combined"] == result.average_precision["combined"] == 1
    assert told(result)["auroc"] == dict(result.auroc)
    assert "AUROC 1.000" in report.lines[-1][1]
    assert "60 held-out images say what is usual" in str(report.lines)
    assert {Path(path).name for _, path in report.artifacts} == {
        path.name for path in Path(result.table).parent.iterdir()
    }
    for figure in result.figures:
        with Image.open(figure) as image:
            assert min(image.size) > 300
    assert report.progresses[-1] == ("scoring", 24, 24, "images")


@pytest.mark.parametrize(("checkpoint", "judge"), [("few", "training"), ("many", "validation")])
def test_scores_equal_an_account_in_numpy(
    find: Find, trained: Workspace, mixed: Path, checkpoint: str, judge: str
) -> None:
    result = find(checkpoint, mixed, values={"anomalies.neighbors": 3, "anomalies.percentile": 90})
    with (trained.checkpoints / checkpoint / "images.csv").open(newline="") as file:
        sides = [(row["subset"], row["path"]) for row in csv.DictReader(file)]
    train = sorted(trained.root / "pictures" / path for side, path in sides if side == "train")
    errors, vectors = own_scores(trained, checkpoint, train)
    judges, others = errors, vectors
    if judge == "validation":
        held_out = sorted((trained.root / "held_out").iterdir())
        judges, others = own_scores(trained, checkpoint, held_out)
    apart = np.sort(cdist(others, vectors, "cosine"))[:, 3 if judge == "training" else 2]
    usual = np.column_stack([judges, apart])
    assert (result.reference, result.reference_images) == (judge, len(usual))
    thresholds = np.percentile(usual, 90, axis=0)
    assert list(result.thresholds.values()) == pytest.approx(thresholds, rel=1e-3)
    assert result.reference_beyond == pytest.approx(100 * (usual > thresholds).any(1).mean(), abs=4)
    rows = sorted(table(result), key=lambda row: row["path"])
    errors, own = own_scores(trained, checkpoint, [mixed / row["path"] for row in rows])
    scores = np.column_stack([errors, np.sort(cdist(own, vectors, "cosine"))[:, 2]])
    for n, name in enumerate(("error", "local_error", "distance")):
        assert [float(row[name]) for row in rows] == pytest.approx(scores[:, n], rel=1e-3)
        expected = [percentileofscore(usual[:, n], score, "mean") for score in scores[:, n]]
        assert [float(row[f"{name}_percentile"]) for row in rows] == pytest.approx(expected, abs=100 / len(usual))


def test_training_images_are_not_their_own_neighbors(find: Find, trained: Workspace) -> None:
    result = find("few", trained.root / "pictures")
    assert min(float(row["distance"]) for row in table(result)) > 1e-3
    assert result.anomalies < 12


def test_the_reference_is_kept(find: Find, trained: Workspace, mixed: Path, report: CollectedReport) -> None:
    first = find("few", mixed)
    told_before = len(report.lines)
    (trained.root / "pictures").rename(trained.root / "elsewhere")
    assert find("few", mixed) == first
    assert "are there already" in report.lines[told_before][1]
    for values in ({"anomalies.neighbors": 2}, {"anomalies.seed": 1}, {"anomalies.reference_images": 20}):
        with pytest.raises(UsageError) as caught:
            find("few", mixed, values=values)
        assert "--reference" in caught.value.remedy
    kept = trained.inference / "few" / "reference-training.npz"
    kept.write_bytes(kept.read_bytes()[:1000])
    with pytest.raises(UsageError):
        find("few", mixed)


def test_changed_training_images_are_no_reference(
    find: Find, trained: Workspace, mixed: Path, report: CollectedReport
) -> None:
    changed = sorted((trained.root / "pictures").iterdir())
    for path in changed:
        Image.new("RGB", (40, 40), "red").save(path)
    with pytest.raises(UsageError, match="No reference image is left to tell"):
        find("few", mixed)
    for path in changed[:6]:
        path.unlink()
    shutil.rmtree(trained.root / "held_out")
    with pytest.raises(UsageError):
        find("many", mixed)
    assert any("have changed" in line for level, line in report.lines if level == "warning")
    assert not list(trained.inference.rglob("*.npz"))


def test_held_out_images_that_are_gone_judge_no_more(
    find: Find, trained: Workspace, mixed: Path, report: CollectedReport
) -> None:
    for path in sorted((trained.root / "held_out").iterdir())[:20]:
        path.unlink()
    result = find("many", mixed)
    assert (result.reference, result.reference_images) == ("training", 60)
    assert any("Too few held-out images" in line for level, line in report.lines if level == "warning")
    assert not list(trained.inference.rglob("*.npz"))


def test_a_sample_of_the_reference(find: Find, mixed: Path) -> None:
    result = find("many", mixed, values={"anomalies.reference_images": 51})
    assert (result.reference, result.reference_images) == ("validation", 51)
    assert find("many", mixed, values={"anomalies.reference_images": 30}).reference_images == 30


def test_another_reference(find: Find, trained: Workspace, mixed: Path, tmp_path: Path, draw_pictures: Draw) -> None:
    usual = draw_pictures(tmp_path / "usual", 3, seed=4)
    (usual / "broken.png").write_bytes(b"")
    result = find("few", mixed, reference=str(usual))
    assert (result.reference, result.reference_images) == ("folder", 3)
    _, known = own_scores(trained, "few", sorted(usual.glob("picture*")))
    _, own = own_scores(trained, "few", [mixed / row["path"] for row in table(result)])
    assert [float(row["distance"]) for row in table(result)] == pytest.approx(
        np.sort(cdist(own, known, "cosine"))[:, 1], rel=1e-3
    )
    assert len(list((trained.inference / "few").glob("reference-usual-*.npz"))) == 1
    for path in sorted(usual.glob("picture*"))[1:]:
        path.unlink()
    with pytest.raises(UsageError, match="does not tell what is usual"):
        find("few", mixed, reference=str(usual))
    (usual / "picture_000.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match="No reference image is left to tell"):
        find("few", mixed, reference=str(usual))


def test_equal_images(find: Find, tmp_path: Path, draw_pictures: Draw) -> None:
    usual = draw_pictures(tmp_path / "usual", 1)
    for number in range(8):
        shutil.copy(usual / "picture_000.png", usual / f"copy_{number}.png")
    folder = draw_pictures(tmp_path / "folder", 2)
    rows = table(find("few", folder, reference=str(usual)))
    assert [row["path"] for row in rows] == ["picture_001.png", "picture_000.png"]
    assert float(rows[1]["distance"]) < 1e-9 < float(rows[0]["distance"])


def test_one_image_and_unreadable_ones(
    find: Find, tmp_path: Path, draw_pictures: Draw, report: CollectedReport
) -> None:
    folder = draw_pictures(tmp_path / "a [red]b\x1b", 1, seed=5)
    for number in range(5):
        (folder / f"bad\n{number}.png").write_bytes(b"not an image")
    result = find("few", folder)
    assert (result.images, result.skipped) == (1, 5)
    assert [one["path"] for one in told(result)["unreadable"]] == [f"bad\n{number}.png" for number in range(5)]
    assert sum(level == "warning" for level, _ in report.lines) == 4
    assert all("\n" not in line and "\x1b" not in line for _, line in report.lines)
    (folder / "picture_000.png").unlink()
    with pytest.raises(FextError, match="None of the 5 images"):
        find("few", folder)


def test_labels_of_one_kind_rate_nothing(find: Find, tmp_path: Path, draw_pictures: Draw) -> None:
    draw_pictures(tmp_path / "test" / "good", 3, seed=5)
    result = find("few", tmp_path / "test", normal=["good"])
    assert (result.auroc, result.average_precision, result.labeled) == ({}, {}, 3)
    assert "all 3 labeled images are normal" in result.unrated
    assert told(result)["unrated"] == result.unrated


def test_folders_of_one_name_are_told_apart(find: Find, tmp_path: Path, draw_pictures: Draw) -> None:
    one, other = (find("few", draw_pictures(tmp_path / place / "test", 2, seed=5)) for place in ("a", "b"))
    assert Path(one.table).parent != Path(other.table).parent
    assert Path(one.table).is_file()


def test_a_stop_leaves_nothing(find: Find, trained: Workspace, mixed: Path, report: CollectedReport) -> None:
    report.stop = True
    with pytest.raises(Stopped):
        find("few", mixed)
    assert not [path for path in trained.inference.rglob("*") if path.is_file()]
    assert not list(trained.validation.glob("few/anomalies*"))
