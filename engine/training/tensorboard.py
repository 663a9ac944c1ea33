"""The curves of a run for TensorBoard, beside those in the records."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.report import Level, Report
from engine.settings import Settings
from engine.workspace import Workspace


class TensorBoardReport:
    """A report that hands everything on, and writes the metrics for TensorBoard as well."""

    def __init__(self, report: Report, writer: Any) -> None:
        self._report = report
        self._writer = writer

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        """Hand the progress on."""
        self._report.progress(phase, done, total, unit)

    def metrics(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Write the values, and hand them on."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._report.metrics(step, epoch, values)

    def log(self, text: str, level: Level = "info") -> None:
        """Hand the line on."""
        self._report.log(text, level)

    def artifact(self, kind: str, path: Path) -> None:
        """Hand the artifact on."""
        self._report.artifact(kind, path)

    def flush(self) -> None:
        """Hand the request on."""
        self._report.flush()

    def stopping(self) -> bool:
        """Return whether the task was asked to stop."""
        return self._report.stopping()

    def interruptible(self) -> AbstractContextManager[None]:
        """Return the context of the report behind."""
        return self._report.interruptible()


@contextmanager
def with_tensorboard(report: Report, settings: Settings, workspace: Workspace, name: str) -> Iterator[Report]:
    """Give the report itself, or one that also writes ``logs/tensorboard/NAME`` where the settings ask for it.

    Raises:
        UsageError: TensorBoard is asked for and not installed.

    """
    if not settings.training.tensorboard:
        yield report
        return
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError as error:
        raise UsageError(
            "training.tensorboard is on, and TensorBoard is not installed.", "pip install 'fext-tui[tensorboard]'"
        ) from error
    folder = workspace.tensorboard / name
    with SummaryWriter(str(folder)) as writer:
        report.log(f"Curves for TensorBoard: tensorboard --logdir {folder.parent}")
        yield TensorBoardReport(report, writer)
