"""Figures of single images: originals, reconstructions and where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.evaluation.measuring import Evaluated, Measured, reconstructions
from engine.evaluation.sections import Figure, Section, Table
from engine.evaluation.summary import METRICS, worst_and_best
from engine.images.scan import ImageFile
from engine.plots import reconstruction_figure
from engine.settings import Settings

_TITLES = {
    "chosen": "Chosen images",
    "random": "Random images",
    "worst": "Worst images",
    "best": "Best images",
}
_TEXTS = {
    "chosen": "The images that were asked for.",
    "random": "Drawn at random by the seed.",
    "worst": "Those of lowest PSNR, the lowest first.",
    "best": "Those of highest PSNR, the highest first.",
}


@dataclass(frozen=True)
class Gallery:
    """Some images that are shown: which kind of choice they are, and their numbers among those measured."""

    kind: str
    numbers: tuple[int, ...]

    def file(self, folder: Path) -> Path:
        """Return the path of its figure in a folder."""
        return figure(folder, self.kind)


def figure(folder: Path, kind: str) -> Path:
    """Return the path in a folder of the figure of a kind of choice."""
    return folder / f"reconstructions-{kind}.png"


def choose(settings: Settings, measured: Measured, asked: Sequence[ImageFile]) -> list[Gallery]:
    """Return the galleries of a report: chosen (where images were asked for), random, worst and best."""
    evaluation, total = settings.evaluation, len(measured.paths)
    count = min(evaluation.compared_images, total)
    number_of = {path: number for number, path in enumerate(measured.paths)}
    drawn = np.random.default_rng(evaluation.seed).choice(total, count, replace=False)
    worst, best = worst_and_best(measured.errors["psnr"], count)
    choices = {
        "chosen": [number_of[file.path] for file in asked if file.path in number_of],
        "random": sorted(drawn.tolist()),
        "worst": worst.tolist(),
        "best": best.tolist(),
    }
    return [Gallery(kind, tuple(numbers)) for kind, numbers in choices.items() if numbers]


def draw(done: Evaluated, galleries: Sequence[Gallery]) -> None:
    """Draw the figures of galleries into the report's folder, over older ones; those of other kinds are removed.

    Raises:
        FextError: a file cannot be written.

    """
    for kind in _TITLES:
        if kind not in {gallery.kind for gallery in galleries}:
            figure(done.folder, kind).unlink(missing_ok=True)
    measured, psnr = done.measured, done.measured.errors["psnr"]
    files = {file.path: file for file in done.images.manifest.files}
    for gallery in galleries:
        paths = [measured.paths[number] for number in gallery.numbers]
        pictures = reconstructions(done, (files[path] for path in paths))
        pairs = [
            (*pictures[path], f"{path}\n{psnr[number]:.1f} dB")
            for number, path in zip(gallery.numbers, paths, strict=True)
            if path in pictures
        ]
        mean = f"{psnr.mean(dtype=np.float64):.2f} dB over {len(psnr):,} images"
        title = f"{done.checkpoint} · {_TITLES[gallery.kind].lower()} · {mean}"
        reconstruction_figure(pairs, gallery.file(done.folder), title)


def gallery_section(done: Evaluated, gallery: Gallery) -> Section:
    """Return the section of a report that shows a gallery, whose figure `draw` has drawn."""
    measured = done.measured
    metrics = [metric for metric in METRICS if metric.key in measured.errors]
    rows: list[dict[str, Any]] = [
        {"path": measured.paths[number], **{one.key: float(measured.errors[one.key][number]) for one in metrics}}
        for number in gallery.numbers
    ]
    table = Table(
        ("Image", *(metric.label for metric in metrics)),
        tuple((row["path"], *(one.written(row[one.key]) for one in metrics)) for row in rows),
    )
    caption = f"{_TITLES[gallery.kind]}: original, reconstruction, and mean absolute error over the channels."
    return Section(
        title=_TITLES[gallery.kind],
        text=_TEXTS[gallery.kind],
        tables=(table,),
        figures=(Figure(gallery.file(done.folder), caption),),
        facts={gallery.kind: rows},
    )
