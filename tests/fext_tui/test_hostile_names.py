"""Names of every kind on every screen: nothing of them reaches the terminal raw, and no column breaks."""

import csv
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.cells import cell_len, set_cell_size
from textual.pilot import Pilot

from engine.records import Finding, Records
from engine.settings import Settings
from engine.workspace import LATENT_FILE, Workspace
from fext_tui.widgets.contact_sheet import ContactSheet
from tests.fext_tui.conftest import HOSTILE, NOW, SPREAD, Furniture

PLAIN = HOSTILE.replace("/", "")
WIDE = "日本語の写真" * 6
NAMES = [
    PLAIN,
    WIDE,
    "👩\u200d👩\u200d👧 🏳️\u200d🌈 👍🏽",
    "e\u0301\u0327" * 8,
    "\u202eגדול\u2066 العربية\u2069",
    "\x9b31mC1\x85\u2028",
    "tab\tand\rreturn\x07",
    "\udcff\udc80",
    "x" * 240,
]
"""Names that a file can have, without its ending."""
LONG = f"{PLAIN} {'long ' * 800}"
"""A text of over 4,000 characters that a person or a program may have written into the records."""
KINDS = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""What a terminal would act on, hide or fail at."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace in a folder of a bad name."""
    return Workspace(tmp_path / PLAIN.replace("\udcff", "")).create()


@pytest.fixture
def named(workspace: Workspace, records: Records, furniture: Furniture) -> Workspace:
    """Return a workspace in which whatever can have a name has a bad one."""
    files = [f"{name}.png" for name in NAMES] + [f"{name}/in.png" for name in NAMES[:3]]
    Image.new("RGB", (40, 30), "teal").save(workspace.root / "picture.png")
    for name in files:
        (workspace.images / name).parent.mkdir(exist_ok=True)
        (workspace.images / name).hardlink_to(workspace.root / "picture.png")
    analyze(workspace, records, files)
    for name in (WIDE, PLAIN, LONG):
        train(furniture, name)
    furniture.checkpoint("redux", NOW - 50)
    evaluate(workspace, records, files)
    for name in NAMES[:6]:
        (workspace.configurations / f"{name}.toml").touch()
    return workspace


def analyze(workspace: Workspace, records: Records, files: list[str]) -> None:
    """Write an analysis in which every file is dark."""
    dataset = records.dataset(workspace.images)
    numbers = records.put_images(dataset, [
        {"path": name, "bytes": 4100, "modified_ns": 1, "format": "PNG", "width": 40, "height": 30, "subset": "train"}
        for name in files
    ])  # fmt: skip
    records.put_image_metrics("exposure", [
        {"image": image, "underexposed_pct": 1, "overexposed_pct": 2, "midtone_pct": 90, "mean_gray": 77}
        for image in numbers.values()
    ])  # fmt: skip
    found = [Finding(name, "dark", PLAIN, 1.0, other) for name, other in zip(files, files[::-1], strict=True)]
    records.put_findings(dataset, ["dark"], found)
    job = records.add_job("analyze", "cpu", Settings().model_dump(mode="json"), {})
    told = {"images": 12, "skipped": 0, "seconds": 1.0, "folder": str(workspace.images), "plots": [], "csv": "",
            "summary": PLAIN}  # fmt: skip
    records.change_job(job, state="done", created=NOW - 90, started=NOW - 80, ended=NOW - 80, result=told)


def train(furniture: Furniture, name: str) -> None:
    """Write a run of this name, which is its note too, and a job that failed with it."""
    records = furniture.records
    run = records.add_run(name, "redux", note=name)
    job = records.add_job("train", "cpu", Settings().model_dump(mode="json"), {"name": name}, run)
    furniture.lines(job, NOW - 60, name, f"[bold]{name}[/bold]", level="error")
    records.add_metrics(run, [(5, 0.1, NOW - 50, {"train/loss": 0.1, "validation/psnr": 20.0})])
    error = {"cause": name, "remedy": name, "exit_code": 1, "traceback": f"{name}\n{name}"}
    records.change_job(job, state="failed", created=NOW - 70, started=NOW - 60, ended=NOW - 20, error=error)


