"""The forecast under the form and in its dialog, by keys."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.forecast.measured import Measured, keep_probe, probe_file
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.forecasting import about
from fext_tui.screens.forecast import ForecastScreen

Shown = Callable[..., str]
ON_CPU = {"device.kind": "cpu"}


@pytest.fixture
def pictures(workspace: Workspace) -> Path:
    """Return the workspace's image folder, with 50 pictures."""
    for number in range(50):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(workspace.images / f"{number}.png")
    return workspace.images


def measured(workspace: Workspace, settings: Settings) -> None:
    """Let a probe have measured half a second a step."""
    found = Measured("probe", "", 1_760_000_000.0 - 120, 0.5, 0.01, 5.0, 0.01, 1.2e9)
    keep_probe(probe_file(settings, "cpu", workspace), found)


async def test_the_line_follows_the_settings(
    pictures: Path, workspace: Workspace, opened: Any, until: Any, shown: Shown
) -> None:
    measured(workspace, Settings().with_values(ON_CPU))
    async with opened(size=(120, 42), keys="2", values=ON_CPU) as pilot:
        await until(pilot, lambda: "40 + 10 images · 3 steps an epoch, 300 in all" in shown(pilot))
        assert "≈ 2.8 min · " in shown(pilot)
        pilot.app.settings = pilot.app.settings.with_values({"training.epochs": 1000})
        await until(pilot, lambda: "≈ 27 min · " in shown(pilot))
        pilot.app.settings = pilot.app.settings.with_values({"model.variant": "large"})
        await until(pilot, lambda: "not measured yet · ~" in shown(pilot))
        pilot.app.settings = pilot.app.settings.with_values({"data.folder": "/none/[bold]x"})
        await until(pilot, lambda: "No forecast: The image folder /none/[bold]x does" in shown(pilot))


async def test_the_dialog_tells_all_and_trains(
    pictures: Path, no_runner: None, workspace: Workspace, records: Records, opened: Any, until: Any, shown: Shown
) -> None:
    measured(workspace, Settings().with_values(ON_CPU))
    async with opened(size=(120, 42), keys="2 T", values=ON_CPU) as pilot:
        await until(pilot, lambda: "500 ms a step, measured" in shown(pilot))
        text = shown(pilot)
        for part in ("by a probe, 2 min ago", "training", "validation", "packing", "finding components", "checkpoints"):
            assert part in text
        await pilot.press("t")
        await until(pilot, lambda: records.jobs("queued"))
        assert records.jobs("queued")[0].kind == "train"


async def test_what_is_not_measured_can_be_measured_unless_a_job_runs(
    pictures: Path, furniture: Any, no_runner: None, opened: Any, until: Any, shown: Shown
) -> None:
    furniture.training("redux-now", 1_760_000_000.0 - 60, "running", steps=50)
    async with opened(keys="2", values=ON_CPU) as pilot:
        await until(pilot, lambda: pilot.app.current_job is not None)
        await pilot.press("T")
        await until(pilot, lambda: "m runs a few steps to see" in shown(pilot))
        assert "not measured yet" in shown(pilot)
        await pilot.press("m")
        await until(pilot, lambda: "is at work." in shown(pilot))
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, ForecastScreen)


async def test_a_probe_is_broken_off_with_the_dialog(
    pictures: Path, workspace: Workspace, opened: Any, until: Any, settle: Any, shown: Shown
) -> None:
    async with opened(keys="2 T", values=ON_CPU) as pilot:
        await until(pilot, lambda: "m runs a few steps to see" in shown(pilot))
        await pilot.press("m")
        await until(pilot, lambda: "Measuring a few steps" in shown(pilot))
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, ForecastScreen)
        assert not probe_file(pilot.app.settings, "cpu", workspace).exists()


async def test_without_images_the_dialog_says_what_to_do(opened: Any, until: Any, shown: Shown) -> None:
    async with opened(keys="2 T", values=ON_CPU) as pilot:
        await until(pilot, lambda: not isinstance(pilot.app.screen, ForecastScreen))
        await until(pilot, lambda: "There is no image in" in shown(pilot))


def test_lengths_of_time_have_one_figure() -> None:
    lengths = {
        0.4: "0 s",
        45: "45 s",
        100: "1.7 min",
        720: "12 min",
        7200: "2.0 h",
        40 * 3600: "40 h",
        216_000: "2.5 d",
    }
    assert {seconds: about(seconds) for seconds in lengths} == lengths
