"""``fext analyze``, ``evaluate``, ``encode`` and ``sample``."""

import click

from engine.checkpoints import find_checkpoint
from engine.errors import UsageError
from fext_tui.cli.invocation import Invocation, absolute, existing_folder
from fext_tui.cli.options import device_option, global_options, job_options, setting_option, workspace_options
from fext_tui.cli.submission import perform


@click.command()
@click.argument("folder", required=False)
@click.option("--csv", metavar="FILE", help="Also write one row an image to this file.")
@setting_option("--metrics", "analysis.metrics", metavar="A,B,…")
@setting_option("--workers", "device.workers")
@job_options
@global_options
@click.pass_obj
def analyze(invocation: Invocation, folder: str | None, csv: str | None, detach: bool) -> int:
    """Measure the images of FOLDER: statistics, exposure, entropy, sharpness, color, edges, texture, distribution.

    Without FOLDER: those of the settings, else the training images.
    """
    arguments = {"folder": invocation.stored(existing_folder(folder)), "csv": invocation.stored(_new_file(csv))}
    return perform(invocation, "analyze", arguments, detach=detach)


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
@setting_option("--batch-size", "evaluation.batch_size")
@setting_option("--images", "evaluation.compared_images")
@device_option
@job_options
@global_options
@click.pass_obj
def evaluate(invocation: Invocation, checkpoint: str, folder: str | None, detach: bool) -> int:
    """Measure how well CHECKPOINT reconstructs the images of FOLDER, and draw original beside reconstruction.

    Without FOLDER: the images that were held out in training.
    """
    return _with_checkpoint(invocation, "evaluate", checkpoint, folder, detach)


@click.command()
@click.argument("checkpoint")
@click.argument("folder", required=False)
@setting_option("--pooling", "encoding.pooling")
@setting_option("--batch-size", "encoding.batch_size")
@device_option
@job_options
@global_options
@click.pass_obj
def encode(invocation: Invocation, checkpoint: str, folder: str | None, detach: bool) -> int:
    """Turn the images of FOLDER into vectors with CHECKPOINT: embeddings.npy, index.csv and bundle.json.

    Without FOLDER: those of the settings, else database/inference/images of the workspace.
    """
    return _with_checkpoint(invocation, "encode", checkpoint, folder, detach)


def _with_checkpoint(invocation: Invocation, kind: str, checkpoint: str, folder: str | None, detach: bool) -> int:
    find_checkpoint(invocation.workspace(), checkpoint)
    arguments = {"checkpoint": checkpoint, "folder": invocation.stored(existing_folder(folder))}
    return perform(invocation, kind, arguments, detach=detach)


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
