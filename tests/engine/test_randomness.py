"""The random numbers that depend on (seed, epoch, image) alone."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.randomness import keys, uniform


@given(seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 10_000), order=st.permutations(list(range(12))))
def test_numbers_do_not_depend_on_the_place_in_a_batch(seed: int, epoch: int, order: list[int]) -> None:
    whole = uniform(keys(seed, epoch, torch.arange(12)), 7, stream=1)
    shuffled = uniform(keys(seed, epoch, torch.tensor(order)), 7, stream=1)
    assert torch.equal(shuffled, whole[order])


def test_numbers_are_uniform_and_unrelated() -> None:
    drawn = uniform(keys(42, 3, torch.arange(4000)), 64, stream=2).numpy().astype(np.float64)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    counts, _ = np.histogram(drawn, bins=64, range=(0, 1))
    chi_squared = ((counts - drawn.size / 64) ** 2 / (drawn.size / 64)).sum()
    assert chi_squared < 63 + 5 * np.sqrt(2 * 63)
    correlation = np.corrcoef(drawn[:, :16].T)
    assert np.abs(correlation - np.eye(16)).max() < 0.08
    neighbors = np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]
    assert abs(neighbors) < 0.01


def test_seeds_epochs_and_streams_differ() -> None:
    numbers = torch.arange(50)
    base = uniform(keys(1, 1, numbers), 8, stream=1)
    for other in (
        uniform(keys(2, 1, numbers), 8, stream=1),
        uniform(keys(1, 2, numbers), 8, stream=1),
        uniform(keys(1, 1, numbers), 8, stream=2),
    ):
        assert (base == other).float().mean() < 0.01
