"""The split: by content alone, as large as asked for, equal and near-equal pictures on one side."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.images.alike import Indices, Pictures
from engine.images.split import split as split_by
from engine.sample.picture import picture_of
from engine.sample.shapes import shape_of
from tests.engine.images.album import Album, saved_anew

POOL = [picture_of(shape_of(6, number, 64), 6, number, 64) for number in range(60)]
PICTURES = [(np.asarray(picture), np.asarray(saved_anew(picture, 92))) for picture in POOL]


def album(chosen: Sequence[tuple[int, bool]]) -> Album:
    """Return pictures of the pool, by number, and whether it is the copy that was saved anew."""
    return Album([PICTURES[number][copied] for number, copied in chosen])


def split(pictures: Pictures, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Divide at the distance that is set by default."""
    return split_by(pictures, fraction, seed, 3)


chosen_pictures = st.lists(st.tuples(st.integers(0, 59), st.booleans()), min_size=1, max_size=60)
fractions = st.floats(0.01, 0.9)
seeds = st.integers(0, 2**31 - 1)


@given(chosen_pictures, fractions, seeds, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_names_and_order_do_not_matter(
    chosen: list[tuple[int, bool]], fraction: float, seed: int, random: Random
) -> None:
    _, held_out = split(album(chosen), fraction, seed)
    shuffled = list(chosen)
    random.shuffle(shuffled)
    _, again = split(album(shuffled), fraction, seed)
    assert sorted(chosen[number] for number in held_out) == sorted(shuffled[number] for number in again)


@given(chosen_pictures, fractions, seeds)
@settings(max_examples=60)
def test_every_picture_is_on_one_side_and_its_copies_with_it(
    chosen: list[tuple[int, bool]], fraction: float, seed: int
) -> None:
    train, held_out = split(album(chosen), fraction, seed)
    assert train.dtype == held_out.dtype == np.int64
    assert sorted([*train, *held_out]) == list(range(len(chosen)))
    assert list(train) == sorted(train)
    assert list(held_out) == sorted(held_out)
    assert not {chosen[number][0] for number in train} & {chosen[number][0] for number in held_out}
    assert len(train)


@given(st.sets(st.integers(0, 59), min_size=2, max_size=60), fractions, seeds)
@settings(max_examples=60)
def test_different_pictures_are_divided_exactly(numbers: set[int], fraction: float, seed: int) -> None:
    _, held_out = split(album([(number, False) for number in numbers]), fraction, seed)
    assert len(held_out) == min(max(1, round(fraction * len(numbers))), len(numbers) - 1)


@given(chosen_pictures, fractions, seeds)
@settings(max_examples=60)
def test_the_share_is_met_as_nearly_as_groups_allow(chosen: list[tuple[int, bool]], fraction: float, seed: int) -> None:
    _, held_out = split(album(chosen), fraction, seed)
    sizes = np.bincount([number for number, _ in chosen])
    assert abs(len(held_out) - fraction * len(chosen)) <= max(sizes) + 0.5


def test_the_seed_changes_the_split() -> None:
    pictures = album([(number, False) for number in range(60)])
    sides = {tuple(split(pictures, 0.2, seed)[1]) for seed in range(20)}
    assert len(sides) == 20
    everywhere = np.bincount(np.concatenate([split(pictures, 0.2, seed)[1] for seed in range(200)]), minlength=60)
    assert everywhere.min() > 15
    assert everywhere.max() < 75


def test_no_share_holds_nothing_out() -> None:
    train, held_out = split(album([(1, False), (2, False)]), 0.0, 42)
    assert (train.tolist(), held_out.tolist()) == ([0, 1], [])
    assert held_out.dtype == np.int64


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.9])
def test_one_picture_in_many_copies_is_trained_on(fraction: float) -> None:
    train, held_out = split(album([(3, False), (3, True), (3, False)]), fraction, 1)
    assert (len(train), len(held_out)) == (3, 0)


def test_a_large_group_does_not_push_the_share_off() -> None:
    chosen = [(0, False)] * 10 + [(number, False) for number in range(1, 51)]
    for seed in range(10):
        assert len(split(album(chosen), 0.2, seed)[1]) == 12


def test_new_pictures_leave_most_others_where_they_were() -> None:
    before = album([(number, False) for number in range(50)])
    after = album([(number, False) for number in range(55)])
    kept = set(split(before, 0.2, 9)[1]) & set(split(after, 0.2, 9)[1])
    assert len(kept) >= 8


def test_the_split_of_a_seed_stays_what_it_is() -> None:
    """Checkpoints and records rest on it."""
    flat = Album([np.full((16, 16, 3), level, dtype=np.uint8) for level in range(20)])
    assert split(flat, 0.25, 42)[1].tolist() == [3, 8, 14, 16, 19]
