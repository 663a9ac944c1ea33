"""All of a checkpoint, by keys: facts, evaluations, their images in the Viewer, and jobs started from there."""

from typing import Any

import pytest
from textual.pilot import Pilot

from engine.records import Records
from engine.workspace import Workspace
from fext_tui.screens.checkpoint import CheckpointScreen
from fext_tui.screens.model import ModelScreen
from fext_tui.screens.viewer import ViewerScreen
from fext_tui.sources import Chosen
from fext_tui.widgets.folder_dialog import FolderDialog


def details(pilot: Pilot[None]) -> str:
    return "\n".join(str(one.render()) for one in pilot.app.screen.query("Static"))


async def test_facts_and_evaluations_are_told(evaluated: Workspace, opened: Any, until: Any, shown: Any) -> None:
    async with opened(size=(120, 36), keys="2 c down enter") as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, CheckpointScreen) and "held out" in shown(pilot))
        text = shown(pilot)
        told = ("redux-photos", "redux, ", "PSNR dB", "25.30", "26.10", "training", "worst 17.1", "mean image 12.5")
        for part in (*told, "1 image could not be read"):
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
        assert list(screen.here.names or ()) == names


async def test_what_was_collected_does_not_close_what_stands_over_the_dialog(
    evaluated: Workspace, opened: Any, until: Any, shown: Any
) -> None:
    async with opened(size=(120, 36), keys="2 c down enter a") as pilot:
        assert isinstance(pilot.app.screen, FolderDialog)
        below = pilot.app.screen_stack[-2]
        assert isinstance(below, CheckpointScreen)
        below.post_message(below.Answered(Chosen((evaluated.images,))))
        await pilot.pause()
        assert isinstance(pilot.app.screen, FolderDialog)
        await pilot.press("escape", "escape")
        below.post_message(below.Answered(Chosen((evaluated.images,))))
        await pilot.pause()
        assert isinstance(pilot.app.screen, ModelScreen), "nor the screen below it"


async def test_the_figures_of_an_evaluation_open_in_the_viewer(
    evaluated: Workspace, opened: Any, until: Any, shown: Any
) -> None:
    async with opened(size=(120, 36), keys="2 c down enter") as pilot:
        await until(pilot, lambda: "25.30" in shown(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen) and "errors.png" in shown(pilot))
