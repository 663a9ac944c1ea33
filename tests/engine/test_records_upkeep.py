"""The records as a file: whole or damaged, and as small as they can be."""

import sqlite3

import pytest

from engine.errors import UsageError
from engine.records import Records
from engine.sizes import rooms
from engine.workspace import Workspace


def fill(records: Records) -> None:
    run = records.add_run("mine", "redux")
    records.add_metrics(run, ((step, 1.0, 1.0, {"train/loss": 1.0 / step}) for step in range(1, 8001)))


def test_whole_records_have_no_problems(records: Records) -> None:
    fill(records)
    assert records.problems() == []
    assert records.journal() == "wal"


def test_a_row_whose_owner_is_gone_is_told(workspace: Workspace, records: Records) -> None:
    fill(records)
    with sqlite3.connect(workspace.database) as other:
        other.execute("PRAGMA foreign_keys = 0")
        other.execute("DELETE FROM run")
    problems = records.problems()
    assert len(problems) >= 8000
    assert "row 1 of metric is of a row of run that is gone" in problems


def test_a_value_that_cannot_be_is_told(workspace: Workspace, records: Records) -> None:
    fill(records)
    with sqlite3.connect(workspace.database) as other:
        other.execute("PRAGMA writable_schema = 1")
        other.execute("UPDATE sqlite_master SET sql = replace(sql, '\"ended\" REAL', '\"ended\" REAL NOT NULL')")
        other.execute(
            "INSERT INTO job (kind, state, lane, position, settings, arguments, created, stop, phase, done, total, "
            "unit, held) VALUES ('train', 'done', 'cpu', 1, '{}', '{}', 1, 0, '', 0, 0, '', 0)"
        )
    with Records(workspace) as again:
        assert again.problems() == ["NULL value in job.ended"]


def test_compacting_gives_the_room_of_what_was_deleted_back(records: Records) -> None:
    fill(records)
    records.delete_run(1)
    before, after = records.compact()
    assert after < before / 2
    assert records.bytes() == after
    assert records.problems() == []


def test_records_are_not_compacted_while_a_job_writes(records: Records) -> None:
    records.add_job("train", "cpu", {}, {})
    with pytest.raises(UsageError, match="running or waiting"):
        records.compact()


def test_the_parts_of_a_workspace_are_measured_and_nothing_twice(workspace: Workspace) -> None:
    written = {
        workspace.images / "a" / "one.png": 1000,
        workspace.inference_images / "two.png": 200,
        workspace.inference / "mine" / "embeddings.npy": 30,
        workspace.packs / "x" / "images.npy": 5000,
        workspace.metadata / "split-a.csv": 7,
        workspace.logs / "job-1.log": 90,
    }
    for path, size in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    (workspace.images / "link.png").symlink_to("/etc/passwd")
    found = {room.name: room for room in rooms(workspace)}
    assert found["packs"].bytes == 5000
    assert found["splits, exports"].bytes == 7
    assert found["embeddings"].bytes == 30
    assert found["images to encode"].bytes == 200
    assert (found["training images"].files, found["training images"].bytes) == (2, 1000 + len("/etc/passwd"))
    everything = [path for path in workspace.root.rglob("*") if path.is_file() or path.is_symlink()]
    outside = (workspace.templates / ".env").stat().st_size
    assert sum(room.bytes for room in found.values()) + outside == sum(path.lstat().st_size for path in everything)
    sizes = [room.bytes for room in rooms(workspace)]
    assert sizes == sorted(sizes, reverse=True)
