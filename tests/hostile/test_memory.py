"""Jobs whose process gets no more memory from the system: they tell so, and the runner lives on."""

import resource
import signal
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from engine.jobs.outcome import outcome_of
from engine.jobs.submit import submit
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
from tests.engine.jobs.conftest import Jobs

ROOM = 24 * 2**20
"""Bytes that a job may still take: too few to load torch."""


@pytest.fixture
def jobs(workspace: Workspace, records: Records, wait_for: Callable[..., Any]) -> Iterator[Jobs]:
    helper = Jobs(workspace, records, wait_for)
    yield helper
    helper.end_all()


def test_a_job_that_gets_no_more_memory_ends_with_a_reason_and_the_next_one_runs(
    jobs: Jobs, small: Callable[..., Settings]
) -> None:
    """The limit comes when the job has begun, and before it has loaded what it needs; any library may be the first."""
    job = submit(jobs.workspace, jobs.records, "train", small(), {"name": "large"}).id
    row = jobs.wait_for(lambda: next(iter(jobs.records.jobs("running")), None), what="the start of the job")
    worker = psutil.Process(row.pid)
    worker.send_signal(signal.SIGSTOP)
    limit = worker.memory_info().vms + ROOM
    worker.rlimit(resource.RLIMIT_AS, (limit, limit))
    worker.send_signal(signal.SIGCONT)
    ended = jobs.ended(job)
    assert ended.state in {"failed", "killed"}
    assert ended.error
    assert ended.error["cause"]
    assert ended.error["remedy"]
    assert jobs.ended(jobs.sample()).state == "done"


@pytest.fixture
def no_more_memory() -> Iterator[None]:
    """Let this process have no more memory than it has, but for some bytes."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def _torch() -> object:
    import torch

    return torch.ones(8 * ROOM)


def _numpy() -> object:
    import numpy as np

    return np.ones(8 * ROOM)


def _opencv() -> object:
    import cv2
    import numpy as np

    return cv2.resize(np.zeros((8, 8, 3), np.uint8), (2**13, 2**13))


def _threads() -> object:
    import threading

    gone_on = threading.Event()
    threads = [threading.Thread(target=gone_on.wait) for _ in range(100)]
    try:
        for thread in threads:
            thread.start()
    finally:
        gone_on.set()
    return threads


@pytest.mark.parametrize(
    ("take", "cause"),
    [
        (_torch, "Out of memory."),
        (_numpy, "Out of memory."),
        (_opencv, "Out of memory."),
        (_threads, "refused the job another thread"),
    ],
)
def test_whoever_gets_no_memory_it_is_told_as_such(
    take: Callable[[], object], cause: str, workspace: Workspace, request: pytest.FixtureRequest
) -> None:
    import cv2  # noqa: F401 - loaded before memory runs out
    import torch  # noqa: F401

    request.getfixturevalue("no_more_memory")
    outcome = outcome_of(take, workspace.logs / "job.log")
    assert outcome.error
    assert cause in outcome.error["cause"]
    assert "memory" in outcome.error["remedy"]
