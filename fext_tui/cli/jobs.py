"""``fext jobs``, ``attach`` and ``stop``."""

import time

import click
from rich.table import Table
from rich.text import Text

from engine.jobs.stop import request_stop
from engine.records import JobRow, Records
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.options import workspace_options
from fext_tui.cli.submission import conclude, follow_to_end
from fext_tui.pace import count_text
from fext_tui.text import age, duration, safe

_COLORS = {"running": "green", "queued": "yellow", "failed": "red", "killed": "red", "lost": "red"}


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500), help="How many of the newest.")
@workspace_options
@click.pass_obj
def jobs(invocation: Invocation, limit: int) -> int:
    """List the jobs of the workspace, newest first."""
    with invocation.records() as records:
        rows = records.jobs(limit=limit)
        names = {row.run: _run_name(records, row) for row in rows}
    listed = [
        {"job": row.id, "kind": row.kind, "state": row.state, "run": names[row.run], "phase": row.phase,
         "done": row.done, "total": row.total, "unit": row.unit, "created": row.created, "started": row.started,
         "ended": row.ended}
        for row in rows
    ]  # fmt: skip
    invocation.answer({"jobs": listed}, _table(rows, names) if rows else "No job yet: `fext train FOLDER` starts one.")
    return 0


def _run_name(records: Records, job: JobRow) -> str | None:
    return str(records.run(job.run)["name"]) if job.run is not None else None


def _table(rows: list[JobRow], names: dict[int | None, str | None]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("job", "kind", "state", "started", "took", "of what"):
        table.add_column(title, justify="right" if title in {"job", "took"} else "left", header_style="dim")
    now = time.time()
    for row in rows:
        took = "" if (took := row.seconds(now)) is None else duration(took)
        state = Text(row.state, style=_COLORS.get(row.state, ""))
        table.add_row(str(row.id), row.kind, state, age(now, row.started), took, Text(_what(row, names[row.run])))
    return table


def _what(job: JobRow, run: str | None) -> str:
    if job.state == "running" and job.phase:
        progress = f"{job.phase} {count_text(job)}".strip()
        return safe(f"{run}: {progress}" if run else progress)
    error = str((job.error or {}).get("cause", ""))
    return safe(error or run or job.arguments.get("checkpoint") or job.arguments.get("folder") or "")


@click.command()
@click.argument("job", type=click.IntRange(1))
@workspace_options
@click.pass_obj
def attach(invocation: Invocation, job: int) -> int:
    """Follow JOB to its end, as the verb that started it does; Ctrl-C stops it with a checkpoint."""
    with invocation.records() as records:
        row = records.job(job)
        if not row.has_ended:
            row = follow_to_end(records, job, plot=invocation.settings().training.live_plot)
        return conclude(invocation, row)


@click.command()
@click.argument("job", type=click.IntRange(1))
@workspace_options
@click.pass_obj
def stop(invocation: Invocation, job: int) -> int:
    """Ask JOB to stop: it saves a checkpoint and ends, in seconds. Called a second time: kill it."""
    with invocation.records() as records:
        before = records.job(job)
        if before.has_ended:
            text = f"Job {job} has ended already: {before.state}."
        else:
            request_stop(records, job)
            text = f"Job {job} {'is being killed' if before.stop else 'was asked to stop'}."
        invocation.answer({"job": job, "state": records.job(job).state, "told": text}, text)
    return 0
