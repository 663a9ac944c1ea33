"""The Data screen, by keys."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList, Static

from engine.records import Finding, Records
from engine.settings import METRIC_GROUPS, Settings
from engine.workspace import Workspace
from fext_tui.app import FextApp
from fext_tui.dataset_facts import asked_by, read_facts
from fext_tui.screens.data import DataScreen
from fext_tui.screens.viewer import ViewerScreen
from fext_tui.widgets.file_list import FileList
from fext_tui.widgets.image_table import PAGE

Opener = Callable[..., AbstractAsyncContextManager[Pilot[None]]]
Wait = Callable[..., Any]
Shown = Callable[[Pilot[None]], str]
NOW = 1_760_000_000.0

SUMMARY = "Validation images differ somewhat from training images: brighter on the whole."


def make_images(folder: Path, count: int) -> None:
    random = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = random.integers(0, 256, (24, 32, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"{number:04}.png")


def record(workspace: Workspace, records: Records, count: int, folder: Path | None = None) -> int:
    """Write an analysis of ``count`` images into the records, and return the dataset."""
    folder = folder or workspace.images
    dataset = records.dataset(folder)
    rows = [
        {"path": f"{'pets' if number % 2 else 'cars'}/{number:04}.png", "bytes": 1000 + number, "modified_ns": 1,
         "format": "PNG" if number % 3 else "JPEG", "width": 640, "height": 480 + number % 5,
         "subset": "validation" if number % 5 == 0 else "train",
         "mode": "RGB" if number % 5 else "L", "bits": 8, "alpha": False, "gray": number % 5 == 0}
        for number in range(count)
    ]  # fmt: skip
    numbers = records.put_images(dataset, rows)
    records.put_image_metrics("statistics", [
        {"image": image, "height": 480, "width": 640, "mean": 100 + (37 * order) % count / 10, "median": 99,
         "std": 40.0, "min": 0, "max": 255, "pixel_range": 255, "noise_std": 2.5, "noise_ratio": 0.06}
        for order, image in enumerate(numbers.values())
    ])  # fmt: skip
    records.put_image_metrics("exposure", [
        {"image": image, "underexposed_pct": order / count, "overexposed_pct": 1.5, "midtone_pct": 90, "mean_gray": 110}
        for order, image in enumerate(numbers.values())
    ])  # fmt: skip
    levels = np.arange(256)
    for subset, share, middle in (("all", 1.0, 120), ("train", 0.8, 118), ("validation", 0.2, 130)):
        counts = (1e6 * np.exp(-(((levels - middle) / 45) ** 2))).astype(int)
        records.put_histogram(dataset, subset, "gray", round(share * count), counts.tolist())
    settings = Settings().with_values({"analysis.metrics": ("statistics", "exposure")})
    job = records.add_job("analyze", "cpu", settings.model_dump(mode="json"), {})
    result = {"images": count, "skipped": 2, "seconds": 8.2, "folder": str(folder), "plots": [], "csv": "",
              "summary": SUMMARY}  # fmt: skip
    records.change_job(job, state="done", started=NOW - 308, ended=NOW - 300, result=result)
    return dataset


def train(records: Records, img_s: float) -> None:
    """Write a training run of an eighth of the speed for other variants, and one of the default one."""
    for variant, rate in (("redux", img_s), ("large", img_s / 8)):
        settings = Settings().with_values({"model.variant": variant}).model_dump(mode="json")
        job = records.add_job("train", "cpu", settings, {})
        records.change_job(job, state="done", started=NOW - 9, ended=NOW - 8, result={"img_s": rate, "state": "done"})


class Look:
    """What stands on the Data screen."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot = pilot

    @property
    def screen(self) -> DataScreen:
        assert isinstance(self.pilot.app.screen, DataScreen)
        return self.pilot.app.screen

    @property
    def table(self) -> DataTable[Any]:
        return self.screen.query_one("#images", DataTable)

    @property
    def line(self) -> str:
        return str(self.screen.query_one("#images-line", Static).content)

    @property
    def headings(self) -> list[str]:
        return [str(column.label) for column in self.table.columns.values()]

    def column(self, name: str) -> list[str]:
        return [str(cell) for cell in self.table.get_column(name)]


