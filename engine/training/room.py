"""Room on the disk for the checkpoints of a run, forecast before its first step."""

import shutil
from pathlib import Path

from engine.checkpoints import bytes_of
from engine.errors import FextError
from engine.forecast.disk import BEST_AND_LAST, kept_states
from engine.models import Autoencoder
from engine.report import Report
from engine.settings import TrainingSettings


def need_room(run: Path, model: Autoencoder, training: TrainingSettings, report: Report) -> None:
    """Tell how much room the checkpoints of a run will take on the file system of its folder's parent.

    Raises:
        FextError: two new states do not fit.

    """
    free = shutil.disk_usage(run.parent).free
    check_room(free, state_bytes(model, training), bytes_of(run), training, report)


def check_room(free: int, state: int, present: int, training: TrainingSettings, report: Report) -> None:
    """Tell of the room, all in bytes: what is ``free``, what one ``state`` takes, and what is ``present`` of the run.

    Beside what stays, one state is being written.

    Raises:
        FextError: two new states do not fit.

    """
    if free < 2 * state:
        raise FextError(
            f"There is no room for checkpoints: two of them take {_size(2 * state)}, and the disk has "
            f"{_size(free)} free.",
            "Make space on that disk, choose another workspace with --resources, or a lighter model.variant.",
        )
    kept = kept_states(training)
    states = BEST_AND_LAST + (kept or 0)
    wanted = (states + 1) * state - present
    more = "" if kept is not None else " and one more for each kept"
    told = f"A checkpoint takes {_size(state)}, {states:,} of them stay{more}; {_size(free)} are free."
    if wanted > free:
        report.log(f"{told} They will not all fit: set training.keep_checkpoints.", "warning")
    else:
        report.log(told)


def state_bytes(model: Autoencoder, training: TrainingSettings) -> int:
    """Return the bytes of one state: weights, AdamW's two moments, and the raw weights beside their average."""
    weights = sum(int(tensor.nbytes) for tensor in model.state_dict().values())
    parameters = sum(int(parameter.nbytes) for parameter in model.parameters())
    return weights + (3 if training.ema else 2) * parameters


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
