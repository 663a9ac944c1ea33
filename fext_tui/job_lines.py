"""Jobs as they are listed: what is told of each, in which order, and which hold a text."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from engine.records import JobRow, Row
from engine.upkeep import description_of

ORDERS: Mapping[str, str] = {
    "id": "number, the newest first",
    "state": "state",
    "name": "run or folder",
    "psnr": "best PSNR",
    "epoch": "epochs",
    "img_s": "throughput",
    "seconds": "duration",
    "variant": "variant",
    "data": "data",
}
"""What jobs can be sorted by: a column, and what it is called."""
_WORDS = frozenset({"state", "name", "variant", "data"})


@dataclass(frozen=True)
class JobLine:
    """One job with what its run came to; None where it has none, or told nothing."""

    job: JobRow
    name: str
    variant: str
    data: str
    psnr: float | None
    epoch: float | None
    img_s: float | None
    seconds: float | None
    description: str

    @property
    def id(self) -> int:
        """The job's number."""
        return self.job.id

    @property
    def state(self) -> str:
        """The job's state."""
        return self.job.state

    def holds(self, text: str) -> bool:
        """Return whether every word of a text is found in one of the line's, whatever the case."""
        told = f"{self.id} {self.job.kind} {self.state} {self.name} {self.variant} {self.data} {self.description}"
        return all(word in told.casefold() for word in text.casefold().split())


def job_lines(jobs: Sequence[JobRow], runs: Mapping[int, Row], now: float) -> list[JobLine]:
    """Return the lines of jobs, with their runs by number, at ``now`` in seconds since the epoch."""
    return [_line(job, runs.get(job.run or 0, {}), now) for job in jobs]


def _line(job: JobRow, run: Mapping[str, Any], now: float) -> JobLine:
    arguments = job.arguments
    name = run.get("name") or arguments.get("name") or arguments.get("checkpoint") or arguments.get("folder") or ""
    folder = str(arguments.get("folder") or job.settings.get("data", {}).get("folder") or "")
    return JobLine(
        job,
        str(name),
        str(run.get("variant", "")),
        os.path.basename(folder.rstrip("/")),  # noqa: PTH119 - a name of any platform's making is text here
        run.get("psnr"),
        run.get("epoch"),
        run.get("img_s"),
        job.seconds(now),
        description_of(run.get("note", ""), str(run.get("tags", "")).split()),
    )


def ordered(lines: Sequence[JobLine], order: str, *, reverse: bool) -> list[JobLine]:
    """Return lines by a column of `ORDERS`: words from A, numbers from the largest, or the other way round.

    What is not told stands last either way.
    """
    value = attrgetter(order)
    told = [line for line in lines if value(line) not in {None, ""}]
    silent = [line for line in lines if value(line) in {None, ""}]
    return sorted(told, key=value, reverse=reverse == (order in _WORDS)) + silent
