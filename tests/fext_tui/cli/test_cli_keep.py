"""Settings, configurations, checkpoints, upkeep and the doctor."""

import csv
import os
import pty
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from engine.records import Records
from engine.settings import FIELDS
from engine.workspace import Workspace
from tests.fext_tui.cli.conftest import Ended

Fext = Callable[..., Ended]


def test_settings_lists_all_of_them(fext: Fext) -> None:
    listed = {one["key"]: one for one in fext("settings", "--set", "training.epochs=7", "--json").json["settings"]}
    assert listed.keys() == FIELDS.keys()
    epochs = listed["training.epochs"]
    assert (epochs["value"], epochs["default"], epochs["variable"]) == (7, 100, "FEXT_TRAINING_EPOCHS")
    assert epochs["allowed"] == "a whole number at least 1 and at most 1,000,000"
    shown = fext("settings", "--set", "training.epochs=7").out
    assert "training.epochs = 7 epochs   (default 100)   FEXT_TRAINING_EPOCHS" in shown
    assert all(f"  {key} = " in shown for key in FIELDS)


def test_configurations_are_saved_listed_shown_and_loaded(fext: Fext) -> None:
    assert fext("config", "list", "--json").json == {"configurations": []}
    assert fext("config", "save", "small", "--set", "data.image_height=32", "--set", "data.shuffle=off").code == 0
    assert fext("config", "list", "--json").json == {"configurations": ["small"]}
    assert fext("config", "show", "small").out == "data.image_height = 32\ndata.shuffle = off\n"
    assert fext("config", "show", "small", "--json").json["settings"] == {
        "data.image_height": 32,
        "data.shuffle": False,
    }
    listed = fext("settings", "--config", "small", "--json").json["settings"]
    assert next(one["value"] for one in listed if one["key"] == "data.image_height") == 32
    wrong = fext("config", "save", "../x")
    assert (wrong.code, "cannot name a configuration" in wrong.err) == (2, True)


def test_no_checkpoint_yet(fext: Fext) -> None:
    assert fext("checkpoints", "--json").json == {"checkpoints": []}
    assert "fext train FOLDER" in fext("checkpoints").out


def test_records_are_exported(fext: Fext, records: Records, tmp_path: Path) -> None:
    records.add_run("mine", "redux")
    assert fext("maintain", "export", "out", "--json").json["folder"] == str(tmp_path / "out")
    with (tmp_path / "out" / "run.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["mine"]


def test_logs_are_removed_but_not_those_of_jobs_that_run(fext: Fext, idle: Records, workspace: Workspace) -> None:
    job = idle.add_job("analyze", "cpu", {}, {})
    (workspace.logs / "job-77.log").write_text("12345")
    (workspace.logs / ".gitkeep").write_text("")
    workspace.log_of_job(job).write_text("mine")
    (workspace.logs / "runner.log").write_text("runner")
    assert fext("maintain", "remove-logs", "--json").json == {"files": 1, "bytes": 5}
    idle.change_job(job, state="done", ended=time.time())
    (workspace.logs / "tensorboard" / "mine").mkdir(parents=True)
    (workspace.logs / "tensorboard" / "mine" / "events").write_text("123")
    assert fext("maintain", "remove-logs", "--json").json == {"files": 3, "bytes": 13}
    assert [path.name for path in workspace.logs.iterdir()] == [".gitkeep"]


def test_deleting_records_asks_first(fext: Fext, records: Records, call: Callable[..., list[str]]) -> None:
    records.add_run("mine", "redux")
    refused = fext("maintain", "delete-records")
    assert (refused.code, "Add --yes" in refused.err) == (2, True)
    assert answered(call("maintain", "delete-records"), "\n") == 3, "no is the default"
    assert len(records.runs()) == 1
    assert answered(call("maintain", "delete-records"), "y\n") == 0
    assert records.runs() == []


def answered(command: list[str], answer: str) -> int:
    """Run a call in a terminal, type the answer, and return its exit code."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(command, stdin=follower, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.write(leader, answer.encode())
    code = child.wait(timeout=240)
    os.close(follower)
    os.close(leader)
    return code


def test_records_of_a_running_job_are_not_deleted(fext: Fext, idle: Records) -> None:
    idle.add_job("analyze", "cpu", {}, {})
    ended = fext("maintain", "delete-records", "--yes", "--json")
    assert ended.code == 2
    assert "A job is running or waiting" in ended.json["error"]["cause"]
    assert len(idle.jobs()) == 1


def test_damaged_records_are_said_to_be_damaged(fext: Fext, workspace: Workspace) -> None:
    workspace.database.write_bytes(b"no database at all" * 100)
    ended = fext("jobs")
    assert ended.code == 1
    assert "are damaged" in ended.err
    assert "Move the file away" in ended.err


def test_the_doctor_looks_at_everything(process: Fext) -> None:
    checks = {one["name"]: one for one in process("doctor", "--json").json["checks"]}
    names = {"Python", "PyTorch", "Devices", "CUDA", "Compiler", "Workspace", "Disk", "Records", "Terminal"}
    assert set(checks) == names
    assert checks["PyTorch"]["state"] == "good"
    assert "inductor" in checks["PyTorch"]["found"]
    assert checks["Terminal"] == {
        "name": "Terminal", "state": "notice", "found": "none here",
        "remedy": "The app needs one; every other verb works without.",
    }  # fmt: skip


def test_the_doctor_fails_where_something_is_bad(fext: Fext, workspace: Workspace) -> None:
    workspace.database.write_bytes(b"no database at all" * 100)
    ended = fext("doctor")
    assert ended.code == 1
    assert "✗ Workspace" in ended.out
    assert "Move the file away" in ended.out
