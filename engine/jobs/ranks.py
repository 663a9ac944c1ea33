"""Running a job in several processes, and telling from their ends how the job ended."""

import dataclasses
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    from engine.distributed.meeting import Place

_SLIP_FILE = "job.json"
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


@dataclass(frozen=True)
class Slip:
    """What the ranks of a machine are told of their job.

    Attributes:
        resources: the folder of the workspace.
        job: the job.
        interface: the network that what is agreed on goes over; empty for that of PyTorch's choice.
        records: those of their own, where the workspace's are another machine's alone.
        log: what they print goes there; None: to what this process prints.

    """

    resources: Path
    job: JobRow
    interface: str = ""
    records: Path | None = None
    log: Path | None = None

    def leave(self, folder: Path) -> None:
        """Leave it for the ranks."""
        told = {
            "resources": str(self.resources),
            "job": dataclasses.asdict(self.job),
            "interface": self.interface,
            "records": str(self.records) if self.records else "",
            "log": str(self.log) if self.log else "",
        }
        replace_file(folder / _SLIP_FILE, json.dumps(told).encode())


def read_slip(folder: Path) -> Slip:
    """Return what the ranks are told that have this folder."""
    told = json.loads((folder / _SLIP_FILE).read_bytes())
    records, log = (Path(told[name]) if told[name] else None for name in ("records", "log"))
    return Slip(Path(told["resources"]), JobRow(**told["job"]), told["interface"], records, log)


@dataclass(frozen=True)
class Result:
    """What came of the ranks of a machine: what they told by rank, how they ended, whether memory ran out."""

    told: Mapping[int, Told]
    ending: "Ending"
    out_of_memory: bool

    def as_json(self) -> dict[str, Any]:
        """Return it as another machine is told it."""
        return {
            "told": {rank: dataclasses.asdict(told) for rank, told in self.told.items()},
            "codes": dict(self.ending.codes),
            "silent": list(self.ending.silent),
            "out_of_memory": self.out_of_memory,
        }


def merged(own: Result, others: Iterable[Mapping[str, Any]]) -> Result:
    """Return what came of all ranks, from those of this machine and what others told (`Result.as_json`)."""
    told, codes, silent = dict(own.told), dict(own.ending.codes), set(own.ending.silent)
    out_of_memory = own.out_of_memory
    for other in others:
        told |= {int(rank): Told(Outcome(**one["outcome"]), one["time"]) for rank, one in other["told"].items()}
        codes |= {int(rank): code for rank, code in other["codes"].items()}
        silent |= set(other["silent"])
        out_of_memory |= other["out_of_memory"]
    return Result(told, dataclasses.replace(own.ending, codes=codes, silent=silent), out_of_memory)


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
    with folder_of_ranks() as folder:
        result = run_here(Slip(workspace.root, job), folder, processes, stopping=stopping, grace=grace)
    explain = Explanation(workspace, records, job, out_of_memory=result.out_of_memory)
    return conclude(result.told, result.ending, explain)


@contextmanager
def folder_of_ranks() -> Iterator[Path]:
    """Give a folder in which the ranks of this machine find what they are told, and tell how they ended."""
    with tempfile.TemporaryDirectory(prefix="fext-ranks-") as name:
        yield Path(name)


def run_here(
    slip: Slip,
    folder: Path,
    processes: int,
    *,
    stopping: Callable[[], bool],
    has_ended: Callable[[], bool] = lambda: False,
    grace: float,
    place: "Place | None" = None,
    broken_off: Callable[[], bool] = lambda: False,
) -> Result:
    """Run the ranks of this machine, and return what came of them; ``has_ended`` is asked for those of others."""
    from engine.distributed.launch import launch

    kills = count_out_of_memory_kills()
    slip.leave(folder)
    command = command_of("engine.jobs.rank", ["--folder", str(folder), "--parent", str(os.getpid())])
    ending = launch(
        command,
        processes,
        folder,
        stopping=stopping,
        has_ended=lambda: has_told(folder) or has_ended(),
        grace=grace,
        place=place,
        broken_off=broken_off,
    )
    told = {number: _read(path) for number, path in _files(folder).items()}
    return Result(told, ending, count_out_of_memory_kills() > kills)


def tell(folder: Path, number: int, outcome: Outcome) -> None:
    """Leave how a rank's part ended, for `run_here`."""
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
    """Gives the outcome of a job whose ranks could not tell it themselves.

    Attributes:
        workspace: where it is.
        records: its records.
        job: the job.
        out_of_memory: whether the system killed for want of memory meanwhile.
        place: its machines, where there are several.
        absent: places of those that did not tell how their ranks ended.

    """

    workspace: Workspace
    records: Records
    job: JobRow
    out_of_memory: bool
    place: "Place | None" = None
    absent: Sequence[int] = ()

    def of_word(self, rank: int, outcome: Outcome) -> Outcome:
        """Return the outcome that a rank told, with the machine where it is another one."""
        if not (error := outcome.error) or self.place is None or not self.place.machine_of(rank):
            return outcome
        return dataclasses.replace(
            outcome, error={**error, "cause": f"Rank {rank}{self._where(rank)}: {error['cause']}"}
        )

    def of_exit(self, rank: int, code: int) -> Outcome:
        """Return the outcome where a rank ended with a code: exit status, or minus the signal."""
        if code >= 0:
            return self._outcome(
                "failed", f"Rank {rank}{self._where(rank)} ended with exit status {code} and no result."
            )
        cause = cause_of_exit(f"process of rank {rank}{self._where(rank)}", code, out_of_memory=self.out_of_memory)
        ran_out = self.out_of_memory and -code == signal.SIGKILL
        return self._outcome("killed", f"{cause} The job ended with it.", LESS_MEMORY if ran_out else "")

    def of_loss(self, reason: str, silent: list[int]) -> Outcome:
        """Return the outcome where ranks lost one another, for this reason; silent ones gave no sign."""
        told = "".join(f" Rank {rank}{self._where(rank)} gave no sign." for rank in silent)
        return self._outcome("failed", f"{reason}{told}")

    def of_absence(self) -> Outcome:
        """Return the outcome where machines did not tell how their ranks ended."""
        assert self.place is not None
        hosts = ", ".join(self.place.machines[number].host for number in self.absent)
        ranks = ", ".join(str(rank) for number in self.absent for rank in self.place.ranks_of(number))
        word = "ranks" if "," in ranks else "rank"
        return self._outcome(
            "failed",
            f"The connection to {hosts} is lost ({word} {ranks}): `fext join` ended there, or it cannot be reached.",
        )

    def _where(self, rank: int) -> str:
        return f" on {self.place.machines[self.place.machine_of(rank)].host}" if self.place else ""

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
    in_time = sorted(told.items(), key=lambda one: one[1].time)
    for rank, one in in_time:
        if not one.is_lost:
            is_the_first_ones = 0 in told and told[0].outcome == one.outcome
            return one.outcome if is_the_first_ones else explain.of_word(rank, one.outcome)
    if explain.absent:
        return explain.of_absence()
    if died:
        return explain.of_exit(*next(iter(died.items())))
    reason = str((in_time[0][1].outcome.error or {})["cause"]) if in_time else "The processes ended without a word."
    return explain.of_loss(reason, sorted(set(ending.silent) - told.keys()))