async def test_an_empty_workspace_says_what_to_press(opened: Opener, shown: Shown, until: Wait) -> None:
    async with opened() as pilot:
        await until(pilot, lambda: "No pictures here yet." in shown(pilot))
        text = shown(pilot)
        assert "o chooses another folder of images" in text
        assert "m makes sample images" in text
        for key, told in (("i", "No images in the records"), ("v", "No distribution yet"), ("x", "Nothing is known")):
            await pilot.press(key)
            assert told in shown(pilot)


async def test_pictures_that_are_not_analyzed_are_counted(
    opened: Opener, shown: Shown, until: Wait, workspace: Workspace
) -> None:
    make_images(workspace.images / "deep", 3)
    async with opened() as pilot:
        await until(pilot, lambda: "3 pictures, not analyzed yet." in shown(pilot))
        assert "a analyzes them" in shown(pilot)


async def test_the_summary_is_that_of_the_records(
    opened: Opener, shown: Shown, until: Wait, workspace: Workspace, records: Records
) -> None:
    dataset = record(workspace, records, 250)
    broken = [Finding("a.png", "truncated", "truncated"), Finding("b.png", "unreadable", "empty (0 bytes)")]
    records.put_findings(dataset, ["truncated", "unreadable"], broken)
    records.exclude(dataset, ["cars/0000.png"])
    train(records, img_s=40.0)
    async with opened() as pilot:
        await until(pilot, lambda: "250" in shown(pilot))
        lines = [" ".join(line.split()) for line in shown(pilot).splitlines()]
    for expected in (
        "folder ~/workspace/database/images", "images 250, 99.2% of 252 files", "findings 2 x shows them",
        "excluded 1 from training", "formats PNG 166, JPEG 84", "channels RGB 200, gray 50",
        "size 281 kB, 1.1 kB an image", "pixels 640 × 480–484", "training 200, held out 50 (20%)",
        "pack 12.3 MB at 128 × 128", "epoch about 0:05, as redux took",
        "analyzed 5 min ago, in 0:08 (job 1)",
    ):  # fmt: skip
        assert expected in lines, expected


async def test_the_table_is_read_a_page_at_a_time(
    opened: Opener, until: Wait, workspace: Workspace, records: Records
) -> None:
    record(workspace, records, 2 * PAGE + 50)
    async with opened(keys="i") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.line.startswith("1–100 of 250"))
        assert look.table.row_count == PAGE
        await pilot.press("G")
        await until(pilot, lambda: look.line.startswith("151–250 of 250"))
        assert look.table.cursor_row == PAGE - 1
        first = look.column("path")
        await pilot.press("home")
        await until(pilot, lambda: look.line.startswith("1–100"))
        assert look.table.cursor_row == 0
        whole = look.column("path")
        look.table.move_cursor(row=PAGE - 1)
        await pilot.press("down")
        await until(pilot, lambda: look.line.startswith("101–200"))
        assert look.table.cursor_row == 0
        whole += look.column("path")
        await pilot.press("up")
        await until(pilot, lambda: look.line.startswith("1–100"))
        assert look.table.cursor_row == PAGE - 1
    whole += first[PAGE // 2 :]
    assert whole == sorted(whole)
    assert len(set(whole)) == 250


async def test_any_column_sorts_the_table(opened: Opener, until: Wait, workspace: Workspace, records: Records) -> None:
    record(workspace, records, 150)
    async with opened(keys="i") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.table.has_focus and look.table.row_count)
        await pilot.press("r")
        choices = pilot.app.screen.query_one(OptionList)
        texts = [str(choices.get_option_at_index(index).prompt) for index in range(choices.option_count)]
        assert len(texts) == 10 + 8 + 4, "the file, and the metrics of the groups that were measured"
        place = next(index for index, text in enumerate(texts) if text.startswith("mean "))
        await pilot.press(*["down"] * place, "enter")
        await until(pilot, lambda: "by mean, largest first" in look.line)
        values = [float(value) for value in look.column("mean")]
        assert values == sorted(values, reverse=True)
        assert look.headings[1] == "mean▼"
        await pilot.press("R")
        await until(pilot, lambda: "by mean   " in look.line)
        assert look.headings[1] == "mean▲"
        values = [float(value) for value in look.column("mean")]
        assert values == sorted(values)


