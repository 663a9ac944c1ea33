"""Encoding in two processes: what one process gives, and what becomes of it where a rank dies or it is stopped."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.embeddings import PARTS, read_embeddings
from engine.encoding import encode
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.training import train
from engine.workspace import Workspace
from tests.engine.distributed.running import ranks_of, run_in_two

Wait = Callable[..., Any]
FIRST_SHARE = 22
"""Images of the first rank's share, all of which can be read."""
SLOW = ("picture_001.png", "picture_002_slow.png", "picture_003_slow.png", "picture_004_slow.png")
"""Images of the second rank's share, to be decoded before the others of it."""


@pytest.fixture
def settings(workspace: Workspace, records: Records, small: Callable[..., Settings]) -> Settings:
    settings = small(training__epochs=1, device__workers=2, encoding__batch_size=1)
    train(settings, workspace, records, CollectedReport(), run=records.add_run("encoder", "redux"))
    return settings


@pytest.fixture
def folder(pictures: Path) -> Path:
    """Return a folder of 44 images, of which four are equal by twos, four take long, and one is damaged."""
    (pictures / "picture_010.png").write_bytes((pictures / "picture_020.png").read_bytes())
    (pictures / "picture_040.png").write_bytes((pictures / "picture_039.png").read_bytes())
    (pictures / "picture_030.png").write_bytes(b"")
    Image.new("L", (3000, 3000)).save(pictures / SLOW[0], compress_level=1)
    for name in SLOW[1:]:
        (pictures / name).hardlink_to(pictures / SLOW[0])
    assert {path.name for path in sorted(pictures.iterdir())[1:9:2]} == set(SLOW)
    return pictures


def _target(records: Records) -> Path:
    return records.workspace.inference / "encoder"


def _part(records: Records, rank: int) -> Path | None:
    return next(_target(records).glob(f"{PARTS}/*/part-{rank}"), None)


def _is_whole(part: Path | None) -> bool:
    return part is not None and json.loads((part / "bundle.json").read_text())["rows"] > 0


def _arguments(folder: Path) -> dict[str, Any]:
    return {"checkpoint": "encoder", "folder": str(folder)}


def _assert_as_one_process_gives(records: Records, settings: Settings, folder: Path) -> None:
    found = read_embeddings(_target(records))
    paths, vectors = found.paths, np.array(found.vectors)
    assert paths == sorted(path.name for path in folder.iterdir() if path.stat().st_size)
    assert sorted(path.name for path in _target(records).iterdir()) == ["bundle.json", "embeddings.npy", "index.csv"]
    settings = settings.with_values({"encoding.batch_size": 8})
    encode(settings, records.workspace, records, CollectedReport(), **_arguments(folder), again=True)
    alone = read_embeddings(_target(records))
    assert alone.paths == paths
    assert np.abs(alone.vectors - vectors).max() < 1e-5


def test_an_encoding_whose_rank_is_killed_is_completed(
    records: Records, settings: Settings, folder: Path, wait_for: Wait
) -> None:
    def kill_the_second() -> None:
        wait_for(lambda: _part(records, 1), what="the part of rank 1")
        second = ranks_of(os.getpid())[1]
        second.suspend()
        wait_for(lambda: _is_whole(_part(records, 0)), what="the whole part of rank 0")
        second.kill()

    killer = threading.Thread(target=kill_the_second)
    killer.start()
    outcome = run_in_two(records, "encode", settings, _arguments(folder))
    killer.join()
    assert outcome.state == "killed"
    assert outcome.error is not None
    assert outcome.error["cause"].startswith("The process of rank 1 was killed from outside (signal SIGKILL).")
    assert not (_target(records) / "bundle.json").exists()

    done = run_in_two(records, "encode", settings, _arguments(folder))
    assert done.result is not None, done.error
    assert (done.state, done.result["rows"], done.result["skipped"]) == ("done", 43, 1)
    assert done.result["unchanged"] == FIRST_SHARE
    _assert_as_one_process_gives(records, settings, folder)


def test_both_ranks_stop_and_one_process_goes_on(records: Records, settings: Settings, folder: Path) -> None:
    def second_has_begun() -> bool:
        return _part(records, 1) is not None

    assert run_in_two(records, "encode", settings, _arguments(folder), stopping=second_has_begun).state == "stopped"
    result = encode(settings, records.workspace, records, CollectedReport(), **_arguments(folder))
    assert (result.rows, result.skipped) == (43, 1)
    assert 0 < result.unchanged < 43
    _assert_as_one_process_gives(records, settings, folder)
