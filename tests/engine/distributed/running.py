"""Jobs in two processes of this machine."""

from collections.abc import Callable, Mapping
from typing import Any

import psutil

from engine.jobs.outcome import Outcome
from engine.jobs.ranks import run_in_ranks
from engine.jobs.worker import claim
from engine.records import Records
from engine.settings import Settings


def submit(
    records: Records, kind: str, settings: Settings, arguments: Mapping[str, Any], run: int | None = None
) -> int:
    """Return the number of a job that is to have two processes."""
    settings = settings.with_values({"device.processes": 2})
    return records.add_job(kind, "cpu", settings.model_dump(mode="json"), arguments, run)


def run_in_two(
    records: Records,
    kind: str,
    settings: Settings,
    arguments: Mapping[str, Any],
    run: int | None = None,
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run a job, and return how it ended."""
    job = claim(records, submit(records, kind, settings, arguments, run))
    assert job is not None
    return run_in_ranks(records.workspace, records, job, 2, stopping, grace=10)


def ranks_of(pid: int) -> dict[int, psutil.Process]:
    """Return the ranks that a process started, by number."""
    return {int(child.environ()["RANK"]): child for child in psutil.Process(pid).children()}
