"""Points of a latent as a plot of text, in two dimensions or turned in three."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import FextError
from fext_tui.plotting import ONE_AT_A_TIME, Rgb, nice_ticks
from fext_tui.text import safe, shortened

MARKERS = "●▲■◆+x*o"
"""One for each of the labels of most images; the rest share ``·``."""
SHADES = ("#7a5fd0", "#4a86d8", "#21a69a", "#5ec962", "#fde725")
"""From dark to light in five steps, told apart with any color vision: viridis, but legible on a dark ground."""
_OTHERS = "·"
_LABEL_COLORS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#0072b2", "#999999")
"""Those of M. Okabe and K. Ito (2008)."""
_QUIET = "#888888"
_LONGEST = 16


@dataclass(frozen=True)
class Points:
    """Images along three principal components: labels (empty where there are none), PSNR in dB, coordinates (N, 3)."""

    labels: tuple[str, ...]
    psnr: tuple[float, ...]
    places: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Group:
    """Points that are drawn alike: their name, marker, color, and which they are."""

    name: str
    marker: str
    color: Rgb
    numbers: tuple[int, ...]


def read_points(path: Path) -> Points:
    """Return the points that an evaluation has left.

    Raises:
        FextError: there is no such file, or it cannot be understood.

    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = [
                (row["label"], float(row["psnr"]), (float(row["pc1"]), float(row["pc2"]), float(row["pc3"])))
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise FextError(f"{path} cannot be read: {error}.", "Evaluate the checkpoint again.") from error
    if not rows or not all(math.isfinite(value) for _, psnr, place in rows for value in (psnr, *place)):
        raise FextError(f"{path} holds no points.", "Evaluate the checkpoint again.")
    labels, psnr, places = zip(*rows, strict=True)
    return Points(labels, psnr, places)


def groups_of(points: Points, *, by_label: bool) -> list[Group]:
    """Return the points by label, those of most images first, or by a fifth of the PSNR each, the lowest first."""
    if by_label:
        counts: dict[str, list[int]] = {}
        for number, label in enumerate(points.labels):
            counts.setdefault(label, []).append(number)
        ordered = sorted(counts.items(), key=lambda item: (-len(item[1]), item[0]))
        groups = [
            Group(shortened(safe(label or "none"), _LONGEST), marker, _rgb(color), tuple(numbers))
            for (label, numbers), marker, color in zip(ordered, MARKERS, _LABEL_COLORS, strict=False)
        ]
        others = tuple(number for _, numbers in ordered[len(groups) :] for number in numbers)
        return [Group("others", _OTHERS, _rgb(_QUIET), others), *groups] if others else groups
    order = sorted(range(len(points.psnr)), key=points.psnr.__getitem__)
    parts = [order[len(order) * part // 5 : len(order) * (part + 1) // 5] for part in range(5)]
    return [
        Group(f"{points.psnr[part[0]]:.1f}–{points.psnr[part[-1]]:.1f} dB", "●", _rgb(color), tuple(part))
        for part, color in zip(parts, SHADES, strict=True)
        if part
    ]


def _rgb(color: str) -> Rgb:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def turned(places: Sequence[tuple[float, float, float]], degrees: float) -> list[tuple[float, float]]:
    """Return where points lie seen from a side, a little from above: the third axis upward, turned by ``degrees``."""
    turn, tilt = math.radians(degrees), math.radians(20)
    seen = []
    for x, y, z in places:
        across = x * math.cos(turn) - y * math.sin(turn)
        away = x * math.sin(turn) + y * math.cos(turn)
        seen.append((across, z * math.cos(tilt) + away * math.sin(tilt)))
    return seen


def plot(places: Sequence[tuple[float, float]], groups: Sequence[Group], width: int, height: int) -> str:
    """Return points as text with escape codes, ``width`` columns by ``height`` rows, both axes of one scale."""
    from textual_plotext.plot import Plot

    with ONE_AT_A_TIME:
        drawing = Plot()
        drawing._set_size(width, height)
        drawing.theme("clear")
        (left, right), (low, high) = _limits(places, width, height)
        drawing.xlim(left, right)
        drawing.ylim(low, high)
        across, upward = nice_ticks(left, right, max(width // 14, 2)), nice_ticks(low, high, max(height // 4, 2))
        drawing.xticks(across, [f"{tick:g}" for tick in across])
        drawing.yticks(upward, [f"{tick:g}" for tick in upward])
        for group in groups:
            x, y = zip(*(places[number] for number in group.numbers), strict=True)
            drawing.scatter(list(x), list(y), marker=group.marker, color=group.color)
        return str(drawing.build())


def _limits(
    places: Sequence[tuple[float, float]], width: int, height: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ends of both axes, for cells that are twice as high as wide."""
    columns, rows = max(width - 8, 1), 2 * max(height - 3, 1)
    middles, spans = [], []
    for values in zip(*places, strict=True):
        middles.append((min(values) + max(values)) / 2)
        spans.append((max(values) - min(values)) or 1.0)
    unit = max(spans[0] / columns, spans[1] / rows) * 1.04
    (x, y), half = middles, (unit * columns / 2, unit * rows / 2)
    return (x - half[0], x + half[0]), (y - half[1], y + half[1])


def legend(groups: Sequence[Group]) -> Mapping[str, Rgb]:
    """Return what stands in the legend, with colors."""
    return {f"{group.marker} {group.name} ({len(group.numbers):,})": group.color for group in groups}
