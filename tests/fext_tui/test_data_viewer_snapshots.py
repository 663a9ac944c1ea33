"""Data and Viewer as they look in states other than those of `test_every_screen`."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.workspace import Workspace
from fext_tui.app import FextApp
from fext_tui.theme import LIGHT

SIZES = [(80, 24), (120, 36), (200, 60)]
MakeApp = Callable[..., FextApp]
Run = Callable[[Pilot[None]], Awaitable[None]]


@pytest.fixture
def looking(settle: Any, until: Any) -> Callable[..., Run]:
    """Return what presses keys and waits for everything to stand."""

    def prepare(keys: str, *, light: bool = False) -> Run:
        async def run(pilot: Pilot[None]) -> None:
            await until(pilot, lambda: pilot.app.current_mode == "data")
            if light:
                pilot.app.theme = LIGHT.name
            await settle(pilot)
            for key in keys.split():
                await pilot.press(key)
                await settle(pilot)

        return run

    return prepare


@pytest.mark.parametrize("pane", ["d", "f", "v", "x"])
def test_data_panes(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace, pane: str
) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking(pane))


def test_data_in_a_wide_but_low_terminal(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace
) -> None:
    assert snap_compare(make_app(), terminal_size=(120, 24), run_before=looking("v"))


def test_data_sorting(snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking("i r down down"))


def test_data_distribution_of_a_metric(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace
) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking("v left_square_bracket"))


@pytest.mark.parametrize("size", SIZES)
def test_data_of_an_empty_workspace(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], size: Any
) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=looking(""))


def test_viewer_large(snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking("3 f"))


@pytest.mark.parametrize("size", SIZES)
def test_viewer_sheet(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace, size: Any
) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=looking("3 t j space l"))


def test_viewer_sheet_light(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace
) -> None:
    assert snap_compare(make_app(), terminal_size=(120, 36), run_before=looking("3 t j", light=True))


@pytest.mark.parametrize("keys", ["3 b", "3 space a", "3 plus plus l", "3 colon c a"])
def test_viewer_dialogs(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace, keys: str
) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking(keys))


def test_viewer_filtered(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace
) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking("3 slash m e a"))


def test_viewer_of_an_empty_source(snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run]) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking("3"))


def test_viewer_of_an_unreadable_picture(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], workspace: Workspace
) -> None:
    Path(workspace.images / "half.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking("3"))
