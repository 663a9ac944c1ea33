"""The app by mouse: whatever is seen to be a tab, a key, a row, a picture, a button or a choice can be clicked."""

from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from engine.workspace import Workspace
from fext_tui.screens.dialogs import Choose, Confirm
from fext_tui.screens.findings import FindingScreen
from fext_tui.screens.viewer import ViewerScreen
from fext_tui.widgets.browser import Browser
from fext_tui.widgets.panes import Panes

Click = Callable[..., Any]
Shown = Callable[[Pilot[None]], str]


@pytest.fixture
def click(settle: Any, shown: Shown) -> Click:
    """Return what clicks on a text where it stands first: ``await click(pilot, "4 Runs")``."""

    async def on(pilot: Pilot[None], text: str) -> None:
        lines = shown(pilot).splitlines()
        y = next((number for number, line in enumerate(lines) if text in line), -1)
        assert y >= 0, f"{text!r} is not on the screen:\n{shown(pilot)}"
        await pilot.click(offset=(cell_len(lines[y][: lines[y].index(text)]), y))
        await settle(pilot)

    return on


async def test_titles_lead_to_screens_and_panes(opened: Any, click: Click) -> None:
    async with opened() as pilot:
        for mode, panes in (
            ("model", {"v Curves": "curves", "c Checkpoints": "checkpoints", "o Log": "log", "f Settings": "settings"}),
            ("runs", {"i Details": "details", "v Curves": "curves", "b Jobs": "jobs"}),
            ("viewer", {}),
            ("data", {"i Images": "images", "x Findings": "findings", "d Dataset": "dataset"}),
        ):
            await click(pilot, f" {mode.title()} ")
            assert pilot.app.current_mode == mode
            for title, pane in panes.items():
                await click(pilot, title)
                assert pilot.app.screen.query_one(Panes).current == pane


async def test_rows_of_tables_are_chosen_and_then_opened(analyzed: Workspace, opened: Any, click: Click) -> None:
    async with opened(size=(120, 36), keys="i") as pilot:
        await click(pilot, "harbor/002.png")
        assert pilot.app.current_mode == "data"
        await click(pilot, "harbor/002.png")
        assert pilot.app.current_mode == "viewer"
        assert pilot.app.screen.query_one(Browser).cursor == 2
        await click(pilot, "1 Data")
        await click(pilot, "Very dark")
        await click(pilot, "Very dark")
        assert isinstance(pilot.app.screen, FindingScreen)
        await click(pilot, "harbor/006.png")
        await click(pilot, "harbor/006.png")
        assert isinstance(pilot.app.screen, ViewerScreen)
        assert pilot.app.screen.query_one(Browser).cursor == 6


async def test_pictures_are_chosen_in_the_list_and_on_the_sheet(analyzed: Workspace, opened: Any, click: Click) -> None:
    async with opened(size=(120, 36), keys="3") as pilot:
        browser = pilot.app.screen.query_one(Browser)
        await click(pilot, "harbor/004.png")
        assert browser.cursor == 4
        await click(pilot, "t Thumbnails")
        await click(pilot, "001.png")
        assert browser.cursor == 1
        assert pilot.app.screen.has_class("-sheet")
        await click(pilot, "001.png")
        assert pilot.app.screen.has_class("-picture")
        await click(pilot, "b Sources")
        await click(pilot, "Dataset plots")
        assert not isinstance(pilot.app.screen, Choose)
        assert browser.source.title == "Dataset plots"


async def test_buttons_answer(furnished: Workspace, opened: Any, until: Any, click: Click) -> None:
    checkpoint = furnished.checkpoints / "medium-wide"
    async with opened(size=(120, 36), keys="2 c") as pilot:
        for answer, stays in (("n  Keep", True), ("y  Delete", False)):
            await click(pilot, "d Delete")
            assert isinstance(pilot.app.screen, Confirm)
            await click(pilot, answer)
            assert not isinstance(pilot.app.screen, Confirm)
            await until(pilot, lambda stays=stays: checkpoint.exists() == stays)


async def test_choices_of_settings_and_of_places(opened: Any, click: Click, shown: Shown) -> None:
    async with opened(size=(120, 36), keys="2") as pilot:
        await click(pilot, "▾ Model")
        await click(pilot, "▾ Model")
        assert "Variant  " not in shown(pilot)
        await click(pilot, "▸ Model")
        await click(pilot, "Variant")
        await click(pilot, "Variant")
        assert pilot.app.settings.model.variant == "medium"
        await pilot.press("colon")
        await click(pilot, "Data: Findings")
        assert pilot.app.current_mode == "data"
        assert pilot.app.screen.query_one(Panes).current == "findings"
