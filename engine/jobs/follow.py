"""Following a job: what is new since the last look."""

from dataclasses import dataclass

from engine.records import JobRow, Records, Row

_LINES = 1_000
_VALUES = 10_000


@dataclass(frozen=True)
class Update:
    """A job as it stands, and what came since the last look: log lines and values, oldest first.

    A job that has ended and an update without lines and values mean that everything was given.
    """

    job: JobRow
    log: list[Row]
    metrics: list[Row]


class Follower:
    """Reads a job's news from the records, its run's values from the first step on.

    Where a resume deletes values and tells them anew, they are given anew: the later of two values of a step counts.

    Raises:
        UsageError: there is no job of that number.

    """

    def __init__(self, records: Records, job: int) -> None:
        self._records = records
        self._job = records.job(job).id
        self._last_line = 0
        self._last_value = 0

    def poll(self) -> Update:
        """Return what is new, a bounded part of it at a time."""
        job = self._records.job(self._job)
        log = self._records.log_lines(self._job, self._last_line, _LINES)
        metrics = [] if job.run is None else self._records.metrics_after(job.run, self._last_value, _VALUES)
        self._last_line = log[-1]["id"] if log else self._last_line
        self._last_value = metrics[-1]["id"] if metrics else self._last_value
        return Update(job, log, metrics)
