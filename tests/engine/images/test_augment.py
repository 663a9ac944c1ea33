"""Augmentation against a plain NumPy account of it."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.images.augment import augment
from engine.randomness import keys, uniform
from engine.settings import AugmentationSettings


def _reference(image: np.ndarray, draws: np.ndarray, changes: AugmentationSettings) -> np.ndarray:
    if draws[0] < changes.flip_horizontal:
        image = image[:, :, ::-1]
    if draws[1] < changes.flip_vertical:
        image = image[:, ::-1]
    if draws[3] < changes.brightness_probability:
        image = image + (2 * draws[2] - 1) * changes.brightness
    if draws[5] < changes.contrast_probability:
        factor = changes.contrast_low + draws[4] * (changes.contrast_high - changes.contrast_low)
        image = (image - image.mean()) * factor + image.mean()
    return image.clip(0, 1)


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), odds=st.floats(0, 1), brightness=st.floats(0, 1))
def test_each_image_is_changed_by_its_own_draws(seed: int, odds: float, brightness: float) -> None:
    changes = AugmentationSettings(
        enabled=True, brightness=brightness, brightness_probability=odds, contrast_probability=odds
    )
    images = torch.rand(5, 3, 12, 9, generator=torch.Generator().manual_seed(seed))
    image_keys = keys(seed, 1, torch.arange(5))
    draws = uniform(image_keys, 6, stream=1).numpy()
    expected = np.stack([_reference(images[n].numpy(), draws[n], changes) for n in range(5)])
    assert np.abs(augment(images, image_keys, changes).numpy() - expected).max() < 1e-5


def test_off_changes_nothing() -> None:
    images = torch.rand(3, 3, 8, 8)
    assert augment(images, keys(1, 1, torch.arange(3)), AugmentationSettings(enabled=False)) is images


def test_odds_are_those_of_the_settings() -> None:
    ramp = torch.linspace(0.3, 0.7, 8).expand(4000, 1, 8, 8)
    changes = AugmentationSettings(enabled=True, brightness_probability=0.25, contrast_probability=0)
    changed = augment(ramp, keys(3, 0, torch.arange(4000)), changes)
    flipped = (changed[:, 0, 0, 0] > changed[:, 0, 0, -1]).float().mean().item()
    shifted = ((changed.mean((1, 2, 3)) - 0.5).abs() > 1e-4).float().mean().item()
    assert abs(flipped - 0.5) < 0.04
    assert abs(shifted - 0.25) < 0.04
