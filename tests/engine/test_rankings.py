"""Rankings that lie in a workspace: found wherever a search leaves them, and believed only where they can be."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from engine.errors import FextError
from engine.rankings import REPORT_FILE, TABLE_FILE, folder_of_ranking, list_rankings, read_ranking
from engine.workspace import Workspace

HEADER = "path,rank,error,local_error,distance,percentile,is_anomaly,label\n"


def write(workspace: Workspace, by: str, **values: Any) -> Path:
    """Write a ranking of the training images, and return its table."""
    folder = folder_of_ranking(workspace, by, workspace.images)
    folder.mkdir(parents=True)
    told = {"checkpoint": by, "folder": "database/images", "images": 2, "anomalies": 1, "percentile": 99.0}
    (folder / REPORT_FILE).write_text(json.dumps(told | values))
    (folder / TABLE_FILE).write_text(HEADER + "odd.png,1,0.5,0.6,0.7,99.9,1,1\nplain.png,2,0.1,0.1,0.1,12,0,\n")
    return folder / TABLE_FILE


def test_those_of_all_states_are_found_newest_first(workspace: Workspace) -> None:
    for age, checkpoint in enumerate(("mine/epoch-0005", "mine", "other")):
        os.utime(write(workspace, checkpoint), (1000 - age, 1000 - age))
    assert [one.checkpoint for one in list_rankings(workspace)] == ["mine/epoch-0005", "mine", "other"]
    assert [one.checkpoint for one in list_rankings(workspace, "mine")] == ["mine/epoch-0005", "mine"]
    [other] = list_rankings(workspace, "other")
    assert (other.folder, other.images, other.anomalies, other.percentile) == (workspace.images, 2, 1, 99.0)


@pytest.mark.parametrize(
    "values",
    [{"images": -1}, {"images": True}, {"anomalies": 1e300}, {"percentile": "high"}, {"checkpoint": 5}, {"folder": []}],
    ids=str,
)
def test_what_is_none_is_passed_over(workspace: Workspace, values: dict[str, Any]) -> None:
    write(workspace, "mine", **values)
    assert list_rankings(workspace) == []


def test_a_report_that_is_nested_too_deeply_or_has_no_table_is_none(workspace: Workspace) -> None:
    table = write(workspace, "mine")
    table.with_name(REPORT_FILE).write_text("[" * 100_000)
    write(workspace, "other").unlink()
    assert list_rankings(workspace) == []


def test_a_table_is_read_line_by_line(workspace: Workspace) -> None:
    odd, plain = read_ranking(write(workspace, "mine"))
    assert odd == {"path": "odd.png", "rank": 1, "error": 0.5, "local_error": 0.6, "distance": 0.7,
                   "percentile": 99.9, "is_anomaly": True, "label": 1}  # fmt: skip
    assert (plain["is_anomaly"], plain["label"]) == (False, None)


@pytest.mark.parametrize(
    "line", ["a.png,1", "a.png,one,0,0,0,0,1,\n", "a.png,1,0,0,0,0,1,1e400\n", "a.png,1,x,0,0,0,1,\n",
             "a.png,1,0,0,0,0,1,,more\n", '"' + "x" * 200_000],
)  # fmt: skip
def test_a_table_that_is_none_is_told(workspace: Workspace, line: str) -> None:
    table = write(workspace, "mine")
    table.write_text(HEADER + line)
    with pytest.raises(FextError, match="cannot be read"):
        list(read_ranking(table))
