"""The curves of a training run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, LogLocator
from numpy.typing import ArrayLike

from engine.files import printable
from engine.plots.style import COLORS, INK, ORANGE, QUIET, head, label, new_figure, plain, save

Curve = tuple[ArrayLike, ArrayLike]
"""The values across and the values up, of equal length."""

_FEW_POINTS = 40


def curves_figure(loss: Mapping[str, Curve], psnr: Curve, path: Path, title: str) -> None:
    """Draw losses by name (for instance ``train``, ``validation``) and the PSNR in dB over epochs.

    Raises:
        FextError: the file cannot be written.

    """
    figure = new_figure(1400, 600)
    left, right = (figure.add_axes((0.07 + 0.49 * n, 0.11, 0.42, 0.72)) for n in range(2))
    for color, (name, curve) in zip(COLORS, loss.items(), strict=False):
        _line(left, curve, color, printable(name))
    _line(right, psnr, ORANGE, "validation")
    for axes, what, unit in ((left, "Loss", "loss"), (right, "PSNR of validation images", "dB")):
        plain(axes)
        axes.set_title(what, loc="left", fontsize=12, color=INK, pad=10)
        label(axes, "epoch", unit)
    if loss:
        _log_scale(left, loss)
        left.legend(frameon=False, labelcolor=INK)
    if not np.size(psnr[1]):
        right.text(0.5, 0.5, "none were held out", transform=right.transAxes, ha="center", color=QUIET)
    head(figure, title)
    save(figure, path)


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
        axes.tick_params(which="minor", colors=QUIET, length=2)
