"""The kinds of jobs: what they run, what they take, and the lane they wait in."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.errors import FextError, UsageError
from engine.records import JobRow
from engine.settings import DeviceSettings, Settings


@dataclass(frozen=True)
class Task:
    """A kind of job: its function as ``module:name``, and the arguments it is submitted with.

    What ``scales`` takes ``ranks`` too, and may have several processes.
    """

    function: str
    arguments: frozenset[str]
    uses_device: bool
    scales: bool = False


ALL_GPUS = "gpu:all"
"""The lane of a job with several processes; it has the GPUs for itself."""
GPU_LANES = frozenset(f"gpu:{number}" for number in range(64))

TASKS: dict[str, Task] = {
    "train": Task("engine.training:train", frozenset({"name", "note"}), uses_device=True, scales=True),
    "resume": Task("engine.training:resume", frozenset({"checkpoint", "changes"}), uses_device=True, scales=True),
    "evaluate": Task(
        "engine.evaluation:evaluate", frozenset({"checkpoint", "folder", "subset", "images"}), uses_device=True
    ),
    "encode": Task(
        "engine.encoding:encode", frozenset({"checkpoint", "folder", "again"}), uses_device=True, scales=True
    ),
    "export": Task("engine.export:export", frozenset({"checkpoint", "folder", "formats"}), uses_device=False),
    "analyze": Task(
        "engine.analysis:analyze", frozenset({"folder", "csv", "parquet", "again"}), uses_device=False, scales=True
    ),
    "anomalies": Task(
        "engine.anomalies:find_anomalies",
        frozenset({"checkpoint", "folder", "reference", "labels", "normal"}),
        uses_device=True,
    ),
    "sample": Task("engine.sample:sample", frozenset({"folder", "count", "seed"}), uses_device=False),
}


def task_of(kind: str) -> Task:
    """Return the task of a kind of job.

    Raises:
        UsageError: there is no such kind.

    """
    if kind not in TASKS:
        raise UsageError(f"There is no job of kind {kind!r}.", f"Kinds are {', '.join(TASKS)}.")
    return TASKS[kind]


def load_task(kind: str) -> Callable[..., Any]:
    """Return the function of a kind of job; its module is loaded here, and torch with most of them."""
    module, _, name = task_of(kind).function.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def call_arguments(kind: str, job: int, run: int | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments that the function of a kind is called with."""
    if kind == "train":
        return {"run": run}
    if kind in {"evaluate", "encode"}:
        return {**arguments, "job": job}
    return dict(arguments)


def settings_of(job: JobRow) -> Settings:
    """Return the settings of a job; the device of a kind that uses none is the CPU.

    Raises:
        FextError: they are of another version.

    """
    try:
        settings = Settings.model_validate(job.settings)
    except ValidationError as error:
        first = error.errors()[0]
        raise FextError(
            f"The settings of job {job.id} cannot be understood: {'.'.join(map(str, first['loc']))}: {first['msg']}.",
            "It was submitted by another version; submit it again.",
        ) from error
    return settings if task_of(job.kind).uses_device else settings.with_values({"device.kind": "cpu"})


def lane_of(kind: str, device: DeviceSettings) -> str:
    """Return the lane of a job: one job at a time runs in each, ``cpu``, for instance ``gpu:0``, or all GPUs."""
    task = task_of(kind)
    if not task.uses_device or device.kind == "cpu" or (device.kind == "auto" and not _has_gpu()):
        return "cpu"
    return ALL_GPUS if task.scales and device.processes != 1 else f"gpu:{device.id}"


def blocked_by(lanes: Iterable[str]) -> frozenset[str]:
    """Return the lanes in which no job may begin while jobs run in these."""
    busy = frozenset(lanes)
    if ALL_GPUS in busy:
        return busy | GPU_LANES
    return busy | {ALL_GPUS} if busy & GPU_LANES else busy


def _has_gpu() -> bool:
    """Return whether the NVIDIA driver shows a GPU; whether torch can use it is seen by the job."""
    gpus = Path("/proc/driver/nvidia/gpus")
    return Path("/dev/nvidia0").exists() or (gpus.is_dir() and any(gpus.iterdir()))
