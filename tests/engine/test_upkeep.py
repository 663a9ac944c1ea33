"""Renaming a run: its folders, and every place of the records that tells its name."""

import os
from pathlib import Path

import pytest

from engine.errors import FextError, UsageError
from engine.records import Records
from engine.upkeep import rename_run
from engine.workspace import Workspace


@pytest.fixture
def run(workspace: Workspace, records: Records) -> int:
    """Return a run named ``mine`` with everything that tells its name, beside one named ``mine_too``."""
    for name in ("mine", "mine_too"):
        for folder in (workspace.checkpoints, workspace.validation, workspace.tensorboard):
            (folder / name).mkdir(parents=True)
            (folder / name / "file").write_text(name)
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
            records.add_embeddings(job=job, checkpoint=checkpoint, folder="", path="", rows=1, dim=1, skipped=0)
    return 1


def names_told(records: Records) -> list[str]:
    jobs = records.jobs()
    told = [str(job.arguments.get("checkpoint")) for job in jobs if "checkpoint" in job.arguments]
    told += [row["checkpoint"] for row in (*records.evaluations(), *records.embeddings())]
    return told + [row["path"] for job in jobs for row in records.artifacts(job.id)]


def test_a_name_is_changed_wherever_it_is_told_and_nowhere_else(
    workspace: Workspace, records: Records, run: int
) -> None:
    before = names_told(records)
    rename_run(workspace, records, "mine", "colder")
    assert records.run(run)["name"] == "colder"
    expected = {"mine": "colder", "mine/last": "colder/last", "checkpoints/mine": "checkpoints/colder",
                "database/validation/mine/figure.png": "database/validation/colder/figure.png"}  # fmt: skip
    assert names_told(records) == [expected.get(name, name) for name in before]
    assert {job.arguments["folder"] for job in records.jobs() if job.kind == "evaluate"} == {"mine"}
    for folder in (workspace.checkpoints, workspace.validation, workspace.tensorboard):
        assert {path.name for path in folder.iterdir()} - {"dataset"} == {"colder", "mine_too"}
        assert (folder / "colder" / "file").read_text() == "mine"


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


def test_what_fails_leaves_all_as_it_was(
    workspace: Workspace, records: Records, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path == workspace.tensorboard / "mine":
            raise PermissionError(1, os.strerror(1), str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    before = names_told(records)
    with pytest.raises(FextError, match="cannot be renamed"):
        rename_run(workspace, records, "mine", "colder")
    assert names_told(records) == before
    assert (workspace.checkpoints / "mine" / "file").exists()
    assert (workspace.validation / "mine" / "file").exists()
