"""All that is known of one job, read from the records in a thread."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.records import JobRow, Records, Row
from engine.settings import FIELDS, text_of
from engine.workspace import Workspace
from fext_tui.following import History
from fext_tui.naming import job_name
from fext_tui.series import Series

METRICS = ("train/loss", "validation/loss", "validation/psnr", "learning_rate", "img_s")
_TAIL = 30


@dataclass(frozen=True)
class JobStory:
    """A job, what it works on, what it told last, what it made, and the curve of its run."""

    job: JobRow
    name: str
    lines: list[Row]
    artifacts: list[Row]
    history: History

    def figure(self, workspace: Workspace) -> Path | None:
        """Return the first picture that the job made and that is still there."""
        paths = (workspace.actual_path(row["path"]) for row in self.artifacts)
        return next((path for path in paths if path.suffix == ".png" and path.is_file()), None)


def read_story(records: Records, number: int) -> JobStory:
    """Read a job's story.

    Raises:
        UsageError: there is no job of that number.
        FextError: the records cannot be read.

    """
    job = records.job(number)
    name = job_name(records, job)
    return JobStory(
        job, name, records.log_tail(number, _TAIL), records.artifacts(number), _read_history(records, job, name)
    )


def _read_history(records: Records, job: JobRow, name: str) -> History:
    history = History(job=job, name=name)
    if job.run is None:
        return history
    for metric in METRICS:
        points = [row for row in records.curve(job.run, metric) if row["value"] is not None]
        if points:
            columns = ([row[name] for row in points] for name in ("step", "value", "low", "high"))
            history.series[metric] = Series(*columns)
            history.step, history.epoch = max(history.step, points[-1]["step"]), max(history.epoch, points[-1]["epoch"])
    history.last = records.last_metrics(job.run)
    return history


def changed_settings(job: JobRow) -> list[tuple[str, str, str]]:
    """Return the settings of a job that differ from the defaults: (key, value, default) in the order of the schema."""
    changed = []
    for key, field in FIELDS.items():
        value = _value(job.settings, field.group, field.name, field.default)
        if value != field.default:
            changed.append((key, text_of(value), text_of(field.default)))
    return changed


def _value(settings: Any, group: str, name: str, default: Any) -> Any:
    value = settings.get(group, {}).get(name, default)
    return tuple(value) if isinstance(value, list) else value
