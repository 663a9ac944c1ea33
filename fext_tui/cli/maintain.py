"""``fext maintain``: the upkeep of a workspace."""

import sys
from dataclasses import asdict

import click

from engine.errors import EXIT_DONE, EXIT_FAILED, UsageError
from engine.upkeep import remove_logs as remove_log_files
from fext_tui.cli.invocation import Invocation, absolute
from fext_tui.cli.options import workspace_options
from fext_tui.cli.printing import plain_table
from fext_tui.text import counted, number, safe, size


@click.group()
@workspace_options
def maintain() -> None:
    """Tell what takes room; export, check, prune or delete what a workspace keeps."""


@maintain.command()
@workspace_options
@click.pass_obj
def folders(invocation: Invocation) -> int:
    """Show how much room the parts of the workspace take, largest first."""
    from engine.sizes import rooms

    found = rooms(invocation.workspace().create())
    table = plain_table("what", "size", "files", "where", right={"size", "files"})
    for room in found:
        table.add_row(room.name, size(room.bytes), number(room.files), safe(room.path))
    parts = [asdict(room) | {"path": str(room.path)} for room in found]
    invocation.answer({"folders": parts, "bytes": sum(room.bytes for room in found)}, table)
    return EXIT_DONE


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
    return EXIT_DONE


@maintain.command("check-records")
@workspace_options
@click.pass_obj
def check_records(invocation: Invocation) -> int:
    """Read all records, and tell whether any are damaged."""
    with invocation.records() as records:
        problems, count = records.problems(), records.bytes()
    told = "\n".join(map(safe, problems)) or f"The records are whole, {size(count)}."
    invocation.answer({"problems": problems, "bytes": count}, told)
    return EXIT_FAILED if problems else EXIT_DONE


@maintain.command("compact-records")
@workspace_options
@click.pass_obj
def compact_records(invocation: Invocation) -> int:
    """Write the records anew without the room of what was deleted."""
    with invocation.records() as records:
        before, after = records.compact()
    invocation.answer({"before": before, "bytes": after}, f"The records took {size(before)}, now {size(after)}.")
    return EXIT_DONE


@maintain.command("remove-logs")
@workspace_options
@click.pass_obj
def remove_logs(invocation: Invocation) -> int:
    """Remove the logs; those of jobs that run or wait stay."""
    with invocation.records() as records:
        files, count = remove_log_files(invocation.workspace(), records)
    invocation.answer({"files": files, "bytes": count}, f"{files:,} log files removed, {size(count)}.")
    return EXIT_DONE


@maintain.command("prune-checkpoints")
@click.argument("runs", nargs=-1, metavar="[RUN …]")
@click.option("--keep", type=click.IntRange(min=0), default=0, help="Keep so many of the newest beside best and last.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_options
@click.pass_obj
def prune_checkpoints(invocation: Invocation, runs: tuple[str, ...], keep: int, yes: bool) -> int:
    """Remove old states of all runs, or of RUN: all but best, last, and the newest of the others."""
    from engine.checkpoints import existing_folder
    from engine.pruning import prunable_states, prune_states

    workspace = invocation.workspace()
    for name in runs:
        existing_folder(workspace, name)
    with invocation.records() as records:
        found = prunable_states(workspace, records, keep, runs)
        count, total = sum(len(one.paths) for one in found), sum(one.bytes for one in found)
        if count and not yes:
            told = ", ".join(f"{safe(one.name)} {len(one.paths)}" for one in found)
            ask(f"Remove {counted(count, 'state')}, {size(total)} ({told})?")
        total = prune_states(workspace, records, found)
    names = {one.name: [path.name for path in one.paths] for one in found}
    invocation.answer({"removed": names, "bytes": total}, f"Removed {counted(count, 'state')}, {size(total)}.")
    return EXIT_DONE


@maintain.command("prune-caches")
@workspace_options
@click.pass_obj
def prune_caches(invocation: Invocation) -> int:
    """Remove packs that no checkpoint's images need, and lists of splits that the records do not know."""
    from engine.pruning import remove_caches, unneeded_caches

    workspace = invocation.workspace()
    with invocation.records() as records:
        found = unneeded_caches(workspace, records)
        total = remove_caches(records, found)
    counts = {one.name: len(one.paths) for one in found}
    told = ", ".join(counted(count, name) for name, count in counts.items())
    invocation.answer({"removed": counts, "bytes": total}, f"Removed {told}: {size(total)}.")
    return EXIT_DONE


@maintain.command("delete-data")
@click.argument("folder")
@click.option("--plots", is_flag=True, help="Remove the figures that analyses drew too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_options
@click.pass_obj
def delete_data(invocation: Invocation, folder: str, plots: bool, yes: bool) -> int:
    """Delete what the records know of the images of FOLDER: metrics, findings, exclusions. The images stay."""
    from engine.pruning import delete_dataset, delete_plots

    workspace = invocation.workspace()
    if not yes:
        ask(f"Delete all that is known of the images of {safe(absolute(folder))}, exclusions too?")
    with invocation.records() as records:
        images = delete_dataset(records, absolute(folder))
    files, count = delete_plots(workspace) if plots else (0, 0)
    told = f" Removed {counted(files, 'figure')}, {size(count)}." if plots else ""
    invocation.answer(
        {"images": images, "figures": files, "bytes": count},
        f"The records of {counted(images, 'image')} are deleted.{told}",
    )
    return EXIT_DONE


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
    return EXIT_DONE


@maintain.command("look-for-release")
@workspace_options
@click.pass_obj
def look_for_release(invocation: Invocation) -> int:
    """Ask the repository that this program was fetched from for a newer release; nothing else ever asks it."""
    from engine.releases import look_for_release as look

    found = look()
    invocation.answer(asdict(found) | {"newer": found.is_newer}, safe(found.told))
    return EXIT_DONE


def ask(question: str) -> None:
    """Ask before something is deleted; no is the default.

    Raises:
        UsageError: there is no terminal to ask on.
        click.Abort: the answer is no.

    """
    if not sys.stdin.isatty():
        raise UsageError("Deleting asks first, and there is no terminal to ask on.", "Add --yes.")
    click.confirm(question, default=False, abort=True, err=True)
