"""Near-equal pictures: found whatever was done to them, and nothing else is held for one."""

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from engine.images.alike import Pair, firsts_of, groups_of, near_equal, near_pairs
from engine.images.decode import load_image
from engine.images.hashing import perceptual_hash
from engine.images.resizing import resize
from engine.sample.picture import picture_of
from engine.sample.shapes import shape_of
from tests.engine.images.album import Album, saved_anew

Pixels = NDArray[np.uint8]


def drawing(number: int) -> Image.Image:
    """Return one of many pictures that differ."""
    return picture_of(shape_of(5, number, 96), 5, number, 96)


def pixels(picture: Image.Image) -> Pixels:
    return resize(np.asarray(picture.convert("RGB")), 64, 64)


def pairs_by_force(hashes: NDArray[np.uint64], distance: int) -> set[tuple[int, int]]:
    return {
        (one, other)
        for one in range(len(hashes))
        for other in range(one + 1, len(hashes))
        if int(hashes[one] ^ hashes[other]).bit_count() <= distance
    }


def found_pairs(hashes: NDArray[np.uint64], distance: int) -> list[tuple[int, int]]:
    return [
        (min(one, other), max(one, other))
        for ones, others in near_pairs(hashes, distance)
        for one, other in zip(ones.tolist(), others.tolist(), strict=True)
    ]


# --- The hash ---------------------------------------------------------------------------------------------------


def test_the_hash_tells_where_levels_rise() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 72, 1), dtype=np.uint8)
    means = picture.reshape(8, 8, 9, 8).mean((1, 3))
    rises = (means[:, 1:] > means[:, :-1] + 1).ravel()
    assert f"{perceptual_hash(picture):064b}" == "".join("01"[int(rise)] for rise in rises)


def test_gray_and_color_of_one_picture_have_one_hash() -> None:
    color = pixels(drawing(1))
    gray = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY)[..., None]
    assert perceptual_hash(color) == perceptual_hash(gray)


# --- Near pairs -------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 63), max_size=8)), min_size=1, max_size=12),
    st.integers(0, 10),
)
def test_every_near_pair_is_found_once_at_any_distance(
    centers: list[int], members: list[tuple[int, set[int]]], distance: int
) -> None:
    values = [centers[center % len(centers)] ^ sum(1 << bit for bit in bits) for center, bits in members]
    hashes = np.array(values, dtype=np.uint64)
    found = found_pairs(hashes, distance)
    assert set(found) == pairs_by_force(hashes, distance)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("distance", [3, 10])
def test_near_pairs_among_thousands(distance: int) -> None:
    generator = np.random.default_rng(1)
    hashes = generator.integers(0, 2**64, 3000, dtype=np.uint64)
    flips = np.zeros(1500, dtype=np.uint64)
    for _ in range(distance):
        flips |= np.uint64(1) << generator.integers(0, 64, 1500, dtype=np.uint64)
    both = np.concatenate((hashes, hashes[:1500] ^ flips))
    assert set(found_pairs(both, distance)) == {(number, number + 3000) for number in range(1500)}


@pytest.mark.parametrize("spread", [0, 2])
def test_candidates_stay_few_where_all_hashes_are_alike(spread: int) -> None:
    hashes = np.full(20_000, 0x0F0F, dtype=np.uint64)
    for _ in range(spread):
        hashes |= np.uint64(1) << np.random.default_rng(spread).integers(0, 64, 20_000, dtype=np.uint64)
    assert sum(len(ones) for ones, _ in near_pairs(hashes, 3)) <= 20 * 16 * 20_000


