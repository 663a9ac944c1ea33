"""``fext analyze``, ``evaluate``, ``encode`` and ``sample``."""

from functools import partial

import click

from engine.checkpoints import find_checkpoint
from engine.errors import UsageError
from fext_tui.cli.findings import conclude_or_fail, fail_on_option, refuse_unjudged
from fext_tui.cli.invocation import Invocation, absolute, existing_images
from fext_tui.cli.options import (
    device_option,
    global_options,
    job_options,
    processes_option,
    setting_option,
    workspace_options,
)
from fext_tui.cli.submission import perform
from fext_tui.finding_kinds import TITLES


@click.command(epilog=f"Kinds of findings are {', '.join(TITLES)}.")
@click.argument("folder", required=False)
@setting_option("--metrics", "analysis.metrics", metavar="A,B,…")
@setting_option(
    "--validation",
    "data.validation_folder",
    metavar="FOLDER",
    help_text="Images to compare with; without it, the share that training would hold out.",
)
@click.option("--csv", metavar="FILE", help="Also write one row an image to this file.")
@click.option("--parquet", metavar="FILE", help="The same as Parquet.")
@click.option("--again", is_flag=True, help="Measure files again that have not changed since.")
@fail_on_option
@setting_option("--workers", "device.workers")
@processes_option
@job_options
@global_options
@click.pass_obj
def analyze(
    invocation: Invocation,
    folder: str | None,
    *,
    csv: str | None,
    parquet: str | None,
    again: bool,
    fail_on: tuple[str, ...],
    detach: bool,
) -> int:
    """Measure the images of FOLDER, tell what is to be known of its files, and compare training with validation images.

    FOLDER may also be a text file with the path of an image on each line. Without it: the folder of the settings, else
    the training images. Images that were measured before and have not changed are not measured again.
    """
    existing_images(invocation.values.get("data.validation_folder"))
    arguments = {
        "folder": invocation.stored(existing_images(folder)),
        "csv": invocation.stored(_new_file(csv)),
        "parquet": invocation.stored(_new_file(parquet)),
        "again": again,
    }
    if fail_on and detach:
        raise UsageError("--fail-on needs what --detach does not wait for.", "Give one of the two.")
    refuse_unjudged(invocation, fail_on)
    ending = partial(conclude_or_fail, fail_on) if fail_on else None
    return perform(invocation, "analyze", arguments, detach=detach, ending=ending)


def _new_file(text: str | None) -> str:
    if not text:
        return ""
    path = absolute(text)
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", "Give the name of a file.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}.", "Make it, or choose another place.")
    return str(path)


@click.command()
@click.argument("checkpoint")
@click.argument("folder", required=False)
@click.option(
    "--subset",
    type=click.Choice(["validation", "training", "all"]),
    help="Without FOLDER: the images held out in training (default), those trained on, or all of them.",
)
@click.option(
    "--show", multiple=True, metavar="PATH", help="Also show this image, by its path in FOLDER; may be repeated."
)
@setting_option("--batch-size", "evaluation.batch_size")
@setting_option("--images", "evaluation.compared_images")
@setting_option("--baseline-images", "evaluation.baseline_images")
@device_option
@job_options
@global_options
@click.pass_obj
def evaluate(
    invocation: Invocation,
    checkpoint: str,
    folder: str | None,
    *,
    subset: str | None,
    show: tuple[str, ...],
    detach: bool,
) -> int:
    """Measure how well CHECKPOINT reconstructs the images of FOLDER, beside baselines, and write a report.

    Without FOLDER: the images that were held out in training. The report is one page, report.html, with figures of the
    worst, the best and random images; evaluation.json and images.csv hold the same for programs.
    """
    if folder and subset:
        raise UsageError("FOLDER and --subset name two sets of images.", "Give one of the two.")
    find_checkpoint(invocation.workspace(), checkpoint)
    source = invocation.stored(existing_images(folder))
    arguments = {
        "checkpoint": checkpoint,
        "folder": source,
        "subset": subset or "validation",
        "images": list(show),
    }
    return perform(invocation, "evaluate", arguments, detach=detach)


@click.command()
@click.argument("checkpoint")
@click.argument("folder", required=False)
@setting_option("--pooling", "encoding.pooling")
@setting_option("--dtype", "encoding.dtype")
@setting_option("--batch-size", "encoding.batch_size")
@click.option("--again", is_flag=True, help="Encode images again that have not changed since.")
@device_option
@processes_option
@job_options
@global_options
@click.pass_obj
def encode(invocation: Invocation, checkpoint: str, folder: str | None, *, again: bool, detach: bool) -> int:
    """Turn the images of FOLDER into vectors with CHECKPOINT: embeddings.npy, index.csv and bundle.json.

    Without FOLDER: those of the settings, else database/inference/images of the workspace. Images that were encoded
    before and have not changed are not encoded again.
    """
    find_checkpoint(invocation.workspace(), checkpoint)
    source = invocation.stored(existing_images(folder))
    arguments = {"checkpoint": checkpoint, "folder": source, "again": again}
    return perform(invocation, "encode", arguments, detach=detach)


@click.command()
@click.argument("folder")
@click.option("--count", default=600, show_default=True, type=click.IntRange(1, 10_000_000), help="Images to draw.")
@click.option(
    "--seed", default=42, show_default=True, type=click.IntRange(0, 2**31 - 1), help="What they are drawn from."
)
@job_options
@workspace_options
@click.pass_obj
def sample(invocation: Invocation, folder: str, count: int, seed: int, detach: bool) -> int:
    """Draw labelled sample images into FOLDER, one folder a label: shapes over textured grounds."""
    target = absolute(folder)
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file.", "Give a folder; it is made where it is missing.")
    arguments = {"folder": invocation.stored(str(target)), "count": count, "seed": seed}
    return perform(invocation, "sample", arguments, detach=detach)
