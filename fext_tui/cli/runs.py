"""``fext note``, ``fext rename`` and ``fext delete``: what becomes of a training run."""

import click

from engine.upkeep import delete_run, describe_run, description_of, rename_run
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.maintain import ask
from fext_tui.cli.options import workspace_options
from fext_tui.text import safe


@click.command()
@click.argument("run")
@click.argument("words", nargs=-1)
@workspace_options
@click.pass_obj
def note(invocation: Invocation, run: str, words: tuple[str, ...]) -> int:
    """Write WORDS to RUN as its note; those that begin with # are tags. Without WORDS, show what it has."""
    with invocation.records() as records:
        row = describe_run(records, run, " ".join(words)) if words else records.existing_run(run)
    values = {"run": row["name"], "note": row["note"], "tags": row["tags"].split()}
    invocation.answer(values, safe(description_of(row["note"], row["tags"].split())) or "No note.")
    return 0


@click.command()
@click.argument("run")
@click.argument("name")
@workspace_options
@click.pass_obj
def rename(invocation: Invocation, run: str, name: str) -> int:
    """Give RUN, and its checkpoints, another NAME."""
    with invocation.records() as records:
        rename_run(invocation.workspace(), records, run, name)
    invocation.answer({"run": name, "before": run}, f"{safe(run)} is named {safe(name)}.")
    return 0


@click.command()
@click.argument("run")
@click.option("--checkpoints", is_flag=True, help="Delete its checkpoints too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_options
@click.pass_obj
def delete(invocation: Invocation, run: str, checkpoints: bool, yes: bool) -> int:
    """Delete RUN from the records, with its curve and its jobs. Its checkpoints stay unless they are asked for."""
    with invocation.records() as records:
        records.existing_run(run)
        if not yes:
            ask(f"Delete run {safe(run)}{' and its checkpoints' if checkpoints else ''}?")
        delete_run(invocation.workspace(), records, run, checkpoints=checkpoints)
    told = "with its checkpoints" if checkpoints else "its checkpoints, if there are any, stay"
    invocation.answer({"run": run, "deleted": True, "checkpoints": checkpoints}, f"{safe(run)} is deleted; {told}.")
    return 0