@given(st.integers(0, 10), st.lists(st.integers(0, 9), min_size=1, max_size=14), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_near_equal_pictures_come_once_with_the_bits_they_differ_in(
    distance: int, numbers: list[int], seed: int
) -> None:
    album = Album([faint_noise(TEN[number], seed + place) for place, number in enumerate(numbers)])
    chosen = np.flatnonzero(np.random.default_rng(seed).random(len(numbers)) < 0.8)
    found = list(near_equal(album, chosen, distance))
    assert all(isinstance(pair, Pair) for pair in found)
    hashes = album.perceptual_hashes
    bits = {
        (one, other): int(hashes[one] ^ hashes[other]).bit_count()
        for one, other in itertools.combinations(chosen.tolist(), 2)
    }
    assert {(pair.one, pair.other): pair.bits for pair in found} == {
        pair: apart for pair, apart in bits.items() if apart <= distance and numbers[pair[0]] == numbers[pair[1]]
    }
    assert len(found) == len({(pair.one, pair.other) for pair in found})


def faint_noise(picture: Pixels, seed: int) -> Pixels:
    noise = np.random.default_rng(seed).integers(-25, 26, picture.shape)
    return (picture.astype(int) + noise).clip(0, 255).astype(np.uint8)


@given(st.lists(st.sampled_from("abcdef"), max_size=20))
def test_the_first_that_equals_each(contents: list[str]) -> None:
    assert firsts_of(np.array(contents, dtype="S1")).tolist() == [contents.index(content) for content in contents]


# --- Groups -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: saved_anew(picture, 90),
        lambda picture: saved_anew(picture, 60),
        lambda picture: picture.resize((60, 60), Image.Resampling.LANCZOS),
        lambda picture: ImageEnhance.Brightness(picture).enhance(0.93),
        lambda picture: ImageEnhance.Contrast(picture).enhance(0.9),
    ],
    ids=["quality 90", "quality 60", "smaller", "darker", "duller"],
)
def test_changed_copies_are_found(change: Callable[[Image.Image], Image.Image]) -> None:
    originals = [drawing(number) for number in range(40)]
    album = Album([pixels(picture) for picture in originals] + [pixels(change(picture)) for picture in originals])
    groups = groups_of(album, 3)
    assert (groups[40:] == np.arange(40)).sum() >= 35
    assert set(groups[:40]) == set(range(40))


def test_different_pictures_are_groups_of_their_own() -> None:
    album = Album([pixels(drawing(number)) for number in range(300)])
    assert len(set(groups_of(album, 3))) == 300


def test_photographs_are_not_glued(photos: Path) -> None:
    paths = sorted(photos.rglob("*.jpg"))[::3]
    album = Album([load_image(path, 64, 64, False) for path in paths])
    assert len(set(groups_of(album, 3))) >= 0.98 * len(set(album.content_hashes))


def test_flat_pictures_of_different_color_are_not_alike() -> None:
    levels = [np.full((16, 16, 3), (level, 255 - level, 40), dtype=np.uint8) for level in range(200)]
    assert len(set(groups_of(Album(levels), 3))) == 200


def test_plain_ramps_and_noise_are_not_alike() -> None:
    generator = np.random.default_rng(3)
    ramps = [np.tile(np.linspace(0, top, 32).astype(np.uint8), (32, 1))[..., None] for top in range(60, 250, 10)]
    faint = [generator.integers(100, 104, (32, 32, 1), dtype=np.uint8) for _ in range(100)]
    assert len(set(groups_of(Album(ramps + faint), 3))) == len(ramps) + len(faint)


def test_simple_things_on_white_are_not_alike() -> None:
    """Their hashes agree in most bits, for most of each picture is white."""
    generator = np.random.default_rng(4)
    icons = []
    for _ in range(60):
        icon = np.full((64, 64, 3), 255, dtype=np.uint8)
        color = tuple(int(level) for level in generator.integers(0, 200, 3))
        x, y = generator.integers(26, 38, 2)
        cv2.ellipse(icon, (int(x), int(y)), tuple(generator.integers(5, 22, 2).tolist()), 0, 0, 360, color, -1)
        icons.append(icon)
    groups = groups_of(Album(icons), 3)
    assert max(np.bincount(groups)) <= 3


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
@settings(max_examples=30)
def test_equal_pictures_are_one_group(numbers: list[int]) -> None:
    groups = groups_of(Album([TEN[number] for number in numbers]), 3)
    assert [numbers.index(number) for number in numbers] == groups.tolist()


TEN = [pixels(drawing(number)) for number in range(10)]
