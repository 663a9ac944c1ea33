"""Evaluation against an account of its own in NumPy and scikit-image, and the report that it writes."""

import base64
import csv
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from engine.checkpoints import find_checkpoint, fingerprint
from engine.errors import UsageError
from engine.evaluation import EvaluationResult, evaluate
from engine.images.decode import load_image
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.training import train
from engine.workspace import Workspace

Small = Callable[..., Settings]


def _train(workspace: Workspace, records: Records, settings: Settings, name: str) -> None:
    train(settings, workspace, records, CollectedReport(), run=records.add_run(name, "redux"))


def test_figures_equal_the_references(workspace: Workspace, records: Records, small: Small, pictures: Path) -> None:
    _train(workspace, records, small(), "judged")
    result = evaluate(small(), workspace, records, CollectedReport(), checkpoint="judged")
    state = find_checkpoint(workspace, "judged")
    with (state.parent / "images.csv").open(newline="") as file:
        held_out = sorted(row["path"] for row in csv.DictReader(file) if row["subset"] == "validation")
    assert result.images == len(held_out) == 8
    originals = np.stack([load_image(pictures / path, 32, 32, False) for path in held_out])
    model, config = load_weights(state)
    with torch.inference_mode():
        output = model(torch.from_numpy(originals).permute(0, 3, 1, 2) / 255).permute(0, 2, 3, 1).numpy()
    shown, originals = np.round(output.clip(0, 1) * 255) / 255, originals / 255
    errors = ((shown - originals) ** 2).mean((1, 2, 3))
    assert result.mse == pytest.approx(errors.mean(), rel=1e-3)
    assert result.mae == pytest.approx(np.abs(shown - originals).mean(), rel=1e-3)
    assert result.psnr == pytest.approx((-10 * np.log10(errors)).mean(), abs=0.01)
    assert result.psnr == pytest.approx(config.val_psnr, abs=0.01)
    reference = [
        structural_similarity(
            a, b, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(originals, shown, strict=True)
    ]
    assert result.ssim == pytest.approx(np.mean(reference), abs=1e-3)
    assert result.rmse == pytest.approx(np.sqrt(errors).mean(), rel=1e-3)
    assert result.ms_ssim is None
    row = records.evaluations("judged")[0]
    assert row["psnr"] == result.psnr
    worst = records.image_errors(row["id"])
    assert [one["psnr"] for one in worst] == sorted(one["psnr"] for one in worst)
    assert worst[0]["psnr"] == pytest.approx((-10 * np.log10(errors)).min(), abs=0.01)


def test_a_folder_is_evaluated_and_its_bad_files_skipped(
    workspace: Workspace, records: Records, small: Small, pictures: Path
) -> None:
    _train(workspace, records, small(), "judged")
    run = records.run_named("judged")
    records.add_metrics(run["id"], [(step, step / 4, 0.0, {"train/loss": 1 / step}) for step in range(1, 9)])
    (pictures / "cut.png").write_bytes((pictures / "picture_003.png").read_bytes()[:200])
    report = CollectedReport()
    result = evaluate(small(), workspace, records, report, checkpoint="judged", folder=str(pictures))
    assert (result.images, result.skipped) == (40, 1)
    with Image.open(result.figure) as figure:
        assert min(figure.size) > 200
    with Image.open(Path(result.figure).with_name("curves.png")) as figure:
        assert figure.size[0] > figure.size[1] > 200
    assert any("cut.png" in line for level, line in report.lines if level == "warning")


def test_a_run_without_held_out_images_needs_a_folder(workspace: Workspace, records: Records, small: Small) -> None:
    _train(workspace, records, small(data__validation_fraction=0), "alone")
    with pytest.raises(UsageError, match="without held-out images"):
        evaluate(small(), workspace, records, CollectedReport(), checkpoint="alone")


def _evaluate(workspace: Workspace, records: Records, settings: Settings, **arguments: Any) -> EvaluationResult:
    return evaluate(settings, workspace, records, CollectedReport(), checkpoint="judged", **arguments)


def _rows(folder: str | Path) -> list[dict[str, str]]:
    with (Path(folder) / "images.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def _listed(workspace: Workspace, side: str) -> set[str]:
    with (workspace.checkpoints / "judged" / "images.csv").open(newline="") as file:
        return {row["path"] for row in csv.DictReader(file) if row["subset"] == side}


@pytest.fixture
def judged(workspace: Workspace, records: Records, small: Small, pictures: Path) -> Path:
    """Return the folder of pictures on which the run ``judged`` was trained, with two it has not seen."""
    _train(workspace, records, small(), "judged")
    Image.new("RGB", (40, 40), (90, 10, 200)).save(pictures / "later.png")
    (pictures / "cut.png").write_bytes((pictures / "picture_003.png").read_bytes()[:200])
    return pictures


def test_the_sets_of_images_lie_side_by_side(
    workspace: Workspace, records: Records, small: Small, judged: Path
) -> None:
    other = shutil.copytree(judged, judged.parent / "deep" / judged.name)
    calls = {"validation": {}, "training": {"subset": "training"}, "one": {"folder": str(judged)},
             "two": {"folder": str(other)}}  # fmt: skip
    settings = small(evaluation__compared_images=1, evaluation__baseline_images=0)
    results = {name: _evaluate(workspace, records, settings, **call) for name, call in calls.items()}
    folders = {name: Path(result.report) for name, result in results.items()}
    assert len(set(folders.values())) == 4
    assert {folder.parent for folder in folders.values()} == {workspace.validation / "judged"}
    assert {row["path"] for row in _rows(folders["validation"])} == _listed(workspace, "validation")
    assert {row["path"] for row in _rows(folders["training"])} == _listed(workspace, "train")
    assert [results[name].images for name in ("one", "two")] == [41, 41]
    for folder in folders.values():
        assert {path.name for path in folder.iterdir()} == {
            "evaluation.json", "images.csv", "report.html", "errors.png", "reconstructions-random.png",
            "reconstructions-worst.png", "reconstructions-best.png",
        }  # fmt: skip
    rows = records.evaluations("judged")
    assert [workspace.actual_path(row["report"]) for row in rows] == list(reversed(folders.values()))
    assert [row["subset"] for row in rows] == ["folder", "folder", "training", "validation"]


def test_the_document_the_table_and_the_records_agree(
    workspace: Workspace, records: Records, small: Small, judged: Path
) -> None:
    result = _evaluate(workspace, records, small(evaluation__compared_images=3), folder=str(judged))
    document = json.loads((Path(result.report) / "evaluation.json").read_text())
    rows = {row["path"]: row for row in _rows(result.report)}
    measured = {path: row for path, row in rows.items() if row["status"] == "measured"}
    assert rows.keys() - measured.keys() == {"cut.png"}
    assert [one["path"] for one in document["dataset"]["skipped"]] == ["cut.png"]
    psnr = {path: float(row["psnr"]) for path, row in measured.items()}
    by_psnr = sorted(psnr, key=psnr.__getitem__)
    assert [one["path"] for one in document["worst"]] == by_psnr[:3]
    assert [one["path"] for one in document["best"]] == by_psnr[:-4:-1]
    for metric, spread in document["summary"].items():
        values = [float(row[metric]) for row in measured.values()]
        assert spread["mean"] == pytest.approx(np.mean(values), rel=1e-4)
        assert spread["p95"] == pytest.approx(np.percentile(values, 95), rel=1e-4)
        assert spread == result.summary[metric]
    for name, one in document["baselines"].items():
        values = [float(row[f"{name}_psnr"]) for row in measured.values()]
        assert one["psnr"] == pytest.approx(np.mean(values), rel=1e-4)
        better = np.mean([psnr[path] > float(row[f"{name}_psnr"]) for path, row in measured.items()])
        assert one["network_better"] == pytest.approx(better)
    row = records.evaluations("judged")[0]
    assert row["summary"] == {"summary": document["summary"], "baselines": document["baselines"], "worth": {}}
    assert row["fingerprint"] == document["fingerprint"] == fingerprint(find_checkpoint(workspace, "judged"))
    assert row["rmse"] == result.rmse == document["summary"]["rmse"]["mean"]
    assert 0 < row["seconds"] == document["seconds"]
    stored = records.image_errors(row["id"])
    assert [one["path"] for one in stored] == by_psnr
    assert {one["ms_ssim"] for one in stored} == {None}


def test_baselines_are_of_the_training_images_and_measured_on_the_same(
    workspace: Workspace, records: Records, small: Small, judged: Path
) -> None:
    result = _evaluate(workspace, records, small())
    train_paths = sorted(_listed(workspace, "train"))
    known, held_out = (
        np.stack([load_image(judged / path, 32, 32, False) for path in sorted(paths)]) / 255
        for paths in (train_paths, _listed(workspace, "validation"))
    )
    mean = np.round(known.mean(0) * 255) / 255
    expected = (-10 * np.log10(((held_out - mean) ** 2).mean((1, 2, 3)))).mean()
    assert result.baselines["mean_image"]["psnr"] == pytest.approx(expected, abs=0.02)
    assert {name: one["components"] for name, one in result.baselines.items()} == {
        "mean_image": 0, "pca": len(train_paths) - 1, "patch_pca": 8,
    }  # fmt: skip
    assert result.baselines["patch_pca"]["psnr"] > result.baselines["pca"]["psnr"]


def test_without_the_training_images_there_are_no_baselines(
    workspace: Workspace, records: Records, small: Small, judged: Path
) -> None:
    elsewhere = judged.rename(judged.parent / "elsewhere")
    report = CollectedReport()
    result = evaluate(small(), workspace, records, report, checkpoint="judged", folder=str(elsewhere))
    assert (result.images, result.baselines) == (41, {})
    assert any(level == "warning" and "No baselines" in line for level, line in report.lines)
    assert "Beside baselines" not in (Path(result.report) / "report.html").read_text(encoding="utf-8")


def test_images_that_are_asked_for_are_shown(
    workspace: Workspace, records: Records, small: Small, judged: Path
) -> None:
    names = ["later.png", str(judged / "picture_007.png"), "./picture_001.png", "cut.png"]
    result = _evaluate(workspace, records, small(), folder=str(judged), images=names)
    folder = Path(result.report)
    chosen = json.loads((folder / "evaluation.json").read_text())["chosen"]
    assert [one["path"] for one in chosen] == ["later.png", "picture_007.png", "picture_001.png"]
    with Image.open(folder / "reconstructions-chosen.png") as figure:
        assert (np.abs(np.asarray(figure.convert("RGB")).astype(int) - (90, 10, 200)).max(2) <= 2).sum() > 150 * 150
    _evaluate(workspace, records, small(), folder=str(judged))
    assert not (folder / "reconstructions-chosen.png").exists()


@pytest.mark.parametrize(
    ("arguments", "cause", "remedy"),
    [
        ({"images": ["picture_99.png"]}, "picture_99.png is not among", "Did you mean picture_"),
        ({"images": ["../x\x1b.png"]}, r"\.\./x\\x1b\.png is not among", "relative to the image folder"),
        ({"subset": "test"}, "no subset 'test'", "validation, training"),
        ({"subset": "training", "folder": "."}, "two sets of images", "one of the two"),
    ],
)
def test_what_cannot_be_evaluated_is_said_at_once(
    workspace: Workspace,
    records: Records,
    small: Small,
    judged: Path,
    arguments: dict[str, Any],
    cause: str,
    remedy: str,
) -> None:
    with pytest.raises(UsageError, match=cause) as caught:
        _evaluate(workspace, records, small(), **arguments)
    assert remedy in caught.value.remedy
    assert records.evaluations() == []


def test_the_report_shows_hostile_names_as_they_are(
    workspace: Workspace, records: Records, small: Small, judged: Path
) -> None:
    name = os.fsdecode(b"<img src=x onerror=y>\x1b&\xff.png")
    shutil.copy(judged / "picture_001.png", judged / name)
    result = _evaluate(workspace, records, small(), folder=str(judged), images=[name])
    text = (Path(result.report) / "report.html").read_text(encoding="utf-8")
    assert "&lt;img src=x onerror=y&gt;\\x1b&amp;\\udcff.png" in text
    assert "<img src=x" not in text
    assert {row["path"] for row in _rows(result.report)} >= {name, "later.png"}
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert len(pictures) == 5
    figures = {path.read_bytes() for path in Path(result.report).glob("*.png")}
    assert {base64.b64decode(data) for data in pictures} == figures


def test_large_pictures_are_compared_over_scales(
    workspace: Workspace, records: Records, small: Small, pictures: Path
) -> None:
    size = {"data__image_height": 176, "data__image_width": 192, "data__sample_fraction": 0.25}
    settings = small(**size, model__downsampling=16, training__epochs=1, evaluation__compared_images=1)
    _train(workspace, records, settings, "judged")
    result = _evaluate(workspace, records, settings)
    assert result.ms_ssim is not None
    assert 0 < result.ms_ssim <= 1
    row = records.evaluations("judged")[0]
    assert row["ms_ssim"] == result.ms_ssim
    stored = [one["ms_ssim"] for one in records.image_errors(row["id"])]
    assert np.mean(stored) == pytest.approx(result.ms_ssim)
    assert "MS-SSIM" in (Path(result.report) / "report.html").read_text(encoding="utf-8")
