"""Descriptors against scikit-image, NumPy's histograms and its decomposition."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.feature import hog

from engine.errors import UsageError
from engine.evaluation.descriptors import (
    descriptors_of,
    level_histogram,
    oriented_gradients,
    pixel_components,
    raw_pixels,
)
from engine.images.decode import load_image


def noise(count: int, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, channels), np.uint8)


@pytest.fixture
def real(photos: Path) -> NDArray[np.uint8]:
    """Return twelve photographs of 64 × 64 pixels."""
    return np.stack([load_image(path, 64, 64, False) for path in sorted((photos / "val").iterdir())[:12]])


def _reference_hog(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    if pictures.shape[3] == 1:
        return np.stack([hog(picture[:, :, 0], 9, (8, 8), (2, 2)) for picture in pictures])
    return np.stack([hog(picture, 9, (8, 8), (2, 2), channel_axis=2) for picture in pictures])


@pytest.mark.parametrize("channels", [1, 3])
def test_oriented_gradients_equal_those_of_scikit_image(channels: int) -> None:
    pictures = noise(3, 64, 64, channels)
    pictures[1] = 77
    pictures[2, :, 32:] = 0
    np.testing.assert_allclose(oriented_gradients(pictures), _reference_hog(pictures), atol=2e-6)


def test_oriented_gradients_of_photographs(real: NDArray[np.uint8]) -> None:
    np.testing.assert_allclose(oriented_gradients(real), _reference_hog(real), atol=2e-6)


def test_color_histograms_equal_those_of_numpy() -> None:
    pictures = noise(3, 20, 31, 3)
    pictures[1] = 255
    found = level_histogram(pictures)
    for picture, histogram in zip(pictures, found, strict=True):
        counts = np.histogramdd(picture.reshape(-1, 3), bins=8, range=[(0, 256)] * 3)[0]
        np.testing.assert_allclose(histogram, np.sqrt(counts.ravel() / (20 * 31)), rtol=1e-6)
    np.testing.assert_allclose((found**2).sum(axis=1), 1, rtol=1e-5)


def test_gray_histograms_equal_those_of_numpy() -> None:
    [picture] = noise(1, 16, 90, 1)
    counts = np.histogram(picture, bins=64, range=(0, 256))[0]
    np.testing.assert_allclose(level_histogram(picture[None])[0], np.sqrt(counts / (16 * 90)), rtol=1e-6)


def test_raw_pixels_are_means_over_areas() -> None:
    pictures = noise(2, 96, 128, 3)
    means = pictures.reshape(2, 32, 3, 32, 4, 3).mean((2, 4)) / 255
    found = raw_pixels(pictures)
    assert found.shape == (2, 3072)
    np.testing.assert_allclose(found, means.reshape(2, -1), atol=0.51 / 255)


def test_components_tell_the_distances_that_they_can(real: NDArray[np.uint8]) -> None:
    found = pixel_components(real)
    assert found.shape == (12, 64)
    values = real.reshape(12, -1) / 255
    distances = np.linalg.norm(values[:, None] - values[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found[None], axis=2), distances, atol=1e-3)
    assert not found[:, 11:].any()


def test_components_know_the_training_side_alone(real: NDArray[np.uint8]) -> None:
    train = np.arange(12) < 8
    changed = real.copy()
    changed[~train] = 255 - changed[~train]
    before, after = pixel_components(real, train), pixel_components(changed, train)
    assert (before[train] == after[train]).all()
    assert (before[~train] != after[~train]).any()
    assert (pixel_components(changed) != pixel_components(real)).any()


@pytest.mark.parametrize(("channels", "dims"), [(1, [1024, 64, 1764, 64]), (3, [3072, 512, 1764, 64])])
@pytest.mark.parametrize("size", [(16, 16), (300, 17)])
def test_pictures_of_any_size_have_all_descriptors(size: tuple[int, int], channels: int, dims: list[int]) -> None:
    found = descriptors_of(noise(3, *size, channels))
    assert [values.shape for values in found.values()] == [(3, dim) for dim in dims]
    assert all(values.dtype == np.float32 and np.isfinite(values).all() for values in found.values())
    assert list(found)[1] == ("gray histogram" if channels == 1 else "color histogram")


def test_no_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="0 vectors"):
        descriptors_of(noise(0, 32, 32, 3))
