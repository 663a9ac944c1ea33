"""Data and Viewer as they look, at three sizes, dark and light."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from textual.pilot import Pilot

from engine.records import Finding, Records
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.app import FextApp
from fext_tui.theme import LIGHT

SIZES = [(80, 24), (120, 36), (200, 60)]
NOW = 1_760_000_000.0
SUMMARY = (
    "Validation images differ somewhat from training images: darker on the whole (Jensen-Shannon 0.103, "
    "Kolmogorov-Smirnov 0.074, Wasserstein 8.51 gray levels)."
)
COLORS = (((52, 110, 180), (236, 190, 90)), ((70, 140, 80), (150, 70, 60)))

MakeApp = Callable[..., FextApp]
Run = Callable[[Pilot[None]], Awaitable[None]]


@pytest.fixture
def analyzed(workspace: Workspace, records: Records) -> Workspace:
    """Return a workspace with pictures of four plain quarters, and an analysis of them."""
    folder = workspace.images
    dataset = records.dataset(folder)
    names = [f"{place}/{number:03}.png" for place in ("harbor", "meadow") for number in range(70)]
    for number, turn in enumerate((1, -1)):
        quarters = np.array(COLORS, np.uint8)[:, ::turn]
        PIL.Image.fromarray(quarters.repeat(384, axis=0).repeat(512, axis=1)).save(workspace.root / f"{number}.png")
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).hardlink_to(workspace.root / f"{number % 2}.png")
    numbers = records.put_images(dataset, [
        {"path": name, "bytes": 41_000 + 997 * number, "modified_ns": 1, "format": "PNG", "width": 1024, "height": 768,
         "subset": "validation" if number % 5 == 0 else "train", "mode": "RGB", "bits": 8, "alpha": False,
         "gray": False}
        for number, name in enumerate(names)
    ])  # fmt: skip
    records.put_image_metrics("statistics", [
        {"image": image, "height": 768, "width": 1024, "mean": 90 + order * 0.37, "median": 88 + order % 9,
         "std": 31.25 + order % 7, "min": order % 5, "max": 240 + order % 16, "pixel_range": 230, "noise_std": 2.125,
         "noise_ratio": 0.0625}
        for order, image in enumerate(numbers.values())
    ])  # fmt: skip
    records.put_image_metrics("exposure", [
        {"image": image, "underexposed_pct": order / 9, "overexposed_pct": 1.5, "midtone_pct": 90,
         "mean_gray": 2 + (order * 37 % 140) * 1.6}
        for order, image in enumerate(numbers.values())
    ])  # fmt: skip
    levels = np.arange(256)
    for subset, images, middle in (("all", 140, 118), ("train", 112, 120), ("validation", 28, 108)):
        counts = (1e6 * np.exp(-(((levels - middle) / 40) ** 2)) + 2e5 * (np.abs(levels - 220) < 6)).astype(int)
        records.put_histogram(dataset, subset, "gray", images, counts.tolist())
    records.put_findings(
        dataset,
        ["truncated", "unreadable", "dark"],
        [
            Finding("harbor/[b]old[/b].jpg", "truncated", "truncated"),
            Finding("x.png", "unreadable", "empty"),
            *(Finding(name, "dark", f"{number + 2} mean gray level, below 15", number) for number, name in
              enumerate(names[:40:3])),
        ],
    )  # fmt: skip
    records.exclude(dataset, names[3:4])
    job = records.add_job("analyze", "cpu", Settings().model_dump(mode="json"), {})
    result = {"images": 140, "skipped": 2, "seconds": 1.4, "folder": str(folder), "plots": [], "csv": "",
              "summary": SUMMARY}  # fmt: skip
    records.change_job(job, state="done", created=NOW - 7210, started=NOW - 7202, ended=NOW - 7200, result=result)
    return workspace


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


@pytest.mark.parametrize("size", SIZES)
def test_data(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace, size: Any
) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=looking("i"))


@pytest.mark.parametrize("pane", ["d", "f", "v", "x"])
def test_data_panes(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace, pane: str
) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking(pane))


def test_data_in_a_wide_but_low_terminal(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace
) -> None:
    assert snap_compare(make_app(), terminal_size=(120, 24), run_before=looking("v"))


def test_data_light(snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace) -> None:
    assert snap_compare(make_app(), terminal_size=(120, 36), run_before=looking("i", light=True))


def test_data_sorting(snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking("i r down down"))


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_data_findings(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace, size: Any
) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=looking("x down down enter"))


def test_data_distribution_of_a_metric(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace
) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking("v left_square_bracket"))


@pytest.mark.parametrize("size", SIZES)
def test_data_of_an_empty_workspace(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], size: Any
) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=looking(""))


def test_choosing_a_folder(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace
) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=looking("o down down"))


@pytest.mark.parametrize("size", SIZES)
def test_viewer(
    snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace, size: Any
) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=looking("3 j j j"))


def test_viewer_light(snap_compare: Any, make_app: MakeApp, looking: Callable[..., Run], analyzed: Workspace) -> None:
    assert snap_compare(make_app(), terminal_size=(120, 36), run_before=looking("3 j", light=True))


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


@pytest.mark.parametrize("keys", ["3 b", "3 r", "3 space a", "3 plus plus l", "3 colon c a", "ctrl+g down"])
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
