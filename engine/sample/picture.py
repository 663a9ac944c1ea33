"""One sample image: a shape with its shadow over a ground."""

import colorsys

import numpy as np
from PIL import Image, ImageFilter

from engine.sample.grounds import ground
from engine.sample.shapes import Shape, mask_of

_SHADOW = 0.45


def picture_of(shape: Shape, seed: int, index: int, size: int) -> Image.Image:
    """Return image ``index`` of a seed, ``size`` × ``size`` pixels, RGB; the same on every call."""
    generator = np.random.default_rng((seed, index, 1))
    mask = mask_of(shape, size)
    shadow = Image.new("L", mask.size)
    shadow.paste(mask, (size // 42, size // 28))
    shadow = shadow.filter(ImageFilter.GaussianBlur(size / 48))
    dark = 1 - np.asarray(shadow, dtype=np.float32)[..., None] * np.float32(_SHADOW / 255)
    hue = colorsys.rgb_to_hsv(shape.r, shape.g, shape.b)[0]
    below = Image.fromarray((ground(generator, size, hue) * dark).astype(np.uint8))
    return Image.composite(Image.new("RGB", (size, size), (shape.r, shape.g, shape.b)), below, mask)
