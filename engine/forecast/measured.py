"""What was measured of training with settings like these: by an earlier run, or by a probe."""

import hashlib
import json
import socket
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import FextError
from engine.files import make_folder, replace_file
from engine.foreign import field, finite, read_object, whole
from engine.records import JobRow, Records
from engine.settings import Settings
from engine.workspace import Workspace

_FEWEST_STEPS = 5
"""Steps of a run that tell how long one takes."""
_RUNS = 200
"""Jobs, the newest, among which one with the same settings is looked for."""
_FORWARD_SHARE = 1 / 3
"""Of an image's training, what validating one takes: the way forward without that back, which is twice as long."""


@dataclass(frozen=True)
class Measured:
    """Times in seconds, memory in bytes; None where it was not measured.

    Attributes:
        source: ``run`` or ``probe``.
        name: of the run; empty for a probe.
        at: when, in seconds since the epoch.
        step: of a training step.
        held_out: of the validation of an image; that of a run is calculated from its step.
        start: of a run's start: scan, packing, components, saving. A probe has ``start`` without the packing.
        decode: of packing an image.
        memory: of the training, on its device.

    """

    source: str
    name: str
    at: float
    step: float
    held_out: float
    start: float | None
    decode: float | None
    memory: float | None


def work_of(settings: Settings, lane: str) -> dict[str, Any]:
    """Return what time and memory of a step depend on: two works that are equal cost the same on this machine."""
    data, training, objective = settings.data, settings.training, settings.objective
    return {
        "model": settings.model.model_dump(),
        "objective": (objective.noise > 0, objective.masked > 0, objective.agreement > 0),
        "augmentation": settings.augmentation.enabled,
        "image": (data.image_height, data.image_width, data.grayscale),
        "batch": (training.batch_size, training.micro_batch, training.loss, training.ema > 0),
        "precision": settings.device.precision,
        "compile": settings.device.compile,
        "processes": settings.device.processes,
        "nodes": settings.device.nodes,
        "lane": lane,
        "host": socket.gethostname(),
    }


def find_measured(settings: Settings, lane: str, workspace: Workspace, records: Records) -> Measured | None:
    """Return what the newest run of the same work on this machine measured, else what a probe did.

    None where nothing was measured, or where the batch size is yet to be found.
    """
    if settings.training.find_batch:
        return None
    work = work_of(settings, lane)
    for job in records.jobs("done", "stopped", limit=_RUNS):
        stored = _comparable(job)
        if stored is not None and work_of(stored, job.lane) == work and job.host in {None, work["host"]}:
            return _of_run(job, stored, records)
    return read_probe(settings, lane, workspace)


def _comparable(job: JobRow) -> Settings | None:
    """Return the settings of a job that trained a run for some steps with a batch that they name."""
    if job.kind not in {"train", "resume"} or job.run is None:
        return None
    try:
        field(job.result, "steps", partial(whole, least=_FEWEST_STEPS))
        field(job.result, "epochs", _amount)
        settings = Settings.model_validate(job.settings)
        return None if settings.training.find_batch or not field(job.result, "img_s", _amount) else settings
    except ValueError:  # another version has other settings
        return None


def _of_run(job: JobRow, settings: Settings, records: Records) -> Measured:
    assert job.result is not None
    assert job.run is not None
    step = settings.training.batch_size / float(job.result["img_s"])
    held_out = step / settings.training.batch_size * _FORWARD_SHARE
    memory = [row["high"] for row in records.curve(job.run, "memory_gb")]
    return Measured(
        source="run",
        name=str(records.run(job.run)["name"]),
        at=job.ended or job.created,
        step=step,
        held_out=held_out,
        start=_start(job, settings, step, held_out),
        decode=None,
        memory=max(memory) * 1e9 if memory else None,
    )


def _start(job: JobRow, settings: Settings, step: float, held_out: float) -> float | None:
    """Return what a run took beside steps and validations; None where it went on from another or that is unknown."""
    if job.kind != "train" or settings.data.validation_folder or job.started is None or job.ended is None:
        return None
    assert job.result is not None
    steps, epochs, fraction = job.result["steps"], job.result["epochs"], settings.data.validation_fraction
    trained = steps / max(epochs, 1) * settings.training.batch_size
    validated = (epochs + 1) * trained * fraction / (1 - fraction)
    return float(max(job.ended - job.started - steps * step - validated * held_out, 0.0))


# --- Probes ---------------------------------------------------------------------------------------------------


def probe_file(settings: Settings, lane: str, workspace: Workspace) -> Path:
    """Return the file that keeps what a probe of this work measured."""
    work = json.dumps(work_of(settings, lane), sort_keys=True)
    return workspace.metadata / "probes" / f"{hashlib.blake2b(work.encode(), digest_size=16).hexdigest()}.json"


def keep_probe(path: Path, measured: Measured) -> None:
    """Write what a probe measured.

    Raises:
        FextError: it cannot be written.

    """
    make_folder(path.parent)
    replace_file(path, json.dumps(asdict(measured)).encode())


def read_probe(settings: Settings, lane: str, workspace: Workspace) -> Measured | None:
    """Return what a probe of this work measured; None where there was none.

    Raises:
        FextError: it cannot be understood.

    """
    path = probe_file(settings, lane, workspace)
    if not path.is_file():
        return None
    try:
        told = read_object(path)
        if not (step := field(told, "step", _amount)):
            raise ValueError("step: 0 is no time")
        at, held_out = (field(told, name, _amount) for name in ("at", "held_out"))
        start, decode, memory = (field(told, name, _amount_or_none) for name in ("start", "decode", "memory"))
    except (OSError, ValueError) as error:
        raise FextError(f"{path} cannot be understood: {error}.", "Delete it, and measure again.") from error
    return Measured("probe", "", at, step, held_out, start, decode, memory)


def _amount(value: Any) -> float:
    """Return a number from 0 on that a file or a record holds."""
    if (number := finite(value)) < 0:
        raise ValueError(f"{number:g} is below 0")
    return number


def _amount_or_none(value: Any) -> float | None:
    return None if value is None else _amount(value)
