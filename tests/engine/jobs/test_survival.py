"""A job outlives the terminal that it was started from."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from engine.jobs.follow import Follower
from engine.jobs.process import start_time
from engine.jobs.stop import request_stop
from engine.settings import Settings

if TYPE_CHECKING:
    from tests.engine.jobs.conftest import Jobs

SUBMIT = """
import json, sys, time
from pathlib import Path
from engine.jobs.submit import submit
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace

workspace, kind, settings, arguments = Workspace(Path(sys.argv[1])), *sys.argv[2:]
with Records(workspace) as records:
    job = submit(workspace, records, kind, Settings.model_validate_json(settings), json.loads(arguments))
    print(job.id, flush=True)
    time.sleep(1000)
"""


def submit_in_a_terminal(jobs: "Jobs", kind: str, settings: Settings, arguments: str) -> tuple[int, int, int]:
    """Submit a job from the leader of a terminal's session; return the job, that leader and the terminal."""
    leader, terminal = pty.fork()
    if leader == 0:
        command = [sys.executable, "-c", SUBMIT, str(jobs.workspace.root), kind, settings.model_dump_json(), arguments]
        os.execv(sys.executable, command)  # noqa: S606 - our own interpreter in the child of a fork
    with os.fdopen(os.dup(terminal), "rb", buffering=0) as screen:
        told = screen.readline()
    return int(told), leader, terminal


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("sample", "the terminal is closed"),
        ("sample", "its session is killed"),
        ("train", "its session is killed"),
    ],
)
def test_a_job_goes_on_when_its_terminal_goes(
    jobs: "Jobs", small: Callable[..., Settings], kind: str, end: str
) -> None:
    if kind == "train":
        settings = small(training__epochs=100_000, data__validation_fraction=0.0)
        arguments = '{"name": "outlives"}'
    else:
        folder = os.fsdecode(jobs.workspace.root / "drawn")
        settings, arguments = Settings(), f'{{"folder": "{folder}", "count": 10000000, "seed": 1}}'
    number, leader, terminal = submit_in_a_terminal(jobs, kind, settings, arguments)
    follower = Follower(jobs.records, number)
    job = jobs.wait_for(lambda: _at_work(jobs, number), what="the first step")
    runner = jobs.parent_of(job)
    assert os.getsid(job.pid) != leader != os.getsid(runner)
    if end == "its session is killed":
        os.killpg(leader, signal.SIGHUP)
        os.killpg(leader, signal.SIGKILL)
    os.close(terminal)
    _, status = os.waitpid(leader, 0)
    assert os.WIFSIGNALED(status)
    done = jobs.records.job(number).done
    jobs.wait_for(lambda: jobs.records.job(number).done > done, what="further steps")
    assert start_time(runner)
    _still_followed_from_its_start(jobs, follower, kind)
    request_stop(jobs.records, number)
    ended = jobs.ended(number)
    assert ended.state == "stopped", ended.error
    if kind == "train":
        assert ended.result
        assert (jobs.workspace.checkpoints / "outlives" / "last").is_dir()


def _at_work(jobs: "Jobs", number: int) -> Any:
    job = jobs.records.job(number)
    assert not job.has_ended, job
    return job if job.done and job.phase in {"training", "drawing"} else None


def _still_followed_from_its_start(jobs: "Jobs", follower: Follower, kind: str) -> None:
    if kind == "train":
        metrics = jobs.wait_for(lambda: follower.poll().metrics, what="the curve")
        assert min(row["step"] for row in metrics if row["name"] == "train/loss") <= 10
    assert not follower.poll().job.has_ended


@pytest.mark.parametrize("kind", ["sample", "train"])
def test_a_job_ends_done_after_the_one_who_submitted_it_has_gone(
    jobs: "Jobs", small: Callable[..., Settings], kind: str
) -> None:
    arguments = {
        "sample": f'{{"folder": "{jobs.workspace.root / "drawn"}", "count": 20, "seed": 1}}',
        "train": '{"name": "outlives"}',
    }[kind]
    settings = small(training__epochs=2) if kind == "train" else Settings()
    code = SUBMIT.replace("    time.sleep(1000)\n", "")
    command = [sys.executable, "-c", code, str(jobs.workspace.root), kind, settings.model_dump_json(), arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True).stdout
    ended = jobs.ended(int(told))
    assert ended.state == "done", ended.error
    assert ended.result
