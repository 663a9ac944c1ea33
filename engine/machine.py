"""What the machine does now: processor, memory, disk, GPUs, and how much of it is one job's."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

FRESH_SECONDS = 0.9
"""How long a reading stands: who asks sooner gets it again."""

_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class GpuUse:
    """One GPU; ``busy`` is the share of the last second in which it computed, in [0, 1].

    Memory is in bytes, temperature in °C, power in watts; None is what the driver does not tell.
    """

    number: int
    name: str
    busy: float | None
    memory_used: int
    memory_total: int
    job_memory: int | None
    temperature: int | None
    power: float | None
    power_limit: float | None


@dataclass(frozen=True)
class JobUse:
    """What the processes of one job use: ``cores`` of the processor, and memory of their own in bytes."""

    cores: float
    memory: int


@dataclass(frozen=True)
class MachineUse:
    """A reading; ``busy`` is the share of all cores in [0, 1], memory and disk are in bytes.

    Within a container, memory is what the container may use. The disk is the one the workspace lies on.
    """

    at: float
    cores: int
    busy: float
    memory_used: int
    memory_total: int
    disk_free: int
    disk_total: int
    gpus: tuple[GpuUse, ...]
    job: JobUse | None


class Machine:
    """Reads what the machine does; a reading takes a few milliseconds, and may be taken in any one thread at a time.

    Args:
        folder: the disk it lies on is read.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cores = len(os.sched_getaffinity(0))
        self._gpus: list[Any] | None = None
        self._cpu_seconds: dict[int, float] = {}
        self._pid: int | None = None
        self._last: MachineUse | None = None
        psutil.cpu_percent()

    def read(self, pid: int | None) -> MachineUse:
        """Return a reading, with what the process ``pid`` and its children use where one is given."""
        if self._gpus is None:
            self._gpus = _gpu_handles()
        now = time.monotonic()
        if self._last is not None and pid == self._pid and now - self._last.at < FRESH_SECONDS:
            return self._last
        pids = [pid, *_descendants(pid)] if pid is not None else []
        memory_used, memory_total = memory_use()
        disk = psutil.disk_usage(str(self._folder))
        self._last = MachineUse(
            at=now,
            cores=self._cores,
            busy=psutil.cpu_percent() / 100,
            memory_used=memory_used,
            memory_total=memory_total,
            disk_free=disk.free,
            disk_total=disk.total,
            gpus=tuple(_gpu_use(number, handle, set(pids)) for number, handle in enumerate(self._gpus)),
            job=self._job_use(pids, now),
        )
        self._pid = pid
        return self._last

    def _job_use(self, pids: list[int], now: float) -> JobUse | None:
        seconds, memory = {}, 0
        for pid in pids:
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                process = psutil.Process(pid)
                times, used = process.cpu_times(), process.memory_info()
                seconds[pid] = times.user + times.system
                memory += used.rss - used.shared
        before, self._cpu_seconds = self._cpu_seconds, seconds
        if not seconds:
            return None
        took = now - self._last.at if self._last is not None else 0.0
        worked = sum(after - before[pid] for pid, after in seconds.items() if pid in before)
        return JobUse(worked / took if took > 0 else 0.0, memory)


def memory_use() -> tuple[int, int]:
    """Return used and total bytes: those of the container where it has a limit, else those of the machine."""
    machine = psutil.virtual_memory()
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        cached = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())["inactive_file"]
    except (OSError, ValueError, KeyError):  # no limit ("max"), or no cgroup of version 2
        return machine.total - machine.available, machine.total
    return max(used - int(cached), 0), min(limit, machine.total)


def _descendants(pid: int) -> Iterator[int]:
    """Yield the processes that came of a process, without looking at every process of the machine."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from _descendants(child)


# --- GPUs -----------------------------------------------------------------------------------------------------


def _gpu_handles() -> list[Any]:
    import pynvml

    try:
        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:  # no NVIDIA driver, or none that works
        return []


def _gpu_use(number: int, handle: Any, pids: set[int]) -> GpuUse:
    import pynvml

    def told(function: Any, *arguments: Any) -> Any:
        """Return what the driver tells; None where it does not know, as old devices and slices of a device do."""
        try:
            return function(handle, *arguments)
        except pynvml.NVMLError:
            return None

    name, memory = told(pynvml.nvmlDeviceGetName), told(pynvml.nvmlDeviceGetMemoryInfo)
    rates, power = told(pynvml.nvmlDeviceGetUtilizationRates), told(pynvml.nvmlDeviceGetPowerUsage)
    limit = told(pynvml.nvmlDeviceGetEnforcedPowerLimit)
    processes = told(pynvml.nvmlDeviceGetComputeRunningProcesses) or []
    own = [one.usedGpuMemory for one in processes if one.pid in pids and one.usedGpuMemory is not None]
    return GpuUse(
        number=number,
        name=name.decode() if isinstance(name, bytes) else str(name or "GPU"),
        busy=rates.gpu / 100 if rates else None,
        memory_used=memory.used if memory else 0,
        memory_total=memory.total if memory else 0,
        job_memory=sum(own) if own else None,
        temperature=told(pynvml.nvmlDeviceGetTemperature, pynvml.NVML_TEMPERATURE_GPU),
        power=power / 1000 if power is not None else None,
        power_limit=limit / 1000 if limit is not None else None,
    )
