"""The files of a kind of findings, by keys: seen, excluded, judged anew with another cut-off."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Any

import numpy as np
import PIL.Image
import pytest
from textual.pilot import Pilot

from engine.analysis import analyze
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import from_layers
from engine.workspace import Workspace
from fext_tui.app import FextApp
from fext_tui.findings import PAGE, read_findings
from fext_tui.screens.findings import FilesTable, FindingScreen
from fext_tui.screens.viewer import ViewerScreen
from fext_tui.widgets.file_list import FileList
from fext_tui.widgets.findings_table import FindingsTable
from fext_tui.widgets.image_table import PagedTable

Opener = Callable[..., AbstractAsyncContextManager[Pilot[None]]]
Wait = Callable[..., Any]
Shown = Callable[[Pilot[None]], str]

SMALL = {"data.image_height": 16, "data.image_width": 16}


@pytest.fixture
def dataset(workspace: Workspace, records: Records) -> int:
    """Return the dataset of 24 analyzed pictures: gray levels 0, 3, 6 … 69 on the whole, and two that are alike."""
    random = np.random.default_rng(3)
    for number in range(24):
        picture = np.clip(random.normal(3 * number, 2 + number / 3, (32, 40, 3)), 0, 255).astype(np.uint8)
        PIL.Image.fromarray(picture).save(workspace.images / f"{number:02}.png")
    PIL.Image.fromarray(picture).save(workspace.images / "copy.png")
    settings = from_layers(("", SMALL))
    result = analyze(settings, workspace, records, CollectedReport())
    job = records.add_job("analyze", "cpu", settings.model_dump(mode="json"), {})
    records.change_job(job, state="done", started=0.0, ended=1.0, result=json.loads(json.dumps(asdict(result))))
    found = records.find_dataset(workspace.images)
    assert found is not None
    return found


async def open_kind(pilot: Pilot[None], until: Wait, kind: str) -> FindingScreen:
    table = pilot.app.screen.query_one(FindingsTable)
    await until(pilot, lambda: table.has_focus and table.row_count)
    table.select(kind)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, FindingScreen))
    screen = pilot.app.screen
    assert isinstance(screen, FindingScreen)
    await until(pilot, lambda: not screen._waiting)
    return screen


def listed(screen: FindingScreen) -> list[str]:
    return [str(cell) for cell in screen.query_one(FilesTable).get_column("path")]


def dark_by(records: Records, dataset: int, limit: float) -> list[str]:
    rows = records.image_metrics(dataset, ["exposure"])
    return [row["path"] for row in rows if row["mean_gray"] < limit]


@pytest.mark.usefixtures("dataset")
async def test_a_cut_off_is_moved_and_judged_at_once(
    opened: Opener, shown: Shown, until: Wait, records: Records, dataset: int
) -> None:
    async with opened(keys="x", values=SMALL) as pilot:
        app = pilot.app
        assert isinstance(app, FextApp)
        screen = await open_kind(pilot, until, "dark")
        assert listed(screen) == dark_by(records, dataset, 15.0)
        assert "Dark below 15 gray level" in " ".join(shown(pilot).split())
        await pilot.press(*[">"] * 12)
        await until(pilot, lambda: listed(screen) == dark_by(records, dataset, 27.0))
        assert len(listed(screen)) > len(dark_by(records, dataset, 15.0)) > 0
        assert app.settings.analysis.dark_below == 27
        await pilot.press(*["<"] * 27)
        await until(pilot, lambda: "No file of this kind." in shown(pilot))
        await pilot.press("<")
        await until(pilot, lambda: any("dark_below" in note.title for note in app._notifications))
        await pilot.press("escape")
        table = app.screen.query_one(FindingsTable)
        await until(pilot, lambda: str(table.get_cell("dark", "files")) == "–")


async def test_files_are_excluded_and_included_again(
    opened: Opener, shown: Shown, until: Wait, records: Records, dataset: int
) -> None:
    async with opened(keys="x", values=SMALL) as pilot:
        screen = await open_kind(pilot, until, "dark")
        files = listed(screen)
        await pilot.press("down", "e")
        await until(pilot, lambda: records.excluded(dataset) == {files[1]})
        await until(pilot, lambda: "1 excluded from training" in shown(pilot))
        assert "✗" in shown(pilot)
        await pilot.press("E")
        await until(pilot, lambda: records.excluded(dataset) == set(files))
        await until(pilot, lambda: f"{len(files)} excluded" in shown(pilot))
        await pilot.press("E")
        await until(pilot, lambda: not records.excluded(dataset))


async def test_a_file_or_all_of_them_are_seen_in_the_viewer(
    opened: Opener, until: Wait, records: Records, dataset: int
) -> None:
    async with opened(keys="x", values=SMALL) as pilot:
        files = listed(await open_kind(pilot, until, "dark"))
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen))
        await until(pilot, lambda: list(pilot.app.screen.query_one(FileList).names) == files)
        await pilot.press("1", "x")
        await open_kind(pilot, until, "duplicate")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen))
        names = ["23.png", "copy.png"]
        await until(pilot, lambda: list(pilot.app.screen.query_one(FileList).names) == names)
        await pilot.press("1", "x")
        await open_kind(pilot, until, "duplicate")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen))
        await until(pilot, lambda: pilot.app.screen.query_one(FileList).current == "copy.png")
        await until(pilot, lambda: len(pilot.app.screen.query_one(FileList).names) == 25)


async def test_an_image_is_excluded_in_the_table(
    opened: Opener, shown: Shown, until: Wait, records: Records, dataset: int
) -> None:
    async with opened(keys="i", values=SMALL, size=(120, 36)) as pilot:
        table = pilot.app.screen.query_one(PagedTable)
        await until(pilot, lambda: table.has_focus and table.row_count == 25)
        await pilot.press("down", "down", "e")
        await until(pilot, lambda: records.excluded(dataset) == {"02.png"})
        await until(pilot, lambda: "excluded    1 from training" in shown(pilot))
        assert table.cursor_row == 2
        await pilot.press("e")
        await until(pilot, lambda: not records.excluded(dataset))


async def test_measures_filter_the_table(
    opened: Opener, shown: Shown, until: Wait, records: Records, dataset: int
) -> None:
    async with opened(keys="i", values=SMALL) as pilot:
        table = pilot.app.screen.query_one(PagedTable)
        await until(pilot, lambda: table.has_focus and table.row_count == 25)
        await pilot.press("slash", *"mean<12 0")
        expected = [row["path"] for row in records.image_metrics(dataset, ["statistics"]) if row["mean"] < 12]
        await until(pilot, lambda: [str(cell) for cell in table.get_column("path")] == expected)
        assert "mean < 12" in shown(pilot)
        await pilot.press("ctrl+u", *"nonsense>3")
        await until(pilot, lambda: "nonsense is no measure" in shown(pilot))


def test_findings_come_in_pages(workspace: Workspace, records: Records, dataset: int) -> None:
    from engine.records import Finding

    many = [Finding(f"{number:04}.png", "alpha", "x") for number in range(PAGE + 30)]
    records.put_findings(dataset, ["alpha"], many)
    first, second = (read_findings(workspace, dataset, "alpha", offset) for offset in (0, PAGE))
    assert (len(first.rows), len(second.rows)) == (PAGE, 30)
    assert [row["path"] for row in first.rows + second.rows] == [one.path for one in many]
    assert first.total == first.files == PAGE + 30


async def test_the_cursor_brings_the_next_page(opened: Opener, until: Wait, records: Records, dataset: int) -> None:
    from engine.records import Finding

    many = [Finding(f"{number:04}.png", "alpha", "x") for number in range(PAGE + 30)]
    records.put_findings(dataset, ["alpha"], many)
    async with opened(keys="x", values=SMALL) as pilot:
        screen = await open_kind(pilot, until, "alpha")
        await pilot.press("end")
        await until(pilot, lambda: len(listed(screen)) == PAGE + 30)
        assert listed(screen) == [one.path for one in many]


async def test_metrics_are_shown_one_after_another(opened: Opener, shown: Shown, until: Wait, dataset: int) -> None:
    async with opened(keys="v", values=SMALL) as pilot:
        await until(pilot, lambda: "gray levels" in shown(pilot))
        await pilot.press("]")
        await until(pilot, lambda: "green" in shown(pilot))
        await pilot.press("]", "]")
        await until(pilot, lambda: "width" in shown(pilot))
        await pilot.press("p", "end", "enter")
        await until(pilot, lambda: "Kolmogorov-Smirnov" in shown(pilot) and "on average" in shown(pilot))
        await pilot.press("[")
        await until(pilot, lambda: "all 25 images" in shown(pilot))
