"""Starting the ranks of a job with torch.distributed.run's launcher, and seeing them end."""

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.distributed import DistError
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from engine.distributed import STOP_SIGNAL
from engine.distributed.meeting import Place
from engine.errors import UsageError
from engine.settings import DeviceSettings

_LOOK_SECONDS = 0.1
_ASK_SECONDS = 1.0
_GRACE_SECONDS = 5.0
_TALKERS = "torch.distributed.elastic.multiprocessing.api", "torch.distributed.elastic.agent.server.api"
"""Loggers of what is returned, or follows from it."""
_MEETING_SECONDS = 300
"""How long launchers that are all there wait for one another: a machine may still load PyTorch."""


@dataclass(frozen=True)
class Ending:
    """How the ranks ended.

    Attributes:
        codes: of those that failed, by rank: exit status, or minus the signal, as `subprocess` gives it.
        silent: those that were still there when others had ended long before, and were killed.

    """

    codes: Mapping[int, int]
    silent: Collection[int]


def uses_gpus(settings: DeviceSettings) -> bool:
    """Return whether ranks of this machine compute on GPUs."""
    return settings.kind != "cpu" and torch.cuda.is_available()


def processes_of(settings: DeviceSettings) -> int:
    """Return how many processes a job is to have on this machine.

    Raises:
        UsageError: more than there are GPUs.

    """
    if not uses_gpus(settings):
        return settings.processes or len(os.sched_getaffinity(0))
    there = torch.cuda.device_count() - settings.id
    if settings.processes > there:
        raise UsageError(
            f"device.processes = {settings.processes} needs as many GPUs from number {settings.id} on; there are "
            f"{max(0, there)}.",
            "Lower it (or --processes all), or set device.kind = cpu.",
        )
    return settings.processes or max(1, there)


def launch(
    command: Sequence[str],
    processes: int,
    folder: Path,
    *,
    stopping: Callable[[], bool],
    has_ended: Callable[[], bool],
    grace: float = _GRACE_SECONDS,
    place: Place | None = None,
    broken_off: Callable[[], bool] = lambda: False,
) -> Ending:
    """Run a command in several processes of this machine, and return how they ended.

    Where one fails, the others are ended. Where the connection to other machines is lost before all have begun, none
    has ended in any way.

    Args:
        command: the program and its arguments; RANK and the like in its environment tell the ranks apart.
        processes: how many.
        folder: for files of the launcher.
        stopping: whether the first rank is to be asked to stop.
        has_ended: whether a rank has told how the job ended; those that stay longer than ``grace`` are killed.
        grace: seconds.
        place: where this machine stands among several, which all start their ranks now; None where it is alone.
        broken_off: whether the ranks are to be killed at once.

    """
    for name in _TALKERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    signal.signal(STOP_SIGNAL, signal.SIG_IGN)  # the ranks inherit that, until they listen
    agent = _Agent(command, processes, folder, place)
    agent.start()
    silent, asked, ended = set[int](), -math.inf, math.inf
    while agent.is_alive():
        agent.join(_LOOK_SECONDS)
        now = time.monotonic()
        if has_ended():
            ended = min(ended, now)
        elif stopping() and now - asked > _ASK_SECONDS:
            _ask_to_stop()
            asked = now
        if broken_off():
            ended = min(ended, now - grace)
        if now - ended > grace:
            silent |= _kill_all()
        if now - ended > 2 * grace and not _ranks():
            break  # the launcher still waits for those of machines that are gone
    if agent.error is not None and not (place and isinstance(agent.error, DistError)):
        raise agent.error
    return Ending({rank: code for rank, code in agent.codes.items() if rank not in silent}, silent)


class _Agent(threading.Thread):
    """The launcher's own wait for the ranks, beside ours: on the main thread it would take our signals."""

    def __init__(self, command: Sequence[str], processes: int, folder: Path, place: Place | None) -> None:
        super().__init__(name="ranks", daemon=True)
        self._command = command
        self._config = LaunchConfig(
            nproc_per_node=processes,
            max_restarts=0,
            monitor_interval=_LOOK_SECONDS,
            logs_specs=DefaultLogsSpecs(log_dir=str(folder)),
            **(_meeting_of(place) if place else _meeting_alone(folder.name)),
        )
        self.codes: dict[int, int] = {}
        self.error: BaseException | None = None

    def run(self) -> None:
        """Start the ranks, and wait for their end."""
        program, *arguments = self._command
        try:
            elastic_launch(self._config, program)(*arguments)
        except ChildFailedError as failed:
            first = min(failure.timestamp for failure in failed.failures.values())
            early = {rank: one for rank, one in failed.failures.items() if one.timestamp - first < _GRACE_SECONDS}
            self.codes = {rank: failure.exitcode for rank, failure in early.items()}
        except BaseException as error:  # noqa: BLE001 - `launch` raises it
            self.error = error


def _meeting_alone(key: str) -> dict[str, Any]:
    """Return what the launcher is to know where there is one machine."""
    return {
        "min_nodes": 1,
        "max_nodes": 1,
        "run_id": key,
        "rdzv_backend": "c10d",
        "rdzv_endpoint": "localhost:0",
        "local_addr": "localhost",
    }


def _meeting_of(place: Place) -> dict[str, Any]:
    """Return what the launcher is to know where there are several: who is which is settled, so that it need not be."""
    return {
        "min_nodes": len(place.machines),
        "max_nodes": len(place.machines),
        "run_id": place.key,
        "rdzv_backend": "static",
        "rdzv_endpoint": str(place.endpoint),
        "rdzv_configs": {"rank": place.number, "timeout": _MEETING_SECONDS},
    }


def _ask_to_stop() -> None:
    if first := _ranks().get(0):
        with suppress(psutil.NoSuchProcess):
            first.send_signal(STOP_SIGNAL)


def _kill_all() -> set[int]:
    there = _ranks()
    for process in there.values():
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return set(there)


def _ranks() -> dict[int, psutil.Process]:
    """Return the ranks that this process has started and that are there, by number."""
    found = {}
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it has ended meanwhile
            number = child.environ().get("RANK")
            if number is not None:
                found[int(number)] = child
    return found
