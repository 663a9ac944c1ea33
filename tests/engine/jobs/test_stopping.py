"""A stop is heard in every phase of every kind of job: work that would go on for long ends, and nothing is lost."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.checkpoints import find_checkpoint, read_config
from engine.jobs.stop import request_stop
from engine.jobs.submit import submit
from engine.records import JobRow
from engine.settings import Settings

if TYPE_CHECKING:
    from tests.engine.jobs.conftest import Jobs

MANY = 20_000
"""Pictures of a folder that takes any phase longer than a stop."""


@pytest.fixture
def crowd(pictures: Path, tmp_path: Path) -> Path:
    """Return a folder of very many pictures, which are links to a few."""
    folder = tmp_path / "crowd"
    folder.mkdir()
    originals = sorted(pictures.iterdir())
    for number in range(MANY):
        os.link(originals[number % len(originals)], folder / f"{number:06d}.png")
    return folder


@pytest.fixture
def stop_in(jobs: "Jobs") -> Callable[..., JobRow]:
    """Return what submits a job, asks it to stop when it is in a phase, and returns how it ended."""

    def stop(phase: str, kind: str, settings: Settings, arguments: dict[str, Any]) -> JobRow:
        number = submit(jobs.workspace, jobs.records, kind, settings, arguments).id

        def in_phase() -> bool:
            job = jobs.records.job(number)
            assert not job.has_ended, job
            return job.phase == phase

        jobs.wait_for(in_phase, what=phase)
        assert request_stop(jobs.records, number).state == "running"
        ended = jobs.ended(number)
        assert (ended.state, ended.stop, ended.error) == ("stopped", 1, None)
        assert ended.phase == phase
        return ended

    return stop


@pytest.mark.parametrize("phase", ["packing", "validating"])
def test_while_training(
    stop_in: Callable[..., JobRow], small: Callable[..., Settings], crowd: Path, jobs: "Jobs", phase: str
) -> None:
    settings = small(data__folder=str(crowd), data__validation_fraction=0.9, training__validate_every_steps=1)
    ended = stop_in(phase, "train", settings, {"name": "asked"})
    assert ended.done < ended.total
    if phase == "validating":
        assert read_config(find_checkpoint(jobs.workspace, "asked/last")).step == 0


def test_while_compiling(
    stop_in: Callable[..., JobRow], small: Callable[..., Settings], jobs: "Jobs", tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    ended = stop_in("compiling", "train", small(device__compile="on"), {"name": "asked"})
    assert ended.result
    assert ended.result["steps"] == 0
    assert not [line for line in jobs.records.log_lines(ended.id) if "ms after" in line["text"]]
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    resumed = submit(jobs.workspace, jobs.records, "resume", Settings(), {
        "checkpoint": "asked", "changes": {"device.compile": "off", "training.epochs": 1},
    })  # fmt: skip
    finished = jobs.ended(resumed.id)
    assert finished.state == "done", finished.error


@pytest.mark.parametrize(
    ("kind", "phase"), [("evaluate", "evaluating"), ("encode", "encoding"), ("analyze", "measuring")]
)
def test_while_it_goes_through_images(
    stop_in: Callable[..., JobRow], small: Callable[..., Settings], crowd: Path, jobs: "Jobs", kind: str, phase: str
) -> None:
    arguments = {"folder": str(crowd)}
    if kind != "analyze":
        trained = submit(jobs.workspace, jobs.records, "train", small(training__epochs=1), {"name": "asked"})
        assert jobs.ended(trained.id).state == "done"
        arguments["checkpoint"] = "asked"
    ended = stop_in(phase, kind, small(data__folder=str(crowd)), arguments)
    assert ended.done < ended.total
