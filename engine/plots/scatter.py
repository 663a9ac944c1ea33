"""Points in two and three dimensions, colored by what is known of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from engine.files import printable
from engine.plots.style import AXIS, BLUE, COLORS, DPI, GRID, INK, QUIET, head, label, new_figure, plain, save

Points = NDArray[np.float64]

_MARKERS = tuple(zip((*COLORS, "#56B4E9", "#E69F00", "#882255", INK), "os^DvPX*", strict=True))
_OTHERS, _OTHERS_COLOR = "others", "#b4bcc4"
_NAME_LENGTH = 22
_LAYERS = 12
_AZIMUTHS, _ELEVATION = (-60.0, 30.0), 20.0
_RIGHT = 240
"""Pixels at the right for the legend."""


@dataclass(frozen=True)
class ByLabel:
    """Points colored by their labels; ``""`` stands for none. The eight largest have colors, the rest are gray."""

    labels: Sequence[str]


@dataclass(frozen=True)
class ByValue:
    """Points colored by a value (N,); those that have none (NaN) are gray."""

    values: ArrayLike
    name: str
    unit: str = ""


Coloring = ByLabel | ByValue | None


class _Group(NamedTuple):
    """Points that are drawn alike, by number (n,): their marker, colors (n, 4), and their name in the legend."""

    rows: NDArray[np.int64]
    marker: str
    colors: NDArray[np.float64]
    name: str


def _plain_group(rows: NDArray[np.int64], marker: str, color: str, name: str = "") -> _Group:
    return _Group(rows, marker, to_rgba_array([color]).repeat(len(rows), axis=0), name)


def scatter_figure(
    points: ArrayLike, path: Path, title: str, subtitle: str = "", *, by: Coloring = None, shares: Sequence[float] = ()
) -> None:
    """Draw points (N, 2) on axes of one scale, and write the figure to ``path``.

    ``shares`` are those of the variance along each axis, in [0, 1].

    Raises:
        FextError: the file cannot be written.

    """
    figure = new_figure(1100, 820)
    axes = _axes_at(figure, (80, 90, 1100 - 80 - _RIGHT, 660))
    plain(axes)
    axes.set_aspect("equal", adjustable="datalim")
    at = np.asarray(points, np.float64).reshape(-1, 2)
    order = np.random.default_rng(0).permutation(len(at))
    groups = _groups(by, len(at))
    _draw(axes, at, order, groups)
    label(axes, *_axis_names(shares, 2))
    _explain(axes, by, groups)
    head(figure, title, subtitle)
    save(figure, path)


def scatter3_figure(
    points: ArrayLike, path: Path, title: str, subtitle: str = "", *, by: Coloring = None, shares: Sequence[float] = ()
) -> None:
    """Draw points (N, 3) on axes of one scale, seen from two sides a quarter turn apart, and write it to ``path``.

    ``shares`` are those of the variance along each axis, in [0, 1]. Nearer points lie over farther ones.

    Raises:
        FextError: the file cannot be written.

    """
    figure = new_figure(1500, 780)
    at = np.asarray(points, np.float64).reshape(-1, 3)
    groups = _groups(by, len(at))
    width = (1500 - 40 - _RIGHT) // 2
    for number, azimuth in enumerate(_AZIMUTHS):
        axes = _axes_at(figure, (20 + number * (width + 20), 80, width, 680))
        axes.set_axis_off()
        axes.set_aspect("equal", adjustable="datalim")
        turn = _turn(np.deg2rad(azimuth), np.deg2rad(_ELEVATION))
        seen = at @ turn.T
        _draw_box(axes, at, turn, _axis_names(shares, 3))
        _draw(axes, seen[:, :2], np.argsort(seen[:, 2], kind="stable"), groups)
    _explain(axes, by, groups)
    head(figure, title, subtitle)
    save(figure, path)


def _axes_at(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    """Return axes in a box of (left, top, width, height) in pixels of the figure."""
    across, down = figure.get_figwidth() * DPI, figure.get_figheight() * DPI
    left, top, width, height = box
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def _axis_names(shares: Sequence[float], count: int) -> list[str]:
    if not len(shares):
        return [f"PC {number + 1}" for number in range(count)]
    return [
        f"PC {number + 1} ({100 * share:.{0 if share >= 0.1 else 1}f} %)"
        for number, share in zip(range(count), shares, strict=False)
    ]


def _groups(by: Coloring, count: int) -> list[_Group]:
    if isinstance(by, ByLabel):
        return list(_labelled(by.labels))
    rows = np.arange(count)
    if isinstance(by, ByValue):
        values = np.asarray(by.values, np.float64)
        known = np.isfinite(values)
        colors = colormaps["viridis"](_range(by)(values[known]))
        return [_plain_group(rows[~known], ".", _OTHERS_COLOR), _Group(rows[known], "o", colors, by.name)]
    return [_plain_group(rows, "o", BLUE)]


def _labelled(labels: Sequence[str]) -> Iterator[_Group]:
    counts = Counter(filter(None, labels))
    largest = sorted(counts, key=lambda name: (-counts[name], name))[: len(_MARKERS)]
    numbers = {name: number for number, name in enumerate(sorted(largest))}
    places = np.array([numbers.get(name, -1) for name in labels], np.int64)
    yield _plain_group(np.flatnonzero(places < 0), ".", _OTHERS_COLOR, _OTHERS)
    for (name, number), (color, marker) in zip(numbers.items(), _MARKERS, strict=False):
        yield _plain_group(np.flatnonzero(places == number), marker, color, name)


def _range(by: ByValue) -> Normalize:
    """Return the scale of colors: the middle 96 % of the values."""
    values = np.asarray(by.values, np.float64)
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, (0.02, 0.98)) if len(known) else (0.0, 1.0)
    return Normalize(float(low), float(high) if high > low else float(low) + 1)


def _draw(axes: Axes, at: Points, order: NDArray[np.int64], groups: Sequence[_Group]) -> None:
    """Draw groups of points (N, 2) in layers, the first of the order undermost, so that no group covers another."""
    layer = np.empty(len(at), np.int64)
    layer[order] = np.arange(len(at)) * _LAYERS // max(1, len(at))
    size = float(np.clip(30_000 / max(1, len(at)), 5, 42))
    for number in range(_LAYERS):
        for group in groups:
            chosen = layer[group.rows] == number
            across, up = at[group.rows[chosen]].T
            axes.scatter(
                across,
                up,
                s=size * _area(group.marker),
                marker=group.marker,
                c=group.colors[chosen],
                edgecolors="white",
                linewidths=0.3,
                zorder=2 if group.marker == "." else 3,
            )


def _area(marker: str) -> float:
    """Return what makes a marker look as large as a disk."""
    return {"*": 2.2, "P": 1.3, "X": 1.3, "D": 0.8}.get(marker, 1.0)


def _turn(azimuth: float, elevation: float) -> Points:
    """Return the rotation (3, 3) to right, up and towards the eye, seen from an azimuth and elevation in radians."""
    right = (-np.sin(azimuth), np.cos(azimuth), 0.0)
    up = (-np.sin(elevation) * np.cos(azimuth), -np.sin(elevation) * np.sin(azimuth), np.cos(elevation))
    return np.array([right, up, np.cross(right, up)])


def _draw_box(axes: Axes, at: Points, turn: Points, names: Sequence[str]) -> None:
    """Draw the box around points (N, 3) behind them, but for the edges at the nearest corner, and name three edges."""
    low, high = (at.min(axis=0), at.max(axis=0)) if len(at) else (np.zeros(3), np.ones(3))
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-9)
    nearest = np.where(turn[2] > 0, 1, -1)
    named = _named_edges(nearest, turn * half)
    for axis in range(3):
        for signs in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            place = np.insert(signs, axis, 0)
            if np.dot(place, nearest) == 2:
                continue
            start, center, end = (turn @ (middle + half * (place + step * np.eye(3)[axis])) for step in (-1, 0, 1))
            outer = tuple(place) == named[axis]
            axes.plot(*np.stack([start, end])[:, :2].T, color=AXIS if outer else GRID, linewidth=1, zorder=1)
            if outer:
                away = (center - turn @ middle)[:2]
                axes.annotate(
                    names[axis],
                    tuple(center[:2]),
                    tuple(24 * away / max(float(np.hypot(*away)), 1e-12)),
                    textcoords="offset points",
                    ha="center",
                    va="center",
                    rotation=90 if axis == 2 else 0,
                    color=QUIET,
                )


def _named_edges(nearest: NDArray[np.int64], seen: Points) -> list[tuple[int, ...]]:
    """Return the edges of a box that are named, one an axis, by the signs of their middle: 0 along their own axis.

    Across, they are those in front at the bottom; upwards, that at the left. ``seen`` turns the signs of a corner to
    right, up and towards the eye.
    """
    sides = ((nearest[0], -nearest[1], 0), (-nearest[0], nearest[1], 0))
    left = min(sides, key=lambda place: float((seen @ place)[0]))
    return [(0, nearest[1], -1), (nearest[0], 0, -1), left]


def _explain(axes: Axes, by: Coloring, groups: Sequence[_Group]) -> None:
    """Say outside the axes, at the right, what the colors mean."""
    if isinstance(by, ByLabel):
        _name_groups(axes, [*groups[1:], groups[0]])
    elif isinstance(by, ByValue):
        bar = axes.inset_axes((1.04, 0, 0.025, 1))
        drawn = bar.figure.colorbar(ScalarMappable(_range(by), "viridis"), cax=bar, extend="both")
        drawn.outline.set_visible(False)
        bar.tick_params(colors=QUIET, length=3)
        unit = f" ({by.unit})" if by.unit else ""
        bar.set_ylabel(printable(by.name + unit), color=QUIET, parse_math=False)


def _name_groups(axes: Axes, groups: Sequence[_Group]) -> None:
    """Put the legend of groups at the right of the axes, with how many points each has."""
    shown = [group for group in groups if len(group.rows)]
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            marker=group.marker,
            color=tuple(group.colors[0]),
            markeredgecolor="white",
            markersize=9 * _area(group.marker) ** 0.5,
        )
        for group in shown
    ]
    drawn = axes.legend(
        handles,
        [str(number) for number in range(len(shown))],
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.02, 1),
        borderaxespad=0,
        handletextpad=0.3,
        labelspacing=0.7,
        labelcolor=INK,
    )
    for text, group in zip(drawn.get_texts(), shown, strict=True):
        text.set_parse_math(False)
        name = printable(group.name)
        name = name if len(name) <= _NAME_LENGTH else "…" + name[1 - _NAME_LENGTH :]
        text.set_text(f"{name} ({len(group.rows):,})")
