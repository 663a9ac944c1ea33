"""Maintenance in the app: sizes, what is done at once, what asks first."""

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from engine.records import Records
from engine.workspace import Workspace
from fext_tui.screens.maintenance import _ROWS, Maintenance

Shown = Callable[[Pilot[None]], str]


async def choose(pilot: Pilot[None], settle: Any, name: str) -> None:
    """Put the cursor of the dialog on a row, and press enter."""
    listed = pilot.app.screen.query_one(OptionList)
    listed.highlighted = list(_ROWS).index(name)
    await pilot.press("enter")
    await settle(pilot)


@pytest.fixture
def older(furniture: Any, furnished: Workspace) -> Workspace:
    """Return the furnished workspace, whose first run has two older states beside the last."""
    for step in (100, 200):
        furniture.checkpoint("redux-photos", 1.0, step=step, tags=(f"epoch-{step:04d}",))
    return furnished


async def test_sizes_are_told_and_folders_listed(furnished: Workspace, opened: Any, settle: Any, shown: Shown) -> None:
    (furnished.packs / "old").mkdir()
    (furnished.packs / "old" / "images.npy").write_bytes(bytes(2_500_000))
    async with opened(keys="U") as pilot:
        assert "Remove unneeded caches                     2.5 MB" in shown(pilot)
        await choose(pilot, settle, "folders")
        text = shown(pilot)
        assert "packs" in text
        assert "2.5 MB" in text
        assert "database/metadata/packs" in text
        await pilot.press("escape", "escape")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, Maintenance)


async def test_checking_and_compacting_tell_what_they_found(
    furnished: Workspace, opened: Any, until: Any, settle: Any, shown: Shown
) -> None:
    async with opened(size=(120, 36), keys="U") as pilot:
        await choose(pilot, settle, "check")
        await until(pilot, lambda: "The records are whole" in shown(pilot))
        await choose(pilot, settle, "compact")
        await until(pilot, lambda: "The records took" in shown(pilot))


async def test_pruning_tells_how_much_and_leaves_all_as_it_is_first(
    older: Workspace, opened: Any, until: Any, settle: Any, shown: Shown
) -> None:
    run = older.checkpoints / "redux-photos"
    async with opened(size=(120, 36), keys="U") as pilot:
        await choose(pilot, settle, "states")
        await until(pilot, lambda: "2 states of 1 run go" in shown(pilot))
        assert "1 state of 1 run go" in shown(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert len(list(run.glob("step-*"))) == 3
        await choose(pilot, settle, "states")
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: "Removed 1 state" in shown(pilot))
    assert sorted(path.name for path in run.iterdir() if path.is_symlink()) == ["best", "epoch-0200", "last"]


async def test_caches_and_data_go_after_asking(
    furnished: Workspace, records: Records, opened: Any, until: Any, settle: Any, shown: Shown
) -> None:
    (furnished.packs / "old").mkdir()
    (furnished.packs / "old" / "images.npy").write_bytes(bytes(2_500_000))
    records.dataset(furnished.images)
    async with opened(size=(120, 36), keys="U") as pilot:
        await choose(pilot, settle, "caches")
        await until(pilot, lambda: "1 pack 2.5 MB" in shown(pilot))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "Caches are removed, 2.5 MB." in shown(pilot))
        assert not (furnished.packs / "old").exists()
        await choose(pilot, settle, "data")
        await pilot.press("down", "enter")
        await settle(pilot)
        assert "Delete all that is known of ~/workspace/database/images?" in shown(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert records.find_dataset(furnished.images) is not None, "No is where the cursor stands"
        await choose(pilot, settle, "data")
        await pilot.press("down", "enter", "y")
        await until(pilot, lambda: records.find_dataset(furnished.images) is None)


async def test_what_is_not_there_is_told(opened: Any, until: Any, settle: Any, shown: Shown) -> None:
    async with opened(keys="U") as pilot:
        await choose(pilot, settle, "states")
        await until(pilot, lambda: "There is nothing of that kind." in shown(pilot))


async def test_a_chore_that_fails_is_told_and_another_may_follow(
    furniture: Any, no_runner: None, records: Records, opened: Any, until: Any, settle: Any, shown: Shown
) -> None:
    records.add_job("train", "cpu", {}, {})
    async with opened(size=(120, 36), keys="U") as pilot:
        await choose(pilot, settle, "compact")
        await until(pilot, lambda: "A job is running or waiting." in shown(pilot))
        assert pilot.app.chore is None
        await choose(pilot, settle, "check")
        await until(pilot, lambda: "The records are whole" in shown(pilot))


async def test_deleting_the_records_asks_with_no_first(
    furnished: Workspace, records: Records, opened: Any, until: Any, settle: Any, shown: Shown
) -> None:
    async with opened(keys="4 U") as pilot:
        await choose(pilot, settle, "records")
        assert "Delete all records?" in shown(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert len(records.runs()) == 2
        await choose(pilot, settle, "records")
        await pilot.press("y")
        await until(pilot, lambda: records.runs() == [])
        await settle(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "No job yet." in shown(pilot))
