"""What a run with some settings will take: images and steps, time, memory, disk."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from engine.forecast.disk import BEST_AND_LAST, kept_states, state_bytes
from engine.forecast.images import ImageCount
from engine.forecast.measured import Measured
from engine.forecast.memory import fitting_bytes, training_bytes
from engine.forecast.network import network_size
from engine.machine import memory_use
from engine.settings import Settings
from engine.workspace import Workspace

Source = Literal["set", "measured", "calculated"]


@dataclass(frozen=True)
class Part:
    """A part of a figure, in seconds or bytes, and where it comes from."""

    name: str
    value: float
    source: Source


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes:
        images: how many there are.
        lane: where it computes: ``cpu`` or for instance ``gpu:0``.
        steps_of_epoch: steps of an epoch.
        epochs: passes over the images; None where a time budget decides and no step was measured.
        measured: what was measured of such a run; None where nothing was.
        time: parts in seconds, which add up; empty where nothing is known.
        memory: of the phases, in bytes, of which the largest counts; on a GPU, training is on it.
        disk: what is written, in bytes, which adds up.
        problems: what does not fit, in whole sentences.

    """

    images: ImageCount
    lane: str
    steps_of_epoch: int
    epochs: float | None
    measured: Measured | None
    time: tuple[Part, ...]
    memory: tuple[Part, ...]
    disk: tuple[Part, ...]
    problems: tuple[str, ...] = ()

    @property
    def steps(self) -> int | None:
        """Steps in all."""
        return None if self.epochs is None else max(1, round(self.epochs * self.steps_of_epoch))

    @property
    def seconds(self) -> float | None:
        """Time in all; None where it is not known."""
        return sum(part.value for part in self.time) if self.measured else None

    @property
    def peak(self) -> Part:
        """The memory that counts: on a GPU that of the training, else that of the phase that takes most."""
        return self.memory[0] if self.on_gpu else max(self.memory, key=lambda part: part.value)

    @property
    def on_gpu(self) -> bool:
        """Whether it computes on a GPU."""
        return self.lane != "cpu"

    @property
    def written(self) -> float:
        """Bytes that are written in all."""
        return sum(part.value for part in self.disk)

    def values(self) -> dict[str, Any]:
        """Return it as JSON can hold it, with the totals."""
        totals = {"steps": self.steps, "seconds": self.seconds, "memory_bytes": self.peak.value}
        return {**asdict(self), **totals, "disk_bytes": self.written}


def forecast(
    settings: Settings, lane: str, images: ImageCount, measured: Measured | None, workspace: Workspace
) -> Forecast:
    """Return what a run with these settings would take, of what is known."""
    training, data = settings.training, settings.data
    size = network_size(settings.model, data.image_height, data.image_width, 1 if data.grayscale else 3)
    steps_of_epoch = -(-images.train // training.batch_size)
    epochs = _epochs(settings, steps_of_epoch, measured)
    memory = (
        Part("training", measured.memory, "measured")
        if measured and measured.memory
        else Part("training", training_bytes(settings, size, images.train, gpu=lane != "cpu"), "calculated"),
        *_fitting(fitting_bytes(settings, size, images.train)),
    )
    kept = kept_states(training)
    states = BEST_AND_LAST + (kept or 0)
    disk = (
        Part(
            f"{states} checkpoints" if kept is not None else f"{states} checkpoints, without those kept",
            states * state_bytes(size, training),
            "calculated",
        ),
        *([Part("pack of the images", images.pack_bytes, "calculated")] if images.pack_bytes else []),
    )
    time = tuple(_time(settings, images, steps_of_epoch, epochs, measured))
    made = Forecast(images, lane, steps_of_epoch, epochs, measured, time, memory, disk)
    return Forecast(**{**vars(made), "problems": tuple(_problems(made, workspace))})


def _epochs(settings: Settings, steps_of_epoch: int, measured: Measured | None) -> float | None:
    training = settings.training
    if not training.minutes:
        return training.epochs
    return training.minutes * 60 / (measured.step * steps_of_epoch) if measured else None


def _fitting(size: float) -> Iterator[Part]:
    if size:
        yield Part("finding components", size, "calculated")


def _time(
    settings: Settings, images: ImageCount, steps_of_epoch: int, epochs: float | None, measured: Measured | None
) -> Iterator[Part]:
    """Yield the parts of the time that are known."""
    training = settings.training
    if training.minutes:
        yield Part("training", training.minutes * 60, "set")
    if measured is None or epochs is None:
        return
    trained = epochs * steps_of_epoch * measured.step
    if not training.minutes:
        yield Part("training", trained, "measured")
    validated = _validations(settings, epochs * steps_of_epoch, epochs, trained) * images.held_out
    yield Part("validation", validated * measured.held_out, "measured" if measured.source == "probe" else "calculated")
    if measured.start is not None:
        yield Part("start and end", measured.start, "measured")
    if measured.decode is not None and images.to_pack:
        yield Part("packing", images.to_pack * measured.decode, "measured")


def _validations(settings: Settings, steps: float, epochs: float, seconds: float) -> int:
    """Return how often a run validates: before its first step, at the ends of epochs, and in between as is asked."""
    training = settings.training
    count = 1 - int(-epochs // 1)
    if training.validate_every_steps:
        count += int(steps / training.validate_every_steps)
    if training.validate_every_seconds:
        count += int(seconds / training.validate_every_seconds)
    return count


def _problems(made: Forecast, workspace: Workspace) -> Iterator[str]:
    free = shutil.disk_usage(workspace.root).free
    if made.written > free:
        yield f"The disk of the workspace has {free / 1e9:,.1f} GB free: what is written does not fit."
    here = made.memory[1:] if made.on_gpu else made.memory
    total = memory_use()[1]
    if here and max(part.value for part in here) > total:
        yield f"This machine has {total / 1e9:,.1f} GB of memory: training does not fit."
