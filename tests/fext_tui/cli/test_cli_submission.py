"""What a verb submits: the settings of the call, from all their sources, and its arguments."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.records import Records
from engine.workspace import Workspace
from tests.fext_tui.cli.conftest import Ended

Fext = Callable[..., Ended]


def submitted(fext: Fext, records: Records, *arguments: object, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Submit without following, and return settings by dotted key and arguments of the job."""
    ended = fext(*arguments, "--detach", "--json", **more)
    assert ended.code == 0, ended.err
    assert ended.json == {"job": ended.json["job"], "state": "queued"}
    job = records.job(ended.json["job"])
    return {f"{group}.{name}": value for group, of in job.settings.items() for name, value in of.items()}, dict(
        job.arguments
    )


def test_train_takes_its_options(fext: Fext, idle: Records, pictures: Path) -> None:
    options = (
        "--variant medium --image-size 48x64 --batch-size 4 --epochs 3 --learning-rate 0.01 --seed 7 --device gpu:2 "
        "--compile off --name mine --set data.shuffle=off --set augmentation.enabled=true"
    )
    settings, arguments = submitted(fext, idle, "train", "pictures", *options.split())
    assert arguments == {"name": "mine"}
    wanted = {
        "data.folder": str(pictures), "model.variant": "medium", "data.image_height": 48, "data.image_width": 64,
        "training.batch_size": 4, "training.epochs": 3, "training.learning_rate": 0.01, "training.seed": 7,
        "device.kind": "gpu", "device.id": 2, "device.compile": "off", "data.shuffle": False,
        "augmentation.enabled": True,
    }  # fmt: skip
    assert {key: settings[key] for key in wanted} == wanted


def test_encoding_and_analysis_take_a_number_of_processes(
    fext: Fext, idle: Records, workspace: Workspace, trained: Path
) -> None:
    shutil.copytree(trained / "checkpoints" / "first", workspace.checkpoints / "first", symlinks=True)
    shutil.copy(trained / "database" / "images" / "0.png", workspace.images)
    for arguments, processes in ((("analyze", "--processes", "all"), 0), (("encode", "first", "--processes", "2"), 2)):
        settings, _ = submitted(fext, idle, *arguments)
        assert settings["device.processes"] == processes


def test_the_command_line_wins_over_variables_over_files_over_presets(
    fext: Fext, idle: Records, pictures: Path
) -> None:
    fext("config", "save", "mine", "--set", "training.batch_size=5", "--set", "training.seed=6", "--preset", "quick")
    environ = {"FEXT_TRAINING_SEED": "8", "FEXT_MODEL_DROPOUT": "0.3"}
    call = ("--preset", "balanced", "train", "pictures", "--config", "mine", "--set", "model.dropout=0.1")
    settings, _ = submitted(fext, idle, *call, environ=environ)
    wanted = {
        "model.variant": "redux", "data.image_height": 64, "training.batch_size": 5, "training.seed": 8,
        "model.dropout": 0.1,
    }  # fmt: skip
    assert {key: settings[key] for key in wanted} == wanted


def test_a_folder_inside_the_workspace_is_stored_relative_to_it(
    fext: Fext, idle: Records, workspace: Workspace
) -> None:
    settings, _ = submitted(fext, idle, "train", workspace.images, "--validation", "workspace/database/validation")
    assert settings["data.folder"] == "database/images"
    assert settings["data.validation_folder"] == "database/validation"


def test_epochs_that_are_asked_for_win_over_minutes_of_a_preset(fext: Fext, idle: Records, pictures: Path) -> None:
    settings, _ = submitted(fext, idle, "train", pictures, "--preset", "quick", "--epochs", "2")
    assert (settings["training.epochs"], settings["training.minutes"]) == (2, 0)
    both = fext("train", pictures, "--epochs", "2", "--minutes", "1", "--json")
    assert both.code == 2
    assert both.json["error"]["cause"] == "--epochs and --minutes each say how long to train."
    assert "Give one of the two" in both.json["error"]["remedy"]
    all_three = ("--set", "training.minutes=1", "--epochs", "2", "--additional-epochs", "1")
    refused = fext("resume", "mine", *all_three, "--json")
    assert refused.code == 2
    assert refused.json["error"]["cause"].startswith("--epochs, --additional-epochs and --minutes each say")
    assert "Give one of the three" in refused.json["error"]["remedy"]


def test_analyze_and_sample_take_paths_from_here(fext: Fext, idle: Records, pictures: Path, tmp_path: Path) -> None:
    options = "--csv out.csv --parquet out.parquet --metrics entropy,color --validation pictures --again"
    settings, arguments = submitted(fext, idle, "analyze", "pictures", *options.split())
    tables = {"csv": str(tmp_path / "out.csv"), "parquet": str(tmp_path / "out.parquet")}
    assert arguments == {"folder": str(pictures), **tables, "again": True}
    assert list(settings["analysis.metrics"]) == ["entropy", "color"]
    assert settings["data.validation_folder"] == str(pictures)
    (tmp_path / "list.txt").write_text("pictures/0.png\n")
    _, arguments = submitted(fext, idle, "analyze", "list.txt")
    assert arguments == {"folder": str(tmp_path / "list.txt"), "csv": "", "parquet": "", "again": False}
    _, arguments = submitted(fext, idle, "sample", "new", "--count", "9", "--seed", "3")
    assert arguments == {"folder": str(tmp_path / "new"), "count": 9, "seed": 3}


