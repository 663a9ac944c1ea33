"""From an empty workspace to the nearest pictures: by keys alone, each of them told where it is needed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from textual.pilot import Pilot

from engine.records import JobRow, Records

TINY = {
    "data.image_height": 32, "data.image_width": 32, "model.latent_channels": 8, "model.downsampling": 8,
    "training.epochs": 2, "training.batch_size": 8, "training.probe_images": 0, "device.kind": "cpu",
    "device.compile": "off", "device.workers": 1, "analysis.metrics": ("statistics", "exposure"),
}  # fmt: skip


class Person:
    """One who knows no key but those that the screen names."""

    def __init__(self, pilot: Pilot[None], until: Any, settle: Any, shown: Callable[[Pilot[None]], str]) -> None:
        self.pilot, self.until, self.settle, self.shown = pilot, until, settle, shown
        self.ended: list[JobRow] = []
        pilot.app.job_ended.subscribe(pilot.app, self.ended.append)

    async def sees(self, *words: str) -> None:
        """Wait until all these words stand on the screen."""
        for one in words:
            await self.until(self.pilot, lambda one=one: one in self.shown(self.pilot))

    async def presses(self, key: str, told: str) -> None:
        """Press a key of which the screen tells in these words."""
        await self.sees(told)
        await self.pilot.press(key)
        await self.settle(self.pilot)

    async def types(self, text: str) -> None:
        """Type a text in place of what stands in the field of a dialog, and press enter."""
        await self.pilot.press("ctrl+u", *text)
        await self.presses("enter", "esc cancel")

    async def waits(self, kind: str) -> None:
        """Wait until a job of this kind is done."""
        count = len(self.ended)
        await self.until(self.pilot, lambda: len(self.ended) > count)
        assert (self.ended[-1].kind, self.ended[-1].state) == (kind, "done"), self.ended[-1].error


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of 24 small pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(1)
    for number in range(24):
        coarse = Image.fromarray(generator.integers(0, 256, (4, 6, 3), dtype=np.uint8))
        coarse.resize((48, 32)).save(folder / f"{number:02}.png")
    return folder


@pytest.mark.usefixtures("photos")
async def test_an_empty_workspace_leads_to_the_nearest_pictures(
    opened: Any, until: Any, settle: Any, shown: Callable[[Pilot[None]], str], records: Records
) -> None:
    async with opened(size=(80, 24), values=TINY) as pilot:
        person = Person(pilot, until, settle, shown)
        await person.sees("No pictures here yet.", "m makes sample images")
        await person.presses("o", "o chooses another folder")
        await person.presses("/", "/ type a path")
        await person.types("~/photos")
        await person.sees("24 pictures, not analyzed yet.")
        await person.presses("a", "a analyzes them")
        await person.waits("analyze")
        await person.sees("PNG 24", "a Analyze")
        await person.presses("2", "2 Model")
        await person.presses("t", "t Train")
        await person.waits("train")
        await person.sees("best PSNR", "PSNR ◆ val", "loss ─ train")
        await person.presses("c", "c Checkpoints")
        await person.sees(person.ended[-1].result["checkpoint"], "32×32×3")
        await person.presses("e", "e Evaluate")
        await person.waits("evaluate")
        await person.presses("n", "n Encode")
        await person.types("~/photos")
        await person.waits("encode")
        await person.presses("3", "3 Viewer")
        await person.sees("1 of 24")
        await person.presses("v", "v Reconstruction")
        await person.sees("original", "reconstruction", "MAE", "SSIM")
        await person.presses("n", "n Nearest")
        await person.sees("Nearest to 00.png")
        await person.presses("j", "jk Move")
        await person.sees("2 of 24", "cosine 0.")
    assert [job.state for job in records.jobs()] == ["done"] * 4
