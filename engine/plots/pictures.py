"""Pictures beside what became of them."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engine.files import printable
from engine.plots.style import INK, QUIET, head, new_figure, save

Pixels = NDArray[np.uint8]

_PAIRS_ACROSS = 8
_CAPTION_LENGTH = 24


def reconstruction_figure(pairs: Sequence[tuple[Pixels, Pixels, str]], path: Path, title: str) -> None:
    """Draw pictures (H, W, 1 or 3) over their reconstructions, and write the figure to ``path``.

    A pair is original, reconstruction and caption: a file name, and after its last line break what was measured.

    Raises:
        FextError: the file cannot be written.

    """
    across = max(1, min(len(pairs), _PAIRS_ACROSS))
    tile, gap, margin, top, foot = 176, 12, 34, 62, 52
    ratio = pairs[0][0].shape[0] / pairs[0][0].shape[1] if pairs else 1.0
    height = round(tile * min(max(ratio, 0.4), 2.5))
    band = 2 * height + gap // 2 + foot
    size = (max(600, 2 * margin + across * (tile + gap)), top + band * max(1, math.ceil(len(pairs) / across)))
    figure = new_figure(*size)
    for number, (original, reconstruction, caption) in enumerate(pairs):
        x, y = margin + number % across * (tile + gap), top + number // across * band
        for row, pixels in enumerate((original, reconstruction)):
            _picture(figure, pixels, (x, y + row * (height + gap // 2), tile, height), size)
            if number % across == 0:
                middle = 1 - (y + height / 2 + row * (height + gap // 2)) / size[1]
                name = ("original", "reconstruction")[row]
                figure.text((x - 14) / size[0], middle, name, rotation=90, va="center", ha="center", color=QUIET)
        _caption(figure, caption, ((x + tile / 2) / size[0], 1 - (y + band - foot + 6) / size[1]))
    head(figure, title)
    save(figure, path)


def learning_figure(columns: Sequence[tuple[str, Sequence[Pixels]]], path: Path, title: str) -> None:
    """Draw columns of pictures (H, W, 1 or 3), each under its name, and write the figure to ``path``.

    Raises:
        FextError: the file cannot be written.

    """
    tile, gap, margin, top = 128, 8, 24, 88
    rows = max(len(pictures) for _, pictures in columns)
    ratio = columns[0][1][0].shape[0] / columns[0][1][0].shape[1]
    height = round(tile * min(max(ratio, 0.4), 2.5))
    size = (max(600, 2 * margin + len(columns) * (tile + gap)), top + rows * (height + gap) + margin)
    figure = new_figure(*size)
    for column, (name, pictures) in enumerate(columns):
        x = margin + column * (tile + gap)
        figure.text((x + tile / 2) / size[0], 1 - (top - 10) / size[1], name, ha="center", color=QUIET)
        for row, pixels in enumerate(pictures):
            _picture(figure, pixels, (x, top + row * (height + gap), tile, height), size)
    head(figure, title)
    save(figure, path)


def _picture(figure: Figure, pixels: Pixels, box: tuple[float, float, float, float], size: tuple[int, int]) -> None:
    """Show a picture in a box of (left, top, width, height) in pixels of the figure."""
    x, y, width, height = box
    axes = figure.add_axes((x / size[0], 1 - (y + height) / size[1], width / size[0], height / size[1]))
    axes.set_axis_off()
    axes.imshow(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def _caption(figure: Figure, caption: str, at: tuple[float, float]) -> None:
    name, _, measured = caption.rpartition("\n")
    name = printable(name or measured)
    if len(name) > _CAPTION_LENGTH:
        name = "…" + name[1 - _CAPTION_LENGTH :]
    text = f"{name}\n{printable(measured)}" if "\n" in caption else name
    figure.text(*at, text, ha="center", va="top", fontsize=8.5, color=INK, linespacing=1.5, parse_math=False)