@pytest.mark.parametrize(
    ("arguments", "cause", "remedy"),
    [
        (("train", "pictuers"), "No such file or directory", "Did you mean"),
        (("train", "pictures/0.png"), "is a file, not a folder", "Give the folder"),
        (("train", "pictures", "--validation", "none"), "No such file or directory", "Check the path"),
        (("train", "pictures", "--name", "../x"), "cannot name a run", "letters"),
        (("train", "pictures", "--variant", "huge"), "model.variant = 'huge' is not valid", "redux, medium, large"),
        (("train", "pictures", "--image-size", "64x"), "is neither N nor HEIGHTxWIDTH", "fext train --help"),
        (("train", "pictures", "--image-size", "8"), "data.image_height = '8' is not valid", "at least 16"),
        (("evaluate", "nothing"), "There is no checkpoint 'nothing'", "fext train"),
        (("encode", "nothing", "pictures"), "There is no checkpoint 'nothing'", "fext train"),
        (("resume", "nothing"), "There is no checkpoint 'nothing'", "fext train"),
        (("analyze", "pictures", "--csv", "none/out.csv"), "There is no folder", "Make it"),
        (("analyze", "pictures", "--csv", "pictures"), "is a folder", "name of a file"),
        (("analyze", "pictures", "--parquet", "pictures"), "is a folder", "name of a file"),
        (("analyze", "pictures/0.png"), "is a file, not a folder", "or a text file"),
        (("analyze", "pictures", "--validation", "none"), "No such file or directory", "Check the path"),
        (
            ("analyze", "pictures", "--fail-on", "dark,bury"),
            "'bury' is none of any, unreadable,",
            "fext analyze --help",
        ),
        (("analyze", "pictures", "--fail-on", ""), "'' is none of any", "fext analyze --help"),
        (("analyze", "pictures", "--fail-on", "any", "--detach"), "--detach does not wait", "one of the two"),
        (("analyze", "pictures", "--fail-on", "leakage"), "Without a validation folder", "Add --validation"),
        (("analyze", "pictures", "--metrics", "color", "--fail-on", "dark"), "metrics of exposure", "Add exposure"),
        (("compare-data", "pictures", "pictures/../pictures"), "A and B are the same", "two folders"),
        (("compare-data", "pictures", "pictuers"), "No such file or directory", "Did you mean"),
        (("analyze", "pictures", "--metrics", "beauty"), "analysis.metrics", "any of statistics"),
        (("sample", "pictures/0.png"), "is a file", "Give a folder"),
        (("sample", "new", "--count", "0"), "0 is not in the range", "fext sample --help"),
        (("attach", "77"), "There is no job 77", "fext jobs"),
        (("stop", "77"), "There is no job 77", "fext jobs"),
    ],
)
def test_what_cannot_be_is_said_before_a_job_is_made(
    fext: Fext, idle: Records, pictures: Path, arguments: tuple[str, ...], cause: str, remedy: str
) -> None:
    ended = fext(*arguments, "--json")
    assert ended.code == 2
    assert cause in ended.json["error"]["cause"]
    assert remedy in ended.json["error"]["remedy"]
    assert cause in ended.err
    assert idle.jobs() == []


def test_the_installed_command_does_so_too(process: Fext, idle: Records, pictures: Path) -> None:
    queued = process("train", "pictures", "--detach", "--json")
    assert (queued.code, queued.json) == (0, {"job": 1, "state": "queued"})
    assert idle.job(1).settings["data"]["folder"] == str(pictures)
    wrong = process("train", "pictuers", "--json")
    assert (wrong.code, set(wrong.json["error"])) == (2, {"cause", "remedy"})


def test_a_name_that_is_taken_is_refused(fext: Fext, idle: Records, pictures: Path) -> None:
    submitted(fext, idle, "train", pictures, "--name", "mine")
    ended = fext("train", pictures, "--name", "mine", "--detach", "--json")
    assert ended.code == 2
    assert "Choose another name" in ended.json["error"]["remedy"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_workspace_that_cannot_be_written_is_said(fext: Fext, workspace: Workspace, pictures: Path) -> None:
    workspace.database.parent.chmod(0o500)
    ended = fext("train", pictures)
    workspace.database.parent.chmod(0o700)
    assert ended.code == 1
    assert "Mend" in ended.err or "Make the file" in ended.err


def test_a_workspace_under_a_file_cannot_be_made(fext: Fext, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = fext("jobs", "--resources", tmp_path / "file" / "workspace")
    assert ended.code == 1
    assert "cannot be made" in ended.err
    assert "--resources" in ended.err