def evaluate(workspace: Workspace, records: Records, files: list[str]) -> None:
    """Write an evaluation of the checkpoint with labels for names."""
    report = workspace.validation / "redux" / PLAIN
    report.mkdir(parents=True)
    summary = {"summary": {"psnr": SPREAD}, "baselines": {PLAIN: {"title": PLAIN, "psnr": 12.5}}, "worth": {}}
    values = {
        "job": None, "checkpoint": "redux", "folder": workspace.stored_path(workspace.images), "subset": "folder",
        "images": len(files), "skipped": 0, "mae": 0.03, "mse": 0.002, "psnr": 25.0, "ssim": 0.8, "cosine": 0.9,
        "rmse": 0.04, "ms_ssim": None, "fingerprint": "f", "seconds": 3.0, "report": workspace.stored_path(report),
        "summary": json.dumps(summary),
    }  # fmt: skip
    errors = {"mae": 0.1, "mse": 0.1, "psnr": 20.0, "ssim": 0.5, "cosine": 0.5, "ms_ssim": None}
    records.add_evaluation(values, [{"path": name, **errors} for name in files])
    with (report / LATENT_FILE).open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "psnr", "pc1", "pc2", "pc3"))
        writer.writerows((name, name, 20 + number, number % 3, number % 4, 1) for number, name in enumerate(files))


TOURS = {
    "data": "i | slash j | escape x | enter | e down down | escape o | down down enter | slash | escape escape f",
    "model": "2 | v o | c | enter | l | v c | escape o | escape d | escape n | escape l | down enter | "
             "exclamation_mark | escape colon m | escape question_mark | escape",
    "viewer": "3 | j j j j j j j j | f | escape t l plus | b | escape r | escape v | c | escape escape escape a | "
              "down enter | space space a | down enter | n | colon c | escape u slash j | escape escape y | v",
    "runs": "4 | i v b | down n | escape N | escape d | escape space space | i v b | slash x | "
            "escape exclamation_mark | escape u",
}  # fmt: skip
"""Keys that lead past whatever shows names; the screen is looked at where a line stands."""


def lines_of(pilot: Pilot[None]) -> list[str]:
    """Return the lines of the screen as they are sent to the terminal."""
    return ["".join(segment.text for segment in line) for line in pilot.app.screen._compositor.render_strips()]


def problems(pilot: Pilot[None]) -> list[str]:
    """Return the lines of the screen that are not as wide as it is, or hold what a terminal would act on."""
    found = []
    for line in lines_of(pilot):
        hidden = {one for one in line if unicodedata.category(one) in KINDS}
        if hidden or cell_len(line) != pilot.app.size.width:
            found.append(f"{hidden or cell_len(line)}: {line!r}")
    return found


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("tour", TOURS)
async def test_nothing_reaches_the_terminal_raw(tour: str, opened: Any, settle: Any, no_runner: None) -> None:
    async with opened() as pilot:
        await settle(pilot)
        for keys in TOURS[tour].split(" | "):
            await pilot.press(*keys.split())
            await settle(pilot)
            assert problems(pilot) == [], keys
        for size in ((120, 36), (200, 60)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert problems(pilot) == [], size


def places(lines: list[str], ending: str, cell: str) -> set[int]:
    """Return in which columns of the terminal ``cell`` stands on the lines that hold ``ending`` before it."""
    found = (line[: line.rindex(cell)] for line in lines if cell in line and ending in line[: line.rindex(cell)])
    return {cell_len(before) for before in found}


@pytest.mark.usefixtures("named")
async def test_wide_names_move_no_column(opened: Any, settle: Any) -> None:
    async with opened(size=(80, 24), keys="i") as pilot:
        await settle(pilot)
        assert len(places(lines_of(pilot), ".png", " 40 ")) == 1
        await pilot.resize_terminal(160, 48)
        await pilot.press("4")
        await settle(pilot)
        assert len(places(lines_of(pilot), "failed", " 1 min")) == 1
        assert "日" in "".join(lines_of(pilot))


@pytest.mark.usefixtures("named")
async def test_names_that_are_too_wide_keep_their_endings(opened: Any, settle: Any) -> None:
    async with opened(size=(80, 24), keys="3") as pilot:
        await settle(pilot)
        side = [set_cell_size(line, 28) for line in lines_of(pilot)[4:16]]
        assert [line for line in side if not line.rstrip().endswith(".png")] == []
        assert any("日" in line and "…" in line for line in side)
        await pilot.press("t")
        await settle(pilot)
        sheet = pilot.app.screen.query_one(ContactSheet)
        grid, region = sheet.grid, sheet.content_region
        for row in range(2):
            line = lines_of(pilot)[region.y + row * (grid.height + 1) + grid.height]
            for column in range(grid.across):
                start = region.x + grid.margin + column * (grid.width + 1)
                name = set_cell_size(line, start + grid.width)[len(set_cell_size(line, start)) :]
                assert cell_len(name) == grid.width
                assert name.strip().endswith(".png"), name
