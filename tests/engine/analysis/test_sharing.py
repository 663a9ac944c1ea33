"""An analysis in two processes gives what one gives, to the byte, and what ranks left behind is taken up."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.analysis.reading import Plan
from engine.analysis.sharing import part_of, parts_of
from engine.distributed.ranks import Ranks
from engine.images.layout import Layout
from engine.images.scan import scan
from engine.images.shares import new_division
from engine.records import Records
from engine.records.schema import METRIC_TABLES, Finding, Fingerprint, Histogram, Image
from engine.report import CollectedReport, QuietReport
from engine.settings import METRIC_GROUPS
from engine.workspace import Workspace
from tests.engine.analysis.bench import BAD, Bench, Draw, settings_with
from tests.engine.distributed.running import run_in_two

TABLE_FILES = ("csv", "parquet")
TABLES = [table._meta.table_name for table in (Image, Fingerprint, *METRIC_TABLES.values(), Finding, Histogram)]


def _rows(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that the records hold of images, as it lies there."""
    with closing(sqlite3.connect(workspace.database)) as database:
        statements = {table: f"SELECT rowid, * FROM {table} ORDER BY rowid" for table in TABLES}  # noqa: S608
        return {table: database.execute(statement).fetchall() for table, statement in statements.items()}


def _plots(workspace: Workspace) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in workspace.dataset_plots.rglob("*.png")}


def _kept(result: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in result.items() if name not in {"seconds", "plots", *TABLE_FILES}})


def test_two_processes_give_what_one_gives_to_the_byte(bench: Bench, tmp_path: Path, draw_pictures: Draw) -> None:
    held_out = draw_pictures(tmp_path / "held_out", 5, seed=3)
    (held_out / "twin.png").write_bytes((bench.folder / "picture_002.png").read_bytes())
    values, tables = {"data__validation_folder": str(held_out)}, {}
    with Records(Workspace(tmp_path / "alone").create()) as records:
        alone = Bench(records.workspace, records, bench.folder)
        for kind in TABLE_FILES:
            tables[kind] = tmp_path / f"alone.{kind}"
        expected = asdict(alone.analyze(**{kind: str(path) for kind, path in tables.items()}, **values))
    own = {kind: tmp_path / f"two.{kind}" for kind in tables}
    arguments = {"folder": str(bench.folder), **{kind: str(path) for kind, path in own.items()}}
    outcome = run_in_two(bench.records, "analyze", settings_with(**values), arguments)
    assert outcome.result is not None, outcome.error
    assert outcome.state == "done"
    assert _kept(outcome.result) == _kept(expected)
    assert expected["findings"]["duplicate"] >= 1
    for kind, path in tables.items():
        assert own[kind].read_bytes() == path.read_bytes()
    assert _rows(bench.workspace) == _rows(alone.workspace)
    assert _plots(bench.workspace) == _plots(alone.workspace)
    assert not [path for path in (bench.workspace.metadata / "analysis").rglob("*") if path.is_file()]


class _FirstOfTwo(Ranks):
    count = 2


def test_what_ranks_that_were_broken_off_measured_is_taken_up(bench: Bench) -> None:
    plan = Plan(METRIC_GROUPS, Layout(32, 32, False), 1)
    files = scan(bench.folder, CollectedReport()).files
    parts = parts_of(bench.workspace, bench.folder)
    division = new_division(bench.workspace, parts).divide(bench.folder, files, 2)
    part_of(division, _FirstOfTwo(), plan)(QuietReport())
    division.part(1).mkdir()
    (division.part(1) / "records.db").write_bytes(b"torn off" * 1000)
    result = bench.analyze()
    readable = [file for file in files[::2] if file.path not in BAD]
    assert (result.images, result.unchanged, result.skipped) == (23, len(readable), len(BAD))
    assert not parts.exists()
    with Records(Workspace(bench.workspace.root.parent / "fresh").create()) as records:
        fresh = Bench(records.workspace, records, bench.folder)
        fresh.analyze()
        assert bench.rows(*METRIC_GROUPS).keys() == fresh.rows(*METRIC_GROUPS).keys()
