"""What becomes of a job that was started by keys, when the app that started it goes: real apps, a real training."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from engine.jobs.stop import request_stop
from engine.records import JobRow, Records
from engine.workspace import Workspace

if TYPE_CHECKING:
    from tests.fext_tui.conftest import Terminal

LEAVE, STOP = "q\r", "q\x1b[B\r"
LONG = {
    "TERM": "xterm-256color", "FEXT_DATA_IMAGE_HEIGHT": "32", "FEXT_DATA_IMAGE_WIDTH": "32", "FEXT_DEVICE_KIND": "cpu",
    "FEXT_MODEL_LATENT_CHANNELS": "8", "FEXT_MODEL_DOWNSAMPLING": "8", "FEXT_TRAINING_BATCH_SIZE": "8",
    "FEXT_TRAINING_EPOCHS": "100000", "FEXT_TRAINING_PROBE_IMAGES": "0", "FEXT_DEVICE_COMPILE": "off",
}  # fmt: skip
"""The environment of an app in which `t` trains until it is stopped."""


@pytest.fixture
def pictures(workspace: Workspace) -> None:
    generator = np.random.default_rng(1)
    for number in range(24):
        coarse = Image.fromarray(generator.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        coarse.resize((32, 32)).save(workspace.images / f"{number}.png")


@pytest.fixture
def much_other_work() -> Iterator[None]:
    """Let as many processes as there are cores do nothing but work."""
    code = "while True: pass"
    busy = [subprocess.Popen([sys.executable, "-c", code]) for _ in os.sched_getaffinity(0)]
    yield
    for process in busy:
        process.kill()
        process.wait()


def quit_by_key(terminal: "Terminal") -> None:
    terminal.press(LEAVE)
    assert terminal.end() == 0


def stop_and_quit(terminal: "Terminal") -> None:
    terminal.press(STOP)
    assert terminal.end() == 0


def hang_up(terminal: "Terminal") -> None:
    os.killpg(terminal.child.pid, signal.SIGHUP)
    terminal.hang_up()
    terminal.child.wait(240)


def kill(terminal: "Terminal") -> None:
    os.kill(terminal.child.pid, signal.SIGKILL)
    terminal.child.wait(240)


@pytest.mark.parametrize(
    ("leave", "goes_on"), [(quit_by_key, True), (stop_and_quit, False), (hang_up, True), (kill, True)]
)
def test_the_job_goes_on_unless_it_is_stopped_and_is_followed_again_from_its_first_step(
    pictures: None,
    workspace: Workspace,
    records: Records,
    in_terminal: "Callable[..., Terminal]",
    wait_for: Callable[..., Any],
    leave: "Callable[[Terminal], None]",
    goes_on: bool,
    request: pytest.FixtureRequest,
) -> None:
    first = in_terminal(LONG)
    first.wait(b"Dataset")
    first.press("2t")
    job: JobRow = wait_for(lambda: at_work(records), what="the training")
    if leave is quit_by_key:
        request.getfixturevalue("much_other_work")
    watcher = in_terminal(LONG)
    watcher.wait(b"Dataset")
    watcher.wait(rb"running.*training")
    leave(first)
    if not goes_on:
        wait_for(lambda: records.job(job.id).has_ended, what="the end of the job")
        watcher.wait(rb"Job 1 \(train\) stopped")
    else:
        done = records.job(job.id).done
        wait_for(lambda: records.job(job.id).done > done, what="further steps")
        assert watcher.child.poll() is None, "who watched it too goes on watching"
        again = in_terminal(LONG)
        again.wait(rb"running.*training")
        again.press("2v")
        again.wait(rb"best PSNR")
        again.press("s")
        wait_for(lambda: records.job(job.id).has_ended, what="the end of the job")
        again.wait(rb"Job 1 \(train\) stopped")
    ended = records.job(job.id)
    assert (ended.state, ended.error) == ("stopped", None)
    steps = [row["step"] for row in records.metrics_after(1, limit=1_000_000) if row["name"] == "train/loss"]
    assert steps[0] <= 10
    assert len(steps) == len(set(steps))
    assert (workspace.checkpoints / records.run(1)["name"] / "last").is_dir()
    with closing(sqlite3.connect(workspace.database)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def at_work(records: Records) -> JobRow | None:
    jobs = records.jobs("running")
    return jobs[0] if jobs and jobs[0].phase == "training" and jobs[0].done > 20 else None


@pytest.fixture(autouse=True)
def _no_job_stays(records: Records, wait_for: Callable[..., Any]) -> Any:
    yield
    for job in records.jobs("queued", "running"):
        request_stop(records, job.id)
        request_stop(records, job.id)
    wait_for(lambda: not records.jobs("queued", "running"), what="the end of all jobs")
