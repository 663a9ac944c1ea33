"""``fext checkpoints`` and the verbs below it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table

from engine.checkpoint_details import (
    CheckpointDetails,
    checkpoint_details,
    summary_csv,
    summary_of,
)
from engine.checkpoints import (
    CheckpointFacts,
    bytes_of,
    existing_folder,
    find_checkpoint,
    list_checkpoints,
    read_config,
    tags_of,
)
from engine.comparing import differing
from engine.files import replace_file
from engine.settings import from_layers, text_of
from engine.upkeep import remove_checkpoint, rename_checkpoint, sizes_of_belongings
from fext_tui.cli.compare import differing_table
from fext_tui.cli.invocation import Invocation, absolute
from fext_tui.cli.maintain import ask
from fext_tui.cli.options import workspace_options
from fext_tui.cli.printing import plain_table, print_paths
from fext_tui.cli.summary import Lines, lines_table
from fext_tui.text import NONE, age, decibel, duration, number, safe, size


@click.group(invoke_without_command=True)
@workspace_options
@click.pass_context
def checkpoints(context: click.Context) -> int:
    """List the checkpoints, newest first; the verbs below tell more of them, compare, rename or delete them."""
    invocation = context.find_object(Invocation)
    assert invocation is not None
    if context.invoked_subcommand is None:
        facts = list_checkpoints(invocation.workspace())
        values = {"checkpoints": [asdict(one) for one in facts]}
        table = _list_table(facts) if facts else "No checkpoint yet: `fext train FOLDER` makes one."
        invocation.answer(values, table)
    return 0


def _list_table(facts: list[CheckpointFacts]) -> Table:
    table = plain_table(
        "name", "variant", "made", "epoch", "held out", "image", "latent", "parameters", "size",
        right={"epoch", "held out", "parameters", "size"},
    )  # fmt: skip
    for one in facts:
        table.add_row(
            safe(one.name), one.variant, age(time.time(), one.created), number(one.epoch), decibel(one.val_psnr),
            one.image, one.latent, number(one.parameters), size(one.bytes),
        )  # fmt: skip
    return table


# --- One --------------------------------------------------------------------------------------------------------------


@checkpoints.command()
@click.argument("name")
@workspace_options
@click.pass_obj
def show(invocation: Invocation, name: str) -> int:
    """Show what is known of the checkpoint NAME: its states, images and settings, and what was made of it."""
    with invocation.records() as records:
        details = _counted(checkpoint_details(invocation.workspace(), records, name))
    values = asdict(details) | {"settings": details.changed}
    invocation.answer(values.pop("facts") | values, *_shown(details))
    return 0


def _counted(details: CheckpointDetails) -> CheckpointDetails:
    """Return what is known of a checkpoint with its operations, which one of an older version does not tell."""
    if details.facts.flops is not None:
        return details
    from engine.models.flops import flops_by

    flops = flops_by(from_layers(("", details.settings)))
    return replace(details, facts=replace(details.facts, flops=flops))


def _billions(flops: int) -> str:
    return f"{flops / 1e9:.3g}" if flops < 1e12 else f"{flops / 1e9:,.0f}"


def _shown(details: CheckpointDetails) -> list[RenderableType]:
    parts: list[RenderableType] = [lines_table(_facts(details)), "", _states_table(details)]
    changed = [(key, text_of(value)) for key, value in details.changed.items()]
    parts += ["", lines_table(changed) if changed else "Every setting has its default."]
    if details.evaluations:
        parts += ["", _evaluations_table(details.evaluations)]
    if details.embeddings:
        parts += ["", _embeddings_table(details.embeddings)]
    return parts


def _facts(details: CheckpointDetails) -> Lines:
    facts, versions = details.facts, ", ".join(f"{name} {version}" for name, version in details.versions.items())
    return [
        ("checkpoint", facts.name),
        ("variant", facts.variant),
        ("held out", decibel(facts.val_psnr)),
        ("trained", f"{number(facts.epoch)} epochs, {facts.step:,} steps, {duration(details.seconds)}"),
        ("images", f"{details.train_images:,} trained on, {details.validation_images:,} held out"),
        ("folder", details.folder or "database/images"),
        ("image, latent", f"{facts.image}, {facts.latent}"),
        ("parameters", f"{number(facts.parameters)}, {_billions(facts.flops or 0)} GFLOP an image there and back"),
        ("trained on", f"{details.device}, {details.precision}"),
        ("versions", f"{versions}{f', revision {details.revision[:12]}' if details.revision else ''}"),
        ("size", f"{size(facts.bytes)}{''.join(f', {what} {size(n)}' for what, n in details.others.items())}"),
    ]


def _states_table(details: CheckpointDetails) -> Table:
    table = plain_table(
        "state", "stands for", "step", "epoch", "held out", "size", "made", right={"step", "epoch", "size"}
    )
    for one in details.states:
        table.add_row(
            one.state, " ".join(one.tags) or NONE, number(one.step), number(one.epoch), decibel(one.val_psnr),
            size(one.bytes), age(time.time(), one.created),
        )  # fmt: skip
    return table


def _evaluations_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = plain_table(
        "evaluation", "of", "images", "PSNR", "SSIM", "MAE", "made", right={"images", "PSNR", "SSIM", "MAE"}
    )
    for row in rows:
        what = "held out" if row["subset"] == "validation" else row["folder"]
        table.add_row(
            safe(row["checkpoint"]), safe(what), number(row["images"]), decibel(row["psnr"]), number(row["ssim"], 4),
            number(row["mae"], 4), age(time.time(), row["created"]),
        )  # fmt: skip
    return table


def _embeddings_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = plain_table("embeddings", "of", "vectors", "values", "in", "made", right={"vectors", "values"})
    for row in rows:
        table.add_row(
            safe(row["checkpoint"]), safe(row["folder"]), number(row["rows"]), number(row["dim"]), safe(row["path"]),
            age(time.time(), row["created"]),
        )  # fmt: skip
    return table


@checkpoints.command()
@click.argument("run")
@workspace_options
@click.pass_obj
def best(invocation: Invocation, run: str) -> int:
    """Print the folder of the best state of RUN; of the last one, where no images were held out."""
    state = find_checkpoint(invocation.workspace(), run)
    config = read_config(state)
    if invocation.as_json:
        tags = [tag for tag, path in tags_of(state.parent).items() if path == state]
        figures = {"step": config.step, "epoch": config.epoch, "val_psnr": config.val_psnr, "created": config.created}
        invocation.answer({"checkpoint": state.parent.name, "path": str(state), "tags": tags, **figures})
    else:
        print_paths([state], null=False)
    return 0


# --- Several ----------------------------------------------------------------------------------------------------------


@checkpoints.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME NAME …")
@click.option("--csv", "file", metavar="FILE", help="Also write the whole table to this file.")
@workspace_options
@click.pass_obj
def compare(invocation: Invocation, names: tuple[str, ...], file: str | None) -> int:
    """Show checkpoints side by side, best first, and the settings in which they differ.

    GFLOP are the operations, in billions, of one image there and back. The table in FILE, and that of --json, has more
    columns than the one that is shown.
    """
    with invocation.records() as records:
        every = [checkpoint_details(invocation.workspace(), records, name) for name in dict.fromkeys(names)]
        found = list(map(_counted, every))
        found.sort(key=lambda one: -(one.facts.val_psnr or 0.0))
        rows = [summary_of(records, one) for one in found]
    changed = differing(found)
    if file:
        replace_file(absolute(file), summary_csv(rows))
    values = [
        row | {"settings": {key: one.settings[key] for key in changed}} for row, one in zip(rows, found, strict=True)
    ]
    written = f"The whole table is in {safe(absolute(file))}." if file else ""
    table = differing_table([one.facts.name for one in found], changed)
    invocation.answer({"checkpoints": values}, Group(_summary_table(rows), "", table, written))
    return 0


def _summary_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = plain_table(
        "checkpoint", "variant", "held out", "SSIM", "losses", "images", "epochs", "time", "batch", "rate", "size",
        "parameters", "GFLOP",
        right={"held out", "SSIM", "images", "epochs", "time", "batch", "rate", "parameters", "GFLOP"},
    )  # fmt: skip
    for row in rows:
        losses = " / ".join(number(row[name], 4) for name in ("train_loss", "val_loss"))
        image = " × ".join(str(row[name]) for name in ("image_height", "image_width", "image_channels"))
        table.add_row(
            safe(row["checkpoint"]), row["variant"], decibel(row["val_psnr"]), number(row["val_ssim"], 4), losses,
            number(row["train_images"]), number(row["epochs"]), duration(row["seconds"]), number(row["batch_size"]),
            f"{row['learning_rate']:g}", image, number(row["parameters"]), _billions(row["flops"]),
        )  # fmt: skip
    return table


# --- Changes ----------------------------------------------------------------------------------------------------------


@checkpoints.command()
@click.argument("name")
@click.argument("wanted")
@workspace_options
@click.pass_obj
def rename(invocation: Invocation, name: str, wanted: str) -> int:
    """Give the checkpoint NAME, its run, and all that was made of them, the name WANTED."""
    with invocation.records() as records:
        rename_checkpoint(invocation.workspace(), records, name, wanted)
    invocation.answer({"checkpoint": wanted, "before": name}, f"{safe(name)} is named {safe(wanted)}.")
    return 0


@checkpoints.command()
@click.argument("name")
@click.option(
    "--all", "everything", is_flag=True, help="Delete its embeddings, exported files and TensorBoard curves too."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_options
@click.pass_obj
def delete(invocation: Invocation, name: str, everything: bool, yes: bool) -> int:
    """Delete the checkpoint NAME with all its states and figures. Its run stays in the records: see `fext delete`.

    What else lies under its name stays, unless it is asked for.
    """
    workspace = invocation.workspace()
    run, others = existing_folder(workspace, name), sizes_of_belongings(workspace, name)
    if not yes:
        ask(f"Delete checkpoint {safe(name)} ({size(bytes_of(run))}) and its figures?")
    also = [what for what, count in others.items() if everything or (not yes and _offered(what, count))]
    with invocation.records() as records:
        remove_checkpoint(workspace, records, name, also)
    left = [what for what in others if what not in also]
    told = "".join((f" So are its {', '.join(also)}." if also else "", f" Its {', '.join(left)} stay." if left else ""))
    invocation.answer(
        {"checkpoint": name, "deleted": True, "also": also, "left": left}, f"{safe(name)} is deleted.{told}"
    )
    return 0


def _offered(what: str, count: int) -> bool:
    return click.confirm(f"Delete its {what} ({size(count)}) too?", default=False, err=True)
