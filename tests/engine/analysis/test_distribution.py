"""Distances of distributions against their definitions."""

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

from engine.analysis.distribution import (
    Distances,
    LevelDistances,
    level_distances,
    level_sentence,
    metrics_sentence,
    value_distances,
)
from engine.analysis.levels import levels_of

histograms = st.integers(0, 2**32 - 1).flatmap(
    lambda seed: st.integers(1, 256).map(lambda levels: _histogram(seed, levels))
)
samples = st.lists(st.floats(-1000, 1000), min_size=1, max_size=30).map(np.array)


def _histogram(seed: int, levels: int) -> NDArray[np.int64]:
    """Return counts of some of the levels, from one to many pixels each."""
    random = np.random.default_rng(seed)
    counts = np.zeros(256, np.int64)
    counts[random.choice(256, levels, replace=False)] = random.integers(1, 10 ** random.integers(1, 9), levels)
    return counts


def shifted(level: int) -> NDArray[np.int64]:
    return np.bincount([level], minlength=256) * 1000


@given(histograms, histograms)
def test_distances_are_symmetric_and_within_their_ranges(p: NDArray[np.int64], q: NDArray[np.int64]) -> None:
    there, back = level_distances(p, q), level_distances(q, p)
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
    assert level_distances(p, q).jensen_shannon ** 2 == pytest.approx(max(0, divergence), abs=1e-9)


def test_levels_without_overlap_are_as_far_apart_as_can_be() -> None:
    apart = level_distances(shifted(20), shifted(120))
    assert apart == LevelDistances(1.0, 1.0, 100.0, 100.0)


def test_equal_shares_have_no_distance_whatever_their_number() -> None:
    counts = np.random.default_rng(1).integers(0, 99, 256)
    apart = level_distances(counts, 7 * counts)
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
    apart = LevelDistances(0.1, 0.1, wasserstein, shift)
    text = level_sentence(apart, 800, 200)
    assert words in text
    assert "Wasserstein" in text
    assert "chance" not in text


def test_the_sentence_warns_of_few_images_where_they_differ() -> None:
    apart = LevelDistances(0.1, 0.1, 30.0, 30.0)
    assert "only 5 on one side" in level_sentence(apart, 800, 5)
    assert "chance" not in level_sentence(replace(apart, wasserstein=0.5), 800, 5)


# --- Values -----------------------------------------------------------------------------------------------------


@given(samples, samples)
def test_distances_of_values_are_those_of_scipy(one: NDArray[np.float64], other: NDArray[np.float64]) -> None:
    apart = value_distances(one, other)
    assert apart.wasserstein == pytest.approx(wasserstein_distance(one, other), rel=1e-9, abs=1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):  # in its p-value, which is not asked for
        gap = ks_2samp(one, other, method="asymp").statistic
    assert apart.kolmogorov_smirnov == pytest.approx(gap, abs=1e-12)
    assert apart.means == pytest.approx((one.mean(), other.mean()), abs=1e-9)
    both = np.concatenate([one, other])
    expected = apart.wasserstein / both.std() if both.std() else 0.0
    assert apart.effect == pytest.approx(expected, rel=1e-6)
    assert apart.jensen_shannon == pytest.approx(divergence(one, other, 8), abs=1e-6)


def divergence(one: NDArray[np.float64], other: NDArray[np.float64], bins: int) -> float:
    """Return the root of the Jensen-Shannon divergence over so many bins between the extremes."""
    both = np.concatenate([one, other])
    if both.min() == both.max():
        return 0.0
    edges = np.linspace(both.min(), both.max(), bins + 1)
    return float(jensenshannon(*(np.histogram(values, edges)[0] for values in (one, other)), base=2))


@pytest.mark.parametrize(("sizes", "bins"), [((5000, 70), 8), ((144, 170), 12), ((5000, 400), 20), ((9000, 5000), 64)])
def test_bins_are_as_many_as_the_smaller_sample_can_fill(sizes: tuple[int, int], bins: int) -> None:
    random = np.random.default_rng(5)
    one, other = random.normal(0, 1, sizes[0]), random.normal(0.5, 2, sizes[1])
    assert value_distances(one, other).jensen_shannon == pytest.approx(divergence(one, other, bins), abs=1e-9)


@given(samples, samples, st.randoms(use_true_random=False))
def test_distances_of_values_do_not_depend_on_their_order(
    one: NDArray[np.float64], other: NDArray[np.float64], random: Random
) -> None:
    shuffled = [np.array(random.sample(values.tolist(), len(values))) for values in (one, other)]
    assert value_distances(one, other) == value_distances(*shuffled)
    back = value_distances(other, one)
    assert value_distances(one, other) == replace(back, means=back.means[::-1])


@given(samples)
def test_values_are_at_no_distance_from_themselves(values: NDArray[np.float64]) -> None:
    apart = value_distances(values, np.repeat(values, 3))
    assert max(apart.wasserstein, apart.jensen_shannon, apart.kolmogorov_smirnov, apart.effect) < 1e-9
    assert apart.by_chance
    assert not apart.is_notable


def test_samples_of_one_distribution_differ_by_chance() -> None:
    random = np.random.default_rng(1)
    verdicts = [
        value_distances(random.gamma(2, size=large), random.gamma(2, size=small)).by_chance
        for large, small in [(400, 100), (60, 50), (1000, 20)] * 100
    ]
    assert verdicts.count(False) <= 3


@pytest.mark.parametrize("size", [20, 300, 5000])
def test_samples_of_two_distributions_do_not_differ_by_chance(size: int) -> None:
    random = np.random.default_rng(2)
    for _ in range(20):
        apart = value_distances(random.normal(0, 1, size), random.normal(2.5, 1, size))
        assert not apart.by_chance
        assert apart.is_notable


def test_a_sure_difference_that_is_small_is_not_notable() -> None:
    random = np.random.default_rng(3)
    apart = value_distances(random.normal(0, 1, 20_000), random.normal(0.1, 1, 20_000))
    assert not apart.by_chance
    assert 0.05 < apart.effect < 0.2
    assert not apart.is_notable


def metric(effect: float, *, by_chance: bool = False, means: tuple[float, float] = (1.0, 2.0)) -> Distances:
    return Distances(0.5, 0.5, 0.5, means, effect, by_chance)


def test_the_sentence_on_metrics_names_those_that_differ_most() -> None:
    metrics = {
        "mean_gray": metric(0.3, means=(110.0, 123.456)),
        "entropy_bits": metric(0.9, by_chance=True),
        "noise_std": metric(0.1),
        "colorfulness": metric(1.5, means=(0.00012345, 0.5)),
    }
    text = metrics_sentence(metrics)
    assert text.startswith("2 of 4 metrics")
    assert text.endswith("colorfulness 0.0001234 → 0.5, mean gray 110 → 123.5.")
    many = metrics_sentence({f"m{number}": metric(number) for number in range(1, 8)})
    assert "m7 1 → 2, m6 1 → 2, m5 1 → 2 and 4 more." in many


def test_the_sentence_on_metrics_says_where_none_differs() -> None:
    assert metrics_sentence({}) == ""
    text = metrics_sentence({"mean_gray": metric(0.9, by_chance=True), "noise_std": metric(0.19)})
    assert text == "None of 2 metrics differs by more than chance and a fifth of its deviation."
