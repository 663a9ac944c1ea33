"""``fext checkpoints`` with the verbs below it, and ``fext export``, on a checkpoint that was trained for this."""

import csv
import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from engine.checkpoints import mark_complete
from engine.records import Records
from engine.workspace import Workspace
from fext_tui.cli.checkpoints import checkpoints
from tests.fext_tui.cli.conftest import Ended

Fext = Callable[..., Ended]
Call = Callable[..., list[str]]


@pytest.fixture
def workspace(trained: Path, tmp_path: Path) -> Workspace:
    """Return a copy of that workspace, with more under the name ``first``."""
    shutil.copytree(trained, tmp_path / "workspace", symlinks=True)
    copied = Workspace(tmp_path / "workspace")
    for folder in (copied.inference, copied.exports, copied.tensorboard):
        (folder / "first").mkdir(parents=True)
        (folder / "first" / "file").write_text("12345")
    return copied


def places(workspace: Workspace, name: str) -> set[str]:
    folders = (workspace.checkpoints, workspace.validation, workspace.inference, workspace.exports)
    return {folder.name for folder in (*folders, workspace.tensorboard) if (folder / name).exists()}


def test_the_bare_verb_lists_them(fext: Fext) -> None:
    listed = fext("checkpoints", "--json").json["checkpoints"]
    assert {one["name"] for one in listed} == {"first", "second"}
    assert listed[0].keys() == {
        "name", "variant", "created", "epoch", "step", "val_psnr", "image", "latent", "parameters", "flops", "bytes",
        "tags",
    }  # fmt: skip
    shown = fext("checkpoints").out
    assert "16 × 16 × 3" in shown
    assert "8 × 2 × 2" in shown


def test_one_is_shown(fext: Fext, workspace: Workspace) -> None:
    told = fext("checkpoints", "show", "first", "--json").json
    assert (told["name"], told["train_images"] + told["validation_images"]) == ("first", 16)
    assert told["settings"]["data.image_height"] == 16
    assert "training.seed" not in told["settings"]
    assert told["others"] == dict.fromkeys(("embeddings", "exported files", "TensorBoard curves"), 5)
    shown = fext("checkpoints", "show", "first").out
    assert f"{told['train_images']} trained on, {told['validation_images']} held out" in shown
    assert "data.image_height" in shown
    assert told["states"][0]["state"] in shown
    missing = fext("checkpoints", "show", "fist")
    assert (missing.code, "Did you mean 'first'?" in missing.err) == (2, True)


def test_several_are_compared(fext: Fext, tmp_path: Path) -> None:
    told = fext("checkpoints", "compare", "first", "second", "--csv", "table.csv", "--json").json["checkpoints"]
    assert {one["checkpoint"]: one["settings"] for one in told} == {
        "first": {"training.learning_rate": 0.001}, "second": {"training.learning_rate": 0.002},
    }  # fmt: skip
    assert [one["val_psnr"] for one in told] == sorted((one["val_psnr"] for one in told), reverse=True)
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["checkpoint"], float(row["learning_rate"])) for row in rows] == [
        (one["checkpoint"], one["learning_rate"]) for one in told
    ]
    shown = fext("checkpoints", "compare", "first", "second").out
    assert told[0]["flops"] == told[1]["flops"] > 0
    assert shown.count(f"{told[0]['flops'] / 1e9:.3g}") == 2
    assert "training.learning_rate" in shown
    assert "training.epochs" not in shown
    assert fext("checkpoints", "compare", "first").code == 0
    refused = fext("checkpoints", "compare", "first", "--csv", "none/table.csv")
    assert (refused.code, "cannot be written" in refused.err) == (1, True)


def test_operations_are_counted_where_an_older_version_did_not_tell_them(fext: Fext, workspace: Workspace) -> None:
    told = fext("checkpoints", "show", "first", "--json").json["flops"]
    for state in (workspace.checkpoints / "first").glob("step-*"):
        config = json.loads((state / "config.json").read_text())
        del config["flops"]
        (state / "config.json").write_text(json.dumps(config))
        (state / "complete.json").unlink()
        mark_complete(state)
    assert (
        next(one for one in fext("checkpoints", "--json").json["checkpoints"] if one["name"] == "first")["flops"]
        is None
    )
    assert fext("checkpoints", "show", "first", "--json").json["flops"] == told
    assert f"{told / 1e9:.3g} GFLOP" in fext("checkpoints", "show", "first").out


def test_the_best_state_is_printed_for_other_programs(fext: Fext, workspace: Workspace) -> None:
    best = (workspace.checkpoints / "first" / "best").resolve()
    assert fext("checkpoints", "best", "first").out == f"{best}\n"
    told = fext("checkpoints", "best", "first", "--json").json
    assert (told["path"], told["checkpoint"], "best" in told["tags"]) == (str(best), "first", True)
    (workspace.checkpoints / "first" / "best").unlink()
    assert fext("checkpoints", "best", "first", "--json").json["tags"] == ["last"]


