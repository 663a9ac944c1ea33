"""A worker: the process of one job. It claims the job, runs its task, and records how that ended."""

import argparse
import sys
import time
from pathlib import Path

from engine.errors import FextError
from engine.jobs.outcome import Outcome, outcome_of
from engine.jobs.process import be_first_to_go, this_process
from engine.jobs.ranks import run_in_ranks
from engine.jobs.recording import RecordingReport
from engine.jobs.requests import StopRequests
from engine.jobs.tasks import call_arguments, load_task, settings_of, task_of
from engine.records import JobRow, Records
from engine.report import Report
from engine.workspace import Workspace

_LAST_TRIES_SECONDS = 60.0


def main() -> int:
    """Run the job that the command line names, and return the exit status: 0 where its outcome was recorded."""
    requests = StopRequests()
    requests.listen()
    be_first_to_go()
    parser = argparse.ArgumentParser(prog="engine.jobs.worker")
    parser.add_argument("--resources", type=Path, required=True)
    parser.add_argument("--job", type=int, required=True)
    options = parser.parse_args()
    workspace = Workspace(options.resources)
    try:
        with Records(workspace) as records:
            job = claim(records, options.job)
            return 0 if job is None or _work(workspace, records, job, requests) else 1
    except FextError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def claim(records: Records, job: int) -> JobRow | None:
    """Make a job that waits the job of this process, and return it; None where it does not wait any more.

    The claim is one conditional change: of two workers, or of a worker and a stop, one wins.

    Raises:
        FextError: the records cannot be used.

    """
    me, now = this_process(), time.time()
    started = {"host": me.host, "boot": me.boot, "pid": me.pid, "pid_started": me.started}
    claimed = records.change_job(job, only_if=("queued",), state="running", started=now, heartbeat=now, **started)
    return records.job(job) if claimed else None


def _work(workspace: Workspace, records: Records, job: JobRow, requests: StopRequests) -> bool:
    log = workspace.log_of_job(job.id)

    def reported() -> Outcome:
        with RecordingReport(workspace, job.id, job.run, requests, sys.stderr) as report:
            outcome = outcome_of(lambda: _run(workspace, records, job, report), log)
            if outcome.error:
                report.log(outcome.error["cause"], "error")
        return outcome

    return _record(records, job, outcome_of(reported, log))


def _run(workspace: Workspace, records: Records, job: JobRow, report: Report) -> object:
    settings = settings_of(job)
    if task_of(job.kind).scales and settings.device.nodes > 1:
        from engine.jobs.machines import run_on_machines

        return run_on_machines(workspace, records, job, report)
    if task_of(job.kind).scales and settings.device.processes != 1:
        from engine.distributed.launch import processes_of

        processes = processes_of(settings.device)
        if processes > 1:
            report.log(f"Starting {processes} processes.")
            return run_in_ranks(workspace, records, job, processes, report.stopping)
    arguments = call_arguments(job.kind, job.id, job.run, job.arguments)
    return load_task(job.kind)(settings, workspace, records, report, **arguments)


def _record(records: Records, job: JobRow, outcome: Outcome) -> bool:
    """Record how the job ended, trying for a minute; return whether that worked."""
    last_try = time.monotonic() + _LAST_TRIES_SECONDS
    while True:
        try:
            records.change_job(
                job.id,
                only_if=("running",),
                state=outcome.state,
                result=outcome.result,
                error=outcome.error,
                ended=time.time(),
            )
        except (FextError, MemoryError) as error:
            if time.monotonic() > last_try:
                sys.stderr.write(f"The job ended {outcome.state}, which could not be recorded: {error!r}\n")
                return False
            time.sleep(0.5)
        else:
            return True


if __name__ == "__main__":
    sys.exit(main())
