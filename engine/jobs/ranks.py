"""Running a job in several processes, and telling from their ends how the job ended."""

import dataclasses
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import EXIT_FAILED
from engine.files import replace_file
from engine.jobs.care import way_on
from engine.jobs.death import LESS_MEMORY, cause_of_exit, count_out_of_memory_kills, tail_of
from engine.jobs.outcome import Outcome
from engine.jobs.process import command_of
from engine.records import JobRow, Records
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.distributed.launch import Ending

_GRACE_SECONDS = 5.0
_CONSEQUENCES = {signal.SIGTERM, signal.SIGABRT}
"""Signals that end a rank because another one ended: from the launcher, and from NCCL."""


@dataclass(frozen=True)
class Told:
    """What a rank left: how its part ended, and when."""

    outcome: Outcome
    time: float

    @property
    def is_lost(self) -> bool:
        """Whether it ended for want of another rank alone."""
        return bool((self.outcome.error or {}).get("lost"))


def run_in_ranks(
    workspace: Workspace,
    records: Records,
    job: JobRow,
    processes: int,
    stopping: Callable[[], bool],
    *,
    grace: float = _GRACE_SECONDS,
) -> Outcome:
    """Run a job in several processes of this machine, and return how it ended.

    Args:
        workspace: where it is.
        records: its records.
        job: the job, which this process has claimed.
        processes: how many.
        stopping: whether it is asked to stop.
        grace: seconds that the others have where one rank has ended; then they are killed.

    """
    from engine.distributed.launch import launch

    kills = count_out_of_memory_kills()
    with tempfile.TemporaryDirectory(prefix="fext-ranks-") as name:
        folder = Path(name)
        arguments = ["--resources", str(workspace.root), "--job", str(job.id), "--folder", name]
        command = command_of("engine.jobs.rank", [*arguments, "--parent", str(os.getpid())])
        ending = launch(command, processes, folder, stopping=stopping, has_ended=lambda: has_told(folder), grace=grace)
        told = {number: _read(path) for number, path in _files(folder).items()}
    explain = Explanation(workspace, records, job, out_of_memory=count_out_of_memory_kills() > kills)
    return conclude(told, ending, explain)


def tell(folder: Path, number: int, outcome: Outcome) -> None:
    """Leave how a rank's part ended, for `run_in_ranks`."""
    told = {"outcome": dataclasses.asdict(outcome), "time": time.time()}
    replace_file(folder / f"rank-{number}.json", json.dumps(told).encode())


def has_told(folder: Path) -> bool:
    """Return whether a rank has left word."""
    return bool(_files(folder))


def _files(folder: Path) -> dict[int, Path]:
    return {int(path.stem.partition("-")[2]): path for path in folder.glob("rank-*.json")}


def _read(path: Path) -> Told:
    told = json.loads(path.read_bytes())
    return Told(Outcome(**told["outcome"]), told["time"])


@dataclass(frozen=True)
class Explanation:
    """Gives the outcome of a job whose ranks could not tell it themselves."""

    workspace: Workspace
    records: Records
    job: JobRow
    out_of_memory: bool

    def of_exit(self, rank: int, code: int) -> Outcome:
        """Return the outcome where a rank ended with a code: exit status, or minus the signal."""
        if code >= 0:
            return self._outcome("failed", f"Rank {rank} ended with exit status {code} and no result.")
        cause = cause_of_exit(f"process of rank {rank}", code, out_of_memory=self.out_of_memory)
        ran_out = self.out_of_memory and -code == signal.SIGKILL
        return self._outcome("killed", f"{cause} The job ended with it.", LESS_MEMORY if ran_out else "")

    def of_loss(self, reason: str, silent: list[int]) -> Outcome:
        """Return the outcome where ranks lost one another, for this reason; silent ones gave no sign."""
        told = "".join(f" Rank {rank} gave no sign." for rank in silent)
        return self._outcome("failed", f"{reason}{told}")

    def _outcome(self, state: Any, cause: str, remedy: str = "") -> Outcome:
        way = f"{remedy} {way_on(self.records, self.job)}".strip()
        tail = tail_of(self.workspace.log_of_job(self.job.id))
        error = {"cause": cause, "remedy": way, "exit_code": EXIT_FAILED}
        return Outcome(state, error=error | ({"traceback": tail} if tail else {}))


def conclude(told: Mapping[int, Told], ending: "Ending", explain: Explanation) -> Outcome:
    """Return how a job ended: as its first rank says where it came through, else what was there before all else."""
    if 0 in told and told[0].outcome.state in {"done", "stopped"}:
        return told[0].outcome
    died = {rank: code for rank, code in ending.codes.items() if rank not in told}
    killed = [(rank, code) for rank, code in died.items() if code < 0 and -code not in _CONSEQUENCES]
    if killed:
        return explain.of_exit(*killed[0])
    in_time = sorted(told.values(), key=lambda one: one.time)
    for one in in_time:
        if not one.is_lost:
            return one.outcome
    if died:
        return explain.of_exit(*next(iter(died.items())))
    reason = str((in_time[0].outcome.error or {})["cause"]) if in_time else "The processes ended without a word."
    return explain.of_loss(reason, sorted(set(ending.silent) - told.keys()))
