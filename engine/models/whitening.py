"""Vectors in which no direction that merely varies much drowns the others."""

from typing import Any

import torch
from torch import Tensor, nn

from engine.architecture import WHITENED_VALUES

_SMALLEST_SHARE = 1e-4
_SMALLEST_DEVIATION = 1e-6


class Whitening(nn.Module):
    """A fixed linear map, (B, D) to (B, min(D, 256)), to principal components of less unequal variance.

    It is no part of what is trained: `fit` sets it to the first principal components of given vectors, each divided
    by the square root of its deviation. That is half way to whitening, which divides by the deviation itself, and whose
    cosine is that of P. C. Mahalanobis ("On the generalized distance in statistics", 1936); half way, directions in
    which the vectors hardly differ count for less. Components whose deviation is less than a ten-thousandth of the
    largest, or that so few vectors do not have, are zero.

    Attributes:
        fitted: whether there are statistics; reading back weights that hold none, or those of other vectors, leaves
            none.

    """

    mean: Tensor
    map: Tensor

    def __init__(self, values: int) -> None:
        super().__init__()
        self.fitted = False
        self.components = min(values, WHITENED_VALUES)
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("map", torch.zeros(values, self.components))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the components."""
        with torch.autocast(vectors.device.type, enabled=False):
            return (vectors - self.mean) @ self.map

    @torch.no_grad()
    def fit(self, vectors: Tensor) -> None:
        """Take mean and principal components of vectors (N, D), by way of their products, (N, N)."""
        exact = vectors.double().cpu()
        mean = exact.mean(0)
        centered = exact - mean
        moments, turns = torch.linalg.eigh(centered @ centered.T / len(exact))
        deviations = moments.flip(0)[: self.components].clamp_min(0).sqrt()
        kept = deviations > (_SMALLEST_SHARE * deviations[0]).clamp_min(_SMALLEST_DEVIATION)
        axes = centered.T @ turns.flip(1)[:, : len(deviations)][:, kept] / (deviations[kept] * len(exact) ** 0.5)
        self.mean.copy_(mean)
        self.map.zero_()
        self.map[:, : axes.shape[1]] = (axes / deviations[kept].sqrt()).to(self.map)
        self.fitted = True

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        own = {f"{prefix}{name}": tensor for name, tensor in self.named_buffers()}
        self.fitted = all(name in state_dict and state_dict[name].shape == own[name].shape for name in own)
        if not self.fitted:
            state_dict.update(own)
        super()._load_from_state_dict(state_dict, prefix, *rest)
