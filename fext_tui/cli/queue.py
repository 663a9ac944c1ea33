"""``fext queue``: the jobs that wait, their order, and those held back."""

import time
from collections.abc import Callable

import click

from engine.jobs.queueing import Place, hold, move
from engine.records import JobRow, Records
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.options import workspace_options
from fext_tui.cli.printing import plain_table
from fext_tui.naming import job_name
from fext_tui.text import age, safe


@click.group(invoke_without_command=True)
@workspace_options
@click.pass_context
def queue(context: click.Context) -> int:
    """List the jobs that wait, first in line first; the verbs below change their order. `fext stop` cancels one."""
    invocation = context.find_object(Invocation)
    assert invocation is not None
    if context.invoked_subcommand is None:
        with invocation.records() as records:
            _tell(invocation, records, records.queue())
    return 0


def _changing(name: str, help_text: str, change: Callable[[Records, int], list[JobRow]]) -> None:
    @queue.command(name, help=help_text)
    @click.argument("job", type=click.IntRange(1))
    @workspace_options
    @click.pass_obj
    def command(invocation: Invocation, job: int) -> int:
        with invocation.records() as records:
            _tell(invocation, records, change(records, job))
        return 0


def _moving(place: Place) -> Callable[[Records, int], list[JobRow]]:
    return lambda records, job: move(records, job, place)


_changing("first", "Let JOB be the next.", _moving("first"))
_changing("earlier", "Let JOB change places with the one before.", _moving("earlier"))
_changing("later", "Let JOB change places with the one behind.", _moving("later"))
_changing("last", "Let JOB wait for all others.", _moving("last"))
_changing("hold", "Pass JOB over until it is released.", lambda records, job: hold(records, job, held=True))
_changing("release", "Let JOB run when its turn comes.", lambda records, job: hold(records, job, held=False))


def _tell(invocation: Invocation, records: Records, jobs: list[JobRow]) -> None:
    runs = {job.id: records.run(job.run) if job.run is not None else {} for job in jobs}
    values = [
        {"job": job.id, "kind": job.kind, "lane": job.lane, "held": job.held, "run": runs[job.id].get("name"),
         "note": runs[job.id].get("note"), "created": job.created}
        for job in jobs
    ]  # fmt: skip
    if not jobs:
        invocation.answer({"queue": []}, "No job waits.")
        return
    table = plain_table("job", "kind", "device", "waits for", "of what", "note", right={"job"})
    for job in jobs:
        waits = "held" if job.held else age(time.time(), job.created).removesuffix(" ago")
        table.add_row(
            str(job.id), job.kind, job.lane, waits, safe(job_name(records, job)), safe(runs[job.id].get("note", ""))
        )
    invocation.answer({"queue": values}, table)
