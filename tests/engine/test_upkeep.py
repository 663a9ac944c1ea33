"""Renaming a run: its folders, and every place of the records that tells its name; deleting a checkpoint."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from engine.errors import FextError, UsageError
from engine.records import Records
from engine.upkeep import delete_run, remove_checkpoint, rename_run
from engine.workspace import Workspace


def folders(workspace: Workspace) -> list[Path]:
    return [
        workspace.checkpoints, workspace.validation, workspace.tensorboard, workspace.inference, workspace.exports
    ]  # fmt: skip


@pytest.fixture
def run(workspace: Workspace, records: Records) -> int:
    """Return a run named ``mine`` with everything that tells its name, beside one named ``mine_too``."""
    for name in ("mine", "mine_too"):
        for folder in folders(workspace):
            (folder / name).mkdir(parents=True)
            (folder / name / "file").write_text(name)
        for place, told in (("", name), ("last/photos-1234", f"{name}/last")):
            bundle = workspace.inference / name / place / "bundle.json"
            bundle.parent.mkdir(parents=True, exist_ok=True)
            bundle.write_text(json.dumps({"checkpoint": told, "folder": "mine"}))
        for path in (
            workspace.exports / name / "encoder.onnx.json",
            workspace.validation / name / "all" / "report.json",
        ):
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps({"checkpoint": name, "images": 3}))
        number = records.add_run(name, "redux")
        job = records.add_job("train", "cpu", {}, {"name": name}, number)
        records.add_artifact(job, "checkpoint", workspace.checkpoints / name)
        records.add_artifact(job, "figure", workspace.validation / name / "figure.png")
        records.change_job(job, state="done")
        for checkpoint in (name, f"{name}/last"):
            job = records.add_job("evaluate", "cpu", {}, {"checkpoint": checkpoint, "folder": "mine"})
            records.change_job(job, state="done")
            figures = dict.fromkeys(("mae", "mse", "psnr", "ssim", "cosine"), 0.0)
            facts = {"job": job, "checkpoint": checkpoint, "folder": "mine", "subset": "", "images": 1, "skipped": 0}
            records.add_evaluation(facts | figures, [])
            path = f"database/inference/{checkpoint}"
            records.add_embeddings(job=job, checkpoint=checkpoint, folder="", path=path, rows=1, dim=1, skipped=0)
    return 1


def names_told(records: Records) -> list[str]:
    jobs = records.jobs()
    told = [str(job.arguments.get("checkpoint")) for job in jobs if "checkpoint" in job.arguments]
    told += [row["checkpoint"] for row in (*records.evaluations(), *records.embeddings())]
    told += [row["path"] for row in records.embeddings()]
    return told + [row["path"] for job in jobs for row in records.artifacts(job.id)]


def test_a_name_is_changed_wherever_it_is_told_and_nowhere_else(
    workspace: Workspace, records: Records, run: int
) -> None:
    before = names_told(records)
    rename_run(workspace, records, "mine", "colder")
    assert records.run(run)["name"] == "colder"
    expected = {"mine": "colder", "mine/last": "colder/last", "checkpoints/mine": "checkpoints/colder",
                "database/validation/mine/figure.png": "database/validation/colder/figure.png",
                "database/inference/mine": "database/inference/colder",
                "database/inference/mine/last": "database/inference/colder/last"}  # fmt: skip
    assert names_told(records) == [expected.get(name, name) for name in before]
    assert {job.arguments["folder"] for job in records.jobs() if job.kind == "evaluate"} == {"mine"}
    for folder in folders(workspace):
        assert {path.name for path in folder.iterdir()} - {"dataset", "images"} == {"colder", "mine_too"}
        assert (folder / "colder" / "file").read_text() == "mine"
    assert bundles(workspace) == {
        "colder": {"checkpoint": "colder", "folder": "mine"},
        "colder/last/photos-1234": {"checkpoint": "colder/last", "folder": "mine"},
        "mine_too": {"checkpoint": "mine_too", "folder": "mine"},
        "mine_too/last/photos-1234": {"checkpoint": "mine_too/last", "folder": "mine"},
    }

    for folder, file in ((workspace.exports, "encoder.onnx.json"), (workspace.validation, "all/report.json")):
        for name in ("colder", "mine_too"):
            assert json.loads((folder / name / file).read_text()) == {"checkpoint": name, "images": 3}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"checkpoint": 5}', "[" * 100_000])
def test_damaged_files_stay_as_they_are(workspace: Workspace, records: Records, run: int, content: str) -> None:
    (workspace.inference / "mine" / "bundle.json").write_text(content)
    rename_run(workspace, records, "mine", "colder")
    assert (workspace.inference / "colder" / "bundle.json").read_text() == content
    told = json.loads((workspace.inference / "colder" / "last" / "photos-1234" / "bundle.json").read_text())
    assert told["checkpoint"] == "colder/last"


def bundles(workspace: Workspace) -> dict[str, dict[str, str]]:
    found = sorted(workspace.inference.rglob("bundle.json"))
    return {str(path.parent.relative_to(workspace.inference)): json.loads(path.read_text()) for path in found}


@pytest.mark.parametrize(
    ("name", "wanted", "cause"),
    [("none", "x", "no run 'none'"), ("mine", "mine_too", "already"), ("mine", "../x", "cannot name")],
)
def test_what_cannot_be_is_refused(
    workspace: Workspace, records: Records, run: int, name: str, wanted: str, cause: str
) -> None:
    with pytest.raises(UsageError, match=cause):
        rename_run(workspace, records, name, wanted)
    assert records.run(run)["name"] == "mine"


def test_a_folder_without_records_is_not_written_over(workspace: Workspace, records: Records, run: int) -> None:
    (workspace.checkpoints / "taken").mkdir()
    with pytest.raises(UsageError, match="already"):
        rename_run(workspace, records, "mine", "taken")


@pytest.mark.parametrize("arguments", [{"checkpoint": "mine"}, {"checkpoint": "mine/last"}])
def test_a_job_that_needs_the_name_keeps_it(
    workspace: Workspace, records: Records, run: int, arguments: dict[str, str]
) -> None:
    job = records.add_job("encode", "cpu", {}, arguments)
    with pytest.raises(UsageError, match=f"Job {job}"):
        rename_run(workspace, records, "mine", "colder")
    assert (workspace.checkpoints / "mine").is_dir()


@pytest.mark.parametrize("place", range(5))
def test_what_fails_leaves_all_as_it_was(
    workspace: Workspace, records: Records, run: int, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    rename, refused = Path.rename, folders(workspace)[place]

    def refuse(path: Path, target: Path) -> Path:
        if path == refused / "mine":
            raise PermissionError(1, os.strerror(1), str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    before = names_told(records), bundles(workspace)
    with pytest.raises(FextError, match="cannot be renamed"):
        rename_run(workspace, records, "mine", "colder")
    assert (names_told(records), bundles(workspace)) == before
    assert all((folder / "mine" / "file").exists() for folder in folders(workspace))


def test_records_that_refuse_leave_folders_and_bundles_as_they_were(
    workspace: Workspace, records: Records, run: int
) -> None:
    before = names_told(records), bundles(workspace)
    with sqlite3.connect(workspace.database) as other:
        other.execute("CREATE TRIGGER refuse BEFORE UPDATE ON artifact BEGIN SELECT RAISE(ABORT, 'not now'); END")
    with pytest.raises(Exception, match="not now"):
        rename_run(workspace, records, "mine", "colder")
    assert (names_told(records), bundles(workspace)) == before
    assert records.run(run)["name"] == "mine"
    assert all((folder / "mine" / "file").exists() for folder in folders(workspace))


def test_a_checkpoint_goes_with_its_figures_and_what_is_asked_for(
    workspace: Workspace, records: Records, run: int
) -> None:
    records.put_checkpoint(run, "best", 1, 1.0, 30.0)
    remove_checkpoint(workspace, records, "mine", ["embeddings"])
    there = {folder.name for folder in folders(workspace) if (folder / "mine").exists()}
    assert there == {"tensorboard", "export"}
    assert all((folder / "mine_too" / "file").exists() for folder in folders(workspace))
    assert records.run(run)["name"] == "mine"
    assert records.checkpoints(run) == []
    assert [row["path"] for row in records.embeddings()] == [
        "database/inference/mine_too/last", "database/inference/mine_too"
    ]  # fmt: skip
    with pytest.raises(UsageError, match="no checkpoint 'mine'"):
        remove_checkpoint(workspace, records, "mine")


def test_a_checkpoint_in_use_is_not_deleted(workspace: Workspace, records: Records, run: int) -> None:
    job = records.add_job("encode", "cpu", {}, {"checkpoint": "mine/last"})
    with pytest.raises(UsageError, match=f"Job {job}"):
        remove_checkpoint(workspace, records, "mine")
    assert (workspace.checkpoints / "mine" / "file").exists()


def test_links_out_of_the_workspace_are_not_followed(
    workspace: Workspace, records: Records, run: int, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    (workspace.checkpoints / "mine" / "link").symlink_to(elsewhere)
    for path in (workspace.validation / "mine", workspace.inference / "mine"):
        shutil.rmtree(path)
        path.symlink_to(elsewhere)
    remove_checkpoint(workspace, records, "mine", ["embeddings"])
    assert not any(os.path.lexists(folder / "mine") for folder in [*folders(workspace)[:2], workspace.inference])
    assert [path.name for path in elsewhere.iterdir()] == ["precious"]


@pytest.mark.parametrize("name", ["../../../victim", "..", ".", ""])
def test_a_run_with_a_foreign_name_leads_nowhere(
    workspace: Workspace, records: Records, tmp_path: Path, name: str
) -> None:
    """A name that records of another's tell, and that no run of ours has, is no path; its records can be deleted."""
    victim = tmp_path / "victim"
    victim.mkdir()
    records.add_run(name, "redux")
    with pytest.raises(UsageError, match="cannot name"):
        delete_run(workspace, records, name, checkpoints=True)
    with pytest.raises(UsageError, match="cannot name"):
        rename_run(workspace, records, name, "mine")
    delete_run(workspace, records, name, checkpoints=False)
    assert victim.is_dir()
    assert workspace.validation.is_dir()
    assert records.run_named(name) is None


def test_a_run_whose_checkpoint_is_in_use_keeps_it(workspace: Workspace, records: Records, run: int) -> None:
    job = records.add_job("encode", "cpu", {}, {"checkpoint": "mine/last"})
    with pytest.raises(UsageError, match=f"Job {job}"):
        delete_run(workspace, records, "mine", checkpoints=True)
    assert (workspace.checkpoints / "mine" / "file").exists()
    assert records.run_named("mine")
    delete_run(workspace, records, "mine", checkpoints=False)
    assert (workspace.checkpoints / "mine" / "file").exists()
