"""Principal components of patches, by kind of patch."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

ROUNDS = 16
_KEPT = 0.7
"""Weight of what earlier rounds drew, beside what a round draws."""

_PRIOR = 20.0
"""Patches of the whole set that each kind is given beside its own, so that few do not decide alone."""

_FLOOR = 0.05
"""What is added to the error of an image before its patches are weighed by it, in mean errors."""

_TINY = 1e-12
_AT_ONCE = 2048


def local_components(draw: Callable[[], Tensor], frame: Tensor, count: int, values: int) -> Tensor:
    """Return bases (count, D, values) of patches within the D directions of a frame.

    By turns each patch goes to the basis that keeps most of it, and each basis becomes the principal components of
    its patches: N. Kambhatla and T. K. Leen, "Dimension Reduction by Local Principal Component Analysis", Neural
    Computation 9, 1997. Each round draws patches anew, and remembers those before the less the longer ago. A patch
    counts by the inverse of its image's error, as in the mean PSNR. The first kinds are images, drawn by a fixed
    seed. The bases come in the order of their patches' contrast, smooth ones first, each turned so that its values are
    as near as can be to those of the components of all patches.

    Args:
        draw: gives the patches of a round, (N, P, V): P patches of V values, about zero, from each of N images.
        frame: (V, D), orthonormal.
        count: how many bases.
        values: how many directions each has; beyond D they are zero.

    """
    patches = draw()
    energy, directions = patches.square().sum(-1), patches @ frame
    everything = _moments(directions.flatten(0, 1)) / energy.numel()
    first = torch.randperm(len(directions), generator=torch.Generator().manual_seed(0))[:count]
    moments = torch.stack([_moments(one) for one in directions[first]] + [everything] * (count - len(first)))
    mass = 0.0
    for _ in range(ROUNDS):
        bases = _bases(moments, everything, values)
        kept = _kept(directions.flatten(0, 1), bases)
        kinds, weights = kept.argmax(1), _weights(energy, kept)
        weighted = directions.flatten(0, 1) * weights.sqrt()[:, None]
        moments = moments * (_KEPT if mass else 0) + torch.stack([_moments(weighted[kinds == k]) for k in range(count)])
        mass = mass * _KEPT + len(weights)
        everything = moments.sum(0) / mass
        del patches, weighted  # all patches of a round are the most that fitting holds: not those of two at a time
        patches = draw()
        energy, directions = patches.square().sum(-1), patches @ frame
    bases = _bases(moments, everything, values)
    kinds = _kept(directions.flatten(0, 1), bases).argmax(1)
    sizes = torch.bincount(kinds, minlength=count).clamp_min(1)
    contrast = torch.bincount(kinds, weights=energy.flatten(), minlength=count) / sizes
    common = _components(everything, values)
    return torch.stack([_turned(basis, common) for basis in bases[contrast.argsort(stable=True)]])


def _moments(directions: Tensor) -> Tensor:
    return directions.T @ directions


def _bases(moments: Tensor, everything: Tensor, values: int) -> Tensor:
    return torch.stack([_components(one + _PRIOR * everything, values) for one in moments])


def _components(moments: Tensor, values: int) -> Tensor:
    found = torch.linalg.eigh(moments.double())[1].flip(1)[:, :values].float()
    return F.pad(found, (0, values - found.shape[1]))


def _kept(directions: Tensor, bases: Tensor) -> Tensor:
    """Return (N · P, count): how much of the energy of each patch each basis keeps."""
    beside = bases.permute(1, 0, 2).flatten(1)
    kept = directions.new_empty(len(directions), len(bases))  # parts put together at the end would scatter the heap
    for start in range(0, len(directions), _AT_ONCE):
        part = directions[start : start + _AT_ONCE] @ beside
        kept[start : start + _AT_ONCE] = part.reshape(len(part), len(bases), -1).square_().sum(-1)
    return kept


def _weights(energy: Tensor, kept: Tensor) -> Tensor:
    errors = (energy - kept.amax(1).view_as(energy)).clamp_min(0).mean(1)
    weights = 1 / (errors + _FLOOR * errors.mean()).clamp_min(_TINY)
    return (weights / weights.mean()).repeat_interleave(energy.shape[1])


def _turned(basis: Tensor, common: Tensor) -> Tensor:
    """Return the basis of the same directions that is nearest the common one (P. H. Schönemann, 1966)."""
    left, _, right = torch.linalg.svd(basis.T @ common)
    turned: Tensor = basis @ left @ right
    return turned
