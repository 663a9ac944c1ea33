"""Jobs whose processes died: what is lost and what is not."""

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from engine.jobs.care import SILENT_SECONDS, end_lost, is_alive, reconcile, way_on
from engine.jobs.process import this_process
from engine.records import JobRow, Records

if TYPE_CHECKING:
    from tests.engine.jobs.conftest import Jobs


def running(records: Records, *, kind: str = "sample", run: int | None = None, **changes: Any) -> JobRow:
    """Return a job that this very process seems to run, but for the changes."""
    me = this_process()
    values = {"host": me.host, "boot": me.boot, "pid": me.pid, "pid_started": me.started, "heartbeat": time.time()}
    job = records.add_job(kind, "cpu", {}, {}, run)
    records.change_job(job, state="running", started=time.time(), **(values | changes))
    return records.job(job)


def after_a_look(records: Records, job: JobRow) -> JobRow:
    end_lost(records, [job])
    return records.job(job.id)


def test_what_lives_is_left_alone_however_silent(records: Records) -> None:
    job = running(records, heartbeat=time.time() - 10 * SILENT_SECONDS)
    assert after_a_look(records, job) == job


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pid_started": 1.0}, "gone without a word"),
        ({"pid": 2**22 + 1}, "gone without a word"),
        ({"boot": "another"}, "restarted"),
        ({"pid": None}, "gone without a word"),
    ],
)
def test_a_reused_number_a_missing_process_and_a_restart_are_found(
    records: Records, changes: dict[str, Any], reason: str
) -> None:
    lost = after_a_look(records, running(records, **changes))
    assert lost.state == "lost"
    assert lost.ended
    assert lost.error
    assert reason in lost.error["cause"]
    assert lost.error["exit_code"] == 1


def test_a_job_of_another_machine_is_left_alone_until_it_was_silent_for_minutes(records: Records) -> None:
    alive = running(records, host="elsewhere", boot="b", pid=1, pid_started=1.0)
    assert after_a_look(records, alive) == alive
    silent = running(records, host="elsewhere", boot="b", heartbeat=time.time() - SILENT_SECONDS - 60)
    lost = after_a_look(records, silent)
    assert lost.state == "lost"
    assert lost.error
    assert "elsewhere has told nothing of it for 6 minutes" in lost.error["cause"]


def test_what_was_to_be_killed_and_is_gone_was_killed(records: Records) -> None:
    assert after_a_look(records, running(records, pid_started=1.0, stop=2)).state == "killed"


def test_a_job_that_told_its_end_at_the_last_moment_keeps_it(records: Records) -> None:
    seen = running(records, pid_started=1.0)
    records.change_job(seen.id, state="done", result={"images": 1})
    assert after_a_look(records, seen).state == "done"


def test_jobs_of_the_caller_are_left_to_it(records: Records) -> None:
    job = running(records, pid_started=1.0)
    end_lost(records, [job], mine={job.id})
    assert records.job(job.id).state == "running"


def test_a_process_that_only_waits_to_be_reaped_is_dead(records: Records) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    with open(f"/proc/{child}/stat", "rb") as file:  # noqa: PTH123 - a file of the kernel
        started = float(file.read().rpartition(b")")[2].split()[19])
    assert not is_alive(running(records, pid=child, pid_started=started))
    os.waitpid(child, 0)


def test_a_lost_training_offers_to_resume_where_there_is_a_checkpoint(records: Records) -> None:
    job = running(records, kind="train", run=records.add_run("mine", "redux"))
    assert "fext resume" not in way_on(records, job)
    (records.workspace.checkpoints / "mine").mkdir()
    assert "`fext resume mine`" in way_on(records, job)


def test_several_lost_jobs_are_all_found_by_one_look(jobs: "Jobs") -> None:
    lost = [running(jobs.records, pid_started=1.0) for _ in range(3)]
    reconcile(jobs.workspace, jobs.records)
    assert {jobs.records.job(job.id).state for job in lost} == {"lost"}
    assert not (jobs.workspace.logs / "runner.log").exists()


def test_a_runner_finds_what_another_machine_lost(jobs: "Jobs") -> None:
    job = running(jobs.records, host="elsewhere", boot="b", heartbeat=time.time() - SILENT_SECONDS + 1)
    reconcile(jobs.workspace, jobs.records)
    assert jobs.records.job(job.id).state == "running"
    assert jobs.ended(job.id).state == "lost"
