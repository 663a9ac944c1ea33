"""The shortcut of the autoencoders: principal components of patches, by kind of patch."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.architecture import FRAME
from engine.models.local_components import ROUNDS, local_components

_SMALLEST_DEVIATION = 1e-3
_AT_ONCE = 32

_CODE_STEP = 0.05
"""From the code of one kind to that of the next."""


class PatchShortcut(nn.Module):
    """A map from patches of ``size`` × ``size`` pixels to the latent's positions, and one back.

    Each patch is projected on the one of the ``bases`` that keeps most of it, and a code for that basis is the last
    value of its position: local principal component analysis (see `local_components`). With one basis there is
    no code, and the map is linear.
    The bases are turned towards one another, so that a value means much the same in each. They are not trained, but
    found by `fit`; before, all are a random one.
    """

    frame: Tensor
    bases: Tensor
    deviations: Tensor
    color: Tensor

    def __init__(self, image_channels: int, latent_channels: int, size: int, bases: int) -> None:
        super().__init__()
        self.size = size
        patch = image_channels * size**2
        self.values = latent_channels - (bases > 1)
        directions = min(patch, FRAME * self.values)
        self.register_buffer("frame", torch.zeros(patch, directions))
        self.register_buffer("bases", torch.zeros(bases, directions, self.values))
        self.register_buffer("deviations", torch.ones(self.values))
        self.register_buffer("color", torch.zeros(patch))

    def initialize(self, generator: torch.Generator) -> None:
        """Draw a random orthogonal basis."""
        nn.init.orthogonal_(self.frame, generator=generator)
        for basis in self.bases:
            nn.init.eye_(basis)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return values (B, Z - 1, h, w) and codes (B, 1, h, w) of images (B, C, h · size, w · size), float32.

        With one basis they are (B, Z, h, w) and (B, 0, h, w).
        """
        with torch.autocast(images.device.type, enabled=False):
            patches = F.pixel_unshuffle(images.float(), self.size).permute(0, 2, 3, 1) - self.color
            projected = torch.einsum("bhwd,kdz->bhwkz", patches @ self.frame, self.bases)
            kinds = projected.square().sum(-1).argmax(-1)
            values = (projected * self._marked(kinds)[..., None]).sum(-2) / self.deviations
            return values.permute(0, 3, 1, 2), self._codes(kinds)

    def decode(self, latent: Tensor) -> Tensor:
        """Return images (B, C, h · size, w · size), float32, for a latent (B, Z, h, w) of values and codes."""
        with torch.autocast(latent.device.type, enabled=False):
            values, codes = latent[:, : self.values].float(), latent[:, self.values :].float()
            scaled = values.permute(0, 2, 3, 1) * self.deviations
            spread = scaled[..., None, :] * self._marked(self._kinds(codes, scaled))[..., None]
            patches = spread.flatten(-2) @ self.bases.transpose(1, 2).flatten(0, 1) @ self.frame.T + self.color
            return F.pixel_shuffle(patches.permute(0, 3, 1, 2), self.size)

    def _codes(self, kinds: Tensor) -> Tensor:
        """Return (B, 1, h, w), or no channel where there is one basis, for kinds (B, h, w)."""
        middle = (len(self.bases) - 1) / 2
        return ((kinds - middle) * _CODE_STEP)[:, None][:, : min(1, len(self.bases) - 1)]

    def _kinds(self, codes: Tensor, scaled: Tensor) -> Tensor:
        if len(self.bases) == 1:
            return scaled.new_zeros(scaled.shape[:-1], dtype=torch.long)
        last = len(self.bases) - 1
        return (codes[:, 0] / _CODE_STEP + last / 2).round().clamp(0, last).long()

    def _marked(self, kinds: Tensor) -> Tensor:
        """Return (B, h, w, bases): one for the kind of each patch, else zero."""
        return (kinds[..., None] == torch.arange(len(self.bases), device=kinds.device)).float()

    @torch.no_grad()
    def fit(self, images: Tensor, tell: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Find the kinds of patches and their principal components in images (N, C, h · size, w · size) in [0, 1].

        See `local_components`. Each of its rounds cuts the images into patches from another corner; ``tell`` is
        given the rounds done and the total, and may raise. The latent's values get variance one over the patches of the
        images as they are.
        """
        self.color.copy_(images.mean((0, 2, 3)).repeat_interleave(self.size**2))
        self.deviations.fill_(1)
        patches = self._patches(images).flatten(0, 1)
        _, vectors = torch.linalg.eigh((patches.T @ patches / len(patches)).double())
        self.frame.copy_(vectors.flip(1)[:, : self.frame.shape[1]])
        del patches
        generator, done = torch.Generator().manual_seed(0), itertools.count()

        def draw() -> Tensor:
            tell(next(done), ROUNDS)
            return self._patches(_moved(images, self.size, generator))

        self.bases.copy_(local_components(draw, self.frame, *self.bases.shape[::2]))
        parts = (images[start : start + _AT_ONCE] for start in range(0, len(images), _AT_ONCE))
        squares = torch.cat([self.encode(part)[0].square().mean((2, 3)) for part in parts])
        self.deviations.copy_(squares.mean(0).sqrt().clamp_min(_SMALLEST_DEVIATION))

    def _patches(self, images: Tensor) -> Tensor:
        return F.pixel_unshuffle(images, self.size).flatten(2).transpose(1, 2) - self.color


def _moved(images: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Return the images with less than a patch cut off at two sides, where they are larger than a patch."""
    for dim in (2, 3):
        if images.shape[dim] > size:
            start = int(torch.randint(size, (), generator=generator))
            images = images.narrow(dim, start, images.shape[dim] - size)
    return images
