"""``fext export``."""

import click

from engine.checkpoints import find_checkpoint
from fext_tui.cli.invocation import Invocation, existing_images
from fext_tui.cli.options import global_options, job_options, setting_option
from fext_tui.cli.submission import perform


@click.command()
@click.argument("checkpoint")
@click.argument("folder", required=False)
@click.option(
    "--format", "formats", type=click.Choice(["onnx", "torch", "all"]), default="all", show_default=True,
    help="ONNX files (.onnx), those of torch.export (.pt2), or both.",
)  # fmt: skip
@setting_option("--pooling", "encoding.pooling")
@job_options
@global_options
@click.pass_obj
def export(invocation: Invocation, checkpoint: str, folder: str | None, formats: str, detach: bool) -> int:
    """Write encoder and autoencoder of CHECKPOINT as files that other programs run, for a batch of any size.

    Each is compared with the checkpoint on images of FOLDER, without it those of the training, before it is kept. They
    lie in database/export/CHECKPOINT; docs/export.md shows how to use them.
    """
    find_checkpoint(invocation.workspace(), checkpoint)
    arguments = {"checkpoint": checkpoint, "folder": invocation.stored(existing_images(folder)), "formats": formats}
    return perform(invocation, "export", arguments, detach=detach)
