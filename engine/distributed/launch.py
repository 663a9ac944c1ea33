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

import psutil
import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from engine.distributed import STOP_SIGNAL
from engine.errors import UsageError
from engine.settings import DeviceSettings

_LOOK_SECONDS = 0.1
_ASK_SECONDS = 1.0
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Ending:
    """How the ranks ended.

    Attributes:
        codes: of those that failed, by rank: exit status, or minus the signal, as `subprocess` gives it.
        silent: those that were still there when others had ended long before, and were killed.

    """

    codes: Mapping[int, int]
    silent: Collection[int]


def processes_of(settings: DeviceSettings) -> int:
    """Return how many processes a job is to have on this machine.

    Raises:
        UsageError: more than there are GPUs.

    """
    if settings.kind == "cpu" or not torch.cuda.is_available():
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
) -> Ending:
    """Run a command in several processes of this machine, and return how they ended.

    Where one fails, the others are ended.

    Args:
        command: the program and its arguments; RANK and the like in its environment tell the ranks apart.
        processes: how many.
        folder: for files of the launcher.
        stopping: whether the first rank is to be asked to stop.
        has_ended: whether a rank has told how the job ended; those that stay longer than ``grace`` are killed.
        grace: seconds.

    """
    logging.getLogger("torch.distributed.elastic.multiprocessing.api").setLevel(logging.ERROR)
    signal.signal(STOP_SIGNAL, signal.SIG_IGN)  # the ranks inherit that, until they listen
    agent = _Agent(command, processes, folder)
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
        if now - ended > grace:
            silent |= _kill_all()
    if agent.error is not None:
        raise agent.error
    return Ending({rank: code for rank, code in agent.codes.items() if rank not in silent}, silent)


class _Agent(threading.Thread):
    """The launcher's own wait for the ranks, beside ours: on the main thread it would take our signals."""

    def __init__(self, command: Sequence[str], processes: int, folder: Path) -> None:
        super().__init__(name="ranks", daemon=True)
        self._command = command
        self._config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=folder.name,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            monitor_interval=_LOOK_SECONDS,
            logs_specs=DefaultLogsSpecs(log_dir=str(folder)),
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
