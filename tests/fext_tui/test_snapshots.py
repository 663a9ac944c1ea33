"""Screens and dialogs as they look in states other than those of `test_every_screen`.

Render them anew with ``pytest tests/fext_tui/test_snapshots.py --snapshot-update`` and look at what changed.
"""

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.records import Records
from engine.workspace import Workspace
from fext_tui.app import FextApp

Make = Callable[..., FextApp]


@pytest.fixture
def looks(snap_compare: Any, make_app: Make, until: Any, settle: Any) -> Callable[..., bool]:
    """Return what compares the app with its picture, after some keys."""

    def compare(keys: str, size: tuple[int, int], *, follows: bool = True) -> bool:
        app = make_app()

        async def prepare(pilot: Pilot[None]) -> None:
            await until(pilot, lambda: app.current_mode == "data")
            if follows:
                await until(pilot, lambda: app.history.step)
            await settle(pilot)
            for key in keys.split():
                await pilot.press(key)
                await settle(pilot)

        return bool(snap_compare(app, terminal_size=size, run_before=prepare))

    return compare


@pytest.mark.parametrize("keys", ["2 v", "2 c", "4 enter"])
def test_panes(keys: str, furnished: Workspace, looks: Callable[..., bool]) -> None:
    assert looks(keys, (80, 24))


@pytest.mark.parametrize(("keys", "size"), [("", (160, 48)), ("v", (80, 24)), ("i", (80, 24)), ("l w", (160, 48))])
def test_compared(keys: str, size: tuple[int, int], furnished: Workspace, looks: Callable[..., bool]) -> None:
    assert looks(f"4 space down down down space {keys}", size)


@pytest.mark.parametrize("keys", ["2", "2 v", "4"])
def test_empty(keys: str, looks: Callable[..., bool]) -> None:
    assert looks(keys, (80, 24), follows=False)


@pytest.mark.parametrize("keys", ["4 D", "4 question_mark"])
def test_dialogs(keys: str, furnished: Workspace, looks: Callable[..., bool]) -> None:
    assert looks(keys, (80, 24))


def test_running(furniture: Any, no_runner: None, records: Records, looks: Callable[..., bool]) -> None:
    job = furniture.training("redux-now", 1_760_000_000.0 - 60, "running", steps=430)
    furniture.lines(job, 1.0, "Precision float32, eager.")
    assert looks("2", (120, 36))


def test_machine(furniture: Any, no_runner: None, looks: Callable[..., bool]) -> None:
    furniture.training("redux-now", 1_760_000_000.0 - 60, "running", steps=430)
    assert looks("M", (80, 24))


def test_failed(furnished: Workspace, furniture: Any, records: Records, looks: Callable[..., bool]) -> None:
    error = {"cause": "No space is left on the disk of the workspace.", "remedy": "Make room, then resume the run."}
    records.change_job(5, state="failed", error=error)
    assert looks("2", (80, 24))


def test_invalid_value(furnished: Workspace, looks: Callable[..., bool]) -> None:
    assert looks("2 down enter 0 0 x", (80, 24))
