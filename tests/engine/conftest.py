"""Small picture folders and settings with which training takes a second."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.settings import Settings, from_layers

SMALL: dict[str, Any] = {
    "data.image_height": 32,
    "data.image_width": 32,
    "model.latent_channels": 8,
    "model.downsampling": 8,
    "training.epochs": 2,
    "training.batch_size": 8,
    "training.probe_images": 0,
    "device.kind": "cpu",
    "evaluation.batch_size": 8,
    "evaluation.feature_images": 0,
    "encoding.batch_size": 8,
}


Draw = Callable[..., Path]


def _draw_pictures(folder: Path, count: int, *, seed: int = 0, size: int = 40) -> Path:
    """Write ``count`` pictures that differ: a colored gradient with two rectangles each."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    for number in range(count):
        slopes = generator.uniform(-1, 1, (3, 2))
        picture = np.stack([128 + 90 * (a * x + b * y) for a, b in slopes], 2)
        for _ in range(2):
            top, left = generator.integers(0, size - 12, 2)
            picture[top : top + 12, left : left + 8] = generator.integers(0, 256, 3)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"picture_{number:03d}.png")
    return folder


@pytest.fixture(scope="session")
def draw_pictures() -> Draw:
    """Return the function that writes pictures: (folder, count, seed=0, size=40), which returns the folder."""
    return _draw_pictures


@pytest.fixture(scope="session")
def small_values() -> dict[str, Any]:
    """Return the values by dotted key with which training takes a second."""
    return dict(SMALL)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder of 40 pictures of 40 × 40 pixels."""
    return _draw_pictures(tmp_path / "pictures", 40)


@pytest.fixture
def small(pictures: Path) -> Callable[..., Settings]:
    """Return a function that gives settings for `pictures`, with values by dotted key put over them."""

    def build(**values: Any) -> Settings:
        own = {name.replace("__", "."): value for name, value in values.items()}
        return from_layers(("", SMALL | {"data.folder": str(pictures)}), ("", own))

    return build
