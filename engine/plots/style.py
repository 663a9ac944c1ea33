"""The house style of all figures: colors, titles, axes, and how they are written.

Nothing global of matplotlib is touched, so that any thread may draw. Text is shown as it is: a ``$`` begins no
formula, and control characters are shown escaped.
"""

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from engine.files import make_folder, printable, replace_file

BLUE, ORANGE = "#0072B2", "#D55E00"
"""Two colors that are told apart with any color vision (M. Okabe and K. Ito, 2008)."""

INK, QUIET, AXIS, GRID = "#1f2730", "#59636e", "#c4ccd4", "#e3e8ec"
CUT = "#CC79A7"
"""Lines where something is cut off."""
COLORS = (BLUE, ORANGE, "#009E73", CUT)
DPI = 100


def new_figure(width: int, height: int) -> Figure:
    """Return an empty figure of so many pixels."""
    figure = Figure((width / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def head(figure: Figure, title: str, subtitle: str = "") -> None:
    """Write title and subtitle at the top left."""
    width, height = figure.get_figwidth() * DPI, figure.get_figheight() * DPI
    left = 24 / width
    figure.text(left, 1 - 22 / height, printable(title), va="top", size=15, weight="bold", color=INK, parse_math=False)
    figure.text(left, 1 - 52 / height, printable(subtitle), va="top", size=10.5, color=QUIET, parse_math=False)


def plain(axes: Axes) -> None:
    """Quieten axes: no box, pale lines, a grid behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(AXIS)
    axes.tick_params(colors=QUIET, length=3)
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def label(axes: Axes, x: str, y: str) -> None:
    """Say what stands across and up, with units."""
    axes.set_xlabel(x, color=QUIET)
    axes.set_ylabel(y, color=QUIET)


def legend(axes: Axes, columns: int) -> None:
    """Put the legend above the axes, at the right."""
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1.02), ncols=columns, labelcolor=INK)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, over an older one.

    Raises:
        FextError: the file cannot be written.

    """
    content = io.BytesIO()
    figure.savefig(content, format="png", pil_kwargs={"compress_level": 1})
    make_folder(path.parent)
    replace_file(path, content.getvalue())
