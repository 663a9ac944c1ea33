"""Error maps: one scale and the same colors wherever they are drawn."""

import numpy as np
from matplotlib import colormaps
from numpy.testing import assert_array_equal

from engine.error_colors import COLORS, MOST_ERROR, error_map


def test_the_colors_are_cividis() -> None:
    assert_array_equal(COLORS, colormaps["cividis"](np.arange(256), bytes=True)[:, :3])


def test_a_map_is_of_the_mean_over_the_channels_and_ends_at_the_limit() -> None:
    original = np.zeros((2, 3, 3), np.uint8)
    restored = original.copy()
    restored[0, 1] = 0, 30, 45
    restored[0, 2] = 0, 0, 60
    restored[1] = [[51] * 3, [52] * 3, [255] * 3]
    expected = [0, 25 / 255, 20 / 255, MOST_ERROR, MOST_ERROR, MOST_ERROR]
    steps = [min(int(error / MOST_ERROR * 256), 255) for error in expected]
    assert_array_equal(error_map(original, restored).reshape(-1, 3), COLORS[steps])
    assert_array_equal(error_map(restored, original), error_map(original, restored))


def test_a_gray_picture_is_colored_too() -> None:
    gray = np.arange(0, 60, dtype=np.uint8).reshape(6, 10, 1)
    assert_array_equal(error_map(gray, gray * 0), error_map(np.repeat(gray, 3, 2), np.zeros((6, 10, 3), np.uint8)))