async def test_the_metric_groups_take_turns(
    opened: Opener, until: Wait, workspace: Workspace, records: Records
) -> None:
    record(workspace, records, 20)
    async with opened(keys="i") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: "statistics (1/2)" in look.line)
        assert "deviation" in look.headings
        await pilot.press("down", "down", "c")
        await until(pilot, lambda: "exposure (2/2)" in look.line)
        assert "underexposed %" in look.headings
        assert "deviation" not in look.headings
        assert look.table.cursor_row == 2, "the cursor stays"
        await pilot.press("c")
        await until(pilot, lambda: "statistics (1/2)" in look.line)


async def test_the_filter_asks_the_records(opened: Opener, until: Wait, workspace: Workspace, records: Records) -> None:
    record(workspace, records, 250)
    async with opened(keys="i") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.table.row_count == PAGE)
        await pilot.press("slash", *"PETS/000")
        await until(pilot, lambda: look.column("path") == [f"pets/000{number}.png" for number in (1, 3, 5, 7, 9)])
        assert "1–5 of 5" in look.line
        await pilot.press("enter")
        assert look.table.has_focus
        await pilot.press("escape")
        await until(pilot, lambda: "of 250" in look.line)
        await pilot.press("slash", *"nothing")
        await until(pilot, lambda: look.line.startswith("no image"))
        await pilot.press("escape")
        await until(pilot, lambda: "of 250" in look.line)
        assert not look.screen.query_one("#images-filter", Input).display


async def test_enter_shows_the_image_in_the_viewer(
    opened: Opener, until: Wait, workspace: Workspace, records: Records
) -> None:
    make_images(workspace.images / "cars", 5)
    record(workspace, records, 10)
    async with opened(keys="i") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.table.row_count == 10)
        await until(pilot, lambda: look.table.has_focus)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen))
        await until(pilot, lambda: pilot.app.screen.query_one(FileList).current == "cars/0002.png")
        await pilot.press("1")
        assert look.table.has_focus


async def test_findings_are_listed_and_opened(
    opened: Opener, shown: Shown, until: Wait, workspace: Workspace, records: Records, hostile: str
) -> None:
    make_images(workspace.images, 2)
    (workspace.images / "0001.png").write_bytes(b"")
    name = hostile.replace("/", "") + ".png"
    dataset = record(workspace, records, 4)
    findings = [Finding("0001.png", "unreadable", "empty (0 bytes)"), Finding(name, "unreadable", "[b]bad[/b]")]
    records.put_findings(dataset, ["unreadable"], findings)
    async with opened(keys="x") as pilot:
        await until(pilot, lambda: "Unreadable" in shown(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "0001.png" in shown(pilot))
        table = pilot.app.screen.query_one("#finding-files", DataTable)
        assert "[bold red]x[] \\x1b[31m\\u202egpj.\\n\\xff.png" in [str(cell) for cell in table.get_column("path")]
        assert "[b]bad[/b]" in [str(cell) for cell in table.get_column("detail")]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen))
        await until(pilot, lambda: "This picture cannot be shown: empty" in shown(pilot))


async def test_the_distributions_are_drawn_and_told(
    opened: Opener, shown: Shown, until: Wait, workspace: Workspace, records: Records
) -> None:
    dataset = record(workspace, records, 250)
    async with opened(keys="v") as pilot:
        await until(pilot, lambda: SUMMARY in " ".join(shown(pilot).split()))
        text = shown(pilot)
        assert "all 250 images, mean 120" in text
        assert "training 200" in text
        assert "validation 50" in text
        assert text.count("255") == 2
    records.delete_histograms(dataset)
    records.put_histogram(dataset, "all", "gray", 9, [1] * 256)
    async with opened(keys="v") as pilot:
        await until(pilot, lambda: "all 9 images, mean 127.5" in shown(pilot))
        assert "validation" not in shown(pilot)


async def test_a_folder_is_chosen_by_keys(
    opened: Opener, until: Wait, shown: Shown, tmp_path: Path, workspace: Workspace
) -> None:
    make_images(tmp_path / "photos", 2)
    async with opened(values={"analysis.folder": str(tmp_path)}) as pilot:
        app = pilot.app
        assert isinstance(app, FextApp)
        await pilot.press("o", "slash", "ctrl+u", *"~/photos", "enter")
        await until(pilot, lambda: "2 pictures, not analyzed yet." in shown(pilot))
        assert app.settings.data.folder == str(tmp_path / "photos")
        assert app.settings.analysis.folder == ""
        await pilot.press("o", "slash", "ctrl+u", *"~/workspace/database/images", "enter")
        await until(pilot, lambda: app.settings.data.folder == "")


