"""What features hold, and what they are worth."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import ArrayLike

from engine.files import printable
from engine.plots.style import AXIS, BLUE, COLORS, INK, QUIET, head, label, legend, new_figure, plain, save

Interval = tuple[float, float, float]
"""A value and the ends of its interval."""

_LEVELS = (0.90, 0.95, 0.99)
_MANY = 20
_NAME_LENGTH = 24
_ROW, _PANEL, _GAP = 34, 290, 24
_TOP, _FOOT, _LEFT, _RIGHT = 118, 66, 200, 16
_LINES = {"--": "╌╌", ":": "┈┈"}
_OTHERS = "#a9b8c6"


def spectrum_figure(explained: ArrayLike, path: Path, title: str, subtitle: str = "") -> None:
    """Draw what the first principal components hold together of the variance, and where 90, 95 and 99 % are reached.

    ``explained`` are the shares (n,) in [0, 1] that the components hold, the largest first.

    Raises:
        FextError: the file cannot be written.

    """
    together = np.minimum(np.cumsum(np.asarray(explained, np.float64)), 1)
    figure = new_figure(1000, 620)
    axes = figure.add_axes((0.085, 0.11, 0.88, 0.7))
    plain(axes)
    label(axes, "principal components", "share of the variance (%)")
    marker = "o" if len(together) <= _MANY else None
    axes.plot(np.arange(1, len(together) + 1), 100 * together, color=BLUE, linewidth=1.8, marker=marker, markersize=4)
    if len(together) > _MANY:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.tick_params(which="minor", colors=AXIS, length=2)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(0, 103)
    if together.any():
        for color, level in zip(COLORS[1:], _LEVELS, strict=True):
            count = int(np.argmax(together >= level - 1e-12)) + 1
            line = [count, count], [0, 100 * together[count - 1]]
            axes.plot(*line, color=color, linewidth=1.4, linestyle="--", label=f"{100 * level:.0f} % by {count:,}")
        legend(axes, len(_LEVELS))
    head(figure, title, subtitle)
    save(figure, path)


def worth_figure(
    results: Mapping[str, Mapping[str, Interval]],
    path: Path,
    title: str,
    subtitle: str = "",
    *,
    own: frozenset[str] = frozenset(),
    levels: Mapping[str, float] | None = None,
) -> None:
    """Draw accuracies with their intervals, in [0, 1], as bars: a panel a method, a row a set of features.

    Args:
        results: accuracies by method, by the name of the features.
        path: the PNG file to write.
        title: at the top.
        subtitle: below it.
        own: names of the features that stand out, the others being what they are compared with; none: all.
        levels: accuracies by name that are marked by a line: what a guess attains.

    Raises:
        FextError: the file cannot be written.

    """
    methods = list(dict.fromkeys(method for accuracies in results.values() for method in accuracies))
    lines = list(zip(("--", ":"), (levels or {}).items(), strict=False))
    height, width = _TOP + _ROW * len(results) + _FOOT, max(760, _LEFT + _PANEL * len(methods) + _RIGHT)
    panel = (width - _LEFT - _RIGHT) / max(1, len(methods))
    top = max([0.05, *(high for one in results.values() for _, _, high in one.values()), *(levels or {}).values()])
    figure = new_figure(width, height)
    for number, method in enumerate(methods):
        left, bottom = (_LEFT + number * panel) / width, _FOOT / height
        axes = figure.add_axes((left, bottom, (panel - _GAP) / width, 1 - bottom - _TOP / height))
        _bars(axes, {name: one.get(method) for name, one in results.items()}, own or frozenset(results), 100 * top)
        axes.set_title(printable(method), loc="left", fontsize=11, color=INK, pad=8)
        axes.set_yticklabels([_short(name) for name in results] if not number else [], color=INK, parse_math=False)
        for style, (_, value) in lines:
            axes.axvline(100 * value, color=QUIET, linewidth=1.2, linestyle=style, zorder=1.5)
    note = [f"{_LINES[style]} {printable(name)} {100 * value:.1f} %" for style, (name, value) in lines]
    note = ["accuracy (%), with its interval of 95 %", *note]
    figure.text(_LEFT / width, 16 / height, "      ".join(note), color=QUIET, parse_math=False)
    head(figure, title, subtitle)
    save(figure, path)


def _bars(axes: Axes, accuracies: Mapping[str, Interval | None], own: frozenset[str], top: float) -> None:
    """Draw a bar a row for accuracies in [0, 1]; ``top`` is the highest end of any interval, in percent."""
    plain(axes)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    ticks = [tick for tick in MaxNLocator(4).tick_values(0, top) if tick <= 100]
    axes.set(ylim=(len(accuracies) - 0.4, -0.6), yticks=range(len(accuracies)), xlim=(0, 1.3 * top), xticks=ticks)
    for row, (name, accuracy) in enumerate(accuracies.items()):
        if accuracy is not None:
            value, low, high = (100 * share for share in accuracy)
            axes.barh(row, value, height=0.62, color=BLUE if name in own else _OTHERS, zorder=2)
            axes.errorbar(
                value, row, xerr=[[value - low], [high - value]], color=INK, capsize=3, linewidth=1.2, zorder=3
            )
            axes.text(high + 0.03 * top, row, f"{value:.1f}", va="center", color=INK)


def _short(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= _NAME_LENGTH else "…" + shown[1 - _NAME_LENGTH :]