@pytest.mark.parametrize("known", [True, False])
def test_one_is_renamed_with_all_that_was_made_of_it(fext: Fext, workspace: Workspace, known: bool) -> None:
    if not known:
        assert fext("maintain", "delete-records", "--yes").code == 0
    before = places(workspace, "first")
    assert fext("checkpoints", "rename", "first", "cold", "--json").json == {"checkpoint": "cold", "before": "first"}
    assert (places(workspace, "first"), places(workspace, "cold")) == (set(), before)
    with Records(workspace) as records:
        assert records.run_named("cold")
        assert records.run_named("first") is None
    taken = fext("checkpoints", "rename", "cold", "second")
    assert (taken.code, "already" in taken.err) == (2, True)
    assert fext("checkpoints", "rename", "none", "x").code == 2
    with Records(workspace) as records:
        assert not records.run_named("none")


def test_deleting_leaves_what_is_not_asked_for(fext: Fext, workspace: Workspace) -> None:
    refused = fext("checkpoints", "delete", "first")
    assert (refused.code, "Add --yes" in refused.err) == (2, True)
    told = fext("checkpoints", "delete", "first", "--yes", "--json").json
    assert told == {
        "checkpoint": "first", "deleted": True, "also": [],
        "left": ["embeddings", "exported files", "TensorBoard curves"],
    }  # fmt: skip
    assert places(workspace, "first") == {"inference", "export", "tensorboard"}
    assert places(workspace, "second") == {"checkpoints", "validation"}
    with Records(workspace) as records:
        assert records.run_named("first")
    assert fext("checkpoints", "delete", "first", "--yes").code == 2


def test_all_goes_where_it_is_asked_for_also_of_a_damaged_one(fext: Fext, workspace: Workspace) -> None:
    for path in (workspace.checkpoints / "first").glob("step-*/complete.json"):
        path.unlink()
    ended = fext("checkpoints", "delete", "first", "--yes", "--all")
    assert (ended.code, places(workspace, "first")) == (0, set())
    assert "embeddings, exported files, TensorBoard curves" in ended.out


@pytest.mark.parametrize(
    ("typed", "code", "left"),
    [
        ("\n", 3, {"checkpoints", "validation", "inference", "export", "tensorboard"}),
        ("y\n\n\n\n", 0, {"inference", "export", "tensorboard"}),
        ("y\nn\ny\nn\n", 0, {"inference", "tensorboard"}),
    ],
)
def test_deleting_asks_for_each(call: Call, workspace: Workspace, typed: str, code: int, left: set[str]) -> None:
    assert answered(call("checkpoints", "delete", "first"), typed) == code
    assert places(workspace, "first") == left


def answered(command: Sequence[str], typed: str) -> int:
    """Run a call in a terminal, type the answers, and return its exit code."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(command, stdin=follower, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.write(leader, typed.encode())
    code = child.wait(timeout=240)
    os.close(follower)
    os.close(leader)
    return code


def test_networks_are_exported(process: Fext, fext: Fext, workspace: Workspace) -> None:
    shutil.rmtree(workspace.exports)
    ended = process("export", "first", "--format", "torch", "--pooling", "mean", "--json")
    assert ended.code == 0, ended.err
    folder = workspace.exports / "first"
    assert ended.json["files"] == [str(folder / name) for name in ("encoder.pt2", "autoencoder.pt2")]
    assert '"pooling": "mean"' in (folder / "encoder.pt2.json").read_text()
    shown = fext("attach", ended.json["job"]).out
    assert "Exported in" in shown
    assert "autoencoder.pt2" in shown


def test_what_cannot_be_exported_is_told_before_a_job_is_made(fext: Fext, idle: Records) -> None:
    assert fext("export", "fist").code == 2
    assert fext("export", "first", "--format", "tflite").code == 2
    assert fext("export", "first", "nowhere").code == 2
    assert idle.jobs() == []
    detached = fext("export", "second", "--detach", "--json").json
    assert idle.job(detached["job"]).arguments == {"checkpoint": "second", "folder": "", "formats": "all"}
    assert idle.job(detached["job"]).lane == "cpu"


@pytest.mark.parametrize("verb", ["", *checkpoints.commands])
def test_each_verb_has_help(fext: Fext, verb: str) -> None:
    ended = fext("checkpoints", *filter(None, [verb]), "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: fext checkpoints {verb}".rstrip())


def test_facts_need_no_torch(workspace: Workspace) -> None:
    code = (
        "import sys; from fext_tui.cli.entry import run\n"
        "for words in (['show', 'first'], ['compare', 'first', 'second'], ['best', 'first']):\n"
        "    assert run(['checkpoints', *words, '--json', '--resources', sys.argv[1]]) == 0\n"
        "assert run(['export', '--help']) == 0\n"
        "sys.exit(', '.join({'torch', 'cv2', 'numba', 'textual', 'onnx'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-P", "-c", code, str(workspace.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
