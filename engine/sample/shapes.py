"""The shapes of the sample images: what they are, where they lie, and their outlines."""

import colorsys
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Generator = np.random.Generator
Points = list[tuple[float, float]]

_PERIODS = {
    "circle": 0.0,
    "crescent": 360.0,
    "cross": 90.0,
    "hexagon": 60.0,
    "ring": 0.0,
    "square": 90.0,
    "star": 72.0,
    "triangle": 120.0,
}
LABELS = tuple(_PERIODS)
"""The labels, in the order in which they are dealt."""

_FINER = 8
"""Masks are drawn at this many times their size, and averaged: 65 levels of coverage at every edge."""
_STAR_WAIST = 0.42
_CROSS_ARM = 0.32
_HOLES = {"ring": (0.0, 0.58), "crescent": (0.42, 0.84)}
"""What is cut out of a disk: a smaller one, by the shift of its center and its radius, in radii of the shape."""
_DISK_CORNERS = 96


@dataclass(frozen=True)
class Shape:
    """What a sample image shows.

    ``x`` and ``y`` are the center in pixels from the left and upper edge, ``size`` the diameter of the circle around
    it in pixels, ``rotation`` in degrees clockwise, less than turns the shape into itself; the color is RGB, 0 to 255.
    """

    label: str
    x: float
    y: float
    size: float
    rotation: float
    r: int
    g: int
    b: int


def shape_of(seed: int, index: int, size: int) -> Shape:
    """Return what image ``index`` (from 0) of a seed shows, in ``size`` × ``size`` pixels; labels take turns."""
    generator = np.random.default_rng((seed, index, 0))
    label = LABELS[index % len(LABELS)]
    diameter = size * generator.uniform(0.3, 0.62)
    margin = diameter / 2 + size / 64
    x, y = generator.uniform(margin, size - margin, 2).tolist()
    hue, saturation, value = generator.uniform((0.0, 0.55, 0.65), (1.0, 1.0, 1.0))
    red, green, blue = (round(255 * level) for level in colorsys.hsv_to_rgb(hue, saturation, value))
    rotation = generator.uniform(0, 1) * _PERIODS[label]
    return Shape(label, round(x, 2), round(y, 2), round(diameter, 2), round(rotation, 2), red, green, blue)


def mask_of(shape: Shape, size: int) -> Image.Image:
    """Return the coverage of each pixel by a shape: gray levels (size × size), 255 where it is covered wholly."""
    mask = Image.new("L", (size * _FINER, size * _FINER))
    draw = ImageDraw.Draw(mask)
    draw.polygon([_placed(shape, point) for point in outline(shape.label)], fill=255)
    if shape.label in _HOLES:
        draw.polygon([_placed(shape, point) for point in _disk(*_HOLES[shape.label])], fill=0)
    return mask.reduce(_FINER)


def outline(label: str) -> Points:
    """Return the corners of a shape, without its hole, about (0, 0) in a circle of radius 1, clockwise."""
    if label == "star":
        return [_on_circle(36 * k, 1.0 if k % 2 == 0 else _STAR_WAIST) for k in range(10)]
    if label == "cross":
        reach = math.sqrt(1 - _CROSS_ARM**2)
        arm = [(-_CROSS_ARM, -reach), (_CROSS_ARM, -reach), (_CROSS_ARM, -_CROSS_ARM)]
        return [_turned(point, 90 * k) for k in range(4) for point in arm]
    corners = {"triangle": 3, "square": 4, "hexagon": 6}
    if label in corners:
        return [_on_circle(360 / corners[label] * k, 1.0) for k in range(corners[label])]
    return _disk(0.0, 1.0)


def _disk(shift: float, radius: float) -> Points:
    """Return a disk about (shift, 0), as a polygon that is nowhere 0.1 % of its radius off."""
    round_ = [_on_circle(360 / _DISK_CORNERS * k, radius) for k in range(_DISK_CORNERS)]
    return [(x + shift, y) for x, y in round_]


def _on_circle(degrees: float, radius: float) -> tuple[float, float]:
    return _turned((0.0, -radius), degrees)


def _turned(point: tuple[float, float], degrees: float) -> tuple[float, float]:
    """Return a point turned clockwise about (0, 0), with y growing downward."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return point[0] * cosine - point[1] * sine, point[0] * sine + point[1] * cosine


def _placed(shape: Shape, point: tuple[float, float]) -> tuple[float, float]:
    """Return where the fine mask has a corner."""
    x, y = _turned(point, shape.rotation)
    radius = shape.size / 2
    return (shape.x + radius * x) * _FINER, (shape.y + radius * y) * _FINER
