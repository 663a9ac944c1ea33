"""The report of a job, which writes the records."""

import contextlib
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from engine.errors import FextError
from engine.jobs.requests import StopRequests
from engine.records import Records
from engine.report import Level
from engine.workspace import Workspace

_FLUSH_SECONDS = 0.3
_HEARTBEAT_SECONDS = 2.0
_MOST_VALUES = 200_000
_MOST_LINES = 20_000
_LAST_TRIES_SECONDS = 60.0

MetricRow = tuple[int, float, float, dict[str, float]]
LineRow = tuple[float, str, str]


class Output(Protocol):
    """Takes text, as a file does."""

    def write(self, text: str, /) -> object:
        """Take the text."""


@dataclass
class _Pending:
    """What was told and is not yet written."""

    progress: dict[str, Any] = field(default_factory=dict)
    metrics: list[MetricRow] = field(default_factory=list)
    lines: list[LineRow] = field(default_factory=list)
    artifacts: list[tuple[str, Path]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.progress or self.metrics or self.lines or self.artifacts)

    def before(self, later: "_Pending") -> "_Pending":
        """Return this and what came later as one."""
        return _Pending(
            self.progress | later.progress,
            self.metrics + later.metrics,
            self.lines + later.lines,
            self.artifacts + later.artifacts,
        )

    def bounded(self) -> tuple["_Pending", int]:
        """Return the newest part of it that may be kept in memory, and how many values and lines that leaves out."""
        left_out = max(0, len(self.metrics) - _MOST_VALUES) + max(0, len(self.lines) - _MOST_LINES)
        kept = _Pending(self.progress, self.metrics[-_MOST_VALUES:], self.lines[-_MOST_LINES:], self.artifacts)
        return kept, left_out


class RecordingReport:
    """A report that writes the records of a job, from a thread with a connection of its own.

    Telling costs a lock and an append; the thread writes what came together, several times a second, and a heartbeat.
    While the records cannot be written (another program holds them, the disk is full) the task goes on, what it
    tells is kept in memory, the newest of it, and written later. Log lines also go to ``output``.

    Used as a context; at its end all is written, or, after a minute of trying, what could not be is said on ``output``.
    """

    def __init__(self, workspace: Workspace, job: int, run: int | None, requests: StopRequests, output: Output) -> None:
        self._workspace = workspace
        self._job = job
        self._run = run
        self._requests = requests
        self._output = output
        self._lock = threading.Lock()
        self._pending = _Pending()
        self._phase: tuple[str, float] = ("", 0.0)
        self._closing = threading.Event()
        self._wanted = threading.Event()
        self._tried = threading.Event()
        self._left_out = 0
        self._said = ""
        self._records: Records | None = None
        self._beaten = time.monotonic()
        self._thread = threading.Thread(target=self._keep, name="records", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._wanted.set()
        self._thread.join()

    # --- What a task calls ------------------------------------------------------------------------------------

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        """Tell how far a phase has come; its begin is kept, so that its pace can be told."""
        if phase != self._phase[0]:
            self._phase = (phase, time.time())
        values = {"phase": phase, "done": done, "total": total, "unit": unit, "phase_started": self._phase[1]}
        with self._lock:
            self._pending.progress = values

    def metrics(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Tell values of the job's run."""
        assert self._run is not None, "only a job of a run has metrics"
        row = (step, epoch, time.time(), {name: float(value) for name, value in values.items()})
        with self._lock:
            self._pending.metrics.append(row)

    def log(self, text: str, level: Level = "info") -> None:
        """Tell a line."""
        with self._lock:
            self._pending.lines.append((time.time(), level, text))
        self._say(f"{level}: {text}")

    def artifact(self, kind: str, path: Path) -> None:
        """Tell of a file or folder that is complete."""
        with self._lock:
            self._pending.artifacts.append((kind, path))

    def flush(self) -> None:
        """Return when what was told stands in the records; where it cannot be written now, it is kept for later."""
        self._tried.clear()
        self._wanted.set()
        self._tried.wait(_HEARTBEAT_SECONDS)

    def stopping(self) -> bool:
        """Return whether the job was asked to stop."""
        return self._requests.came()

    def interruptible(self) -> AbstractContextManager[None]:
        """Return a context that a request to stop breaks off."""
        return self._requests.interruptible()

    # --- The thread -------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        """Write what was told until the report is closed, and then what is left."""
        while not self._closing.is_set():
            asked = self._wanted.wait(_FLUSH_SECONDS)
            self._try_to_flush()
            if asked:
                self._wanted.clear()
                self._tried.set()
        last_try = time.monotonic() + _LAST_TRIES_SECONDS
        while self._pending and not self._try_to_flush() and time.monotonic() < last_try:
            time.sleep(_FLUSH_SECONDS)
        self._left_out += len(self._pending.metrics) + len(self._pending.lines)
        if self._left_out:
            self._say(f"error: {self._left_out:,} values and lines could not be written to the records.")
        if self._records:
            self._records.close()

    def _try_to_flush(self) -> bool:
        now = time.monotonic()
        if not self._pending and now - self._beaten < _HEARTBEAT_SECONDS:
            return True
        with self._lock:
            pending, self._pending = self._pending, _Pending()
        try:
            self._write(pending)
        except Exception as error:  # noqa: BLE001 - nothing that keeps the records from being written may end a run
            self._keep_for_later(pending, error)
            return False
        self._beaten, self._said = now, ""
        return True

    def _keep_for_later(self, pending: _Pending, error: Exception) -> None:
        with self._lock:
            self._pending, left_out = pending.before(self._pending).bounded()
        self._left_out += left_out
        cause = error.cause if isinstance(error, FextError) else f"{type(error).__name__}: {error}"
        if cause != self._said:
            self._said = cause
            self._say(f"warning: {cause} What the job tells is kept in memory meanwhile.")

    def _write(self, pending: _Pending) -> None:
        records = self._records = self._records or Records(self._workspace)
        with records.transaction():
            records.change_job(self._job, only_if=("running",), heartbeat=time.time(), **pending.progress)
            records.add_log_lines(self._job, pending.lines)
            if self._run is not None:
                records.add_metrics(self._run, pending.metrics)
            for kind, path in pending.artifacts:
                records.add_artifact(self._job, kind, path)

    def _say(self, text: str) -> None:
        # A full disk must not end a run for want of this line, which the records hold too.
        with contextlib.suppress(OSError):
            self._output.write(f"{time.strftime('%H:%M:%S')} {_one_line(text)}\n")


def _one_line(text: str) -> str:
    """Return text that cannot move a terminal's cursor: names of files are data."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
