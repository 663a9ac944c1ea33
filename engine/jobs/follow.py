"""Following a job: what is new since the last look."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.records import JobRow, Records, Row

_LINES = 1_000
_VALUES = 10_000


@dataclass(frozen=True)
class Update:
    """A job as it stands, and what came since the last look: log lines and values, oldest first.

    ``last`` is given at the first look: the newest value of each metric of the run so far, whose curves ``metrics``
    then holds, rolled up where they are long, with ``low`` and ``high`` beside each value.
    A job that has ended and an update without lines and values mean that everything was given.
    """

    job: JobRow
    log: list[Row]
    metrics: list[Row]
    last: Mapping[str, float] = field(default_factory=dict)


class Follower:
    """Reads a job's news from the records: first its run's curves so far, then every value.

    Where a resume deletes values and tells them anew, they are given anew: the later of two values of a step counts.

    Raises:
        UsageError: there is no job of that number.

    """

    def __init__(self, records: Records, job: int) -> None:
        self._records = records
        self._job = records.job(job).id
        self._last_line = 0
        self._last_value: int | None = None

    def poll(self) -> Update:
        """Return what is new, a bounded part of it at a time."""
        job = self._records.job(self._job)
        log = self._records.log_lines(self._job, self._last_line, _LINES)
        self._last_line = log[-1]["id"] if log else self._last_line
        if job.run is None:
            return Update(job, log, [])
        if self._last_value is None:
            return Update(job, log, self._curves_so_far(job.run), self._records.last_metrics(job.run))
        metrics = self._records.metrics_after(job.run, self._last_value, _VALUES)
        self._last_value = metrics[-1]["id"] if metrics else self._last_value
        return Update(job, log, metrics)

    def _curves_so_far(self, run: int) -> list[Row]:
        self._last_value = self._records.newest_metric()  # first: a value that comes meanwhile is rather told twice
        names = self._records.metric_names(run)
        rows = [{**row, "name": name} for name in names for row in self._records.curve(run, name)]
        return sorted(rows, key=lambda row: row["step"])
