"""Whether a network that was read back gives what the network itself gives."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from engine.errors import FextError
from engine.export.networks import Network, Run
from engine.export.pictures import batches_of
from engine.models import Autoencoder

TOLERANCE = 1e-4
"""Largest difference from eager that is let pass, as a share of an output's largest value, or of 1 if that is more.

Where eager itself moves further when its input is changed by single roundings, as on pictures of flat areas, twice that
passes."""

_TIES = 0.2
"""Share of the latent's positions that may be of another kind than in eager, where two kinds fit a patch equally well.

On photographs of 64 × 64 pixels, float32 and float64 disagree on 9 % of them; wrong kinds would be most.
"""


class Agreement(NamedTuple):
    """How far a file is from eager.

    Attributes:
        difference: the largest, as `TOLERANCE` counts.
        allowed: what is let pass of it.
        others: positions of the latent that are of another kind.
        positions: of how many.

    """

    difference: float
    allowed: float
    others: int
    positions: int

    @property
    def is_good(self) -> bool:
        """Whether that is no more than rounding does."""
        return self.difference <= self.allowed and self.others <= _TIES * self.positions


@torch.inference_mode()
def compare(network: Network, run: Run, pictures: Tensor) -> Agreement:
    """Compare what was read back with the network itself, on a batch of each size.

    Where two kinds of patches fit a patch equally well, rounding alone decides which it gets, in eager too; so
    positions of another kind are counted and not compared, and the first output is compared with what follows from the
    latent that came with it.

    Raises:
        FextError: the network itself gives values that are not finite.

    """
    difference, allowed, others, positions = 0.0, TOLERANCE, 0, 0
    for images in batches_of(pictures):
        expected = _sound(network.model.encode(images))
        first, latent = run(images)
        if first.shape[0] != len(images) or latent.shape != expected.shape:
            return Agreement(math.inf, allowed, others, positions)
        other = (latent[:, -1:] - expected[:, -1:]).abs() > TOLERANCE
        if not _has_kinds(network.model):
            other = torch.zeros_like(other)
        others += int(other.sum())
        positions += other.numel()
        followed = network.from_latent(latent, images.shape)
        allowed = max(allowed, 2 * _apart(network.from_latent(_nudged(latent), images.shape), followed))
        difference = max(difference, _apart(latent.where(~other, expected), expected), _apart(first, followed))
    return Agreement(difference, allowed, others, positions)


def _sound(values: Tensor) -> Tensor:
    if not bool(values.isfinite().all()):
        raise FextError("The network gives values that are not finite.", "Choose another checkpoint, or train again.")
    return values


def _nudged(values: Tensor) -> Tensor:
    """Return values changed by a rounding each, up or down by chance."""
    signs = torch.randint(0, 2, values.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return values * (1 + torch.finfo(values.dtype).eps * signs)


def refuse_apart(found: Agreement, file: str) -> None:
    """Refuse a file that does not give what the network gives.

    Raises:
        FextError: it does not.

    """
    if not found.is_good:
        raise FextError(
            f"{file} does not give what the checkpoint gives: it is off by {found.difference:.2g}, and at most "
            f"{found.allowed:.2g} may be; {found.others:,} of {found.positions:,} latent positions are of another "
            "kind. Nothing is kept.",
            "Choose another format, or install the tested versions of PyTorch and onnxruntime (constraints.txt).",
        )


def told(found: Agreement, file: str) -> str:
    """Return how well a file agrees, as a line of the log."""
    ties = f" but for {found.others:,} of {found.positions:,} latent positions, which two kinds fit equally well"
    return f"{file} agrees with PyTorch to {found.difference:.1g}{ties if found.others else ''}."


def _has_kinds(model: Autoencoder) -> bool:
    return model.shortcut is not None and len(model.shortcut.bases) > 1


def _apart(one: Tensor, other: Tensor) -> float:
    """Return the largest difference of two tensors of one shape, as a share of the largest value, or of 1.

    Infinite where a value is not finite.
    """
    apart = float((one - other).abs().max() / other.abs().max().clamp_min(1))
    return apart if math.isfinite(apart) else math.inf
