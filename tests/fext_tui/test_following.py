"""Following jobs: what is kept of their curves, and what the watching thread tells."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.message import Message

from engine.jobs.follow import Update
from engine.jobs.process import boot_id, host_name, start_time
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.following import FollowingFailed, History, JobEnded, JobHeard, JobsChanged, Watcher
from fext_tui.series import KEPT_POINTS, Series


def test_a_curve_that_is_told_again_replaces_what_lies_beyond() -> None:
    series = Series()
    for step in range(1, 101):
        series.add(step, float(step))
    series.add(51, -1.0)
    assert series.steps == list(range(1, 52))
    assert series.values[-1] == -1.0


def test_a_long_curve_is_thinned_but_keeps_its_ends_and_extremes() -> None:
    series, count = Series(), 10 * KEPT_POINTS
    for step in range(count):
        series.add(step, -7.0 if step == 5_000 else 99.0 if step == 20_001 else float(step % 2))
    assert KEPT_POINTS / 2 <= len(series.steps) <= KEPT_POINTS
    assert series.steps == sorted(series.steps)
    assert (series.steps[0], series.steps[-1]) == (0, count - 1)
    assert (series.values[0], series.values[-1]) == (0.0, float((count - 1) % 2))
    assert (min(series.lows), max(series.highs)) == (-7.0, 99.0)
    [peak] = [at for at, high in enumerate(series.highs) if high == 99.0]
    assert series.steps[peak - 1] < 20_001 <= series.steps[peak]
    assert all(low <= value <= high for low, value, high in zip(series.lows, series.values, series.highs, strict=True))


class Heard:
    """Keeps what a watcher posts, and waits for it."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._changed = threading.Condition()

    def __call__(self, message: Message) -> None:
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def wait(self, kind: type[Message], matches: Callable[[Any], bool] = lambda _: True) -> Any:
        def found() -> Any:
            return next((one for one in self._messages if isinstance(one, kind) and matches(one)), None)

        with self._changed:
            assert self._changed.wait_for(found, timeout=240), f"no {kind.__name__} came"
            return found()


@pytest.fixture
def heard(workspace: Workspace, no_runner: None) -> Iterator[tuple[Watcher, Heard]]:
    """Give a watcher at work and what it tells."""
    heard = Heard()
    watcher = Watcher(workspace, heard)
    thread = threading.Thread(target=watcher.run)
    thread.start()
    yield watcher, heard
    watcher.close()
    thread.join(10)
    assert not thread.is_alive(), "the watcher did not end when it was closed"


def add_running(records: Records, name: str = "redux-one") -> int:
    run = records.add_run(name, "redux")
    job = records.add_job("train", "cpu", Settings().model_dump(mode="json"), {"name": name}, run)
    records.change_job(job, state="running", host=host_name(), boot=boot_id(), pid=os.getpid(),
                       pid_started=start_time(os.getpid()), started=time.time())  # fmt: skip
    return job


def test_what_others_start_is_followed_to_its_end(records: Records, heard: tuple[Watcher, Heard]) -> None:
    _, told = heard
    job = add_running(records)
    first = told.wait(JobHeard)
    assert first.first
    assert first.name == "redux-one"
    records.add_metrics(1, [(1, 0.1, time.time(), {"train/loss": 0.5}), (2, 0.2, time.time(), {"train/loss": 0.4})])
    records.add_log_lines(job, [(time.time(), "info", "two steps")])
    news = told.wait(JobHeard, lambda message: bool(message.update.metrics))
    assert [row["value"] for row in news.update.metrics] == [0.5, 0.4]
    records.change_job(job, state="done", ended=time.time())
    assert told.wait(JobEnded).job.state == "done"
    told.wait(JobHeard, lambda message: any(row["text"] == "two steps" for row in message.update.log))


def test_a_job_that_ended_long_ago_is_shown_but_not_announced(
    workspace: Workspace, records: Records, no_runner: None
) -> None:
    job = add_running(records)
    records.change_job(job, state="failed", ended=time.time())
    records.add_metrics(1, [(1, 0.1, time.time(), {"train/loss": 0.5})])
    told = Heard()
    watcher = Watcher(workspace, told)
    thread = threading.Thread(target=watcher.run)
    thread.start()
    told.wait(JobHeard, lambda message: bool(message.update.metrics))
    add_running(records, "redux-two")
    told.wait(JobHeard, lambda message: message.name == "redux-two")
    watcher.close()
    thread.join(10)
    assert not any(isinstance(message, JobEnded) for message in told._messages)


def test_watching_goes_on_after_a_failure(records: Records, heard: tuple[Watcher, Heard]) -> None:
    _, told = heard
    job = add_running(records)
    told.wait(JobHeard)
    records.delete_job(job)
    assert "no job" in told.wait(FollowingFailed).error.cause
    add_running(records, "redux-two")
    told.wait(JobHeard, lambda message: message.name == "redux-two")


def test_changes_of_state_are_told(records: Records, heard: tuple[Watcher, Heard]) -> None:
    add_running(records)
    heard[1].wait(JobsChanged)


def test_history_keeps_the_newest_values(records: Records) -> None:
    job = records.job(add_running(records))
    history = History()
    rows = [
        {"name": "validation/psnr", "step": step, "epoch": step / 2, "value": value}
        for step, value in ((1, 20.0), (2, 24.0), (3, None), (4, 23.0))
    ]
    history.take(Update(job, [], rows), now=0.0)
    assert history.best_psnr == 24.0
    assert history.last["validation/psnr"] == 23.0
    assert (history.step, history.epoch) == (4, 2.0)
