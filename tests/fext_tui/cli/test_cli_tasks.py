"""The verbs that work, for real: each job a process of its own."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.plots import reconstruction_figure
from engine.records import Records
from engine.workspace import Workspace
from fext_tui.demo import without_paper
from tests.fext_tui.cli.conftest import Ended

Process = Callable[..., Ended]
Call = Callable[..., list[str]]
SMALL = (
    "--image-size", "32", "--batch-size", "8", "--device", "cpu", "--set", "model.latent_channels=8",
    "--set", "model.downsampling=8",
)  # fmt: skip
TRAIN_KEYS = {"job", "run", "state", "checkpoint", "epochs", "steps", "img_s", "val_psnr"}


def test_train_evaluate_encode_resume(process: Process, pictures: Path, workspace: Workspace) -> None:
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    trained = process("train", "pictures", *SMALL, "--epochs", "2", "--name", "mine", "--json")
    assert trained.code == 0, trained.err
    assert trained.json.keys() >= TRAIN_KEYS
    wanted = {"job": 1, "run": "mine", "state": "done", "checkpoint": "mine", "epochs": 2}
    assert {key: trained.json[key] for key in wanted} == wanted
    assert trained.json["val_psnr"] > 5

    measured = process("evaluate", "mine", "--json")
    assert measured.code == 0, measured.err
    assert measured.json.keys() >= {"images", "mae", "mse", "psnr", "ssim", "cosine"}
    assert measured.json["psnr"] == pytest.approx(trained.json["val_psnr"], abs=0.05)
    assert measured.json["baselines"].keys() == {"mean_image", "pca", "patch_pca"}
    assert (Path(measured.json["report"]) / "report.html").is_file()

    shown = process("evaluate", "mine", "pictures", "--show", "3.png", "--images", "2", "--baseline-images", "5")
    assert shown.code == 0, shown.err
    for words in ("baselines", "mean image: ", "median", "report.html"):
        assert words in shown.out
    assert list(workspace.validation.glob("mine/pictures-*/reconstructions-chosen.png"))

    encoded = process("encode", "mine", "pictures", "--json")
    assert encoded.code == 0, encoded.err
    assert (encoded.json["rows"], encoded.json["skipped"]) == (24, 1)
    vectors = np.load(encoded.json["embeddings"], allow_pickle=False)
    assert vectors.shape == (24, encoded.json["dim"])

    resumed = process("resume", "mine", "--epochs", "3", "--device", "cpu", "--json")
    assert resumed.code == 0, resumed.err
    assert (resumed.json["run"], resumed.json["epochs"]) == ("mine", 3)
    assert [one["name"] for one in process("checkpoints", "--json").json["checkpoints"]] == ["mine"]


def test_analyze_writes_a_row_an_image(process: Process, pictures: Path, tmp_path: Path) -> None:
    done = process("analyze", "pictures", "--csv", "out.csv", "--json")
    assert done.code == 0, done.err
    assert {key: done.json[key] for key in ("images", "skipped")} == {"images": 24, "skipped": 0}
    assert done.json["seconds"] > 0
    with (tmp_path / "out.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert sorted(names) == sorted(path.name for path in pictures.iterdir())


def test_sample_draws_into_a_folder(process: Process, tmp_path: Path) -> None:
    done = process("sample", "drawn", "--count", "12", "--seed", "3")
    assert done.code == 0, done.err
    assert "12" in done.out
    assert len(list((tmp_path / "drawn").rglob("*.jpg"))) == 12


def test_a_folder_without_images_fails(process: Process, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ended = process("analyze", "empty", "--json")
    assert (ended.code, ended.json["state"]) == (1, "failed")
    assert set(ended.json["error"]) == {"cause", "remedy"}
    assert ended.err.count(ended.json["error"]["cause"]) == 1, "told once"


def test_a_job_that_finds_wrong_settings_ends_with_2(process: Process, pictures: Path) -> None:
    ended = process("train", "pictures", "--set", "device.compile_backend=none", "--compile", "on", *SMALL, "--json")
    assert (ended.code, ended.json["state"]) == (2, "failed")
    assert "compile_backend" in ended.json["error"]["cause"]


def test_ctrl_c_stops_with_a_checkpoint_and_resume_goes_on(
    call: Call, process: Process, pictures: Path, workspace: Workspace, wait_for: Callable[..., Any]
) -> None:
    command = call("train", pictures, *SMALL, "--epochs", "100000", "--name", "long", "--json")
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    with Records(workspace) as records:
        wait_for(lambda: records.jobs("running"), what="the job runs")
        run = records.jobs("running")[0].run
        assert run is not None
        wait_for(lambda: records.curve(run, "train/loss"), what="the first steps")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=120)
        assert child.returncode == 3, err
        assert '"state": "stopped"' in out
        assert "was asked to stop" in err
        steps = records.curve(run, "train/loss")[-1]["step"]
    resumed = call("resume", "long", "--detach")
    subprocess.run(resumed, check=True, stdout=subprocess.DEVNULL)
    with Records(workspace) as records:
        wait_for(lambda: records.curve(run, "train/loss")[-1]["step"] > steps, what="the resumed run goes on")
    assert process("stop", "2").code == 0
    assert process("attach", "2", "--json").code == 3


@pytest.fixture
def hung_up(call: Call, pictures: Path, workspace: Workspace, wait_for: Callable[..., Any]) -> Iterator[Records]:
    """Give the records of a training whose terminal was closed while it ran."""
    command = call("train", pictures, *SMALL, "--epochs", "100000", "--name", "long")
    leader, follower = os.openpty()
    streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), follower)
    # The child opens the terminal in a session of its own, so that it is its controlling terminal.
    opener = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    child = subprocess.Popen([sys.executable, "-c", opener, *command], start_new_session=True, **streams)
    os.close(follower)
    with Records(workspace) as records:
        wait_for(lambda: records.jobs("running"), what="the job runs")
        os.close(leader)
        assert child.wait(timeout=240) == -signal.SIGHUP
        yield records
        subprocess.run(call("stop", "1"), check=True, stdout=subprocess.DEVNULL)
        wait_for(lambda: records.job(1).has_ended, what="the job stops")


def test_a_closed_terminal_leaves_the_training_alone(hung_up: Records, wait_for: Callable[..., Any]) -> None:
    run = hung_up.job(1).run
    assert run is not None
    before = len(hung_up.metrics_after(run))
    wait_for(lambda: len(hung_up.metrics_after(run)) > before, what="more values")
    assert hung_up.job(1).state == "running"


def test_a_second_job_waits_for_the_first(process: Process, hung_up: Records, pictures: Path) -> None:
    queued = process("analyze", pictures, "--detach", "--json")
    assert (queued.code, hung_up.job(2).state, hung_up.job(1).state) == (0, "queued", "running")
    assert process("stop", 2, "--json").json["state"] == "stopped"


def test_the_demo_goes_through_all_of_it(process: Process, workspace: Workspace) -> None:
    small = "--set", "data.image_height=32", "--set", "data.image_width=32", "--set", "evaluation.feature_images=0"
    done = process(*small, "demo", "--minutes", "0.05", "--device", "cpu", "--json", seconds=250)
    assert done.code == 0, done.err
    for number in range(1, 6):
        assert f"\n{number}/5 " in done.err
    assert done.json["state"] == "done"
    assert done.json["sample"]["images"] == done.json["analyze"]["images"] == done.json["encode"]["rows"] == 600
    assert Path(done.json["evaluate"]["figure"]).is_file()
    assert Path(done.json["encode"]["embeddings"]).is_file()
    assert (workspace.checkpoints / done.json["train"]["checkpoint"] / "best").is_dir()
    assert list(workspace.images.iterdir()) == [], "the person's own folder is left alone"


def test_the_picture_of_a_figure_is_cut_out(tmp_path: Path) -> None:
    from engine.images.decode import decode

    dark, light = (np.full((64, 64, 3), level, np.uint8) for level in (40, 160))
    pairs = [(dark, light, f"a long name that goes on {number}.png\n20 dB") for number in range(4)]
    reconstruction_figure(pairs, tmp_path / "figure.png", "a long title " * 5)
    cut = without_paper(decode(tmp_path / "figure.png", gray=False))
    middle = len(cut) // 2
    for corner, level in ((cut[0, 0], 40), (cut[0, -1], 40), (cut[middle, 0], 160), (cut[middle, -1], 160)):
        assert abs(corner.astype(int) - level).max() < 60
    assert ((cut < 250).any(axis=2)).mean() > 0.9
