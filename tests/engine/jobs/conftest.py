"""Real jobs in real processes, and their end after each test."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from engine.jobs.lock import RunnerLock
from engine.jobs.process import start_time
from engine.jobs.stop import request_stop
from engine.jobs.submit import submit
from engine.records import JobRow, Records
from engine.settings import Settings
from engine.workspace import Workspace

ENDLESS = 10_000_000
"""Images to draw, for a job that runs until it is stopped."""


@dataclass
class Jobs:
    """Submits jobs and waits for what becomes of them."""

    workspace: Workspace
    records: Records
    wait_for: Callable[..., Any]

    def sample(self, count: int = 2, name: str = "") -> int:
        """Submit a job that draws images into a new folder, and return its number."""
        folder = self.workspace.root / (name or f"drawn-{time.monotonic_ns()}")
        arguments = {"folder": str(folder), "count": count, "seed": 1}
        return submit(self.workspace, self.records, "sample", Settings(), arguments).id

    def enqueue(self, lane: str, count: int = ENDLESS) -> int:
        """Add a drawing job in a lane, without starting a runner, and return its number."""
        arguments = {"folder": str(self.workspace.root / f"drawn-{time.monotonic_ns()}"), "count": count, "seed": 1}
        return self.records.add_job("sample", lane, Settings().model_dump(), arguments)

    def started(self, job: int) -> JobRow:
        """Return a job once it is at work."""
        row: JobRow = self.wait_for(lambda: self._at_work(job), what=f"the start of job {job}")
        return row

    def _at_work(self, job: int) -> JobRow | None:
        row = self.records.job(job)
        assert not row.has_ended, row
        return row if row.done else None

    def ended(self, job: int) -> JobRow:
        """Return a job once it has ended."""
        row: JobRow = self.wait_for(lambda: self._if_ended(job), what=f"the end of job {job}")
        return row

    def _if_ended(self, job: int) -> JobRow | None:
        row = self.records.job(job)
        return row if row.has_ended else None

    def runner_is_there(self) -> bool:
        """Return whether a runner holds the lock."""
        with RunnerLock(self.workspace) as lock:
            if lock.take():
                lock.release()
                return False
            return True

    def runner_pid(self) -> int:
        """Return the process of the runner: the parent of the worker that runs."""
        [job] = self.records.jobs("running")
        return self.parent_of(job)

    def parent_of(self, job: JobRow) -> int:
        """Return the parent of a job's process."""
        with open(f"/proc/{job.pid}/stat", "rb") as file:  # noqa: PTH123 - a file of the kernel
            return int(file.read().rpartition(b")")[2].split()[1])

    def kill_runner(self) -> None:
        """Kill the runner, as the kernel does when memory runs out."""
        self.kill(self.runner_pid())

    def kill(self, pid: int) -> None:
        """Kill a process, and wait until it is gone and with it what it held."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.wait_for(lambda: start_time(pid) is None, what=f"the end of process {pid}")

    def runner_log(self) -> str:
        """Return what the runners told."""
        return (self.workspace.logs / "runner.log").read_text()

    def end_all(self) -> None:
        """End every job and the runner."""
        for job in self.records.jobs("queued", "running"):
            request_stop(self.records, job.id)
            request_stop(self.records, job.id)
        self.wait_for(lambda: not self.records.jobs("queued", "running"), what="the end of all jobs")
        self.wait_for(lambda: not self.runner_is_there(), what="the end of the runner")


@pytest.fixture
def jobs(workspace: Workspace, records: Records, wait_for: Callable[..., Any]) -> Iterator[Jobs]:
    """Give a `Jobs` for a workspace of its own."""
    helper = Jobs(workspace, records, wait_for)
    yield helper
    helper.end_all()