async def test_a_name_that_no_setting_can_hold_is_refused_with_its_reason(
    opened: Opener, until: Wait, tmp_path: Path, hostile: str
) -> None:
    name = hostile.replace("/", "")
    (tmp_path / name).mkdir()
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, FextApp)
        await pilot.press("o", "slash", "ctrl+u", *"~", "enter")
        await until(pilot, lambda: app.settings.data.folder == str(tmp_path))
        await pilot.press("o")
        await until(pilot, lambda: name in app.screen._inside.folders)  # type: ignore[attr-defined] # the dialog's
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: app.screen._folder == tmp_path / name)  # type: ignore[attr-defined] # the dialog's
        await pilot.press("u")
        await until(pilot, lambda: any("data.folder" in note.title for note in app._notifications))
        assert app.settings.data.folder == str(tmp_path)


@pytest.mark.usefixtures("no_runner")
async def test_sample_images_go_into_an_empty_folder_only(
    opened: Opener, until: Wait, workspace: Workspace, records: Records, tmp_path: Path
) -> None:
    async with opened(values={"data.folder": str(tmp_path)}) as pilot:
        app = pilot.app
        assert isinstance(app, FextApp)
        await pilot.press("m")
        await until(pilot, records.jobs)
        job = records.jobs()[0]
        assert (job.kind, job.arguments) == (
            "sample",
            {"folder": str(workspace.images), "count": 600, "seed": 42},
        )
        assert app.settings.data.folder == ""
        make_images(workspace.images, 1)
        await pilot.press("m")
        await until(pilot, lambda: any("holds images already" in note.title for note in app._notifications))
        assert len(records.jobs()) == 1


@pytest.mark.usefixtures("no_runner")
async def test_the_settings_of_the_form_go_into_the_job(
    opened: Opener, until: Wait, records: Records, workspace: Workspace
) -> None:
    make_images(workspace.images, 1)
    async with opened(keys="f") as pilot:
        await pilot.press("down", "enter", "ctrl+u", *"entropy,edges", "enter", "a")
        await until(pilot, records.jobs)
    job = records.jobs()[0]
    assert job.kind == "analyze"
    assert job.settings["analysis"]["metrics"] == ["entropy", "edges"]


async def test_an_analysis_fills_the_screen_when_it_ends(
    opened: Opener, until: Wait, shown: Shown, workspace: Workspace
) -> None:
    make_images(workspace.images, 12)
    (workspace.images / "broken.png").write_bytes(b"no picture")
    async with opened(size=(120, 40)) as pilot:
        look = Look(pilot)
        await until(pilot, lambda: "13 pictures, not analyzed yet." in shown(pilot))
        await pilot.press("a")
        await until(pilot, lambda: look.screen.facts and look.screen.facts.is_analyzed, 120)
        await until(pilot, lambda: look.line.startswith("1–12 of 12"))
        await until(pilot, lambda: "Unreadable" in shown(pilot))
        facts = read_facts(workspace, asked_by(workspace, Settings()), lambda: True)
        assert facts.images == 12
        assert facts.findings["unreadable"] == 1
        assert set(facts.histograms) == {"all", "train", "validation"}
        assert facts.comparison
        await pilot.press("i", *["c"] * (len(METRIC_GROUPS) - 1))
        await until(pilot, lambda: "texture (7/7)" in look.line)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (99, 50), (120, 24), (120, 36), (200, 60)])
async def test_every_pane_can_be_reached_at_any_size(
    opened: Opener, until: Wait, workspace: Workspace, records: Records, size: tuple[int, int]
) -> None:
    dataset = record(workspace, records, 30)
    records.put_findings(dataset, ["truncated"], [Finding("a.png", "truncated", "truncated")])
    async with opened(size=size) as pilot:
        screen = Look(pilot).screen
        await until(pilot, lambda: screen.facts is not None)
        for key, name in (
            ("d", "dataset"),
            ("f", "settings"),
            ("i", "images"),
            ("v", "distribution"),
            ("x", "findings"),
        ):
            await pilot.press(key)
            pane = screen.query_one(f"#pane-{name}")
            await until(pilot, lambda pane=pane: pane.region.height >= 5 and pane.region.width >= 40)
            assert pane.region in screen.region
