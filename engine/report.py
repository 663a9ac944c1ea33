"""How a task tells what it does: progress, metrics, log lines, artifacts, and whether to stop."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from engine.errors import Stopped

Level = Literal["info", "warning", "error"]


class Report(Protocol):
    """What a task is given to speak through."""

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        """Tell how far a phase (for instance ``"training"``) has come; ``total`` 0 where it is not known."""

    def metrics(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Tell values measured at a step, by name (for instance ``"train/loss"``)."""

    def log(self, text: str, level: Level = "info") -> None:
        """Tell a line for the person."""

    def artifact(self, kind: str, path: Path) -> None:
        """Tell of a file or folder that is now complete."""

    def flush(self) -> None:
        """Put what was told where it outlives the process, as far as that can be done now."""

    def stopping(self) -> bool:
        """Return whether the task was asked to stop."""

    def interruptible(self) -> AbstractContextManager[None]:
        """Return a context that a request to stop breaks off with `Interrupted`: for long work that cannot ask."""


@dataclass
class CollectedReport:
    """A report that keeps everything in memory, for library use and for tests."""

    progresses: list[tuple[str, float, float, str]] = field(default_factory=list)
    metric_rows: list[tuple[int, float, dict[str, float]]] = field(default_factory=list)
    lines: list[tuple[Level, str]] = field(default_factory=list)
    artifacts: list[tuple[str, Path]] = field(default_factory=list)
    stop: bool = False

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        """Keep the progress."""
        self.progresses.append((phase, done, total, unit))

    def metrics(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Keep the metrics."""
        self.metric_rows.append((step, epoch, dict(values)))

    def log(self, text: str, level: Level = "info") -> None:
        """Keep the line."""
        self.lines.append((level, text))

    def artifact(self, kind: str, path: Path) -> None:
        """Keep the artifact."""
        self.artifacts.append((kind, path))

    def flush(self) -> None:
        """Do nothing: everything is kept in memory."""

    def stopping(self) -> bool:
        """Return `stop`."""
        return self.stop

    def interruptible(self) -> AbstractContextManager[None]:
        """Return a context that nothing breaks off."""
        return nullcontext()


class QuietReport:
    """A report that keeps nothing and never says stop: of a process beside another one that tells the same."""

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        """Do nothing."""

    def metrics(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def log(self, text: str, level: Level = "info") -> None:
        """Do nothing."""

    def artifact(self, kind: str, path: Path) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def stopping(self) -> bool:
        """Return False."""
        return False

    def interruptible(self) -> AbstractContextManager[None]:
        """Return a context that nothing breaks off."""
        return nullcontext()


def go_on(report: Report) -> None:
    """Return where the task may go on.

    Raises:
        Stopped: it was asked to stop.

    """
    if report.stopping():
        raise Stopped
