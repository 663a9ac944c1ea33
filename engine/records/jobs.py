"""Jobs in the records: the queue, and what each told and made."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import peewee

from engine.errors import UsageError
from engine.records.checking import document
from engine.records.connection import Connection, Row
from engine.records.schema import Artifact, Job, LogLine

JobState = Literal["queued", "running", "done", "stopped", "failed", "killed", "lost"]
ENDED: frozenset[str] = frozenset({"done", "stopped", "failed", "killed", "lost"})


@dataclass(frozen=True)
class JobRow:
    """A job as the records hold it; times in seconds since the epoch."""

    id: int
    kind: str
    state: JobState
    lane: str
    settings: Mapping[str, Any]
    arguments: Mapping[str, Any]
    run: int | None
    host: str | None
    boot: str | None
    pid: int | None
    pid_started: float | None
    created: float
    started: float | None
    ended: float | None
    heartbeat: float | None
    stop: int
    phase: str
    done: float
    total: float
    unit: str
    phase_started: float | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    held: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED

    def seconds(self, now: float) -> float | None:
        """Return how long it has run at ``now``, 0 where the clock was set back; None before its start."""
        return None if self.started is None else max((self.ended or now) - self.started, 0.0)


class JobRecords(Connection):
    """The queue and history of jobs."""

    def add_job(
        self,
        kind: str,
        lane: str,
        settings: Mapping[str, Any],
        arguments: Mapping[str, Any],
        run: int | None = None,
    ) -> int:
        """Add a queued job behind all others, and return its number."""
        with self.transaction():
            greatest = self._row(Job.select(peewee.fn.MAX(Job.position).alias("position")))
            position = ((greatest or {}).get("position") or 0.0) + 1.0
            row = {
                "kind": kind, "state": "queued", "lane": lane, "position": position, "created": time.time(),
                "run": run, "settings": json.dumps(settings), "arguments": json.dumps(arguments),
            }  # fmt: skip
            return int(self._run(Job.insert(row)))

    def job(self, job: int) -> JobRow:
        """Return a job.

        Raises:
            UsageError: there is no job of that number.

        """
        row = self._row(Job.select().where(Job.id == job))
        if row is None:
            raise UsageError(f"There is no job {job}.", "`fext jobs` lists the jobs.")
        return self._job_row(row)

    def jobs(self, *states: JobState, limit: int = 500) -> list[JobRow]:
        """Return the newest jobs (of the given states), newest first."""
        query = Job.select().order_by(Job.id.desc()).limit(limit)
        return [self._job_row(row) for row in self._rows(query.where(Job.state << states) if states else query)]

    def jobs_numbered(self, jobs: Iterable[int]) -> list[JobRow]:
        """Return the jobs of these numbers that are there, oldest first."""
        return [self._job_row(row) for row in self._rows(Job.select().where(Job.id << list(jobs)).order_by(Job.id))]

    def jobs_of_run(self, run: int) -> list[JobRow]:
        """Return the jobs that trained a run, oldest first."""
        return [self._job_row(row) for row in self._rows(Job.select().where(Job.run == run).order_by(Job.id))]

    def queue(self) -> list[JobRow]:
        """Return the jobs that wait, held ones too, in the order of the queue."""
        query = Job.select().where(Job.state == "queued").order_by(Job.position, Job.id)
        return [self._job_row(row) for row in self._rows(query)]

    def put_queue(self, jobs: Sequence[int]) -> None:
        """Let the jobs that wait stand in this order: all of their numbers; who joins the queue later stands behind."""
        with self.transaction():
            rows = self._rows(Job.select(Job.position).where(Job.id << list(jobs)).order_by(Job.position))
            for job, row in zip(jobs, rows, strict=True):
                Job.update(position=row["position"]).where(Job.id == job).execute(self._database)

    def next_queued(self, busy_lanes: Iterable[str] = ()) -> JobRow | None:
        """Return the queued job that is first in line among the lanes that are free; held ones are passed over."""
        waits = (Job.state == "queued") & ~Job.held
        query = Job.select().where(waits & (Job.lane.not_in(list(busy_lanes))))
        row = self._row(query.order_by(Job.position, Job.id))
        return self._job_row(row) if row else None

    def change_job(self, job: int, *, only_if: Iterable[JobState] | None = None, **values: Any) -> bool:
        """Change columns of a job (``result`` and ``error`` as mappings); return whether it was changed.

        With ``only_if``, nothing is changed where the job's state is none of those: of two processes that
        try to end a job, one wins.
        """
        for name in ("result", "error", "arguments"):
            if values.get(name) is not None:
                values[name] = json.dumps(values[name])
        query = Job.update(values).where(Job.id == job)
        return bool(self._run(query.where(Job.state << list(only_if)) if only_if is not None else query))

    def delete_job(self, job: int) -> None:
        """Delete a job with its log lines and artifacts' records."""
        self._run(Job.delete().where(Job.id == job))

    def add_log_lines(self, job: int, lines: Iterable[tuple[float, str, str]]) -> None:
        """Add log lines as (time, level, text)."""
        self._insert(LogLine, ({"job": job, "time": at, "level": level, "text": text} for at, level, text in lines))

    def log_lines(self, job: int, after: int = 0, limit: int = 1000) -> list[Row]:
        """Return up to ``limit`` of a job's lines with an id above ``after``: the first ones, in order."""
        query = LogLine.select().where((LogLine.job == job) & (LogLine.id > after))
        return self._rows(query.order_by(LogLine.id).limit(limit))

    def log_tail(self, job: int, limit: int = 20) -> list[Row]:
        """Return a job's last lines, in order."""
        query = LogLine.select().where(LogLine.job == job).order_by(LogLine.id.desc())
        return self._rows(query.limit(limit))[::-1]

    def add_artifact(self, job: int, kind: str, path: Path) -> None:
        """Remember a file or folder that a job made."""
        stored = self.workspace.stored_path(path)
        self._run(Artifact.insert(job=job, kind=kind, path=stored, time=time.time()))

    def artifacts(self, job: int) -> list[Row]:
        """Return what a job made, in order."""
        return self._rows(Artifact.select().where(Artifact.job == job).order_by(Artifact.id))

    def _job_row(self, row: Row) -> JobRow:
        texts = {name: row[name] for name in ("settings", "arguments", "result", "error")}
        loaded = {name: document(self.path, name, text, dict) if text else None for name, text in texts.items()}
        kept = {name: value for name, value in row.items() if name != "position"}
        return JobRow(**(kept | loaded))
