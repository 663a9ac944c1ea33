"""The order of an epoch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.training.order import batch_of, epoch_order, steps_of_epoch


@given(
    count=st.integers(1, 300),
    seed=st.integers(0, 2**31 - 1),
    epoch=st.integers(0, 1000),
    shuffle=st.booleans(),
    buffer=st.integers(0, 400),
)
def test_every_image_comes_once(count: int, seed: int, epoch: int, shuffle: bool, buffer: int) -> None:
    order = epoch_order(count, seed, epoch, shuffle=shuffle, buffer=buffer)
    assert sorted(order) == list(range(count))
    assert np.array_equal(order, epoch_order(count, seed, epoch, shuffle=shuffle, buffer=buffer))


@given(count=st.integers(1, 200), batch_size=st.integers(1, 64))
def test_batches_have_one_size_and_cover_the_epoch(count: int, batch_size: int) -> None:
    order = epoch_order(count, 1, 2, shuffle=True, buffer=0)
    batches = [batch_of(order, step, batch_size) for step in range(steps_of_epoch(count, batch_size))]
    assert {len(batch) for batch in batches} == {batch_size}
    assert set(np.concatenate(batches)) == set(range(count))
    assert np.array_equal(np.concatenate(batches)[:count], order)


def test_epochs_and_seeds_differ_and_no_shuffle_is_sorted() -> None:
    first = epoch_order(500, 1, 0, shuffle=True, buffer=0)
    assert not np.array_equal(first, epoch_order(500, 1, 1, shuffle=True, buffer=0))
    assert not np.array_equal(first, epoch_order(500, 2, 0, shuffle=True, buffer=0))
    assert np.array_equal(epoch_order(500, 1, 0, shuffle=False, buffer=8), np.arange(500))


@given(seed=st.integers(0, 1000))
def test_a_buffer_never_draws_from_beyond_its_reach(seed: int) -> None:
    order = epoch_order(400, seed, 0, shuffle=True, buffer=32)
    assert np.all(order < np.arange(400) + 32)
    assert not np.array_equal(order, np.arange(400))
