"""Figures in one house style, drawn by matplotlib without a screen and written as PNG.

Nothing global of matplotlib is touched, so that any thread may draw. Text is shown as it is: a ``$`` begins no
formula, and control characters are shown escaped.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from engine.files import printable, replace_file, write_error

Pixels = NDArray[np.uint8]
Curve = tuple[ArrayLike, ArrayLike]
"""The values across and the values up, of equal length."""

BLUE, ORANGE = "#0072B2", "#D55E00"
"""Two colors that are told apart with any color vision (M. Okabe and K. Ito, 2008)."""

_INK, _QUIET, _AXIS, _GRID = "#1f2730", "#59636e", "#c4ccd4", "#e3e8ec"
_COLORS = (BLUE, ORANGE, "#009E73", "#CC79A7")
_CHANNEL_COLORS = {"gray": _QUIET, "red": ORANGE, "green": _COLORS[2], "blue": BLUE}
_CUT = "#CC79A7"
_DPI = 100
_BINS = 32
_PANELS_ACROSS = 7
_PANEL, _BARS = (232, 205), (190, 122)
"""Width and height in pixels of a panel of the overview, and of the bars in it."""
_PAIRS_ACROSS = 8
_CAPTION_LENGTH = 24
_FEW_POINTS = 40
_PEAKS_TOLD = 2


@dataclass(frozen=True)
class Panel:
    """A small histogram: one sample of values, or two over one another, with lines at ``cuts`` and a note above it."""

    samples: Sequence[ArrayLike]
    cuts: Sequence[float] = ()
    note: str = ""


def distribution_figure(channels: Mapping[str, ArrayLike], path: Path, title: str, subtitle: str = "") -> None:
    """Draw histograms of levels (256,) by channel (gray, red, green, blue) as shares of all pixels, into ``path``.

    Raises:
        FextError: the file cannot be written.

    """
    figure = _figure(1200, 700)
    axes = _axes_over_ramp(figure)
    _fill(axes, channels, [_CHANNEL_COLORS[channel] for channel in channels], filled=1)
    _legend(axes, len(channels))
    _head(figure, title, subtitle)
    _save(figure, path)


def comparison_figure(histograms: Mapping[str, ArrayLike], path: Path, title: str, subtitle: str = "") -> None:
    """Draw histograms of gray levels (256,), by name, over one another, and write the figure to ``path``.

    Raises:
        FextError: the file cannot be written.

    """
    figure = _figure(1200, 700)
    axes = _axes_over_ramp(figure)
    _fill(axes, histograms, _COLORS, filled=len(histograms))
    _legend(axes, len(histograms))
    _head(figure, title, subtitle)
    _save(figure, path)


def overview_figure(panels: Mapping[str, Panel], path: Path, title: str, subtitle: str = "") -> None:
    """Draw small histograms by title, and write the figure to ``path``.

    Values beyond the middle 99 % stand in the outermost bars; a line marks the median of each sample.

    Raises:
        FextError: the file cannot be written.

    """
    across = min(len(panels), _PANELS_ACROSS)
    down = math.ceil(len(panels) / across)
    figure = _figure(max(700, 48 + _PANEL[0] * across), 90 + _PANEL[1] * down)
    drawn = _Panels(figure)
    for number, (name, panel) in enumerate(panels.items()):
        corner = 36 + _PANEL[0] * (number % across), 84 + _PANEL[1] * (number // across)
        drawn.add(corner, printable(name), panel)
    drawn.draw()
    _head(figure, title, subtitle)
    _save(figure, path)


def curves_figure(loss: Mapping[str, Curve], psnr: Curve, path: Path, title: str) -> None:
    """Draw losses by name (for instance ``train``, ``validation``) and the PSNR in dB over epochs.

    Raises:
        FextError: the file cannot be written.

    """
    figure = _figure(1400, 600)
    left, right = (figure.add_axes((0.07 + 0.49 * n, 0.11, 0.42, 0.72)) for n in range(2))
    for color, (name, curve) in zip(_COLORS, loss.items(), strict=False):
        _line(left, curve, color, printable(name))
    _line(right, psnr, ORANGE, "validation")
    for axes, what, unit in ((left, "Loss", "loss"), (right, "PSNR of validation images", "dB")):
        _plain(axes)
        axes.set_title(what, loc="left", fontsize=12, color=_INK, pad=10)
        _label(axes, "epoch", unit)
    if loss:
        _log_scale(left, loss)
        left.legend(frameon=False, labelcolor=_INK)
    if not np.size(psnr[1]):
        right.text(0.5, 0.5, "none were held out", transform=right.transAxes, ha="center", color=_QUIET)
    _head(figure, title)
    _save(figure, path)


def reconstruction_figure(pairs: Sequence[tuple[Pixels, Pixels, str]], path: Path, title: str) -> None:
    """Draw pictures (H, W, 1 or 3) over their reconstructions, and write the figure to ``path``.

    A pair is original, reconstruction and caption: a file name, and after its last line break what was measured.

    Raises:
        FextError: the file cannot be written.

    """
    across = max(1, min(len(pairs), _PAIRS_ACROSS))
    tile, gap, label, head, foot = 176, 12, 34, 62, 52
    ratio = pairs[0][0].shape[0] / pairs[0][0].shape[1] if pairs else 1.0
    height = round(tile * min(max(ratio, 0.4), 2.5))
    band = 2 * height + gap // 2 + foot
    size = (max(600, 2 * label + across * (tile + gap)), head + band * max(1, math.ceil(len(pairs) / across)))
    figure = _figure(*size)
    for number, (original, reconstruction, caption) in enumerate(pairs):
        x, y = label + number % across * (tile + gap), head + number // across * band
        for row, pixels in enumerate((original, reconstruction)):
            _picture(figure, pixels, (x, y + row * (height + gap // 2), tile, height), size)
            if number % across == 0:
                middle = 1 - (y + height / 2 + row * (height + gap // 2)) / size[1]
                name = ("original", "reconstruction")[row]
                figure.text((x - 14) / size[0], middle, name, rotation=90, va="center", ha="center", color=_QUIET)
        _caption(figure, caption, ((x + tile / 2) / size[0], 1 - (y + band - foot + 6) / size[1]))
    _head(figure, title)
    _save(figure, path)


def learning_figure(columns: Sequence[tuple[str, Sequence[Pixels]]], path: Path, title: str) -> None:
    """Draw columns of pictures (H, W, 1 or 3), each under its name, and write the figure to ``path``.

    Raises:
        FextError: the file cannot be written.

    """
    tile, gap, margin, head = 128, 8, 24, 88
    rows = max(len(pictures) for _, pictures in columns)
    ratio = columns[0][1][0].shape[0] / columns[0][1][0].shape[1]
    height = round(tile * min(max(ratio, 0.4), 2.5))
    size = (max(600, 2 * margin + len(columns) * (tile + gap)), head + rows * (height + gap) + margin)
    figure = _figure(*size)
    for column, (name, pictures) in enumerate(columns):
        x = margin + column * (tile + gap)
        figure.text((x + tile / 2) / size[0], 1 - (head - 10) / size[1], name, ha="center", color=_QUIET)
        for row, pixels in enumerate(pictures):
            _picture(figure, pixels, (x, head + row * (height + gap), tile, height), size)
    _head(figure, title)
    _save(figure, path)


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
    figure.text(*at, text, ha="center", va="top", fontsize=8.5, color=_INK, linespacing=1.5, parse_math=False)


def _figure(width: int, height: int) -> Figure:
    """Return an empty figure of so many pixels."""
    figure = Figure((width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _head(figure: Figure, title: str, subtitle: str = "") -> None:
    """Write title and subtitle at the top left."""
    width, height = figure.get_figwidth() * _DPI, figure.get_figheight() * _DPI
    left = 24 / width
    figure.text(left, 1 - 22 / height, printable(title), va="top", size=15, weight="bold", color=_INK, parse_math=False)
    figure.text(left, 1 - 52 / height, printable(subtitle), va="top", size=10.5, color=_QUIET, parse_math=False)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_AXIS)
    axes.tick_params(colors=_QUIET, length=3)
    axes.grid(visible=True, color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, color=_QUIET)
    axes.set_ylabel(y, color=_QUIET)


def _axes_over_ramp(figure: Figure) -> Axes:
    """Return axes for shares over gray levels, with a ramp of the levels below them."""
    axes = figure.add_axes((0.075, 0.165, 0.9, 0.68))
    _plain(axes)
    axes.set(xlim=(-0.5, 255.5), xticks=[])
    axes.set_ylabel("share of pixels (%)", color=_QUIET)
    ramp = figure.add_axes((0.075, 0.13, 0.9, 0.028))
    ramp.imshow(np.arange(256)[None], cmap="gray", vmin=0, vmax=255, aspect="auto", extent=(-0.5, 255.5, 0, 1))
    ramp.set(yticks=[], xticks=[*range(0, 256, 32), 255])
    ramp.spines[:].set_visible(False)
    ramp.tick_params(colors=_QUIET, length=3)
    ramp.set_xlabel("gray level", color=_QUIET)
    return axes


def _legend(axes: Axes, columns: int) -> None:
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1.02), ncols=columns, labelcolor=_INK)


def _fill(axes: Axes, histograms: Mapping[str, ArrayLike], colors: Sequence[str], *, filled: int) -> None:
    """Draw shares of pixels, the first ``filled`` as areas.

    Peaks that would flatten all else are cut off, and tell their height.
    """
    shares = {
        name: 100 * np.asarray(counts, np.float64) / max(1, np.sum(counts)) for name, counts in histograms.items()
    }
    top = _upper_limit(np.stack(list(shares.values())))
    for number, (color, (name, values)) in enumerate(zip(colors, shares.items(), strict=False)):
        if number < filled:
            axes.fill_between(np.arange(256), values, step="mid", color=color, alpha=0.25, linewidth=0)
        axes.step(np.arange(256), values, where="mid", color=color, linewidth=1.6, label=printable(name))
        for level in np.argsort(values)[-_PEAKS_TOLD:]:
            if values[level] > top:
                side, shift = ("right", -6) if level > 128 else ("left", 6)
                axes.annotate(
                    f"{values[level]:.1f} %",
                    (level, top),
                    (shift, -14),
                    textcoords="offset points",
                    ha=side,
                    color=color,
                    fontsize=9.5,
                    annotation_clip=False,
                )
    axes.set_ylim(0, top)


def _upper_limit(shares: NDArray[np.float64]) -> float:
    """Return the top of the axis for shares (n, 256): all of them, or three times what 97 % of the levels reach."""
    usual, highest = float(np.quantile(shares, 0.97)), float(shares.max())
    return 1.08 * (highest or 1) if highest <= 4 * usual or not usual else 3 * usual


def _line(axes: Axes, curve: Curve, color: str, name: str) -> None:
    marker = "o" if np.size(curve[0]) < _FEW_POINTS else None
    axes.plot(*curve, color=color, linewidth=1.8, marker=marker, markersize=4, label=name)


def _log_scale(axes: Axes, curves: Mapping[str, Curve]) -> None:
    """Use a logarithmic scale where every value allows it."""
    if all(np.size(y) and np.min(y) > 0 for _, y in curves.values()):
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_formatter(FormatStrFormatter("%g"))
        axes.tick_params(which="minor", colors=_QUIET, length=2)


class _Panels:
    """Small histograms on one pair of axes that count the pixels of the figure, from the top left.

    Axes of their own for each would take 0.6 s longer to draw for 28 metrics.
    """

    def __init__(self, figure: Figure) -> None:
        width, height = figure.get_figwidth() * _DPI, figure.get_figheight() * _DPI
        self._axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self._axes.set_axis_off()
        self._areas: list[tuple[str, NDArray[np.float64]]] = []
        self._lines: list[tuple[str, NDArray[np.float64]]] = []

    def add(self, corner: tuple[float, float], name: str, panel: Panel) -> None:
        """Add a panel at a corner (left, top)."""
        left, base = corner[0], corner[1] + 22 + _BARS[1]
        samples = [np.asarray(values, np.float64) for values in panel.samples]
        low, high = (function(edge) for function, edge in zip((min, max), self._edges(samples), strict=True))
        if low == high:
            low, high = low - 0.5, high + 0.5

        def across(value: ArrayLike) -> NDArray[np.float64]:
            return np.asarray(left + _BARS[0] * (np.asarray(value) - low) / (high - low))

        self._line(_AXIS, (left, base), (left + _BARS[0], base))
        for color, values in zip((BLUE, ORANGE), samples, strict=False):
            counts, edges = np.histogram(np.clip(values, low, high), bins=_BINS, range=(low, high))
            tops = base - _BARS[1] * np.repeat(counts / counts.max(), 2)
            outline = np.stack([np.repeat(across(edges), 2)[1:-1], tops], axis=1)
            self._areas.append((color, np.concatenate([[[left, base]], outline, [[left + _BARS[0], base]]])))
            middle = float(across(np.median(values)))
            self._line(ORANGE if len(samples) == 1 else color, (middle, base), (middle, base - _BARS[1] - 4))
        for cut in panel.cuts:
            if low <= cut <= high:
                x = float(across(cut))
                self._line(_CUT, (x, base), (x, base - _BARS[1]))
        self._text((left, corner[1] + 12), name, 9.5, _INK, "left")
        self._text((left + _BARS[0], corner[1] + 12), printable(panel.note), 8, _QUIET, "right")
        for tick in MaxNLocator(3).tick_values(low, high):
            if low <= tick <= high:
                x = float(across(tick))
                self._line(_AXIS, (x, base), (x, base + 4))
                self._text((x, base + 16), f"{tick:g}", 8, _QUIET, "center")

    def _edges(self, samples: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the lower and the upper edges (2, n) of the middle 99 % of the samples."""
        return np.stack([np.percentile(values, (0.5, 99.5)) for values in samples], axis=1)

    def _line(self, color: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._lines.append((color, np.array([start, end])))

    def _text(
        self, at: tuple[float, float], text: str, size: float, color: str, align: Literal["left", "center", "right"]
    ) -> None:
        self._axes.text(*at, text, fontsize=size, color=color, ha=align, va="baseline", parse_math=False)

    def draw(self) -> None:
        """Draw the bars and lines of all panels."""
        fills, areas = zip(*self._areas, strict=True)
        alpha = 0.85 if len(set(fills)) == 1 else 0.5
        self._axes.add_collection(PolyCollection(areas, facecolors=list(fills), alpha=alpha))
        colors, lines = zip(*self._lines, strict=True)
        self._axes.add_collection(LineCollection(lines, colors=list(colors), linewidths=1.3))


def _save(figure: Figure, path: Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png", pil_kwargs={"compress_level": 1})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from error
    replace_file(path, content.getvalue())
