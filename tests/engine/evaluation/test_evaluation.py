"""Evaluation against an account of its own in NumPy and scikit-image."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from engine.checkpoints import find_checkpoint
from engine.errors import UsageError
from engine.evaluation import evaluate
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
