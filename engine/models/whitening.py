"""Vectors whose values are of equal weight and tell different things."""

import torch
from torch import Tensor, nn

_FLOOR = 1e-3
_SMALLEST_DEVIATION = 1e-6


class Whitening(nn.Module):
    """A fixed linear map, (B, D) to (B, D), by which the values of some vectors are uncorrelated and of variance one.

    It is no part of what is trained: `fit` sets it to the principal components of given vectors, each divided by
    its deviation plus a thousandth of the largest, so that what is next to nothing stays small. Before, it changes
    nothing. The cosine of whitened vectors is that of Mahalanobis (P. C. Mahalanobis, "On the generalized distance in
    statistics", 1936), in which no direction that merely varies much drowns the others.
    """

    mean: Tensor
    map: Tensor

    def __init__(self, values: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("map", torch.eye(values))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the whitened vectors."""
        with torch.autocast(vectors.device.type, enabled=False):
            return (vectors - self.mean) @ self.map

    @torch.no_grad()
    def fit(self, vectors: Tensor) -> None:
        """Take mean and principal components of vectors (N, D)."""
        exact = vectors.double().cpu()
        mean = exact.mean(0)
        moments, components = torch.linalg.eigh((exact - mean).T @ (exact - mean) / len(exact))
        deviations = moments.flip(0).clamp_min(0).sqrt()
        floor = (_FLOOR * deviations[0]).clamp_min(_SMALLEST_DEVIATION)
        self.mean.copy_(mean)
        self.map.copy_(components.flip(1) / (deviations + floor))
