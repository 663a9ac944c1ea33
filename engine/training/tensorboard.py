"""The curves of a run for TensorBoard, beside those in the records."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.files import write_error
from engine.report import Level, Report
from engine.settings import Settings
from engine.workspace import Workspace


class TensorBoardReport:
    """A report that hands everything on, and writes the metrics for TensorBoard as well.

    Where they cannot be written any more (the disk is full), that is told once and the task goes on without them.
    """

    def __init__(self, report: Report, writer: Any, folder: Path) -> None:
        self._report = report
        self._writer = writer
        self._folder = folder
        self._has_failed = False

    def close(self) -> None:
        """Write what is left, and end the file."""
        with self._giving_up():
            self._writer.close()

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        """Hand the progress on."""
        self._report.progress(phase, done, total, unit)

    def metrics(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Write the values, and hand them on."""
        with self._giving_up():
            for name, value in values.items() if not self._has_failed else ():
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
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self._has_failed:
                told = f"{write_error(self._folder, error).cause} TensorBoard's curves end here; the records have all."
                self._report.log(told, "warning")
            self._has_failed = True


@contextmanager
def with_tensorboard(report: Report, settings: Settings, workspace: Workspace, name: str) -> Iterator[Report]:
    """Give the report itself, or one that also writes ``logs/tensorboard/NAME`` where the settings ask for it.

    Raises:
        UsageError: TensorBoard is asked for and not installed.
        FextError: its folder cannot be written.

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
    try:
        writer = SummaryWriter(str(folder))
    except OSError as error:
        raise write_error(folder, error) from error
    report.log(f"Curves for TensorBoard: tensorboard --logdir {folder.parent}")
    with closing(TensorBoardReport(report, writer, folder)) as telling:
        yield telling
