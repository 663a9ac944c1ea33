"""The division of images into training and validation, by what they show."""

import hashlib

import numpy as np

from engine.images.alike import Indices, Pictures, groups_of


def split(store: Pictures, fraction: float, seed: int, distance: int) -> tuple[Indices, Indices]:
    """Return the numbers, ascending, of the images to train on and of those held out for validation.

    Equal and near-equal pictures, by ``distance`` as in `groups_of`, come on one side. Which side depends on the seed
    and on the pictures alone, not on their names or order. The share held out is ``fraction``, as nearly as whole
    groups of alike pictures allow; with a fraction above 0 and pictures that differ, each side has at least one.
    """
    contents = store.content_hashes
    groups = groups_of(store, distance)
    held_out = np.zeros(len(contents), dtype=bool)
    if fraction > 0:
        members = _members(groups)
        wanted = min(max(1, round(fraction * len(contents))), len(contents) - 1)
        for group in _chosen([members[root] for root in _drawn(members, contents, seed)], wanted, len(contents)):
            held_out[group] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _members(groups: Indices) -> dict[int, Indices]:
    order = np.argsort(groups, kind="stable")
    roots, starts = np.unique(groups[order], return_index=True)
    return dict(zip(roots.tolist(), np.split(order, starts[1:]), strict=True))


def _drawn(members: dict[int, Indices], contents: tuple[str, ...], seed: int) -> list[int]:
    """Return the groups in an order drawn from the seed, a group by the smallest of its content hashes."""

    def lot(root: int) -> bytes:
        name = min(contents[number] for number in members[root])
        return hashlib.blake2b(name.encode(), digest_size=16, key=b"%d" % seed).digest()

    return sorted(members, key=lot)


def _chosen(groups: list[Indices], wanted: int, total: int) -> list[Indices]:
    """Return groups with ``wanted`` images in all: the first that fit, and one more where that comes nearer."""
    chosen, left_out = [], []
    room = wanted
    for group in groups:
        if len(group) <= room:
            chosen.append(group)
            room -= len(group)
        else:
            left_out.append(group)
    smallest = min(left_out, key=len, default=None)
    taken = wanted - room
    if smallest is not None and taken + len(smallest) < total and (not taken or len(smallest) - room < room):
        chosen.append(smallest)
    return chosen
