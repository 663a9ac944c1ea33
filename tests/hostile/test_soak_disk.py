"""Disks that fill up at every point: each task with every number of pages left, and real jobs whose disk runs full."""

import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints import find_checkpoint, is_whole
from engine.jobs.submit import submit
from engine.models.loading import load_weights
from engine.records import JobRow, Records
from engine.settings import from_layers
from engine.workspace import Workspace
from tests.engine.jobs.conftest import Jobs
from tests.engine.training.bench import Bench
from tests.hostile.disks import PAGE, Disk, mounted
from tests.hostile.test_disk import STATE, Filling, Site, assert_told, check_without_room, site

__all__ = ["site"]

pytestmark = pytest.mark.soak

Tally = Counter[tuple[str, str]]
_STEPS = {"sample": 1, "encode": 1, "analyze": 4, "evaluate": 8, "anomalies": 4, "export": 128}
"""Pages more at each try, so that each task comes to some dozens."""


@pytest.mark.parametrize("kind", _STEPS)
def test_a_task_with_any_room(site: Site, kind: str, tally: Tally) -> None:
    for pages in itertools.count(step=_STEPS[kind]):
        if check_without_room(site, kind, pages * PAGE):
            break
        tally[f"disk full while: {kind}", "told, what was there stayed whole"] += 1
    tally[f"disk full while: {kind}", "done as soon as there was room"] += 1
    site.disk.free()


@pytest.mark.parametrize("left", range(0, STATE - 16 * PAGE, STATE // 30))
def test_a_checkpoint_with_any_room(site: Site, left: int, tally: Tally) -> None:
    folder = site.workspace.checkpoints / f"soak-{left}"
    assert_told(site.train(folder.name, report=Filling(site.disk, left)), folder)
    state = find_checkpoint(site.workspace, f"{folder.name}/last")
    assert is_whole(state)
    load_weights(state)
    assert site.half_written() == []
    site.disk.free()
    assert site.run("resume", checkpoint=folder.name).state == "done"
    shutil.rmtree(folder)
    tally["disk full while: checkpoint", "told, the one before stayed whole, resumed"] += 1


@pytest.fixture
def whole(tmp_path: Path, wait_for: Callable[..., Any]) -> Iterator[tuple[Disk, Jobs]]:
    """Give a disk with all of a workspace on it, records and logs too, and its jobs."""
    with mounted(tmp_path / "disk", "80m") as disk:
        workspace = Workspace(disk.folder / "workspace").create()
        with Records(workspace) as records:
            jobs = Jobs(workspace, records, wait_for)
            yield disk, jobs
            disk.free()
            jobs.end_all()


def test_a_run_whose_disk_is_full_for_a_while(
    whole: tuple[Disk, Jobs], pictures: Path, small_values: Mapping[str, Any], tally: Tally
) -> None:
    """Runner, worker, records and log are all on the full disk; when there is room again, the run is resumed."""
    disk, jobs = whole
    settings = from_layers(("", {
        **small_values, "data.folder": str(pictures), "training.epochs": 12, "training.checkpoint_steps": 4,
    }))  # fmt: skip

    def ended(job: int) -> JobRow:
        return jobs.ended(job)

    undisturbed = submit(jobs.workspace, jobs.records, "train", settings, {"name": "undisturbed"}).id
    assert ended(undisturbed).state == "done"
    job = submit(jobs.workspace, jobs.records, "train", settings, {"name": "full"}).id
    jobs.wait_for(lambda: len(jobs.records.metrics_after(jobs.records.job(job).run or 0)) > 20, what="some steps")
    disk.fill()
    log = jobs.workspace.log_of_job(job)
    jobs.wait_for(lambda: _has_gone_on(log, jobs, job), what="the end of training")
    disk.free()
    row = ended(job)
    assert row.state == "failed"
    assert row.error
    assert "No space left on device" in row.error["cause"]
    resumed = submit(jobs.workspace, jobs.records, "resume", settings, {"checkpoint": "full"}).id
    assert ended(resumed).state == "done"
    Bench(jobs.workspace, jobs.records).assert_equal("undisturbed", "full")
    assert jobs.records.problems() == []
    tally["disk full under a whole workspace", "told, resumed, and equal to an undisturbed run"] += 1


def _has_gone_on(log: Path, jobs: Jobs, job: int) -> bool:
    """Return whether a job has found the disk full: by its log or the records, whichever still had room."""
    return "No space left" in log.read_text() or jobs.records.job(job).has_ended
