"""Which measured images are the same or nearly so, within a dataset and across two."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.images.alike import Hashes, Indices, Pair, firsts_of, near_equal
from engine.records import Finding, Records

DUPLICATE, NEAR_DUPLICATE, LEAKAGE = "duplicate", "near_duplicate", "leakage"
_HASH_BITS = 64


class RecordedPictures:
    """Pictures as the records know them, in the order of datasets and paths (`engine.images.alike.Pictures`).

    Attributes:
        numbers: numbers in the records (N,).
        pixels: hashes of the pixels as they are (N,).
        content_hashes: hashes of the pixels as training sees them, N of them.
        perceptual_hashes: (N,).

    """

    def __init__(self, records: Records, datasets: Sequence[int], chosen: Indices | None = None) -> None:
        self._records = records
        known = [records.fingerprints(dataset) for dataset in datasets]
        self.sizes = [len(one.numbers) for one in known]
        self.numbers: Indices = np.concatenate([one.numbers for one in known])
        kept = np.ones(len(self.numbers), np.bool_) if chosen is None else np.isin(self.numbers, chosen)
        self.numbers = self.numbers[kept]
        self.pixels = np.concatenate([one.pixels for one in known])[kept]
        contents = np.concatenate([one.contents for one in known])[kept]
        self.content_hashes = tuple(content.ljust(16, b"\0").hex() for content in contents.tolist())
        self.perceptual_hashes: Hashes = np.concatenate([one.perceptual for one in known])[kept]

    def thumbnails(self, numbers: Indices) -> NDArray[np.uint8]:
        """Return thumbnails (n, 256, 3) by place; those of gray pictures have equal channels."""
        wanted = self.numbers[numbers].tolist()
        found = self._records.thumbnails(wanted)
        colors = [np.frombuffer(found[number], np.uint8).reshape(256, -1) for number in wanted]
        return np.stack([np.broadcast_to(one, (256, 3)) for one in colors])


def likeness_findings(records: Records, dataset: int, distance: int) -> Iterator[Finding]:
    """Yield the images of a dataset that equal an earlier one or nearly so, which may differ in ``distance`` bits.

    Of each group the first, by path, is not told; the others name it, or the earlier one that they are most like.
    """
    pictures = RecordedPictures(records, [dataset])
    paths = records.paths(pictures.numbers.tolist())
    firsts = firsts_of(pictures.pixels)
    for place in np.flatnonzero(firsts != np.arange(len(firsts))).tolist():
        path, other = (paths[int(pictures.numbers[number])] for number in (place, firsts[place]))
        yield Finding(path, DUPLICATE, "the same pixels", 0, other)
    closest: dict[int, Pair] = {}
    for pair in near_equal(pictures, np.unique(firsts), distance):
        if pair.other not in closest or pair.bits < closest[pair.other].bits:
            closest[pair.other] = pair
    for pair in closest.values():
        path, other = (paths[int(pictures.numbers[number])] for number in (pair.other, pair.one))
        yield Finding(path, NEAR_DUPLICATE, _grade(pair.bits), pair.bits, other)


def leakage_findings(records: Records, dataset: int, held_out: int, distance: int) -> Iterator[Finding]:
    """Yield the images of a dataset that are among those held out as well, the same or nearly so."""
    pictures = RecordedPictures(records, [dataset, held_out])
    paths = records.paths(pictures.numbers.tolist())
    border = pictures.sizes[0]
    firsts = firsts_of(pictures.pixels[:border])
    held_firsts = firsts_of(pictures.pixels[border:]) + border
    _, own, theirs = np.intersect1d(pictures.pixels[:border], pictures.pixels[border:], return_indices=True)
    closest = {
        int(place): (-1, int(held), "the same pixels") for place, held in zip(firsts[own], theirs + border, strict=True)
    }
    single = np.concatenate([np.unique(firsts), np.unique(held_firsts)])
    for pair in near_equal(pictures, single, distance):
        best = closest.get(pair.one, (_HASH_BITS, 0, ""))
        if pair.one < border <= pair.other and pair.bits < best[0]:
            closest[pair.one] = (pair.bits, pair.other, _grade(pair.bits))
    for place, first in enumerate(firsts.tolist()):
        if first in closest:
            bits, held, grade = closest[first]
            path, other = (paths[int(pictures.numbers[number])] for number in (place, held))
            yield Finding(path, LEAKAGE, f"held out too: {grade}", max(bits, 0), other)


def _grade(bits: int) -> str:
    return f"{bits} of {_HASH_BITS} bits apart" if bits else "looks the same"
