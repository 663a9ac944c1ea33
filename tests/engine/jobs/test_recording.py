"""The report that writes the records: everything arrives, in batches, whatever holds it up."""

import errno
import io
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from engine.errors import Interrupted
from engine.jobs import recording
from engine.jobs.recording import RecordingReport
from engine.jobs.requests import StopRequests
from engine.records import Records, opening
from engine.workspace import Workspace


@pytest.fixture
def run(records: Records) -> int:
    return records.add_run("a", "redux")


@pytest.fixture
def job(records: Records, run: int) -> int:
    number = records.add_job("train", "cpu", {}, {}, run)
    records.change_job(number, state="running", heartbeat=0.0)
    return number


def report_of(workspace: Workspace, job: int, run: int | None, output: Any = None) -> RecordingReport:
    return RecordingReport(workspace, job, run, StopRequests(), output or io.StringIO())


def test_everything_told_is_there_at_the_end(workspace: Workspace, records: Records, job: int, run: int) -> None:
    with report_of(workspace, job, run) as report:
        for step in range(5000):
            report.metrics(step, step / 100, {"train/loss": step * 1.0, "img_s": 2.0})
            report.progress("training", step + 1, 5000, "steps")
        for number in range(3000):
            report.log(f"line {number}", "warning")
        report.artifact("checkpoint", workspace.checkpoints / "a" / "best")
    assert len(records.metrics_after(run)) == 10_000
    curve = records.curve(run, "train/loss", points=10_000)
    assert [(row["step"], row["value"], row["epoch"]) for row in curve] == [(n, n * 1.0, n / 100) for n in range(5000)]
    lines = records.log_lines(job, limit=5000)
    assert [line["text"] for line in lines] == [f"line {number}" for number in range(3000)]
    assert {line["level"] for line in lines} == {"warning"}
    row = records.job(job)
    assert (row.phase, row.done, row.total, row.unit) == ("training", 5000, 5000, "steps")
    assert [(one["kind"], one["path"]) for one in records.artifacts(job)] == [("checkpoint", "checkpoints/a/best")]


def test_news_arrive_while_the_task_goes_on(
    workspace: Workspace, records: Records, job: int, run: int, wait_for: Callable[..., Any]
) -> None:
    with report_of(workspace, job, run) as report:
        report.metrics(1, 0.0, {"train/loss": 1.0})
        wait_for(lambda: records.metrics_after(run), what="the value")
        report.log("a line")
        wait_for(lambda: records.log_lines(job), what="the line")


