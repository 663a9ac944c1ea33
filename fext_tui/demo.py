"""The demo: everything the product does, once, on images that it draws itself."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, RenderableType
from rich.text import Text

from engine.jobs.submit import submit
from engine.records import JobRow, Records
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.progress import follow
from fext_tui.text import decibel, duration, rate

IMAGES = 600
SEED = 42
SETTINGS: dict[str, Any] = {
    "data.validation_folder": "",
    "data.image_height": 128,
    "data.image_width": 128,
    "model.variant": "redux",
    "training.minutes": 1.2,
    "evaluation.compared_images": 4,
}
"""What the demo sets where nothing else was asked for; the minutes keep all of it below three on two cores."""


@dataclass(frozen=True)
class Step:
    """One job of the demo: its title, its kind, and what it is submitted with."""

    title: str
    kind: str
    arguments: Mapping[str, Any]


@dataclass
class Demo:
    """A demo that is under way: its jobs as they ended, by kind."""

    workspace: Workspace
    records: Records
    settings: Settings
    console: Console
    images: Path
    jobs: dict[str, JobRow] = field(default_factory=dict)

    def play(self) -> JobRow:
        """Run one job after the other until one does not end well, and return the last."""
        began = time.monotonic()
        for number, step in enumerate(self._steps(), 1):
            self.console.print(Text.assemble((f"\n{number}/5 ", "bold cyan"), (step.title, "bold")))
            job = submit(self.workspace, self.records, step.kind, self.settings, step.arguments)
            job = follow(self.records, job.id, self.console, plot=self.settings.training.live_plot)
            self.jobs[step.kind] = job
            if job.state != "done":
                break
            told = f"{told_of(job)} · {duration(time.monotonic() - began)} since the start"
            self.console.print(Text(f"    {told}", style="green"))
        return job

    def _steps(self) -> Iterator[Step]:
        folder = self.workspace.stored_path(self.images)
        yield Step(f"Draw {IMAGES} labelled sample images", "sample", {"folder": folder, "count": IMAGES, "seed": SEED})
        yield Step("Measure them", "analyze", {"folder": folder})
        yield Step(f"Train FextAE Redux for {self.settings.training.minutes:g} minutes", "train", {})
        checkpoint = self.jobs["train"].result["checkpoint"] if self.jobs["train"].result else ""
        yield Step("Measure how well it reconstructs the held-out images", "evaluate", {"checkpoint": checkpoint})
        yield Step("Turn every image into a vector", "encode", {"checkpoint": checkpoint, "folder": folder})


def told_of(job: JobRow) -> str:
    """Return what a job of the demo achieved, in a few words."""
    result = job.result or {}
    match job.kind:
        case "sample":
            return f"{result['images']:,} images"
        case "analyze":
            return f"{result['images']:,} images, {len(result['plots'])} plots"
        case "train":
            reached = f"{decibel(result['val_psnr'])} on held-out images"
            return f"{reached} after {result['steps']:,} steps at {rate(result['img_s'])}"
        case "evaluate":
            return f"{decibel(result['psnr'])}, SSIM {result['ssim']:.3f} over {result['images']:,} images"
    return f"{result['rows']:,} vectors of {result['dim']:,} values"


def reconstruction_picture(figure: Path, columns: int) -> RenderableType:
    """Return the pictures of an evaluation's figure, originals over reconstructions, as half blocks.

    Raises:
        UnreadableImage: the figure is gone or damaged.

    """
    from textual.strip import StripRenderable

    from engine.images.decode import decode
    from engine.images.resizing import resize
    from fext_tui.drawing import half_blocks

    pixels = without_paper(decode(figure, gray=False))
    rows = max(1, round(columns * pixels.shape[0] / pixels.shape[1] / 2))
    return StripRenderable(list(half_blocks(resize(pixels, 2 * rows, columns))))


def without_paper(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a figure (H, W, 3) without its white margin and writing: the rows and columns that pictures fill."""
    inked: NDArray[np.bool_] = np.any(pixels < 250, axis=2)
    rows = np.flatnonzero(inked.mean(axis=1) > 0.6)
    columns = np.flatnonzero(inked[rows].mean(axis=0) > 0.6)
    if not len(rows) or not len(columns):
        return pixels
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
