"""Following a job: a thread reads its news from the records, the app hears them as messages."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from textual.message import Message

from engine.errors import FextError
from engine.records import JobRow, JobState, Records, Row
from engine.workspace import Workspace
from fext_tui.naming import job_name
from fext_tui.pace import Pace
from fext_tui.series import Series

if TYPE_CHECKING:
    from engine.jobs.follow import Follower, Update

LOOK_SECONDS = 0.3
"""How often the records are asked whether anything changed."""
CARE_SECONDS = 5.0
"""How often, while a job runs, it is checked that its processes are alive."""
RETRY_SECONDS = 3.0
"""How long after a failure the records are tried again."""
NEWEST_JOBS = 100
"""How many of the newest jobs are watched for changes of state."""
KEPT_LINES = 500
"""Log lines that are kept in memory."""


class JobHeard(Message):
    """There is news of the followed job, which works on what ``name`` says.

    ``first``: it is another one than before, or the same heard from its beginning once more.
    """

    def __init__(self, update: "Update", name: str, *, first: bool) -> None:
        super().__init__()
        self.update = update
        self.name = name
        self.first = first


class JobEnded(Message):
    """The followed job has ended, and all that it told was heard."""

    def __init__(self, job: JobRow) -> None:
        super().__init__()
        self.job = job


class JobsChanged(Message):
    """A job was added, removed, or changed its state; whoever did it."""


class FollowingFailed(Message):
    """The records could not be read."""

    def __init__(self, error: FextError) -> None:
        super().__init__()
        self.error = error


@dataclass
class History:
    """What was heard of one job since its run began, so that a screen that opens late shows all of it."""

    job: JobRow | None = None
    name: str = ""
    series: dict[str, Series] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    step: int = 0
    epoch: float = 0.0
    pace: Pace = field(default_factory=Pace)
    lines: deque[Row] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    def take(self, update: "Update", now: float) -> None:
        """Add news that was heard at ``now``, in seconds since the epoch."""
        self.job = update.job
        self.pace.see(update.job, now)
        self.lines.extend(update.log)
        for row in update.metrics:
            self._take_metric(row)
        self.last |= update.last

    def _take_metric(self, row: Mapping[str, Any]) -> None:
        if row["value"] is None:
            return
        series = self.series.setdefault(row["name"], Series())
        series.add(row["step"], row["value"], row.get("low"), row.get("high"))
        self.last[row["name"]] = row["value"]
        self.step, self.epoch = row["step"], row["epoch"]

    @property
    def best_psnr(self) -> float | None:
        """The highest validation PSNR, in dB."""
        return max(self.series["validation/psnr"].highs) if "validation/psnr" in self.series else None


class Watcher:
    """Reads the records in a thread of its own, and posts what is new.

    It follows the job it was told to, else the one that runs, else the newest that waits; and it notices what
    others (a command line, another app) start and end.
    """

    def __init__(self, workspace: Workspace, post: Callable[[Message], object]) -> None:
        self._workspace = workspace
        self._post = post
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._wish: int | None = None
        self._follower: Follower | None = None
        self._job: JobRow | None = None
        self._lives = False
        self._name = ""
        self._states: list[tuple[int, JobState]] = []
        self._cared = 0.0

    def follow(self, job: int) -> None:
        """Follow this job from now on; may be called from any thread."""
        self._wish = job
        self._wake.set()

    def close(self) -> None:
        """Let the thread end, at once."""
        self._closing.set()
        self._wake.set()

    def run(self) -> None:
        """Watch until closed; the body of the thread. What fails is told once and tried again."""
        told = ""
        while not self._closing.is_set():
            try:
                with Records(self._workspace) as records:
                    self._watch(records)
            except FextError as error:
                self._let_go()
                if str(error) != told and not self._closing.is_set():
                    self._post(FollowingFailed(error))
                told = str(error)
                self._closing.wait(RETRY_SECONDS)

    def _watch(self, records: Records) -> None:
        from engine.jobs.care import reconcile

        self._wish = self._last_training(records) if self._wish is None else self._wish
        seen = -1
        while not self._closing.is_set():
            if seen == -1 or (self._job is not None and time.monotonic() - self._cared > CARE_SECONDS):
                reconcile(self._workspace, records)
                self._cared = time.monotonic()
            version = records.data_version()
            if version != seen or self._wish is not None:
                seen = version
                self._look(records)
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()

    def _last_training(self, records: Records) -> int | None:
        """Return the newest training job where none waits or runs: its curve is what a person wants to see."""
        if records.jobs("queued", "running", limit=1):
            return None
        return next((job.id for job in records.jobs(limit=NEWEST_JOBS) if job.run is not None), None)

    def _look(self, records: Records) -> None:
        self._notice_states(records)
        self._choose(records)
        while self._follower is not None and not self._closing.is_set():
            update = self._follower.poll()
            told = bool(update.log or update.metrics)
            if told or update.job != self._job:
                self._post(JobHeard(update, self._name, first=self._job is None))
            self._lives = self._lives or not update.job.has_ended
            self._job = update.job
            if told:
                continue
            if not update.job.has_ended:
                return
            if self._lives:
                self._post(JobEnded(update.job))
            self._let_go()
            self._choose(records)

    def _let_go(self) -> None:
        self._follower = self._job = None
        self._lives = False

    def _notice_states(self, records: Records) -> None:
        states = [(job.id, job.state) for job in records.jobs(limit=NEWEST_JOBS)]
        if states != self._states:
            self._states = states
            self._post(JobsChanged())

    def _choose(self, records: Records) -> None:
        """Begin to follow the job that was wished for, or the next that is not at its end."""
        from engine.jobs.follow import Follower

        wish, self._wish = self._wish, None
        if wish is None and self._follower is None:
            running, queued = records.jobs("running"), records.jobs("queued")
            wish = running[0].id if running else queued[0].id if queued else None
        if wish is not None and (self._job is None or self._job.id != wish):
            self._let_go()
            self._follower = Follower(records, wish)
            self._name = job_name(records, records.job(wish))
