"""Training and resume: learning, records, checkpoints, stops, and equality to the bit."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from engine.checkpoints import find_checkpoint, list_checkpoints
from engine.errors import FextError, UsageError
from engine.models import Autoencoder
from engine.models.loading import load_weights
from engine.report import CollectedReport
from tests.engine.training.bench import Bench, Small, StoppingReport, history_of


def test_training_learns_and_tells(bench: Bench, small: Small) -> None:
    report = CollectedReport()
    result = bench.train("learns", small(training__epochs=25, model__shortcut=False), report)
    history = history_of(report)
    psnr = [value for (_, name), value in sorted(history.items()) if name == "validation/psnr"]
    assert result.state == "done"
    assert (result.epochs, result.steps) == (25, 25 * 4)
    assert len(psnr) == 26
    assert psnr[-1] > psnr[0] + 2
    assert max(psnr) == pytest.approx(result.val_psnr)
    losses = [value for (_, name), value in sorted(history.items()) if name == "train/loss"]
    assert np.mean(losses[-8:]) < np.mean(losses[:8])
    assert report.progresses[-2][0] == "training" or report.progresses[-1][0] == "validating"


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_best_stands_for_the_best_validation(bench: Bench, small: Small, ema: float) -> None:
    report = CollectedReport()
    result = bench.train("best", small(training__epochs=6, training__ema=ema), report)
    state = find_checkpoint(bench.workspace, "best")
    model, config = load_weights(state)
    assert config.val_psnr == result.val_psnr
    with (state.parent / "images.csv").open(newline="") as file:
        held_out = [row["path"] for row in csv.DictReader(file) if row["subset"] == "validation"]
    assert len(held_out) == 8
    folder = Path(config.settings.data.folder)
    read = [np.ascontiguousarray(cv2.imread(str(folder / path))[:, :, ::-1]) for path in held_out]
    pictures = [cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA) for picture in read]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        raw = model(images)
    shown = raw.clamp(0, 1).mul(255).round() / 255
    history = history_of(report)
    step = next(step for (step, name), value in history.items() if value == result.val_psnr)
    told = {name: history[step, f"validation/{name}"] for name in ("loss", "mae", "mse", "psnr", "ssim")}
    psnr = -10 * torch.log10((shown - images).square().mean((1, 2, 3)))
    assert told["psnr"] == pytest.approx(psnr.mean().item(), abs=0.01)
    rmse = (raw - images).square().mean((1, 2, 3)).sqrt()
    assert told["loss"] == pytest.approx(rmse.mean().item(), rel=1e-3)
    assert told["mae"] == pytest.approx((shown - images).abs().mean().item(), rel=1e-3)
    assert told["mse"] == pytest.approx((shown - images).square().mean().item(), rel=1e-3)
    similar = [
        structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1,
                              channel_axis=0)
        for a, b in zip(images.numpy(), shown.numpy(), strict=True)
    ]  # fmt: skip
    assert told["ssim"] == pytest.approx(np.mean(similar), abs=2e-3)


TRUST: dict[str, Any] = {
    "training__ema": 0.9,
    "training__micro_batch": 4,
    "training__validate_every_steps": 3,
    "training__patience": 100,
}


@pytest.mark.parametrize(("after", "values"), [(3, {}), (4, {}), (7, {}), (3, TRUST), (5, TRUST)])
def test_a_stopped_run_resumes_to_the_bit(bench: Bench, small: Small, after: int, values: dict[str, Any]) -> None:
    settings = small(augmentation__enabled=True, model__dropout=0.2, training__epochs=3, **values)
    whole = CollectedReport()
    undisturbed = bench.train("undisturbed", settings, whole)
    first, second = StoppingReport(after), CollectedReport()
    stopped = bench.train("stopped", settings, first)
    assert stopped.state == "stopped"
    assert after <= stopped.steps < undisturbed.steps
    resumed = bench.resume("stopped", settings, second)
    assert (resumed.state, resumed.epochs, resumed.steps) == ("done", 3, 12)
    assert resumed.val_psnr == undisturbed.val_psnr
    bench.assert_equal("undisturbed", "stopped")
    assert history_of(first, second) == history_of(whole)


def test_a_finished_run_gets_additional_epochs(bench: Bench, small: Small) -> None:
    bench.train("more", small())
    report = CollectedReport()
    result = bench.resume("more", small(training__additional_epochs=3), report)
    assert (result.epochs, result.steps) == (5, 20)
    assert min(step for step, _ in history_of(report)) > 8


def test_a_time_budget_is_spent(bench: Bench, small: Small) -> None:
    report = CollectedReport()
    result = bench.train("budget", small(training__minutes=0.03), report)
    state = json.loads((find_checkpoint(bench.workspace, "budget/last") / "training_state.json").read_text())
    assert result.state == "done"
    assert state["seconds"] >= 1.8
    assert result.val_psnr is not None
    assert report.metric_rows[-1][0] == result.steps
    totals = {unit: total for phase, _, total, unit in report.progresses if phase == "training"}
    assert totals == {"s": pytest.approx(1.8)}


def test_kept_epochs_can_be_found(bench: Bench, small: Small) -> None:
    bench.train("kept", small(training__epochs=4, training__checkpoint_every=2))
    facts = list_checkpoints(bench.workspace)[0]
    assert facts.tags == ("best", "epoch-0002", "epoch-0004", "last")
    assert facts.image == "32 × 32 × 3"
    assert facts.latent == "8 × 4 × 4"
    second, fourth = bench.weights("kept/epoch-0002"), bench.weights("kept/epoch-0004")
    assert any(not np.array_equal(second[name], fourth[name]) for name in second)
    states = list((bench.workspace.checkpoints / "kept").glob("step-*"))
    assert 2 <= len(states) <= 4


def test_gray_images_and_odd_sizes(bench: Bench, small: Small) -> None:
    bench.train("gray", small(data__grayscale=True, data__image_height=19, data__image_width=45))
    model, config = load_weights(find_checkpoint(bench.workspace, "gray"))
    assert config.image_channels == 1
    with torch.inference_mode():
        assert model(torch.rand(1, 1, 19, 45)).shape == (1, 1, 19, 45)


def test_unreadable_images_are_skipped_and_counted(bench: Bench, small: Small, pictures: Path) -> None:
    (pictures / "empty.png").write_bytes(b"")
    (pictures / "cut.png").write_bytes((pictures / "picture_000.png").read_bytes()[:300])
    report = CollectedReport()
    assert bench.train("skips", small(), report).state == "done"
    told = "\n".join(line for _, line in report.lines)
    assert "empty.png" in told
    assert "cut.png" in told
    assert "2 skipped" in told


def test_a_changed_folder_is_refused_unless_accepted(bench: Bench, small: Small, pictures: Path) -> None:
    bench.train("changed", small(), StoppingReport(2))
    with (bench.workspace.checkpoints / "changed" / "images.csv").open(newline="") as file:
        before = {row["path"]: row["subset"] for row in csv.DictReader(file)}
    shutil.copy(pictures / "picture_001.png", pictures / "twin.png")
    (pictures / "picture_000.png").unlink()
    with pytest.raises(UsageError, match="1 new or changed, 1 gone"):
        bench.resume("changed", small())
    assert bench.resume("changed", small(training__accept_changed_images=True)).state == "done"
    with (bench.workspace.checkpoints / "changed" / "images.csv").open(newline="") as file:
        after = {row["path"]: row["subset"] for row in csv.DictReader(file)}
    assert after.pop("twin.png") == before["picture_001.png"]
    assert all(before[path] == subset for path, subset in after.items())


def test_a_separate_validation_folder_is_used(bench: Bench, small: Small, pictures: Path, tmp_path: Path) -> None:
    held_out = tmp_path / "held out"
    held_out.mkdir()
    for number in range(5):
        shutil.move(pictures / f"picture_{number:03d}.png", held_out)
    bench.train("pair", small(data__validation_folder=str(held_out)))
    with (bench.workspace.checkpoints / "pair" / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["subset"] == "validation" for row in rows) == 5
    assert sum(row["subset"] == "train" for row in rows) == 35


def test_a_validation_folder_within_is_not_trained_on(bench: Bench, small: Small, pictures: Path) -> None:
    held_out = pictures / "held out"
    held_out.mkdir()
    for number in range(4):
        shutil.move(pictures / f"picture_{number:03d}.png", held_out)
    shutil.copy(held_out / "picture_000.png", pictures / "twin.png")
    report = CollectedReport()
    bench.train("within", small(data__validation_folder=str(held_out)), report)
    with (bench.workspace.checkpoints / "within" / "images.csv").open(newline="") as file:
        trained_on = [row["path"] for row in csv.DictReader(file) if row["subset"] == "train"]
    assert trained_on == [f"picture_{number:03d}.png" for number in range(4, 40)]
    assert any("5 images are held out too" in line for level, line in report.lines if level == "warning")


def test_bad_devices_and_backends_are_refused(bench: Bench, small: Small) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="GPU 0 is not there"):
            bench.train("gpu", small(device__kind="gpu"))
    with pytest.raises(UsageError, match="not installed"):
        bench.train("backend", small(device__compile="on", device__compile_backend="nonsense"))


def test_missing_and_empty_folders_are_told(bench: Bench, small: Small, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        bench.train("missing", small(data__folder=str(tmp_path / "nowhere")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FextError, match="no image"):
        bench.train("empty", small(data__folder=str(tmp_path / "empty")))


def test_tensorboard_gets_the_curve(bench: Bench, small: Small) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    report = CollectedReport()
    bench.train("board", small(training__tensorboard=True), report)
    events = EventAccumulator(str(bench.workspace.logs / "tensorboard" / "board")).Reload()
    told = {step: value for (step, name), value in history_of(report).items() if name == "validation/psnr"}
    assert {event.step: event.value for event in events.Scalars("validation/psnr")} == pytest.approx(told)


def test_a_damaged_checkpoint_is_told(bench: Bench, small: Small) -> None:
    bench.train("damaged", small())
    state = find_checkpoint(bench.workspace, "damaged")
    weights = state / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(FextError, match="damaged"):
        find_checkpoint(bench.workspace, "damaged")
    with pytest.raises(UsageError, match="Did you mean 'damaged'"):
        find_checkpoint(bench.workspace, "damagd")


def test_loading_refuses_a_pickle(bench: Bench, small: Small) -> None:
    from engine.checkpoints import mark_complete

    bench.train("pickle", small())
    state = find_checkpoint(bench.workspace, "pickle")
    torch.save(Autoencoder(small().model, 3).state_dict(), state / "model.safetensors")
    (state / "complete.json").unlink()
    mark_complete(state)
    with pytest.raises(FextError, match="cannot be read"):
        load_weights(state)
