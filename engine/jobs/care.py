"""The care of jobs whose processes died: what is lost is said to be lost, what waits gets a runner."""

import os
import threading
import time
from collections.abc import Collection, Sequence

from engine.errors import EXIT_FAILED, EXIT_STOPPED, FextError
from engine.jobs.lock import RunnerLock
from engine.jobs.process import boot_id, host_name, spawn, start_time
from engine.records import JobRow, Records
from engine.workspace import Workspace

SILENT_SECONDS = 300.0
"""How long a job of another machine may be silent until it counts as lost."""


def reconcile(workspace: Workspace, records: Records) -> None:
    """Look after the jobs: where no runner does, end those whose process is gone, and start a runner for the rest.

    Where there is a runner already, or nothing runs or waits, this costs next to nothing. Records that can only be
    read are left as they are.

    Raises:
        FextError: the records cannot be used, or no process can be started.

    """
    if not os.access(workspace.database.parent, os.W_OK) or not has_work(records):
        return
    with RunnerLock(workspace) as lock:
        # Who submits while this holds the lock relies on a runner: hence another look after each release.
        while has_work(records) and lock.take():
            end_lost(records, records.jobs("running"))
            if has_work(records):
                _start_runner(workspace, lock)
                return
            lock.release()


def has_work(records: Records) -> bool:
    """Return whether a job runs, or waits and is not held."""
    return bool(records.jobs("running", limit=1)) or records.next_queued() is not None


def _start_runner(workspace: Workspace, lock: RunnerLock) -> None:
    arguments = ["--resources", str(workspace.root), "--lock", str(lock.descriptor)]
    try:
        runner = spawn("engine.jobs.runner", arguments, workspace.logs / "runner.log", kept_open=[lock.descriptor])
    except OSError as error:
        raise FextError(
            f"The process that runs the jobs cannot be started: {error.strerror or error}.",
            "Make room (memory, processes, disk); the jobs wait until the next look.",
        ) from error
    threading.Thread(target=runner.wait, name=f"reap runner {runner.pid}", daemon=True).start()


def end_lost(records: Records, running: Sequence[JobRow], mine: Collection[int] = ()) -> None:
    """End those of the running jobs whose process is gone without a word; ``mine`` are looked after by the caller."""
    for job in running:
        if job.id in mine:
            continue
        reason = _lost_because(job)
        if reason and job.stop > 1:
            records.change_job(job.id, only_if=("running",), **killed_on_request())
        elif reason:
            error = {
                "cause": f"Job {job.id} was lost: {reason}.",
                "remedy": way_on(records, job),
                "exit_code": EXIT_FAILED,
            }
            records.change_job(job.id, only_if=("running",), state="lost", ended=time.time(), error=error)


def killed_on_request() -> dict[str, object]:
    """Return the columns of a job that was stopped a second time."""
    error = {"cause": "Killed on request.", "remedy": "", "exit_code": EXIT_STOPPED}
    return {"state": "killed", "ended": time.time(), "error": error}


def is_ours(job: JobRow) -> bool:
    """Return whether a running job runs on this machine, or did so before it was restarted."""
    return job.host == host_name()


def is_alive(job: JobRow) -> bool:
    """Return whether the process of a job of this machine is there: the same boot, number and start time."""
    return job.boot == boot_id() and job.pid is not None and start_time(job.pid) == job.pid_started


def _lost_because(job: JobRow) -> str:
    """Return why a running job is lost, or nothing where it may be alive."""
    if not is_ours(job):
        silent = time.time() - (job.heartbeat or job.started or job.created)
        return f"{job.host} has told nothing of it for {silent / 60:.0f} minutes" if silent > SILENT_SECONDS else ""
    if job.boot != boot_id():
        return "the machine was restarted while it ran"
    return "" if is_alive(job) else "its process is gone without a word"


def way_on(records: Records, job: JobRow) -> str:
    """Return what a person can do after a job died."""
    if job.kind in {"train", "resume"} and job.run is not None:
        name = records.run(job.run)["name"]
        if (records.workspace.checkpoints / name).is_dir():
            return f"`fext resume {name}` goes on from the last checkpoint."
    return f"Start it again; what it printed last is in {records.workspace.log_of_job(job.id)}."