def test_a_silent_task_still_has_a_heartbeat(
    workspace: Workspace, records: Records, job: int, wait_for: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_HEARTBEAT_SECONDS", 0.1)
    with report_of(workspace, job, None):
        wait_for(lambda: (records.job(job).heartbeat or 0) > 0, what="a heartbeat")
        before = records.job(job).heartbeat or 0
        wait_for(lambda: (records.job(job).heartbeat or 0) > before, what="another heartbeat")


def test_a_phase_keeps_its_begin_so_that_its_pace_can_be_told(
    workspace: Workspace, records: Records, job: int, wait_for: Callable[..., Any]
) -> None:
    def at(phase: str, done: int) -> float:
        report.progress(phase, done, 9, "steps")
        wait_for(lambda: (records.job(job).phase, records.job(job).done) == (phase, done), what="the progress")
        return records.job(job).phase_started or 0

    with report_of(workspace, job, None) as report:
        began = at("packing", 1)
        assert at("packing", 2) == began
        assert at("training", 1) > began


def test_what_comes_together_is_written_together(
    workspace: Workspace, records: Records, job: int, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_FLUSH_SECONDS", 1000.0)
    with report_of(workspace, job, run) as report:
        before = records.data_version()
        for step in range(1000):
            report.metrics(step, 0.0, {"train/loss": 1.0})
            report.log("x")
            report.progress("training", step, 1000, "steps")
        assert records.data_version() == before
    assert len(records.metrics_after(run)) == 1000


def test_threads_may_tell_at_the_same_time(workspace: Workspace, records: Records, job: int, run: int) -> None:
    with report_of(workspace, job, run) as report:

        def tell(name: str) -> None:
            for step in range(500):
                report.metrics(step, 0.0, {name: 1.0})
                report.log(name)

        threads = [threading.Thread(target=tell, args=(f"metric-{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(records.metrics_after(run)) == len(records.log_lines(job, limit=5000)) == 2000


def test_numbers_of_numpy_are_numbers(workspace: Workspace, records: Records, job: int, run: int) -> None:
    import numpy as np

    with report_of(workspace, job, run) as report:
        report.metrics(1, 0.0, {"train/loss": np.float32(0.5)})  # type: ignore[dict-item]  # what a careless task tells
    assert records.last_metrics(run) == {"train/loss": 0.5}


def test_lines_go_to_the_output_without_what_moves_a_cursor(workspace: Workspace, job: int, records: Records) -> None:
    output = io.StringIO()
    text = os.fsdecode(b"caf\xe9 \x1b[2J\nnext \xc3\xa9")
    with report_of(workspace, job, None, output) as report:
        report.log(text)
    assert output.getvalue().endswith("info: caf\\udce9 \\x1b[2J\\nnext é\n")
    assert records.log_lines(job)[0]["text"] == text


def test_an_output_that_cannot_be_written_does_not_end_the_task(
    workspace: Workspace, job: int, records: Records
) -> None:
    class FullDisk(io.StringIO):
        def write(self, _: str, /) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with report_of(workspace, job, None, FullDisk()) as report:
        report.log("a line")
    assert records.log_lines(job)


def test_a_lock_that_another_program_holds_is_outlasted(
    workspace: Workspace, records: Records, job: int, run: int, monkeypatch: pytest.MonkeyPatch,
    wait_for: Callable[..., Any],
) -> None:  # fmt: skip
    monkeypatch.setattr(opening, "_BUSY_MS", 10)
    output = io.StringIO()
    with report_of(workspace, job, run, output) as report:
        other = sqlite3.connect(workspace.database, isolation_level=None)
        report.log("before")
        wait_for(lambda: records.log_lines(job), what="the first line")
        other.execute("BEGIN IMMEDIATE")
        report.metrics(1, 0.0, {"train/loss": 1.0})
        report.log("meanwhile")
        wait_for(lambda: "locked" in output.getvalue(), what="the warning")
        report.metrics(2, 0.0, {"train/loss": 2.0})
        assert records.metrics_after(run) == []
        other.rollback()
        other.close()
    assert [row["step"] for row in records.metrics_after(run)] == [1, 2]
    assert [line["text"] for line in records.log_lines(job)] == ["before", "meanwhile"]
    assert "could not be written" not in output.getvalue()


def test_a_full_disk_is_outlasted(workspace: Workspace, records: Records, job: int, run: int) -> None:
    """In a process of its own, whose files may not grow for a while."""
    code = f"""
import io, resource, sys, time
from pathlib import Path
from engine.jobs.recording import RecordingReport
from engine.jobs.requests import StopRequests
from engine.workspace import Workspace

output = io.StringIO()
with RecordingReport(Workspace(Path(sys.argv[1])), {job}, {run}, StopRequests(), output) as report:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    for step in range(2000):
        report.metrics(step, 0.0, {{"train/loss": 1.0}})
    report.log("told in need")
    deadline = time.monotonic() + 60
    while "kept in memory" not in output.getvalue() and time.monotonic() < deadline:
        time.sleep(0.02)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(output.getvalue())
"""
    done = subprocess.run([sys.executable, "-c", code, workspace.root], capture_output=True, text=True, check=True)
    assert "kept in memory" in done.stdout
    assert "could not be written" not in done.stdout
    assert len(records.metrics_after(run)) == 2000
    assert [line["text"] for line in records.log_lines(job)] == ["told in need"]


def test_memory_is_bounded_and_what_is_left_out_is_told(
    workspace: Workspace, records: Records, job: int, run: int, monkeypatch: pytest.MonkeyPatch,
    wait_for: Callable[..., Any],
) -> None:  # fmt: skip
    monkeypatch.setattr(opening, "_BUSY_MS", 10)
    monkeypatch.setattr(recording, "_MOST_VALUES", 50)
    output = io.StringIO()
    with report_of(workspace, job, run, output) as report:
        other = sqlite3.connect(workspace.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for step in range(100):
            report.metrics(step, 0.0, {"train/loss": 1.0})
        wait_for(lambda: "locked" in output.getvalue(), what="the warning")
        other.rollback()
        other.close()
    kept = [row["step"] for row in records.metrics_after(run)]
    assert kept == list(range(50, 100))
    assert "50 values and lines could not be written" in output.getvalue()


def test_records_that_stay_unwritable_are_given_up_on_and_it_is_told(
    workspace: Workspace, records: Records, job: int, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_BUSY_MS", 10)
    monkeypatch.setattr(recording, "_LAST_TRIES_SECONDS", 0.2)
    output = io.StringIO()
    other = sqlite3.connect(workspace.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with report_of(workspace, job, run, output) as report:
        report.metrics(1, 0.0, {"train/loss": 1.0})
        report.log("x")
    other.rollback()
    other.close()
    assert "2 values and lines could not be written" in output.getvalue()


def test_a_run_deleted_meanwhile_does_not_end_the_task(
    workspace: Workspace, records: Records, job: int, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_LAST_TRIES_SECONDS", 0.0)
    output = io.StringIO()
    with report_of(workspace, job, run, output) as report:
        records.delete_run(run)
        report.metrics(1, 0.0, {"train/loss": 1.0})
    assert "FOREIGN KEY" in output.getvalue()


def test_a_stop_is_passed_on(workspace: Workspace, job: int) -> None:
    requests = StopRequests()
    report = RecordingReport(workspace, job, None, requests, io.StringIO())
    with signals_kept():
        requests.listen()
        assert not report.stopping()
        os.kill(os.getpid(), signal.SIGTERM)
        assert report.stopping()


def test_a_stop_breaks_off_what_lets_itself_be_broken_off(workspace: Workspace, job: int) -> None:
    requests = StopRequests()
    report = RecordingReport(workspace, job, None, requests, io.StringIO())
    reached = []
    with signals_kept():
        requests.listen()
        with report.interruptible():
            reached.append("an end")
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(Interrupted), report.interruptible():
            reached.append(threading.Event().wait(240))
        os.kill(os.getpid(), signal.SIGTERM)  # outside, it is only noted
        with pytest.raises(Interrupted), report.interruptible():
            reached.append("a beginning")
    assert reached == ["an end"]


@contextmanager
def signals_kept() -> Iterator[None]:
    """Put the handlers of signals back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
