"""Disks that are full, have no room for another name, or can only be read; the refusals are those of the system.

Whatever could not be written is named with its place, what was there before stays whole, and after room is made the
same task comes through.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.checkpoints import find_checkpoint, is_whole
from engine.embeddings import BEFORE, UNFINISHED, read_embeddings
from engine.errors import FextError
from engine.jobs.lock import RunnerLock
from engine.jobs.outcome import Outcome, outcome_of
from engine.jobs.tasks import load_task
from engine.models.loading import load_weights
from engine.neighbors import Neighbors
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings, from_layers
from engine.training.tensorboard import with_tensorboard
from engine.workspace import Workspace
from tests.embedding_sets import write_set
from tests.hostile.disks import PAGE, Disk, mounted

STATE = 10_700_000
"""Bytes that a saved state of the runs here takes, about."""


@dataclass
class Site:
    """A workspace on a small disk, with a checkpoint ``base`` and its embeddings; the records lie elsewhere."""

    disk: Disk
    workspace: Workspace
    records: Records
    settings: Settings

    def run(self, kind: str, settings: Settings | None = None, report: CollectedReport | None = None,
            **arguments: Any) -> Outcome:  # fmt: skip
        """Run a task, and return how it ended, as a job does."""

        def task() -> Any:
            told = report or CollectedReport()
            return load_task(kind)(settings or self.settings, self.workspace, self.records, told, **arguments)

        return outcome_of(task, Path("job.log"))

    def train(self, name: str, **more: Any) -> Outcome:
        """Train a run of a name."""
        return self.run("train", run=self.records.add_run(name, "redux"), **more)

    def half_written(self) -> list[str]:
        """Return what is left of files that were not finished."""
        return [path.name for path in self.workspace.root.rglob(".new-*")]

    def contents(self, *folders: str) -> dict[str, bytes]:
        """Return digests of all finished files below folders of the workspace, by path."""
        paths = [path for folder in folders for path in (self.workspace.root / folder).rglob("*")]
        files = [path for path in paths if path.is_file() and path.parent.name not in {UNFINISHED, BEFORE}]
        return {str(path): hashlib.blake2b(path.read_bytes()).digest() for path in files}


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, draw_pictures: Callable[..., Path], small_values: Mapping[str, Any]
) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("disks")
    own = {
        "data.folder": str(draw_pictures(place / "pictures", 16)), "data.image_height": 16, "data.image_width": 16,
        "training.epochs": 1,
    }  # fmt: skip
    settings = from_layers(("", {**small_values, **own}))
    with mounted(place / "disk", "64m") as disk:
        workspace = Workspace(disk.folder / "workspace").create()
        with Records(workspace, place / "records.db") as records:
            built = Site(disk, workspace, records, settings)
            assert built.train("base").state == "done"
            assert built.run("encode", checkpoint="base", folder=settings.data.folder).state == "done"
            yield built


@pytest.fixture(autouse=True)
def _room_afterwards(site: Site) -> Iterator[None]:
    yield
    site.disk.free()


def assert_told(outcome: Outcome, place: Path, reason: str = "No space left on device") -> None:
    """Check that a failure names what could not be written, why, and what helps, and is no defect."""
    assert outcome.state == "failed"
    assert outcome.error is not None
    assert str(place) in outcome.error["cause"]
    assert reason in outcome.error["cause"]
    assert ("permissions" if "Read-only" in reason else "ake space") in outcome.error["remedy"]


def arguments_of(site: Site, kind: str) -> dict[str, Any]:
    """Return what a kind of task is called with."""
    base = {"checkpoint": "base", "folder": site.settings.data.folder}
    tables = {name: str(site.workspace.root / f"measured.{name}") for name in ("csv", "parquet")}
    kinds: dict[str, dict[str, Any]] = {
        "encode": base | {"again": True},
        "evaluate": base,
        "analyze": tables,
        "anomalies": base | {"reference": site.settings.data.folder},
        "export": base | {"formats": "torch"},
        "sample": {"folder": "drawn", "count": 12, "seed": 1},
    }
    return kinds[kind]


def check_without_room(site: Site, kind: str, left: int) -> bool:
    """Run a task on a disk with so many bytes left; return whether they were enough, else check what is left of it."""
    before = site.contents("checkpoints", "database/inference")
    site.disk.fill(left)
    outcome = site.run(kind, **arguments_of(site, kind))
    assert site.half_written() == []
    if outcome.state == "done":
        return True
    assert_told(outcome, site.workspace.root)
    assert before.items() <= site.contents("checkpoints", "database/inference").items()
    assert len(read_embeddings(site.workspace.inference / "base").vectors) == 16
    return False


@pytest.mark.parametrize(("kind", "pages"), [("encode", 2), ("evaluate", 2), ("analyze", 2), ("sample", 0)])
def test_a_task_tells_what_does_not_fit_and_comes_through_when_it_does(site: Site, kind: str, pages: int) -> None:
    assert not check_without_room(site, kind, pages * PAGE)
    site.disk.free()
    outcome = site.run(kind, **arguments_of(site, kind))
    assert outcome.state == "done", outcome.error


class Filling(CollectedReport):
    """A report at whose first metrics after the first step the disk fills up, but for some bytes."""

    def __init__(self, disk: Disk, left: int) -> None:
        super().__init__()
        self._disk = disk
        self._left = left

    def metrics(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        super().metrics(step, epoch, values)
        if step:
            self._disk.fill(self._left)


@pytest.mark.parametrize("left", [0, STATE - 64 * PAGE])
def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(site: Site, left: int) -> None:
    """Room for nothing, and for all but the end of the optimizer's state."""
    name = f"full-{left}"
    folder = site.workspace.checkpoints / name
    assert_told(site.train(name, report=Filling(site.disk, left)), folder)
    assert site.half_written() == []
    state = find_checkpoint(site.workspace, f"{name}/last")
    assert is_whole(state)
    load_weights(state)
    site.disk.free()
    outcome = site.run("resume", checkpoint=name)
    assert outcome.state == "done"
    assert outcome.result
    assert outcome.result["steps"] == 2
    shutil.rmtree(folder)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # that of its own thread
