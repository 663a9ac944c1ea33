"""``fext maintain`` and ``fext keys``."""

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.checkpoints import mark_complete
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.key_file import keys_file
from tests.fext_tui.cli.conftest import Ended

Fext = Callable[..., Ended]


@pytest.fixture
def run(workspace: Workspace) -> Path:
    """Write a run with three states, and return its folder."""
    folder = workspace.checkpoints / "mine"
    for step, tag in ((1, "epoch-0001"), (2, "best"), (3, "last")):
        state = folder / f"step-{step:08d}"
        state.mkdir(parents=True)
        settings = Settings().model_dump(mode="json")
        facts = {"name": "mine", "settings": settings, "image_channels": 3, "latent": [64, 8, 8], "parameters": 1,
                 "step": step, "epoch": 1.0, "val_psnr": 20.0, "created": 1.0}  # fmt: skip
        (state / "config.json").write_text(json.dumps(facts))
        (state / "model.safetensors").write_bytes(bytes(1000))
        mark_complete(state)
        (folder / tag).symlink_to(state.name)
    return folder


def test_checkpoints_are_pruned_after_asking(fext: Fext, run: Path) -> None:
    refused = fext("maintain", "prune-checkpoints")
    assert (refused.code, "Add --yes" in refused.err) == (2, True)
    assert fext("maintain", "prune-checkpoints", "--keep", "1", "--json").json == {"removed": {}, "bytes": 0}
    told = fext("maintain", "prune-checkpoints", "mine", "--yes", "--json").json
    assert told["removed"] == {"mine": ["step-00000001"]}
    assert told["bytes"] > 1000
    assert {path.name for path in run.iterdir()} == {"step-00000002", "step-00000003", "best", "last"}
    unknown = fext("maintain", "prune-checkpoints", "mien", "--yes")
    assert (unknown.code, "Did you mean 'mine'?" in unknown.err) == (2, True)


def test_caches_folders_and_records_are_told(fext: Fext, workspace: Workspace, records: Records) -> None:
    (workspace.packs / "old").mkdir()
    (workspace.packs / "old" / "images.npy").write_bytes(bytes(5_000_000))
    found = fext("maintain", "folders", "--json").json
    assert found["folders"][0] == {
        "name": "packs", "path": str(workspace.packs), "files": 1, "bytes": 5_000_000
    }  # fmt: skip
    assert found["bytes"] == sum(one["bytes"] for one in found["folders"])
    assert "5.0 MB" in fext("maintain", "folders").out
    removed = fext("maintain", "prune-caches", "--json").json
    assert removed == {"removed": {"pack": 1, "split": 0}, "bytes": 5_000_000}
    assert fext("maintain", "check-records", "--json").json["problems"] == []
    compacted = fext("maintain", "compact-records", "--json").json
    assert compacted["before"] >= compacted["bytes"] > 0


def test_damaged_records_end_with_a_failure(fext: Fext, workspace: Workspace, records: Records) -> None:
    import sqlite3

    run = records.add_run("mine", "redux")
    records.put_checkpoint(run, "best", 1, 1.0, 20.0)
    with sqlite3.connect(workspace.database) as other:
        other.execute("PRAGMA foreign_keys = 0")
        other.execute("DELETE FROM run")
    ended = fext("maintain", "check-records")
    assert (ended.code, "row 1 of checkpoint is of a row of run that is gone" in ended.out) == (1, True)


def test_what_is_known_of_a_folder_is_deleted(
    fext: Fext, workspace: Workspace, records: Records, tmp_path: Path
) -> None:
    records.put_images(records.dataset(tmp_path / "one"), [{"path": "a.png", "bytes": 1, "modified_ns": 1}])
    (workspace.dataset_plots / "metrics.png").write_bytes(bytes(70))
    assert fext("maintain", "delete-data", "one").code == 2, "there is no terminal to ask on"
    told = fext("maintain", "delete-data", "one", "--yes", "--plots", "--json").json
    assert told == {"images": 1, "figures": 1, "bytes": 70}
    again = fext("maintain", "delete-data", "one", "--yes")
    assert (again.code, "know nothing" in again.err) == (2, True)


# --- Keys -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_keys() -> Iterator[Path]:
    path = keys_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    yield path
    path.unlink(missing_ok=True)


def test_keys_are_listed_by_screen(fext: Fext) -> None:
    told = fext("keys", "--json").json
    assert told["problems"] == []
    row = next(one for one in told["keys"] if one["id"] == "error")
    assert row == {
        "place": "Everywhere", "id": "error", "keys": "!", "usual": "!", "name": "Error",
        "help": "What went wrong, in full",
    }  # fmt: skip
    shown = fext("keys").out
    assert "model.train" in shown
    assert "Train: Train with these settings" in shown
    assert tomllib.loads(fext("keys", "--template").out) == {"keys": {}}


def test_the_users_keys_are_listed_and_what_is_wrong_with_them_is_told(fext: Fext, own_keys: Path) -> None:
    own_keys.write_text('[keys]\n"model.train" = "ctrl+t,!"\n"quit" = "Q"\n"modl.train" = "x"\n')
    ended = fext("keys", "--json")
    assert ended.code == 2
    rows = {one["id"]: one for one in ended.json["keys"]}
    assert (rows["quit"]["keys"], rows["quit"]["usual"]) == ("Q", "q")
    assert rows["model.train"]["keys"] == "t", "! is the key of the errors"
    assert [problem["cause"].partition(":")[0] for problem in ended.json["problems"]] == ["keys.toml"] * 2
    assert "Did you mean model.train" in ended.err
