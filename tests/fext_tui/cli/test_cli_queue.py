"""The queue, grids of runs, and runs compared, from the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.records import Records
from tests.fext_tui.cli.conftest import Ended

Fext = Callable[..., Ended]
GRID = ("--grid", "training.learning_rate=0.001,0.0003", "--grid", "model.variant=redux,medium")


def test_a_grid_is_every_combination_in_the_queue(fext: Fext, idle: Records, pictures: Path) -> None:
    told = fext("train", pictures, "--name", "night", "--epochs", "2", *GRID, "--json").json["jobs"]
    assert [(one["name"], one["note"]) for one in told] == [
        ("night-1", "training.learning_rate = 0.001, model.variant = redux"),
        ("night-2", "training.learning_rate = 0.001, model.variant = medium"),
        ("night-3", "training.learning_rate = 0.0003, model.variant = redux"),
        ("night-4", "training.learning_rate = 0.0003, model.variant = medium"),
    ]
    jobs = [idle.job(one["job"]) for one in told]
    assert [job.settings["training"]["learning_rate"] for job in jobs] == [0.001, 0.001, 0.0003, 0.0003]
    assert {job.settings["training"]["epochs"] for job in jobs} == {2}
    assert [job.settings["model"]["variant"] for job in jobs] == ["redux", "medium"] * 2
    assert [row["variant"] for row in idle.runs()] == ["medium", "redux"] * 2
    listed = fext("queue").out
    assert all(f"night-{number}" in listed for number in range(1, 5))
    compared = fext("compare", "night-1", "night-4").out
    assert "training.learning_rate" in compared
    assert "model.variant" in compared
    assert "training.epochs" not in compared


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (["training.learning_rate"], "is no grid"),
        (["training.learning_rate=1e-3,,2e-3"], "is no grid"),
        (["training.seed=1,1"], "is no grid"),
        (["training.sed=1,2"], "Unknown setting 'training.sed'"),
        (["training.seed=1,2", "training.seed=3,4"], "given twice"),
        (["training.learning_rate=0.001,-1"], "training.learning_rate = '-1' is not valid"),
        ([f"training.seed={','.join(map(str, range(300)))}"], "makes 300 runs"),
    ],
)
def test_a_bad_grid_lines_up_nothing(fext: Fext, idle: Records, pictures: Path, grid: list[str], said: str) -> None:
    ended = fext("train", pictures, *(word for one in grid for word in ("--grid", one)))
    assert ended.code == 2
    assert said in ended.err
    assert idle.jobs() == []
    assert idle.runs() == []


def test_a_name_that_is_taken_lines_up_nothing(fext: Fext, idle: Records, pictures: Path) -> None:
    idle.add_job("train", "cpu", {}, {}, idle.add_run("night-2", "redux"))
    ended = fext("train", pictures, "--name", "night", "--grid", "training.seed=1,2,3")
    assert ended.code == 2
    assert "'night-2'" in ended.err
    assert [row["name"] for row in idle.runs()] == ["night-2"]


def test_the_queue_is_listed_moved_and_held(fext: Fext, idle: Records, pictures: Path) -> None:
    assert fext("queue", "--json").json == {"queue": []}
    assert "No job waits" in fext("queue").out
    fext("train", pictures, "--name", "n", "--grid", "training.seed=1,2,3")
    assert [one["job"] for one in fext("queue", "last", "1", "--json").json["queue"]] == [2, 3, 1]
    assert [one["job"] for one in fext("queue", "earlier", "3", "--json").json["queue"]] == [3, 2, 1]
    assert [one["job"] for one in fext("queue", "later", "3", "--json").json["queue"]] == [2, 3, 1]
    assert [one["job"] for one in fext("queue", "first", "1", "--json").json["queue"]] == [1, 2, 3]
    assert [one["held"] for one in fext("queue", "hold", "2", "--json").json["queue"]] == [False, True, False]
    assert "held" in fext("queue").out
    assert [one["held"] for one in fext("queue", "release", "2", "--json").json["queue"]] == [False] * 3
    fext("stop", "2")
    assert [one["job"] for one in fext("queue", "--json").json["queue"]] == [1, 3]
    ended = fext("queue", "hold", "2")
    assert (ended.code, "does not wait: it is stopped" in ended.err) == (2, True)


def test_runs_are_compared_best_first(fext: Fext, idle: Records) -> None:
    for name, psnr, rate in (("low", 30.0, 0.001), ("high", 31.25, 0.002)):
        run = idle.add_run(name, "redux", note="[red]a note[/red]")
        idle.add_metrics(run, [(10, 1.5, 0.0, {"validation/psnr": psnr, "train/loss": 0.1, "img_s": 48.0})])
        settings = {"training": {"learning_rate": rate}}
        idle.change_job(idle.add_job("train", "cpu", settings, {}, run), state="done", started=1.0, ended=61.0)
    ended = fext("compare", "low", "high")
    lines = [line for line in ended.out.splitlines() if line.strip()]
    assert [line.split()[0] for line in lines[1:3]] == ["high", "low"]
    assert "31.25 dB" in lines[1]
    assert "[red]a note[/red]" in ended.out
    values = fext("compare", "low", "high", "--json").json["runs"]
    assert [(one["name"], one["psnr"], one["settings"]) for one in values] == [
        ("high", 31.25, {"training.learning_rate": 0.002}),
        ("low", 30.0, {"training.learning_rate": 0.001}),
    ]
    assert "no run 'other'" in fext("compare", "low", "other").err


def test_a_note_and_tags_are_written_and_shown(fext: Fext, idle: Records) -> None:
    idle.add_run("mine", "redux")
    assert fext("note", "mine").out.strip() == "No note."
    told = fext("note", "mine", "cold", "#night", "start", "#a", "--json").json
    assert told == {"run": "mine", "note": "cold start", "tags": ["night", "a"]}
    assert fext("note", "mine").out.strip() == "#night #a cold start"
    assert "no run 'other'" in fext("note", "other").err


def test_a_run_is_deleted_with_or_without_its_checkpoints(fext: Fext, idle: Records) -> None:
    workspace = idle.workspace
    for name in ("kept", "gone"):
        run = idle.add_run(name, "redux")
        idle.add_metrics(run, [(1, 0.1, 0.0, {"train/loss": 1.0})])
        job = idle.add_job("train", "cpu", {}, {}, run)
        idle.change_job(job, state="done")
        idle.add_log_lines(job, [(1.0, "info", "a line")])
        workspace.log_of_job(job).write_text("a log")
        for folder in (workspace.checkpoints / name, workspace.validation / name / "probes"):
            folder.mkdir(parents=True)
    assert "Add --yes" in fext("delete", "kept").err
    assert fext("delete", "kept", "--yes", "--json").json["checkpoints"] is False
    assert fext("delete", "gone", "--checkpoints", "--yes", "--json").json["checkpoints"] is True
    assert idle.runs() == idle.jobs() == idle.log_lines(1) == idle.metrics_after(1) == []
    assert [path.name for path in workspace.checkpoints.iterdir()] == ["kept"]
    assert (workspace.validation / "kept").is_dir()
    assert not (workspace.validation / "gone").exists()
    assert not list(workspace.logs.glob("job-*"))


def test_a_run_whose_job_waits_is_not_deleted(fext: Fext, idle: Records) -> None:
    job = idle.add_job("train", "cpu", {}, {}, idle.add_run("mine", "redux"))
    ended = fext("delete", "mine", "--yes")
    assert (ended.code, f"fext stop {job}" in ended.err) == (2, True)
    assert len(idle.runs()) == 1
