"""Which pictures are the same, or nearly so."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.images.resizing import resize

Indices = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_SILENT = np.array([0, 2**64 - 1], dtype=np.uint64)
"""The hashes of flat pictures and of plain ramps, which tell nothing."""
_BITS = 64
_AGREEING = 3
"""How many bands two hashes agree in that are compared. With three, distance 3 needs 20 passes over 33 bits each."""
_NEIGHBORS = 16
"""How many hashes that agree in three bands are compared with each: without a limit, the work would grow with the
square of the number of pictures that look like nothing much."""
_THUMBNAIL = 16
_DIFFERENCE = 0.1
"""Largest squared difference of the thumbnails of near-equal pictures, as a share of their variance. Photographs that
were saved anew (quality 30 to 90), halved, brightened or dulled differ by 0.05 or less in the median; unrelated ones
whose hashes agree by chance by 0.3 or more."""
_AT_ONCE = 1024


class Pictures(Protocol):
    """Pictures and their hashes, by number, as `engine.images.pack.ImageStore` has them."""

    @property
    def content_hashes(self) -> tuple[str, ...]:
        """Hashes of the pixels, equal where the pictures are."""

    @property
    def perceptual_hashes(self) -> Hashes:
        """Hashes (N,) that differ in few bits where pictures look alike."""

    def thumbnails(self, numbers: Indices) -> NDArray[np.uint8]:
        """Return what `thumbnail` gives of pictures (k,) by number: (k, 256, C)."""


class Pair(NamedTuple):
    """Two pictures that look alike, by their numbers, and in how many bits their perceptual hashes differ."""

    one: int
    other: int
    bits: int


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the colors of a picture (H, W, C) on 16 × 16 fields: (256, C)."""
    return resize(pixels, _THUMBNAIL, _THUMBNAIL).reshape(_THUMBNAIL**2, -1)


def groups_of(pictures: Pictures, distance: int) -> Indices:
    """Return a number (N,) for each picture, equal where pictures are equal or near-equal, directly or by others.

    Near-equal are pictures whose perceptual hashes differ in at most ``distance`` bits and whose thumbnails confirm it.
    The number is that of the first picture of the group.
    """
    groups = _Groups(len(pictures.content_hashes))
    first = firsts_of(np.array(pictures.content_hashes))
    for number, same in enumerate(first.tolist()):
        groups.join(same, number)
    for pair in near_equal(pictures, np.unique(first), distance):
        groups.join(pair.one, pair.other)
    return groups.roots()


def firsts_of(contents: NDArray[Any]) -> Indices:
    """Return for each of ``contents`` (N,) the number (N,) of the first that equals it."""
    _, first, back = np.unique(contents, return_index=True, return_inverse=True)
    return np.asarray(first[back], np.int64)


def near_equal(pictures: Pictures, numbers: Indices, distance: int) -> Iterator[Pair]:
    """Yield the pairs among pictures ``numbers`` (M,) that look alike, each once, the smaller number first."""
    telling = numbers[~np.isin(pictures.perceptual_hashes[numbers], _SILENT)]
    hashes = pictures.perceptual_hashes[telling]
    thumbnails = _Thumbnails(pictures)
    for ones, others in near_pairs(hashes, distance):
        confirmed = thumbnails.alike(telling[ones], telling[others])
        bits = np.bitwise_count(hashes[ones] ^ hashes[others])
        pairs = np.sort(np.stack([telling[ones], telling[others]], axis=1), axis=1)
        for (one, other), unlike in zip(pairs[confirmed].tolist(), bits[confirmed].tolist(), strict=True):
            yield Pair(one, other, unlike)


def near_pairs(hashes: Hashes, distance: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield places (k,) and (k,) in ``hashes`` (M,) whose values differ in at most ``distance`` bits, each pair once.

    Cut into ``distance`` + 3 bands, such values agree in three of them or more. For each choice of three, the hashes
    are brought in the order of these bands, so that candidates stand side by side; a pair counts where the choice is
    the first of those it agrees in. Where more than 16 agree in the same bands, only near neighbors are compared.
    """
    for mask, earlier in _choices(distance):
        masked = hashes & mask
        order = np.lexsort((hashes, masked))
        ordered, keys = hashes[order], masked[order]
        for step in range(1, min(_NEIGHBORS, len(hashes) - 1) + 1):
            same = np.flatnonzero(keys[step:] == keys[:-step])
            if not len(same):
                break
            unlike = ordered[same + step] ^ ordered[same]
            counts = np.bitwise_count(unlike) <= distance
            for band in earlier:
                counts &= (unlike & band) != 0
            near = same[counts]
            yield order[near], order[near + step]


def _choices(distance: int) -> Iterator[tuple[np.uint64, list[np.uint64]]]:
    """Yield three bands as one mask, and the bands before the last of them that are not chosen."""
    edges = [_BITS * number // (distance + _AGREEING) for number in range(distance + _AGREEING + 1)]
    bands = [(1 << end) - (1 << start) for start, end in itertools.pairwise(edges)]
    for chosen in itertools.combinations(range(len(bands)), _AGREEING):
        mask = sum(bands[number] for number in chosen)
        yield np.uint64(mask), [np.uint64(bands[number]) for number in range(chosen[-1]) if number not in chosen]


class _Thumbnails:
    """Thumbnails of pictures, asked for once."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._places = np.full(len(pictures.content_hashes), -1)
        self._colors: list[NDArray[np.uint8]] = []

    def alike(self, ones: Indices, others: Indices) -> NDArray[np.bool_]:
        """Return whether pictures (k,) and (k,) look alike but for brightness and a little contrast."""
        verdicts = np.empty(len(ones), dtype=bool)
        for start in range(0, len(ones), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            first, second = self._centered(ones[part]), self._centered(others[part])
            energy = (np.square(first) + np.square(second)).sum((1, 2)) / 2
            verdicts[part] = np.square(first - second).sum((1, 2)) <= _DIFFERENCE * energy
        return verdicts

    def _centered(self, numbers: Indices) -> NDArray[np.float32]:
        """Return mean colors (k, 256, C) of pictures about their own mean."""
        missing = np.unique(numbers[self._places[numbers] < 0])
        if len(missing):
            self._places[missing] = np.arange(len(self._colors), len(self._colors) + len(missing))
            self._colors.extend(self._pictures.thumbnails(missing))
        colors = np.stack([self._colors[place] for place in self._places[numbers]]).astype(np.float32)
        return np.asarray(colors - colors.mean(axis=1, keepdims=True), dtype=np.float32)


class _Groups:
    """Disjoint sets of numbers, joined in pairs; the smallest member stands for a set."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self._root(one), self._root(other)))
        self._parents[high] = low

    def _root(self, number: int) -> int:
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def roots(self) -> Indices:
        return np.array([self._root(number) for number in range(len(self._parents))], dtype=np.int64)
