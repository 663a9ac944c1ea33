"""The grounds of the sample images: patterns in a few related colors, lit from one side, with grain."""

import colorsys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Generator = np.random.Generator
Field = NDArray[np.float32]

_COLORS = 4
_RELIEF = 1.6
_GRAIN = 3.0


def ground(generator: Generator, size: int, unlike: float) -> Field:
    """Return a ground (size, size, 3) in [0, 255], drawn from a generator, in other hues than ``unlike`` (0 to 1)."""
    pattern = _PATTERNS[generator.integers(len(_PATTERNS))](generator, size)
    colored = _colored(pattern, _palette(generator, unlike))
    lit = colored * (_light(generator, size) + _relief(generator, size))[..., None]
    grain = generator.standard_normal((size, size, 1), dtype=np.float32) * np.float32(generator.uniform(0, _GRAIN))
    return np.asarray(np.clip(lit + grain, 0, 255), dtype=np.float32)


def _clouds(generator: Generator, size: int, coarsest: int, persistence: float) -> Field:
    """Return a sum of noises (size, size) in [0, 1], each twice as fine as the one before, and weaker."""
    total = np.zeros((size, size), dtype=np.float32)
    cells, weight = coarsest, 1.0
    while cells <= size // 2:
        noise = Image.fromarray(generator.random((cells, cells), dtype=np.float32))
        total += weight * np.asarray(noise.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)
        cells, weight = cells * 2, weight * persistence
    return _stretched(total)


def _stretched(field: Field) -> Field:
    low, high = field.min(), field.max()
    return np.asarray((field - low) / max(high - low, 1e-6), dtype=np.float32)


def _mixed(one: Field, other: Field, share: float) -> Field:
    return np.asarray(one * share + other * (1 - share), dtype=np.float32)


def _plane(generator: Generator, size: int) -> tuple[Field, Field]:
    """Return coordinates (size, size) along two crossed directions, about the middle, the edge being 0.5."""
    angle = generator.uniform(0, np.pi)
    steps = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    x, y = np.meshgrid(steps, steps)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * cosine + y * sine, y * cosine - x * sine


def _gradient(generator: Generator, size: int) -> Field:
    along, _ = _plane(generator, size)
    return _stretched(along + np.float32(0.25) * _clouds(generator, size, 2, 0.4))


def _glow(generator: Generator, size: int) -> Field:
    along, across = _plane(generator, size)
    x, y = generator.uniform(-0.5, 0.5, 2).astype(np.float32)
    distance = np.hypot(along - x, across - y)
    return _stretched(distance + np.float32(0.15) * _clouds(generator, size, 4, 0.5))


def _sky(generator: Generator, size: int) -> Field:
    return _clouds(generator, size, int(generator.integers(2, 5)), float(generator.uniform(0.45, 0.65)))


def _waves(phase: Field, size: int, periods: float, sharpness: float) -> Field:
    """Return waves in [0, 1] of a phase in periods; the sharpest change over about two pixels."""
    edge = min(sharpness, size / (2 * np.pi * periods))
    return np.asarray(np.clip(0.5 + 0.5 * max(edge, 1.0) * np.sin(2 * np.pi * phase), 0, 1), dtype=np.float32)


def _stripes(generator: Generator, size: int) -> Field:
    along, _ = _plane(generator, size)
    periods = generator.uniform(3, 9)
    bent = along * periods + np.float32(generator.uniform(0, 0.8)) * _clouds(generator, size, 3, 0.4)
    return _mixed(_waves(bent, size, periods, generator.uniform(1, 8)), _sky(generator, size), 0.75)


def _checks(generator: Generator, size: int) -> Field:
    along, across = _plane(generator, size)
    periods = generator.uniform(2, 6)
    one, other = (_waves(axis * periods, size, periods, 8) for axis in (along, across))
    return _mixed(np.abs(one - other), _sky(generator, size), 0.7)


def _wood(generator: Generator, size: int) -> Field:
    along, across = _plane(generator, size)
    periods = generator.uniform(5, 10)
    x, y = generator.uniform(-0.8, 0.8, 2).astype(np.float32)
    distance = np.hypot((along - x) * 0.45, across - y)
    rise = (distance * periods + np.float32(1.1) * _clouds(generator, size, 3, 0.45)) % 1
    rings = np.minimum(rise, (1 - rise) * np.float32(size / (4 * periods)))
    return _mixed(rings, _clouds(generator, size, 8, 0.8), 0.7)


def _dots(generator: Generator, size: int) -> Field:
    along, across = _plane(generator, size)
    periods = generator.uniform(3, 7)
    product = np.cos(2 * np.pi * periods * along) + np.cos(2 * np.pi * periods * across)
    softness = max(0.15, 4 * np.pi * periods / size)
    dots = np.clip(0.5 + (product - generator.uniform(0.2, 1.2)) / softness, 0, 1).astype(np.float32)
    return _mixed(dots, _sky(generator, size), 0.7)


_PATTERNS: tuple[Callable[[Generator, int], Field], ...] = (
    _gradient, _glow, _sky, _stripes, _checks, _wood, _dots,
)  # fmt: skip


def _palette(generator: Generator, unlike: float) -> Field:
    """Return colors (4, 3) in [0, 255], dark to bright, of neighboring hues."""
    hue = unlike + generator.uniform(0.28, 0.72) + generator.uniform(-0.12, 0.12, _COLORS)
    saturation = generator.uniform(0.15, 0.7, _COLORS)
    value = np.sort(generator.uniform(0.15, 0.95, _COLORS))
    colors = [colorsys.hsv_to_rgb(h % 1, s, v) for h, s, v in zip(hue, saturation, value, strict=True)]
    return np.array(colors, dtype=np.float32) * 255


def _colored(field: Field, palette: Field) -> Field:
    """Return the colors (H, W, 3) that a field (H, W) in [0, 1] has on a palette (K, 3)."""
    stops = np.linspace(0, 1, len(palette))
    return np.stack([np.interp(field, stops, channel) for channel in palette.T], axis=-1).astype(np.float32)


def _light(generator: Generator, size: int) -> Field:
    along, _ = _plane(generator, size)
    return np.asarray(1 + generator.uniform(0.1, 0.5) * along, dtype=np.float32)


def _relief(generator: Generator, size: int) -> Field:
    """Return how much brighter a rough surface is where it leans to the upper left."""
    surface = _clouds(generator, size, 4, 0.7) * np.float32(generator.uniform(0, _RELIEF))
    rise = np.zeros_like(surface)
    rise[1:, 1:] = surface[1:, 1:] - surface[:-1, :-1]
    return np.clip(rise, -0.4, 0.4)
