"""``fext train`` and ``fext resume``."""

from collections.abc import Mapping
from dataclasses import replace

import click

from engine.checkpoints import find_resumable
from engine.errors import UsageError
from engine.settings import Settings
from engine.workspace import check_name
from fext_tui.cli.forecast import tell_forecast
from fext_tui.cli.grid import combinations, submit_grid
from fext_tui.cli.invocation import Invocation, existing_images
from fext_tui.cli.options import (
    device_option,
    global_options,
    image_size_option,
    job_options,
    processes_option,
    setting_option,
)
from fext_tui.cli.submission import perform


@click.command()
@click.argument("folder", required=False)
@setting_option("--validation", "data.validation_folder", metavar="FOLDER")
@click.option("--name", metavar="NAME", help="Name of the run and its checkpoint (default VARIANT-DATE-TIME).")
@setting_option("--variant", "model.variant")
@image_size_option
@setting_option("--batch-size", "training.batch_size")
@setting_option("--epochs", "training.epochs")
@setting_option("--minutes", "training.minutes")
@setting_option("--learning-rate", "training.learning_rate")
@setting_option("--seed", "training.seed")
@device_option
@processes_option
@setting_option("--compile", "device.compile")
@click.option(
    "--grid", metavar="GROUP.FIELD=A,B,…", multiple=True,
    help="Line up a run for each value; repeated, for each combination. Returns at once.",
)  # fmt: skip
@click.option(
    "--forecast", is_flag=True, help="Tell what it will take: images, steps, time, memory, disk; start nothing."
)
@click.option("--measure", is_flag=True, help="With --forecast: run a few steps first, where no run was measured.")
@job_options
@global_options
@click.pass_obj
def train(
    invocation: Invocation,
    folder: str | None,
    *,
    name: str | None,
    grid: tuple[str, ...],
    forecast: bool,
    measure: bool,
    detach: bool,
) -> int:
    """Train an autoencoder on the images of FOLDER.

    Without FOLDER: those of the settings, else database/images of the workspace. Ctrl-C stops with a checkpoint;
    a closed terminal does not stop anything.
    """
    if folder:
        invocation.values["data.folder"] = existing_images(folder)
    existing_images(invocation.values.get("data.validation_folder"))
    if forecast or measure:
        if grid:
            raise UsageError("A forecast is of one run at a time.", "Give the values of one run of the grid.")
        _one_budget(invocation, "training.epochs")
        return tell_forecast(invocation, measure=measure)
    if grid:
        return submit_grid(invocation, [(one, _with(invocation, one)) for one in combinations(grid)], name)
    _one_budget(invocation, "training.epochs")
    arguments = {"name": check_name(name, "run")} if name else {}
    return perform(invocation, "train", arguments, detach=detach)


@click.command()
@click.argument("checkpoint")
@setting_option("--epochs", "training.epochs", help_text="Epochs that the run is to have in all.")
@setting_option("--additional-epochs", "training.additional_epochs")
@setting_option("--minutes", "training.minutes", help_text="Minutes to train from here.")
@device_option
@processes_option
@job_options
@global_options
@click.pass_obj
def resume(invocation: Invocation, checkpoint: str, detach: bool) -> int:
    """Go on with the training run of CHECKPOINT: NAME from its last state, NAME/TAG from that one.

    A run that was stopped goes on to the end of its plan; one that has finished gets additional epochs or minutes.
    It keeps its settings; what is given here by an option or by --set is changed, and nothing else.
    """
    _one_budget(invocation, "training.epochs", "training.additional_epochs")
    find_resumable(invocation.workspace(), checkpoint)
    arguments = {"checkpoint": checkpoint, "changes": invocation.named()}
    return perform(invocation, "resume", arguments, detach=detach)


def _with(invocation: Invocation, values: Mapping[str, str]) -> Settings:
    one = replace(invocation, values={**invocation.values, **values})
    _one_budget(one, "training.epochs")
    return one.settings()


def _one_budget(invocation: Invocation, *epochs: str) -> None:
    """Let a number of epochs that was asked for win over minutes of a preset, a file or the environment.

    Raises:
        UsageError: more than one was asked for.

    """
    values = invocation.values
    given = [key for key in (*epochs, "training.minutes") if key in values]
    if len(given) > 1:
        *others, last = ("--" + key.partition(".")[2].replace("_", "-") for key in given)
        raise UsageError(
            f"{', '.join(others)} and {last} each say how long to train.",
            f"Give one of the {'two' if len(given) == 2 else 'three'}.",
        )
    if given and given != ["training.minutes"]:
        values["training.minutes"] = 0
