"""Pictures beside what became of them."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engine.error_colors import COLORS, MOST_ERROR, error_map
from engine.files import printable
from engine.plots.style import INK, QUIET, head, new_figure, save

Pixels = NDArray[np.uint8]

_PAIRS_ACROSS = 8
_CAPTION_LENGTH = 24
_ROWS = ("original", "reconstruction", "error")

_ERRORS = ScalarMappable(Normalize(0, MOST_ERROR), ListedColormap(COLORS / 255))


def reconstruction_figure(pairs: Sequence[tuple[Pixels, Pixels, str]], path: Path, title: str) -> None:
    """Draw pictures (H, W, 1 or 3) over their reconstructions and maps of the error, and write the figure to ``path``.

    A pair is original, reconstruction and caption: a file name, and after its last line break what was measured. The
    map shows of each pixel the mean absolute error over the channels, on the scale from 0 (black) to 1 (white), in
    colors that are the same in every figure.

    Raises:
        FextError: the file cannot be written.

    """
    across = max(1, min(len(pairs), _PAIRS_ACROSS))
    tile, gap, margin, top, foot, scale = 176, 12, 34, 62, 52, 44
    ratio = pairs[0][0].shape[0] / pairs[0][0].shape[1] if pairs else 1.0
    height = round(tile * min(max(ratio, 0.4), 2.5))
    step = height + gap // 2
    band = len(_ROWS) * step + foot
    below = top + band * max(1, math.ceil(len(pairs) / across))
    size = (max(600, 2 * margin + across * (tile + gap)), below + scale)
    figure = new_figure(*size)
    for number, (original, reconstruction, caption) in enumerate(pairs):
        x, y = margin + number % across * (tile + gap), top + number // across * band
        for row, pixels in enumerate((original, reconstruction, error_map(original, reconstruction))):
            _picture(figure, pixels, (x, y + row * step, tile, height), size)
            if number % across == 0:
                middle = 1 - (y + height / 2 + row * step) / size[1]
                figure.text((x - 14) / size[0], middle, _ROWS[row], rotation=90, va="center", ha="center", color=QUIET)
        _caption(figure, caption, ((x + tile / 2) / size[0], 1 - (y + band - foot + 6) / size[1]))
    _error_scale(figure, (margin, below, 220, 10), size)
    head(figure, title)
    save(figure, path)


def _error_scale(figure: Figure, box: tuple[float, float, float, float], size: tuple[int, int]) -> None:
    x, y, width, height = box
    axes = figure.add_axes((x / size[0], 1 - (y + height) / size[1], width / size[0], height / size[1]))
    bar = figure.colorbar(_ERRORS, axes, orientation="horizontal", extend="max", ticks=np.linspace(0, MOST_ERROR, 5))
    bar.outline.set_visible(False)
    axes.tick_params(colors=QUIET, length=3, labelsize=8)
    at = (x + width + 16) / size[0], 1 - (y + height / 2) / size[1]
    figure.text(*at, "error of a pixel, mean over channels (0–1)", va="center", fontsize=8.5, color=QUIET)


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
