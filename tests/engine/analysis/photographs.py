"""Pictures drawn as photographs are: detail at every scale, none like another."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def photograph(number: int, width: int = 96, height: int = 72) -> Image.Image:
    """Return one of many pictures in color whose spectrum falls as 1/f."""
    generator = np.random.default_rng((7, number))
    light = _detail(generator, height, width)
    tint = [_detail(generator, height, width) for _ in range(2)]
    planes = [light + 0.4 * tint[0], light - 0.2 * tint[0] + 0.2 * tint[1], light - 0.4 * tint[1]]
    middle = generator.uniform(105, 150)
    return Image.fromarray((middle + generator.uniform(32, 45) * np.stack(planes, 2)).clip(0, 255).astype(np.uint8))


def _detail(generator: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """Return a plane of mean 0 and deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width) * width)
    frequency[0, 0] = np.inf
    noise = np.fft.rfft2(generator.normal(size=(height, width)))
    plane = np.fft.irfft2(noise / frequency, s=(height, width))
    return np.asarray(plane / plane.std())