def test_curves_for_tensorboard_end_where_there_is_no_room_and_the_run_goes_on(site: Site) -> None:
    pytest.importorskip("tensorboard")
    settings = site.settings.with_values({"training.tensorboard": True})
    with mounted(site.workspace.tensorboard, "8k") as own:
        report = CollectedReport()
        with with_tensorboard(report, settings, site.workspace, "curves") as told:
            for step in range(500):
                told.metrics(step, 0.0, {"train/loss": 1.0})
        assert [step for step, _, _ in report.metric_rows] == list(range(500))
        [(level, text)] = report.lines[1:]
        assert level == "warning"
        assert f"{site.workspace.tensorboard / 'curves'} cannot be written: No space left on device." in text
        own.fill()
        assert_told(site.train("none", settings=settings), site.workspace.tensorboard / "none")


def test_an_index_of_neighbors_that_does_not_fit_is_told(site: Site) -> None:
    vectors = np.random.default_rng(0).normal(size=(16, 64)).astype(np.float32)
    folder = write_set(site.workspace, site.records, Path(site.settings.data.folder), "indexed", vectors)
    for left in (0, PAGE):
        site.disk.fill(left)
        with pytest.raises(FextError, match="cannot be written") as caught:
            Neighbors(read_embeddings(folder), exact_up_to=8)
        assert str(folder) in caught.value.cause
        assert site.half_written() == []
    site.disk.free()
    assert Neighbors(read_embeddings(folder), exact_up_to=8).nearest(vectors[:1], 1) is not None


def test_a_former_export_of_the_records_stands_until_the_new_one_is_whole(site: Site) -> None:
    folder = site.disk.folder / "tables"
    paths = site.records.export_csv(folder)
    before = [path.read_bytes() for path in paths]
    site.records.add_log_lines(site.records.add_job("sample", "cpu", {}, {}), [(0.0, "info", "x" * 99)] * 9_999)
    site.disk.fill()
    with pytest.raises(FextError, match="No space left on device") as caught:
        site.records.export_csv(folder)
    assert str(folder) in caught.value.cause
    assert [path.read_bytes() for path in paths] == before
    assert not list(folder.glob(".new-*"))
    site.disk.free()
    site.records.export_csv(folder)
    assert [path.read_bytes() for path in paths] != before


def test_records_on_a_full_disk_are_told_and_stay_whole(site: Site) -> None:
    """Opened anew, written to, and compacted."""
    workspace = Workspace(site.disk.folder / "other").create()
    with Records(workspace) as records:
        job = records.add_job("sample", "cpu", {}, {})
        records.add_log_lines(job, [(0.0, "info", "x" * 999)] * 999)
        records.change_job(job, state="done")
    site.disk.fill()
    with pytest.raises(FextError, match="cannot be used") as caught:
        Records(workspace)
    assert "Make space" in caught.value.remedy
    site.disk.fill(16 * PAGE)
    with Records(workspace) as records:
        for change in (records.compact, lambda: records.add_log_lines(job, [(0.0, "info", "y" * 999)] * 999)):
            with pytest.raises(FextError, match=r"disk is full|disk I/O") as caught:
                change()
            assert "Make space" in caught.value.remedy
        assert records.problems() == []
        site.disk.free()
        records.add_log_lines(job, [(0.0, "info", "z")])
        assert len(records.log_lines(job, limit=9_999)) == 1_000


def test_where_no_further_file_can_be_made_it_is_told(site: Site) -> None:
    site.disk.take_names()
    picture_folder = site.settings.data.folder
    assert_told(site.run("encode", checkpoint="base", folder=picture_folder, again=True), site.workspace.root)
    site.disk.take_names()  # those that the records gave back
    with pytest.raises(FextError, match="No space left on device") as caught:
        RunnerLock(site.workspace)
    assert "make space" in caught.value.remedy
    site.disk.free()
    assert site.run("encode", checkpoint="base", folder=picture_folder, again=True).state == "done"


def test_a_disk_that_can_only_be_read_is_named(site: Site) -> None:
    before = site.contents("checkpoints", "database")
    with site.disk.read_only():
        for kind in ("encode", "sample"):
            outcome = site.run(kind, **arguments_of(site, kind) | ({"folder": "new"} if kind == "sample" else {}))
            assert_told(outcome, site.workspace.root, "Read-only file system")
        assert_told(site.train("unwritten"), site.workspace.root, "Read-only file system")
    assert site.contents("checkpoints", "database") == before


@pytest.mark.parametrize("count", [3, None])
def test_an_output_that_takes_nothing_hides_no_result(
    workspace: Workspace, records: Records, count: int | None
) -> None:
    """A job whose log is full for ever, once done and once failed for a reason that is none of ours."""
    arguments = {"folder": str(workspace.root / "drawn"), "count": count, "seed": 1}
    job = records.add_job("sample", "cpu", Settings().model_dump(mode="json"), arguments)
    command = [sys.executable, "-m", "engine.jobs.worker", "--resources", str(workspace.root), "--job", str(job)]
    with Path("/dev/full").open("w") as full:
        subprocess.run(command, stdout=full, stderr=full, check=False, timeout=60)
    row = records.job(job)
    assert row.state == ("done" if count else "failed")
    assert count or (row.error and "TypeError" in row.error["cause"])
