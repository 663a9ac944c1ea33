"""Jobs killed at random moments (``kill -9``), again and again until they are done; then all is as if nothing happened.

The jobs are processes of their own, as `fext` starts them. After each kill the records are checked, and what claims to
be whole is read.
"""

import csv
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.checkpoints import find_checkpoint, is_whole
from engine.embeddings import read_embeddings
from engine.errors import UsageError
from engine.models.loading import load_weights
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
from tests.engine.training.bench import Bench

pytestmark = pytest.mark.soak

Tally = Counter[tuple[str, str]]
_OWN = {"id", "image_id", "modified_ns"}
CHAINS = 2
"""How often each kind is killed through to its end, at least."""


class Killer:
    """Starts jobs in a workspace, and kills each at some moment of its usual time."""

    def __init__(self, bench: Bench, settings: Settings, chance: random.Random, tally: Tally) -> None:
        self.bench = bench
        self.settings = settings
        self._chance = chance
        self._tally = tally

    def start(self, kind: str, arguments: Mapping[str, Any], run: int | None = None) -> subprocess.Popen[str]:
        """Start a job's process."""
        job = self.bench.records.add_job(kind, "cpu", self.settings.model_dump(mode="json"), arguments, run)
        place = str(self.bench.workspace.root)
        command = [sys.executable, "-m", "engine.jobs.worker", "--resources", place, "--job", str(job)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def undisturbed(self, kind: str, arguments: Mapping[str, Any], run: int | None = None) -> float:
        """Run a job through; return how long that took, in seconds."""
        began = time.monotonic()
        child = self.start(kind, arguments, run)
        assert child.wait() == 0, child.communicate()[1]
        return time.monotonic() - began

    def is_killed(self, child: subprocess.Popen[str], seconds: float) -> bool:
        """Kill a job at a moment within so many seconds; return False where it was done before."""
        try:
            child.wait(self._chance.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            child.kill()
        told = child.communicate()[1]
        assert child.returncode in {0, -9}, told
        check_records(self.bench.workspace.database)
        return child.returncode != 0

    def until_done(self, kind: str, arguments: Mapping[str, Any], seconds: float, check: Callable[[], object]) -> None:
        """Kill a job of a kind and start it anew, until one comes through."""
        while self.is_killed(self.start(kind, arguments), seconds):
            self._tally[f"kill -9 while: {kind}", "what was whole stayed whole"] += 1
            check()
        self._tally[f"kill -9 while: {kind}", "done, and equal to an undisturbed one"] += 1

    def training_until_done(self, name: str, seconds: float) -> str:
        """Kill a run and resume it, until it comes through; return its name: without a checkpoint it begins anew."""
        begun = 0
        while True:
            try:
                state = find_checkpoint(self.bench.workspace, f"{name}-{begun}/last")
                assert is_whole(state)
                load_weights(state)
                child = self.start("resume", {"checkpoint": f"{name}-{begun}"}, self._run_of(f"{name}-{begun}"))
            except UsageError:
                begun += 1
                run = self.bench.records.add_run(f"{name}-{begun}", "redux")
                child = self.start("train", {"name": f"{name}-{begun}"}, run)
            if not self.is_killed(child, seconds):
                self._tally["kill -9 while: train, resume", "done, and equal to an undisturbed one"] += 1
                return f"{name}-{begun}"
            self._tally["kill -9 while: train, resume", "what was whole stayed whole"] += 1

    def _run_of(self, name: str) -> int:
        return next(int(row["id"]) for row in self.bench.records.runs() if row["name"] == name)


def check_records(path: Path) -> None:
    """Check the pages and the references of a database."""
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.fixture
def killer(
    workspace: Workspace, records: Records, small: Callable[..., Settings], soak_seed: int, tally: Tally
) -> Killer:
    values = {"training__epochs": 4, "training__batch_size": 2, "augmentation__enabled": True, "model__dropout": 0.2}
    settings = small(**values, training__checkpoint_steps=3, data__image_height=16, data__image_width=16)
    return Killer(Bench(workspace, records), settings, random.Random(soak_seed), tally)


def chains(seconds: float) -> Any:
    """Yield numbers until a time is over, and `CHAINS` at least."""
    began, number = time.monotonic(), 0
    while number < CHAINS or time.monotonic() - began < seconds:
        yield number
        number += 1


def test_training(killer: Killer, soak_seconds: float) -> None:
    run = killer.bench.records.add_run("undisturbed", "redux")
    took = killer.undisturbed("train", {"name": "undisturbed"}, run)
    for chain in chains(soak_seconds):
        killer.bench.assert_equal("undisturbed", killer.training_until_done(f"killed-{chain}", took))


def test_encoding(killer: Killer, soak_seconds: float) -> None:
    run, workspace = killer.bench.records.add_run("encoder", "redux"), killer.bench.workspace
    killer.undisturbed("train", {"name": "encoder"}, run)
    arguments = {"checkpoint": "encoder", "folder": killer.settings.data.folder}
    took = killer.undisturbed("encode", arguments)
    bundle = workspace.inference / "encoder"
    expected = read_embeddings(bundle)
    wanted = np.array(expected.vectors), expected.paths

    def check() -> None:
        if (bundle / "bundle.json").is_file():
            assert read_embeddings(bundle).paths == wanted[1]

    for _ in chains(soak_seconds):
        shutil.rmtree(bundle)
        killer.until_done("encode", arguments, took, check)
        got = read_embeddings(bundle)
        assert got.paths == wanted[1]
        np.testing.assert_array_equal(got.vectors, wanted[0])


def test_analyzing(killer: Killer, soak_seconds: float, tmp_path: Path) -> None:
    records, folder = killer.bench.records, Path(killer.settings.data.folder)
    took = killer.undisturbed("analyze", {})
    expected = known_of_images(records, tmp_path / "expected")
    assert len(expected["statistics"]) == 40
    for chain in chains(soak_seconds):
        for path in folder.iterdir():
            path.touch()  # so that all are measured again
        killer.until_done("analyze", {}, took, lambda: None)
        assert known_of_images(records, tmp_path / str(chain)) == expected


def known_of_images(records: Records, folder: Path) -> dict[str, list[dict[str, str]]]:
    """Return what is known of images, by table, without times and row numbers."""
    folder.mkdir()
    tables = {path.stem: path for path in records.export_csv(folder)}
    known = {}
    for table in ("image", "statistics", "exposure", "entropy", "sharpness", "color", "edges", "texture", "finding"):
        with tables[table].open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            known[table] = [{name: value for name, value in row.items() if name not in _OWN} for row in rows]
    return known


def test_evaluating(killer: Killer, soak_seconds: float) -> None:
    run, records = killer.bench.records.add_run("judged", "redux"), killer.bench.records
    killer.undisturbed("train", {"name": "judged"}, run)
    took = killer.undisturbed("evaluate", {"checkpoint": "judged"})
    expected = records.evaluations("judged")[0]
    for _ in chains(soak_seconds):
        killer.until_done("evaluate", {"checkpoint": "judged"}, took, lambda: None)
        got = records.evaluations("judged")[0]
        assert all(got[name] == expected[name] for name in ("images", "mae", "mse", "psnr", "ssim", "cosine"))
