"""Rankings of images by how unusual they are, as a search for anomalies leaves them; read without PyTorch."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import FextError
from engine.foreign import field, finite, read_object, text, whole
from engine.workspace import Workspace

TABLE_FILE = "anomalies.csv"
REPORT_FILE = "anomalies.json"
SCORES = ("error", "local_error", "distance")
"""The scores of an image: of its reconstruction, of the worst part of it, and of its vector among known ones."""

_PREFIX = "anomalies-"


class Ranking(NamedTuple):
    """A ranking that is there: its table, whose network ranked which folder, and how many images it took for odd."""

    table: Path
    checkpoint: str
    folder: Path
    images: int
    anomalies: int
    percentile: float
    made: float


def folder_of_ranking(workspace: Workspace, checkpoint: str, folder: Path) -> Path:
    """Return where the ranking of a folder by a checkpoint lies."""
    return workspace.validation / checkpoint / f"{_PREFIX}{workspace.label_of(folder)}"


def list_rankings(workspace: Workspace, checkpoint: str = "*") -> list[Ranking]:
    """Return the rankings of a workspace, or of a run's states, newest first; what is none is passed over."""
    places = (f"{checkpoint}/{tag}{_PREFIX}*/{REPORT_FILE}" for tag in ("", "*/"))
    reports = (report for place in places for report in workspace.validation.glob(place))
    found = [ranking for report in reports if (ranking := _ranking(workspace, report))]
    return sorted(found, key=lambda one: one.made, reverse=True)


def _ranking(workspace: Workspace, report: Path) -> Ranking | None:
    table = report.with_name(TABLE_FILE)
    try:
        told = read_object(report)
        return Ranking(
            table=table,
            checkpoint=field(told, "checkpoint", text),
            folder=workspace.actual_path(field(told, "folder", text)),
            images=field(told, "images", whole),
            anomalies=field(told, "anomalies", whole),
            percentile=field(told, "percentile", finite),
            made=table.stat().st_mtime,
        )
    except (OSError, ValueError):
        return None


def read_ranking(table: Path) -> Iterator[dict[str, Any]]:
    """Yield the images of a ranking, the most unusual first: path, rank, scores, percentiles, is_anomaly and label.

    Raises:
        FextError: it cannot be read, or is no such table.

    """
    try:
        with table.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            for line in csv.DictReader(file):
                yield _image(line)
    except (OSError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise FextError(f"{table} cannot be read: {error}.", "Search for anomalies again.") from error


def _image(line: dict[str, str]) -> dict[str, Any]:
    """Return the columns of a line, all but the path as numbers; what has no label has None."""
    values = {name: float(value) for name, value in line.items() if name not in {"path", "label"}}
    return {
        **values,
        "rank": int(line["rank"]),
        "path": line["path"],
        "is_anomaly": line["is_anomaly"] == "1",
        "label": int(line["label"]) if line["label"] else None,
    }
