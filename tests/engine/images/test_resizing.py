"""Resizing against exact means over areas."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.images.resizing import resize

Pixels = NDArray[np.uint8]
Values = NDArray[np.float64]

sides = st.integers(1, 60)
channels = st.sampled_from([1, 3])
seeds = st.integers(0, 2**32 - 1)


def shares(length: int, shrunk: int) -> Values:
    """Return which share of each of ``length`` pixels the ``shrunk`` ones cover: (shrunk, length), rows of sum 1."""
    edges = np.arange(shrunk + 1) * length  # in units of 1/shrunk of a pixel, which are whole
    places = np.arange(length) * shrunk
    ends = np.minimum(edges[1:, None], places + shrunk)
    return np.maximum(0, ends - np.maximum(edges[:-1, None], places)) / length


def area_means(pixels: Pixels, height: int, width: int) -> Values:
    """Return means (height, width, C) over the areas of a picture that is enlarged along neither axis."""
    down, across = shares(pixels.shape[0], height), shares(pixels.shape[1], width)
    return np.einsum("yr,rcn,xc->yxn", down, pixels.astype(np.float64), across, optimize=True)


def picture(height: int, width: int, count: int, seed: int) -> Pixels:
    """Return noise, or blocks of black and white, where rounding is hardest."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (height, width, count), dtype=np.uint8)
    return np.where(noise > 127, 255, 0).astype(np.uint8) if seed % 3 == 0 else noise


def assert_rounded(resized: Pixels, means: Values) -> None:
    """Fail where a pixel is not the mean to the nearest level, or next to it where two levels are about as near."""
    assert np.abs(resized - means).max() <= 0.5 + 1e-3
    clear = np.abs(means % 1 - 0.5) > 1e-3
    np.testing.assert_array_equal(resized[clear], np.floor(means + 0.5)[clear])


@given(sides, sides, st.data(), channels, seeds)
@settings(max_examples=300)
def test_shrinking_gives_the_mean_over_each_area(
    height: int, width: int, data: st.DataObject, count: int, seed: int
) -> None:
    to_height, to_width = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    pixels = picture(height, width, count, seed)
    resized = resize(pixels, to_height, to_width)
    assert resized.shape == (to_height, to_width, count)
    assert resized.dtype == np.uint8
    assert_rounded(resized, area_means(pixels, to_height, to_width))


@pytest.mark.parametrize("size", [(61, 997), (1080, 1), (1, 1920), (483, 725), (1024, 64)])
@pytest.mark.parametrize("target", [(1, 1), (7, 1), (16, 16), (61, 33)])
def test_large_pictures_are_shrunk_as_exactly(size: tuple[int, int], target: tuple[int, int]) -> None:
    height, width = min(size[0], target[0]), min(size[1], target[1])
    pixels = picture(*size, 3, 1)
    assert_rounded(resize(pixels, height, width), area_means(pixels, height, width))


@given(sides, sides, sides, sides, channels, seeds)
@example(40, 4, 10, 8, 1, 1)
@example(4, 40, 8, 10, 3, 1)
@settings(max_examples=200)
def test_enlarging_goes_in_linear_steps_from_the_means_of_what_is_shrunk(
    height: int, width: int, to_height: int, to_width: int, count: int, seed: int
) -> None:
    pixels = picture(height, width, count, seed)
    resized = resize(pixels, to_height, to_width)
    means = area_means(pixels, min(height, to_height), min(width, to_width))
    for axis, length in ((0, to_height), (1, to_width)):
        means = np.apply_along_axis(steps, axis, means, length)
    assert resized.shape == means.shape
    assert np.abs(resized - means).max() <= 1.5  # half a level for the means, and one for what is between


def steps(values: Values, length: int) -> Values:
    """Return ``length`` values on straight lines between the middles of others."""
    places = (np.arange(length) + 0.5) * len(values) / length - 0.5
    return np.interp(places, np.arange(len(values)), values)


def test_a_view_is_resized_as_its_copy_is() -> None:
    pixels = picture(60, 80, 3, 4)
    for view in (pixels[::-1, ::2], pixels[..., ::-1], pixels.transpose(1, 0, 2)):
        np.testing.assert_array_equal(resize(view, 13, 17), resize(view.copy(), 13, 17))


def test_a_picture_of_the_size_asked_for_keeps_its_pixels() -> None:
    pixels = picture(13, 17, 3, 4)
    np.testing.assert_array_equal(resize(pixels, 13, 17), pixels)
