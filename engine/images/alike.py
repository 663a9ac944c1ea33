"""Which pictures are the same, or nearly so."""

import itertools
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.images.resizing import resize

Indices = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_SILENT = np.array([0, 2**64 - 1], dtype=np.uint64)
"""The hashes of flat pictures and of plain ramps, which tell nothing."""
_DISTANCE = 3
"""Largest number of bits in which the perceptual hashes of near-equal pictures differ."""
_BANDS = (11, 11, 11, 11, 10, 10)
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

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of each."""

    def batch(self, indices: Indices) -> NDArray[np.uint8]:
        """Return pictures (n, H, W, C) by number."""


def groups_of(pictures: Pictures) -> Indices:
    """Return a number (N,) for each picture, equal where pictures are equal or near-equal, directly or by others.

    Near-equal are pictures whose perceptual hashes differ in at most three bits and whose thumbnails confirm it.
    The number is that of the first picture of the group.
    """
    contents = np.array(pictures.content_hashes)
    _, first, back = np.unique(contents, return_index=True, return_inverse=True)
    groups = _Groups(len(contents))
    for number, same in enumerate(first[back].tolist()):
        groups.join(same, number)
    telling = first[~np.isin(pictures.perceptual_hashes[first], _SILENT)]
    thumbnails = _Thumbnails(pictures)
    for ones, others in near_pairs(pictures.perceptual_hashes[telling]):
        confirmed = thumbnails.alike(telling[ones], telling[others])
        for one, other in zip(telling[ones[confirmed]].tolist(), telling[others[confirmed]].tolist(), strict=True):
            groups.join(one, other)
    return groups.roots()


def near_pairs(hashes: Hashes) -> Iterator[tuple[Indices, Indices]]:
    """Yield places (k,) and (k,) in ``hashes`` (M,) whose values differ in at most three bits, each pair once.

    Cut into six bands, such values agree in three of them or more. For each choice of three, the hashes are
    brought in the order of these bands, so that candidates stand side by side; a pair counts where the choice is
    the first of those it agrees in. Where more than 16 agree in the same bands, only near neighbors are compared.
    """
    for mask, earlier in _choices():
        masked = hashes & mask
        order = np.lexsort((hashes, masked))
        ordered, keys = hashes[order], masked[order]
        for step in range(1, min(_NEIGHBORS, len(hashes) - 1) + 1):
            same = np.flatnonzero(keys[step:] == keys[:-step])
            if not len(same):
                break
            unlike = ordered[same + step] ^ ordered[same]
            counts = np.bitwise_count(unlike) <= _DISTANCE
            for band in earlier:
                counts &= (unlike & band) != 0
            near = same[counts]
            yield order[near], order[near + step]


def _choices() -> Iterator[tuple[np.uint64, list[np.uint64]]]:
    """Yield three bands as one mask, and the bands before the last of them that are not chosen."""
    starts = itertools.accumulate(_BANDS, initial=0)
    bands = [((1 << width) - 1) << start for start, width in zip(starts, _BANDS, strict=False)]
    for chosen in itertools.combinations(range(len(bands)), 3):
        mask = sum(bands[number] for number in chosen)
        yield np.uint64(mask), [np.uint64(bands[number]) for number in range(chosen[-1]) if number not in chosen]


class _Thumbnails:
    """Small versions of pictures, made when first asked for."""

    def __init__(self, pictures: Pictures) -> None:
        count = len(pictures.content_hashes)
        self._pictures = pictures
        self._made = np.zeros(count, dtype=bool)
        self._colors = np.zeros((count, _THUMBNAIL**2, pictures.shape[2]), dtype=np.uint8)

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
        missing = np.unique(numbers[~self._made[numbers]])
        if len(missing):
            for number, pixels in zip(missing, self._pictures.batch(missing), strict=True):
                self._colors[number] = resize(pixels, _THUMBNAIL, _THUMBNAIL).reshape(_THUMBNAIL**2, -1)
            self._made[missing] = True
        colors = self._colors[numbers].astype(np.float32)
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
