"""Histograms of levels in few bytes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.analysis.levels import LEVELS, packed, unpacked


@given(st.integers(1, 5), st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_packed_histograms_come_back_as_they_were(histograms: int, bits: int, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 2**bits, (histograms, LEVELS), dtype=np.int64)
    back = unpacked(packed(counts))
    assert back.dtype == np.int64
    assert np.array_equal(back, counts)


def test_the_largest_counts_come_back() -> None:
    counts = np.full((4, LEVELS), 2**32 - 1, np.int64)
    assert np.array_equal(unpacked(packed(counts)), counts)
    assert unpacked(packed(np.zeros((4, LEVELS), np.int64))).shape == (4, LEVELS)


def test_histograms_of_a_photograph_take_a_fraction_of_their_size() -> None:
    levels = np.random.default_rng(0).normal(128, 40, (4, 300 * 400)).clip(0, 255).astype(int)
    counts = np.stack([np.bincount(plane, minlength=LEVELS) for plane in levels])
    assert len(packed(counts)) < counts.nbytes / 4
