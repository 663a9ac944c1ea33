"""A picture beside its reconstruction: a real network in its child process."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import numpy as np
import pytest
from PIL import Image
from textual.pilot import Pilot

from engine.evaluation import evaluate
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.training import train
from engine.workspace import Workspace
from fext_tui.screens.viewer import ViewerScreen
from fext_tui.widgets.browser import Browser
from fext_tui.widgets.side_by_side import SideBySide

SMALL = {
    "data.image_height": 32, "data.image_width": 32, "model.latent_channels": 8, "training.epochs": 1,
    "training.batch_size": 8, "training.probe_images": 2, "evaluation.baseline_images": 0,
    "evaluation.feature_images": 0, "device.kind": "cpu",
}  # fmt: skip
Opener = Callable[..., AbstractAsyncContextManager[Pilot[None]]]
Wait = Callable[..., Any]
Shown = Callable[[Pilot[None]], str]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with twelve training images, the run ``first`` and an evaluation of it."""
    made = Workspace(tmp_path_factory.mktemp("beside") / "workspace").create()
    generator = np.random.default_rng(0)
    for number in range(12):
        coarse = generator.integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(coarse).resize((48, 40), Image.Resampling.BICUBIC).save(made.images / f"{number:02}.png")
    settings = Settings().with_values(SMALL)
    with Records(made) as records:
        train(settings, made, records, CollectedReport(), run=records.add_run("first", "redux"))
        evaluate(settings, made, records, CollectedReport(), checkpoint="first")
    return made


def canvas(pilot: Pilot[None]) -> SideBySide:
    assert isinstance(pilot.app.screen, ViewerScreen)
    return pilot.app.screen.query_one(SideBySide)


async def test_the_reconstruction_and_its_error_stand_beside_the_picture(
    opened: Opener, until: Wait, shown: Shown, workspace: Workspace, records: Records
) -> None:
    (row,) = records.evaluations("first")
    worst, second, *_ = records.image_errors(row["id"], order_by="psnr")
    async with opened(keys="2 c enter", size=(120, 36)) as pilot:
        await until(pilot, lambda: "held out" in shown(pilot))
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen))
        await until(pilot, lambda: len(canvas(pilot)._placed) == 3)
        assert f"PSNR {worst['psnr']:.2f} dB   SSIM {worst['ssim']:.4f}" in shown(pilot), "as it was measured"
        assert "first on CPU" in shown(pilot)
        original, restored, error = (placed.drawing for placed in canvas(pilot)._placed.values())
        assert (original.columns, original.rows) == (restored.columns, restored.rows) == (error.columns, error.rows)
        assert original.strips != restored.strips
        await pilot.press("j")
        await until(pilot, lambda: f"PSNR {second['psnr']:.2f} dB" in shown(pilot))
        assert pilot.app.screen.query_one(Browser).value == ("PSNR", second["psnr"])
        await pilot.press("v")
        assert not canvas(pilot).display


async def test_a_checkpoint_is_chosen_and_what_cannot_be_reconstructed_says_why(
    opened: Opener, until: Wait, shown: Shown, workspace: Workspace
) -> None:
    broken = workspace.images / "0.png"
    broken.write_bytes(b"no picture")
    try:
        async with opened(keys="3 v") as pilot:
            await until(pilot, lambda: "not a" in canvas(pilot)._note)
            await pilot.press("j")
            await until(pilot, lambda: len(canvas(pilot)._placed) == 3)
            await pilot.press("c")
            await until(pilot, lambda: "Reconstruct with" in shown(pilot))
            await pilot.press("enter")
            await until(pilot, lambda: canvas(pilot)._figures.startswith("first"))
    finally:
        broken.unlink()
