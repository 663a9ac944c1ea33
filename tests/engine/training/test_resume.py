"""Runs that go on: after a kill, from a damaged or an older state, with other settings, and with little room."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.checkpoints import find_checkpoint, is_whole, step_of, tags_of
from engine.errors import FextError, UsageError
from engine.jobs.submit import submit
from engine.models.loading import load_weights
from engine.report import CollectedReport
from engine.settings import Settings
from engine.training.room import check_room, state_bytes
from engine.training.schedule import learning_rate
from engine.workspace import Workspace
from tests.engine.training.bench import Bench, Small, StoppingReport, history_of

# --- A kill at any step -------------------------------------------------------------------------------------

Wait = Callable[..., Any]


def _work(bench: Bench, kind: str, settings: Settings, arguments: Mapping[str, Any], run: int) -> subprocess.Popen[str]:
    job = bench.records.add_job(kind, "cpu", settings.model_dump(mode="json"), arguments, run)
    command = [sys.executable, "-m", "engine.jobs.worker", "--resources", str(bench.workspace.root), "--job", str(job)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def _last_step(bench: Bench, name: str) -> int:
    tags = tags_of(bench.workspace.checkpoints / name)
    return step_of(tags["last"]) if "last" in tags else -1


def test_a_run_killed_twice_is_that_of_an_undisturbed_one_to_the_bit(
    bench: Bench, small: Small, wait_for: Wait
) -> None:
    values = {"training__epochs": 4, "training__batch_size": 2, "augmentation__enabled": True, "model__dropout": 0.2}
    settings = small(**values, training__checkpoint_steps=3, data__image_height=16, data__image_width=16)
    told = CollectedReport()
    whole = bench.train("undisturbed", settings.with_values({"training.checkpoint_steps": 0}), told)
    run = bench.records.add_run("killed", "redux")
    for kind, arguments, step in (("train", {"name": "killed"}, 6), ("resume", {"checkpoint": "killed"}, 27)):
        child = _work(bench, kind, settings, arguments, run)
        wait_for(lambda least=step: _last_step(bench, "killed") >= least, what=f"a checkpoint of step {step}")
        child.kill()
        child.communicate()
        assert child.returncode == -signal.SIGKILL, "it was at work when it was killed"
        assert step <= _last_step(bench, "killed") < whole.steps
    child = _work(bench, "resume", settings, {"checkpoint": "killed"}, run)
    assert child.wait() == 0, child.communicate()[1]
    bench.assert_equal("undisturbed", "killed")
    rows = bench.records.metrics_after(run)
    history = {(row["step"], row["name"]): row["value"] for row in rows if row["name"] not in ("img_s", "memory_gb")}
    assert history == history_of(told)
    assert len(rows) == len({(row["step"], row["name"]) for row in rows})


# --- Kept states --------------------------------------------------------------------------------------------


def test_the_newest_kept_states_stay(bench: Bench, small: Small) -> None:
    settings = small(training__epochs=5, training__checkpoint_every=1, training__keep_checkpoints=2)
    bench.train("kept", settings)
    tags = tags_of(bench.workspace.checkpoints / "kept")
    assert sorted(tags) == ["best", "epoch-0004", "epoch-0005", "last"]
    assert {state.name for state in tags.values()} == {
        path.name for path in (bench.workspace.checkpoints / "kept").glob("step-*")
    }
    recorded = {row["tag"] for row in bench.records.checkpoints(bench.records.runs()[0]["id"])}
    assert recorded == set(tags)


def test_states_are_kept_by_time_too(bench: Bench, small: Small) -> None:
    bench.train("kept", small(training__keep_every_minutes=1e-9, training__keep_checkpoints=3))
    tags = tags_of(bench.workspace.checkpoints / "kept")
    assert sorted(tags) == ["best", "kept-00000006", "kept-00000007", "kept-00000008", "last"]
    assert all(is_whole(state) for state in tags.values())
    long = small(training__keep_every_minutes=1000)
    bench.train("long", long)
    assert sorted(tags_of(bench.workspace.checkpoints / "long")) == ["best", "last"]


# --- Damaged states, and older ones -------------------------------------------------------------------------


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "contents": (lambda state: _flip(state / "training_state.safetensors", -5), "training_state.safetensors"),
    "header": (lambda state: _flip(state / "model.safetensors", 3), "model.safetensors"),
    "truncation": (lambda state: os.truncate(state / "model.safetensors", 1000), "model.safetensors has 1,000 bytes"),
    "mark": (lambda state: (state / "complete.json").write_text('{"files": 3}'), "complete.json"),
    "no mark": (lambda state: (state / "complete.json").unlink(), "complete.json"),
    "a file": (lambda state: (state / "training_state.json").unlink(), "training_state.json is missing"),
}


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, draw_pictures: Callable[..., Path], small_values: dict[str, Any]
) -> tuple[Workspace, Settings, dict[tuple[int, str], float]]:
    """Return a workspace with the run `mine` of three epochs, each of them kept, its settings and its curve."""
    from engine.records import Records
    from engine.settings import from_layers

    root = tmp_path_factory.mktemp("trained")
    workspace = Workspace(root / "workspace").create()
    folder = draw_pictures(root / "pictures", 20)
    own = {"data.folder": str(folder), "training.epochs": 3, "training.checkpoint_every": 1}
    settings = from_layers(("", small_values), ("", own))
    report = CollectedReport()
    with Records(workspace) as records:
        Bench(workspace, records).train("mine", settings, report)
    return workspace, settings, history_of(report)


@pytest.fixture
def mine(trained: Any, tmp_path: Path) -> Iterator[tuple[Bench, Settings, dict[tuple[int, str], float]]]:
    """Give a bench on a copy of `trained` of its own, with the settings and the curve."""
    from engine.records import Records

    workspace, settings, history = trained
    shutil.copytree(workspace.root, tmp_path / "copy", symlinks=True)
    with Records(Workspace(tmp_path / "copy")) as records:
        yield Bench(records.workspace, records), settings, history


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_last_state_is_named_and_the_one_before_offered(mine: Any, damage: str) -> None:
    bench, settings, _ = mine
    spoil, named = DAMAGES[damage]
    spoil(tags_of(bench.workspace.checkpoints / "mine")["last"])
    for refuses in (
        lambda: bench.resume("mine", settings),
        lambda: submit(bench.workspace, bench.records, "resume", settings, {"checkpoint": "mine"}),
    ):
        with pytest.raises(FextError, match="damaged") as caught:
            refuses()
        assert named in caught.value.cause
        assert "`fext resume mine/epoch-0002`" in caught.value.remedy
    assert not bench.records.jobs("queued")


def test_a_run_goes_on_from_the_state_that_is_offered(mine: Any) -> None:
    bench, settings, history = mine
    before = bench.weights("mine/last")
    DAMAGES["contents"][0](tags_of(bench.workspace.checkpoints / "mine")["last"])
    report = CollectedReport()
    result = bench.resume("mine/epoch-0002", settings, report)
    assert (result.state, result.epochs, result.steps) == ("done", 3, 6)
    after = bench.weights("mine/last")
    assert all(np.array_equal(before[name], after[name]) for name in before)
    run = bench.records.run_named("mine")["id"]
    assert {row["step"] for row in bench.records.metrics_after(run)} <= set(range(5))
    again = history_of(report)
    assert min(step for step, _ in again) > 4
    assert again == {key: value for key, value in history.items() if key[0] > 4}
    assert all(is_whole(state) for state in tags_of(bench.workspace.checkpoints / "mine").values())


class Dying(CollectedReport):
    """A report with which training ends before its first save."""

    def metrics(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        raise MemoryError


def test_newer_states_stand_until_the_first_save_and_no_longer(mine: Any) -> None:
    bench, settings, _ = mine
    folder = bench.workspace.checkpoints / "mine"
    before = {tag: state.name for tag, state in tags_of(folder).items()}
    states = {path.name for path in folder.glob("step-*")}
    with pytest.raises(MemoryError):
        bench.resume("mine/epoch-0001", settings, Dying())
    assert {tag: state.name for tag, state in tags_of(folder).items()} == before
    assert {path.name for path in folder.glob("step-*")} == states
    stopped = bench.resume("mine/epoch-0001", settings, StoppingReport(3), {"training.learning_rate": 1e-5})
    assert stopped.state == "stopped"
    tags = tags_of(folder)
    assert "epoch-0003" not in tags
    assert max(step_of(state) for state in tags.values()) == step_of(tags["last"]) == stopped.steps < 6
    assert {path.name for path in folder.glob("step-*")} == {state.name for state in tags.values()}
    _, config = load_weights(find_checkpoint(bench.workspace, "mine"))
    assert config.val_psnr == stopped.val_psnr
    recorded = {row["tag"] for row in bench.records.checkpoints(bench.records.run_named("mine")["id"])}
    assert recorded == set(tags)


def test_without_a_whole_state_nothing_is_offered(mine: Any) -> None:
    bench, settings, _ = mine
    for state in (bench.workspace.checkpoints / "mine").glob("step-*"):
        (state / "config.json").unlink()
    with pytest.raises(FextError, match=r"config\.json is missing") as caught:
        bench.resume("mine", settings)
    assert "train again" in caught.value.remedy
    with pytest.raises(UsageError, match="has no 'epoch-0009'"):
        bench.resume("mine/epoch-0009", settings)


# --- Other settings -----------------------------------------------------------------------------------------


def _stored(bench: Bench, reference: str) -> Settings:
    document = json.loads((find_checkpoint(bench.workspace, reference) / "config.json").read_text())
    return Settings.model_validate(document["settings"])


def test_only_what_is_named_changes(mine: Any) -> None:
    bench, settings, _ = mine
    other = settings.with_values(
        {"training.learning_rate": 0.01, "training.batch_size": 3, "training.loss": "mse", "training.patience": 9}
    )
    changes = {"training.learning_rate": "0.0002", "training.loss": "charbonnier", "training.additional_epochs": "1"}
    report = CollectedReport()
    bench.resume("mine", other, report, changes)
    expected = settings.with_values(changes)
    assert _stored(bench, "mine/last") == expected
    rates = [value for (_, name), value in history_of(report).items() if name == "learning_rate"]
    assert rates == pytest.approx([learning_rate(expected.training, steps, steps / 2) for steps in range(2)])


def test_a_new_total_extends_and_shortens(mine: Any) -> None:
    bench, settings, _ = mine
    assert bench.resume("mine", settings, changes={"training.epochs": 5}).steps == 10
    stopped = bench.resume("mine", settings, StoppingReport(11), {"training.epochs": 100})
    assert (stopped.state, stopped.steps) == ("stopped", 11)
    shortened = bench.resume("mine", settings, changes={"training.epochs": 6})
    assert (shortened.state, shortened.epochs, shortened.steps) == ("done", 6, 12)
    with pytest.raises(UsageError, match=r"has 6 epochs already: a total of 6"):
        bench.resume("mine", settings, changes={"training.epochs": 6})
    timed = bench.resume("mine", settings, changes={"training.minutes": 0.002})
    assert timed.steps > 12


def test_another_batch_size_keeps_the_epochs(mine: Any) -> None:
    bench, settings, _ = mine
    stopped = bench.resume("mine", settings, StoppingReport(7), {"training.epochs": 5})
    assert stopped.steps == 7
    done = bench.resume("mine", settings, changes={"training.batch_size": 4})
    assert (done.state, done.epochs, done.steps) == ("done", 5, 7 + 6)


@pytest.mark.parametrize(
    ("key", "value"),
    [("model.variant", "medium"), ("data.image_width", 48), ("data.grayscale", True), ("data.sample_fraction", 0.5),
     ("data.split_seed", 7), ("training.seed", "8")],
)  # fmt: skip
def test_what_cannot_change_is_refused(mine: Any, key: str, value: Any) -> None:
    bench, settings, _ = mine
    arguments = {"checkpoint": "mine", "changes": {key: value}}
    with pytest.raises(UsageError, match=f"{key} of a run cannot change"):
        submit(bench.workspace, bench.records, "resume", settings, arguments)
    with pytest.raises(UsageError, match=f"{key} of a run cannot change"):
        bench.resume("mine", settings, changes={key: value})
    own = settings.values()[key]
    assert bench.resume("mine", settings, StoppingReport(0), {key: own}).run == "mine"


# --- Room ---------------------------------------------------------------------------------------------------


def test_the_forecast_is_what_a_state_takes(mine: Any) -> None:
    bench, settings, _ = mine
    state = tags_of(bench.workspace.checkpoints / "mine")["last"]
    model, _ = load_weights(state)
    taken = sum((state / name).stat().st_size for name in ("model.safetensors", "training_state.safetensors"))
    assert state_bytes(model, settings.training) == pytest.approx(taken, rel=0.05)


def test_room_is_told_and_asked_for(small: Small) -> None:
    training = small(training__epochs=10, training__checkpoint_every=2).training
    report = CollectedReport()
    check_room(100_000_000, 1_000_000, 0, training, report)
    check_room(7_900_000, 1_000_000, 0, training, report)
    check_room(7_900_000, 1_000_000, 1_000_000, training, report)
    check_room(7_900_000, 1_000_000, 0, training.model_copy(update={"keep_checkpoints": 2}), report)
    assert [level for level, _ in report.lines] == ["info", "warning", "info", "info"]
    assert "takes 1.0 MB, 7 of them stay; 100.0 MB are free" in report.lines[0][1]
    with pytest.raises(FextError, match=r"two of them take 2\.0 MB, and the disk has 1\.9 MB free") as caught:
        check_room(1_900_000, 1_000_000, 0, training, report)
    assert "Make space" in caught.value.remedy


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 1 MB; skip where none can be mounted."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False).returncode
    ):
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_run_that_does_not_fit_does_not_begin(bench: Bench, small: Small, tiny_disk: Path) -> None:
    shutil.rmtree(bench.workspace.checkpoints)
    bench.workspace.checkpoints.symlink_to(tiny_disk)
    report = CollectedReport()
    with pytest.raises(FextError, match="no room for checkpoints"):
        bench.train("large", small(model__variant="large"), report)
    assert not report.progresses
    assert not list(tiny_disk.iterdir())
