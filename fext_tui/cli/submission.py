"""From a verb to a job, and from its end to an exit code."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_STOPPED
from engine.jobs.submit import submit
from engine.records import JobRow, Records
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.printing import messages, output, print_json, tell_error
from fext_tui.cli.summary import summary
from fext_tui.notice import notice
from fext_tui.progress import follow

Ending = Callable[[Invocation, Records, JobRow], int]
"""What tells how a job ended, and returns the exit code."""


def perform(
    invocation: Invocation, kind: str, arguments: Mapping[str, Any], *, detach: bool, ending: Ending | None = None
) -> int:
    """Submit a job with the settings of this call, follow it to its end, and return the exit code.

    What it found is told by `conclude`, or by ``ending`` where the job is done.
    """
    settings = invocation.settings()
    with invocation.records() as records:
        job = submit(invocation.workspace(), records, kind, settings, arguments, on_finish=invocation.on_finish)
        if detach:
            return _detached(invocation, job)
        ended = follow_to_end(records, job.id, plot=settings.training.live_plot)
        return ending(invocation, records, ended) if ending and ended.state == "done" else conclude(invocation, ended)


def _detached(invocation: Invocation, job: JobRow) -> int:
    if invocation.as_json:
        print_json({"job": job.id, "state": job.state})
    else:
        verbs = f"`fext attach {job.id}` follows it, `fext stop {job.id}` stops it."
        output().print(f"Job {job.id} ({job.kind}) goes on by itself: {verbs}", soft_wrap=True)
    return EXIT_DONE


def follow_to_end(records: Records, job: int, *, plot: bool) -> JobRow:
    """Follow a job, ring where it ends, and return it."""
    ended = follow(records, job, messages(), plot=plot)
    if sys.stderr.isatty():
        sys.stderr.write(notice(ended, os.environ))
        sys.stderr.flush()
    return ended


def conclude(invocation: Invocation, job: JobRow, more: Mapping[str, Any] | None = None) -> int:
    """Print the result of a job that has ended, or its error, and return the exit code; ``more`` is told as JSON."""
    values = {"job": job.id, "state": job.state, **(job.result or {}), **(more or {})}
    problem = problem_of(invocation, job)
    if problem:
        tell_error(*problem)
        values["error"] = dict(zip(("cause", "remedy"), problem, strict=True))
    if invocation.as_json:
        print_json(values)
    elif job.result is not None:
        output().print(summary(job, invocation.workspace()))
    return exit_code(job)


def problem_of(invocation: Invocation, job: JobRow) -> tuple[str, str] | None:
    """Return cause and remedy where a job has no result."""
    if job.state == "done" or (job.state == "stopped" and job.result is not None):
        return None
    error = job.error or {}
    log = invocation.workspace().log_of_job(job.id)
    defaults = {
        "stopped": ("Stopped on request.", ""),
        "killed": (f"Job {job.id} was killed.", f"What it printed last is in {log}."),
        "lost": (f"Job {job.id} was lost: its process ended without a word.", f"What it printed last is in {log}."),
    }
    cause, remedy = defaults.get(job.state, (f"Job {job.id} failed.", f"What it printed is in {log}."))
    return str(error.get("cause") or cause), str(error.get("remedy") or remedy)


def exit_code(job: JobRow) -> int:
    """Return 0 done, 1 failed, 2 wrong settings, 3 stopped."""
    if job.state == "done":
        return EXIT_DONE
    if job.state == "stopped" or (job.state == "killed" and job.stop):
        return EXIT_STOPPED
    return int((job.error or {}).get("exit_code", EXIT_FAILED)) or EXIT_FAILED
