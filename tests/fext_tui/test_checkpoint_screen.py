"""All of a checkpoint, by keys: facts, evaluations, their images in the Viewer, and jobs started from there."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.pilot import Pilot

from engine.records import Records
from engine.workspace import Workspace
from fext_tui.screens.checkpoint import CheckpointScreen
from fext_tui.screens.viewer import ViewerScreen

HOUR = 3600.0
SPREAD = {"mean": 25.3, "std": 2.0, "min": 17.1, "p5": 20.4, "p25": 24.0, "p50": 25.6, "p75": 27.0, "p95": 29.0,
          "max": 31.2}  # fmt: skip


@pytest.fixture
def evaluated(furnished: Workspace, records: Records, tmp_path: Path) -> Workspace:
    """Return the furnished workspace, where `redux-photos` was evaluated twice."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a", "b[red]", "c"):
        Image.new("RGB", (32, 24), "teal").save(pictures / f"{name}.png")
    report = furnished.validation / "redux-photos" / "validation"
    report.mkdir(parents=True)
    Image.new("RGB", (64, 32), "gold").save(report / "errors.png")
    summary = {"summary": {"psnr": SPREAD}, "baselines": {"mean": {"title": "mean image", "psnr": 12.5}}, "worth": {}}
    for subset, psnr in (("training", 26.1), ("validation", 25.3)):
        values = {
            "job": None, "checkpoint": "redux-photos", "folder": str(pictures), "subset": subset, "images": 3,
            "skipped": 1, "mae": 0.031, "mse": 0.002, "psnr": psnr, "ssim": 0.8123, "cosine": 0.987, "rmse": 0.04,
            "ms_ssim": None, "fingerprint": "f", "seconds": 3.0, "report": furnished.stored_path(report),
            "summary": json.dumps(summary),
        }  # fmt: skip
        rows = [
            {"path": f"{name}.png", "mae": 0.1, "mse": 0.1, "psnr": value, "ssim": 0.5, "cosine": 0.5, "ms_ssim": None}
            for name, value in (("a", 20.0), ("b[red]", 10.0), ("c", 30.0))
        ]
        records.add_evaluation(values, rows)
    return furnished


def details(pilot: Pilot[None]) -> str:
    return "\n".join(str(one.render()) for one in pilot.app.screen.query("Static"))


async def test_facts_and_evaluations_are_told(evaluated: Workspace, opened: Any, until: Any, shown: Any) -> None:
    async with opened(size=(120, 36), keys="2 c down enter") as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, CheckpointScreen) and "held out" in shown(pilot))
        text = shown(pilot)
        told = ("redux-photos", "redux, ", "PSNR dB", "25.30", "26.10", "training", "worst 17.1", "mean image 12.5")
        for part in (*told, "1 images could not be read"):
            assert part in text, part


async def test_without_evaluations_it_says_what_makes_one(
    furnished: Workspace, no_runner: None, opened: Any, until: Any, shown: Any, records: Records
) -> None:
    async with opened(size=(80, 24), keys="2 c enter") as pilot:
        await until(pilot, lambda: "Nothing was measured yet" in shown(pilot))
        await pilot.press("t")
        await until(pilot, lambda: records.jobs("queued"))
        [job] = records.jobs("queued")
        assert (job.kind, job.arguments) == ("evaluate", {"checkpoint": "medium-wide", "subset": "training"})
        await pilot.press("x")
        await until(pilot, lambda: len(records.jobs("queued")) == 2)
        assert {one.kind for one in records.jobs("queued")} == {"evaluate", "export"}
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, CheckpointScreen)


@pytest.mark.parametrize(
    ("key", "names"), [("w", ["b[red].png", "a.png", "c.png"]), ("b", ["c.png", "a.png", "b[red].png"])]
)
async def test_worst_and_best_open_in_the_viewer(
    evaluated: Workspace, opened: Any, until: Any, shown: Any, key: str, names: list[str]
) -> None:
    async with opened(size=(120, 36), keys="2 c down enter") as pilot:
        await until(pilot, lambda: "25.30" in shown(pilot))
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen) and names[-1] in shown(pilot))
        screen = pilot.app.screen
        assert isinstance(screen, ViewerScreen)
        assert list(screen._here.names or ()) == names


async def test_the_figures_of_an_evaluation_open_in_the_viewer(
    evaluated: Workspace, opened: Any, until: Any, shown: Any
) -> None:
    async with opened(size=(120, 36), keys="2 c down enter") as pilot:
        await until(pilot, lambda: "25.30" in shown(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen) and "errors.png" in shown(pilot))
