"""``fext maintain``: the upkeep of a workspace."""

import sys

import click

from engine.errors import UsageError
from engine.upkeep import remove_logs as remove_log_files
from fext_tui.cli.invocation import Invocation, absolute
from fext_tui.cli.options import workspace_options
from fext_tui.text import safe, size


@click.group()
@workspace_options
def maintain() -> None:
    """Export or delete the records, remove the logs."""


@maintain.command()
@click.argument("folder")
@workspace_options
@click.pass_obj
def export(invocation: Invocation, folder: str) -> int:
    """Write every table of the records as FOLDER/TABLE.csv."""
    target = absolute(folder)
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file.", "Give a folder; it is made where it is missing.")
    with invocation.records() as records:
        paths = records.export_csv(target)
    values = {"folder": str(target), "files": [path.name for path in paths]}
    invocation.answer(values, f"{len(paths)} tables written to {safe(target)}.")
    return 0


@maintain.command("remove-logs")
@workspace_options
@click.pass_obj
def remove_logs(invocation: Invocation) -> int:
    """Remove the logs; those of jobs that run or wait stay."""
    with invocation.records() as records:
        files, count = remove_log_files(invocation.workspace(), records)
    invocation.answer({"files": files, "bytes": count}, f"{files:,} log files removed, {size(count)}.")
    return 0


@maintain.command("delete-records")
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_options
@click.pass_obj
def delete_records(invocation: Invocation, yes: bool) -> int:
    """Delete all records: jobs, curves, measurements, evaluations. Images and checkpoints stay."""
    if not yes:
        ask(f"Delete all records of {safe(invocation.workspace().root)}?")
    with invocation.records() as records:
        records.delete_everything()
    invocation.answer({"deleted": True}, "All records are deleted; images, checkpoints and embeddings are untouched.")
    return 0


def ask(question: str) -> None:
    """Ask before something is deleted; no is the default.

    Raises:
        UsageError: there is no terminal to ask on.
        click.Abort: the answer is no.

    """
    if not sys.stdin.isatty():
        raise UsageError("Deleting asks first, and there is no terminal to ask on.", "Add --yes.")
    click.confirm(question, default=False, abort=True, err=True)
