"""Distances of distributions against their definitions."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.analysis.distribution import Distances, distances, sentence
from engine.analysis.levels import levels_of

histograms = st.lists(st.integers(0, 10_000), min_size=256, max_size=256).filter(any).map(np.array)


def shifted(level: int) -> NDArray[np.int64]:
    return np.bincount([level], minlength=256) * 1000


@given(histograms, histograms)
def test_distances_are_symmetric_and_within_their_ranges(p: NDArray[np.int64], q: NDArray[np.int64]) -> None:
    there, back = distances(p, q), distances(q, p)
    for name, most in (("jensen_shannon", 1), ("kolmogorov_smirnov", 1), ("wasserstein", 255)):
        assert 0 <= getattr(there, name) <= most + 1e-9
        assert getattr(there, name) == pytest.approx(getattr(back, name), abs=1e-9)
    assert there.mean_shift == pytest.approx(-back.mean_shift, abs=1e-9)
    assert abs(there.mean_shift) <= there.wasserstein + 1e-9


@given(histograms, histograms)
def test_jensen_shannon_is_the_entropy_of_the_mixture_less_the_mean_entropy(
    p: NDArray[np.int64], q: NDArray[np.int64]
) -> None:
    def entropy(shares: NDArray[np.float64]) -> float:
        return -sum(s * math.log2(s) for s in shares if s > 0)

    a, b = p / p.sum(), q / q.sum()
    divergence = entropy((a + b) / 2) - (entropy(a) + entropy(b)) / 2
    assert distances(p, q).jensen_shannon ** 2 == pytest.approx(max(0, divergence), abs=1e-9)


def test_levels_without_overlap_are_as_far_apart_as_can_be() -> None:
    apart = distances(shifted(20), shifted(120))
    assert apart == Distances(1.0, 1.0, 100.0, 100.0)


def test_equal_shares_have_no_distance_whatever_their_number() -> None:
    counts = np.random.default_rng(1).integers(0, 99, 256)
    apart = distances(counts, 7 * counts)
    assert max(apart.jensen_shannon, apart.kolmogorov_smirnov, apart.wasserstein) < 1e-6


@given(st.lists(st.integers(0, 255), min_size=1, max_size=300))
def test_levels_of_a_histogram_are_those_of_its_pixels(pixels: list[int]) -> None:
    levels = levels_of(np.bincount(pixels, minlength=256))
    assert levels.mean == pytest.approx(np.mean(pixels))
    assert levels.std == pytest.approx(np.std(pixels), abs=1e-9)
    assert (levels.median, levels.low, levels.high) == (np.median(pixels), min(pixels), max(pixels))


@pytest.mark.parametrize(
    ("wasserstein", "shift", "words"),
    [
        (1.0, 1.0, "practically the same"),
        (8.0, -8.0, "somewhat from training images: darker"),
        (30.0, 30.0, "clearly from training images: brighter"),
        (30.0, 1.0, "of another contrast"),
    ],
)
def test_the_sentence_says_how_they_differ(wasserstein: float, shift: float, words: str) -> None:
    apart = Distances(0.1, 0.1, wasserstein, shift)
    text = sentence(apart, 800, 200)
    assert words in text
    assert "Wasserstein" in text
    assert "chance" not in text


def test_the_sentence_warns_of_few_images_where_they_differ() -> None:
    apart = Distances(0.1, 0.1, 30.0, 30.0)
    assert "only 5 on one side" in sentence(apart, 800, 5)
    assert "chance" not in sentence(replace(apart, wasserstein=0.5), 800, 5)
