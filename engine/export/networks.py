"""What is exported of an autoencoder, as modules of their own and as graphs for a batch of any size."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.models import Autoencoder
from engine.settings import Pooling

INPUT = "images"
"""What the input of a network is called."""

_OF_THE_DECODER = "expansion", "decoder", "detail", "finish", "head", "projection"

Run = Callable[[Tensor], list[Tensor]]
"""Runs a network that was read back: images (B, C, H, W) to its outputs."""


class Network(nn.Module):
    """What is exported of an autoencoder; images (B, C, H, W) go in, float32 in [0, 1], of the checkpoint's size."""

    name: str
    outputs: tuple[str, str]

    def __init__(self, model: Autoencoder, pooling: Pooling) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling

    def from_latent(self, latent: Tensor, size: torch.Size) -> Tensor:
        """Return the first output for a latent (B, Z, h, w) of images of a size."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first output and the latent (B, Z, h, w)."""
        latent = self.model.encode(images)
        return self.from_latent(latent, images.shape), latent


class Encoder(Network):
    """Gives the vectors (B, D), as `Autoencoder.embed` does, and the latent."""

    name = "encoder"
    outputs = "vectors", "latent"

    def from_latent(self, latent: Tensor, size: torch.Size) -> Tensor:
        """Return the vectors."""
        return self.model.vectors_of(latent, self.pooling)


class Reconstructor(Network):
    """Gives the reconstruction (B, C, H, W), not clamped, and the latent."""

    name = "autoencoder"
    outputs = "reconstruction", "latent"

    def from_latent(self, latent: Tensor, size: torch.Size) -> Tensor:
        """Return the reconstruction."""
        return self.model.decode(latent)[..., : size[2], : size[3]]


NETWORKS: tuple[type[Network], ...] = (Encoder, Reconstructor)


class Written(NamedTuple):
    """A network as a file: its content, and what runs it again from there."""

    content: bytes
    run: Run


def traced(network: Network, images: Tensor) -> torch.export.ExportedProgram:
    """Return the graph of a network for any batch size; weights are contiguous, and those it does not use left out."""
    own = copy.deepcopy(network).to(memory_format=torch.contiguous_format).requires_grad_(False)
    if isinstance(own, Encoder):
        for part in _OF_THE_DECODER:
            setattr(own.model, part, None)
    example = images[torch.arange(2) % len(images)].contiguous()
    return torch.export.export(own, (example,), dynamic_shapes={INPUT: {0: torch.export.Dim("batch", min=1)}})
