"""A rank: one of the processes of a job that has several. It runs the task, and leaves word of how that ended."""

import argparse
import os
import signal
import sys
import traceback
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from engine.distributed import STOP_SIGNAL
from engine.errors import EXIT_FAILED
from engine.jobs.outcome import Outcome, outcome_of
from engine.jobs.process import be_first_to_go, die_with_parent
from engine.jobs.ranks import read_slip, tell
from engine.jobs.recording import RecordingReport
from engine.jobs.requests import StopRequests
from engine.jobs.tasks import call_arguments, load_task, settings_of
from engine.records import JobRow, Records
from engine.report import QuietReport, Report
from engine.workspace import Workspace


def main() -> int:
    """Run this rank's part of the job of its slip; return the exit status: 0 done or stopped."""
    number, requests = int(os.environ["RANK"]), StopRequests()
    parser = argparse.ArgumentParser(prog="engine.jobs.rank")
    parser.add_argument("--folder", type=Path, required=True, help="where the slip lies, and to tell how it ended")
    parser.add_argument("--parent", type=int, required=True, help="the process that it does not outlive")
    options = parser.parse_args()
    die_with_parent(options.parent)
    be_first_to_go()
    requests.listen([STOP_SIGNAL])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    slip = read_slip(options.folder)
    workspace, job = Workspace(slip.resources), slip.job
    if slip.log:
        _print_to(slip.log)
    if slip.interface:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", slip.interface)
    with Records(workspace, slip.records) as records, _report(workspace, job, number, requests) as report:
        log = slip.log or workspace.log_of_job(job.id)
        outcome = outcome_of(lambda: _run(workspace, records, job, report), log)
    tell(options.folder, number, outcome)
    signal.signal(STOP_SIGNAL, signal.SIG_IGN)
    return 0 if outcome.state in {"done", "stopped"} else EXIT_FAILED


def _print_to(log: Path) -> None:
    """Append what this process prints to a file from now on, native code too."""
    with log.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())


def _report(
    workspace: Workspace, job: JobRow, number: int, requests: StopRequests
) -> AbstractContextManager[RecordingReport | QuietReport]:
    if number:
        return nullcontext(QuietReport())
    return RecordingReport(workspace, job.id, job.run, requests, sys.stderr)


def _run(workspace: Workspace, records: Records, job: JobRow, report: Report) -> object:
    settings, task = settings_of(job), load_task(job.kind)

    from engine.distributed.group import join, lost_because

    ranks = join(settings.device)
    arguments = call_arguments(job.kind, job.id, job.run, job.arguments)
    try:
        result = task(settings, workspace, records, report, **arguments, ranks=ranks)
    except RuntimeError as error:
        if not (reason := lost_because(error, ranks.number)):
            raise
        traceback.print_exception(error)
        return Outcome("failed", error={"cause": reason, "lost": True})
    ranks.leave()
    return result


if __name__ == "__main__":
    sys.exit(main())
