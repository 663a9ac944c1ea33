"""The linear shortcut of the autoencoders: principal components of patches."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SMALLEST_DEVIATION = 1e-3
_REACH = 3
"""Side of the square of patches that a value of the latent sees, and that it is seen in."""


class PatchShortcut(nn.Module):
    """A linear map from patches of ``size`` × ``size`` pixels to the latent's positions, and one back.

    Both are convolutions over patches: a latent value sees its patch and the eight around it, and so does a patch that
    is restored. Before `fit` they are a random orthogonal map of the patch alone, and its transpose; training
    lets windows overlap. All of it is linear but for the constant color that it turns about.
    """

    def __init__(self, image_channels: int, latent_channels: int, size: int) -> None:
        super().__init__()
        self.size = size
        values = image_channels * size**2
        self.to_latent = nn.Conv2d(values, latent_channels, _REACH, padding=_REACH // 2)
        self.to_image = nn.Conv2d(latent_channels, values, _REACH, padding=_REACH // 2)

    def encode(self, images: Tensor) -> Tensor:
        """Return (B, Z, h, w) for images (B, C, h · size, w · size)."""
        latent: Tensor = self.to_latent(F.pixel_unshuffle(images, self.size))
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """Return images (B, C, h · size, w · size)."""
        return F.pixel_shuffle(self.to_image(latent), self.size)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw a random orthogonal map, and let the way back be its transpose."""
        drawn = torch.empty(self.to_latent.weight.shape[:2])
        nn.init.orthogonal_(drawn, generator=generator)
        self._set(drawn, drawn.T)

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set both maps to the first principal components of the patches of images (N, C, h · size, w · size).

        The latent values get variance one over these patches; the mean color is the way back's bias. Reconstruction is
        then the best linear one of this size: K. Pearson, "On lines and planes of closest fit", 1901.
        """
        count = self.to_latent.out_channels
        color = images.mean((0, 2, 3)).repeat_interleave(self.size**2)
        patches = F.pixel_unshuffle(images, self.size).permute(0, 2, 3, 1).flatten(0, 2) - color
        moments, vectors = torch.linalg.eigh((patches.T @ patches / len(patches)).double())
        moments, vectors = moments.flip(0)[:count], vectors.flip(1)[:, :count]
        deviations = moments.clamp_min(0).sqrt().clamp_min(_SMALLEST_DEVIATION).float()
        components = vectors.T.float()
        to_latent = torch.zeros(self.to_latent.weight.shape[:2])
        to_latent[: len(moments)] = components / deviations[:, None]
        to_image = torch.zeros(self.to_image.weight.shape[:2])
        to_image[:, : len(moments)] = components.T * deviations
        self._set(to_latent, to_image)
        assert self.to_latent.bias is not None
        assert self.to_image.bias is not None
        self.to_image.bias.copy_(color)
        self.to_latent.bias.copy_(-(to_latent @ color))

    @torch.no_grad()
    def _set(self, to_latent: Tensor, to_image: Tensor) -> None:
        """Let the maps be matrices of one patch: (Z, C · size²) and (C · size², Z)."""
        center = _REACH // 2
        for layer, matrix in ((self.to_latent, to_latent), (self.to_image, to_image)):
            layer.weight.zero_()
            layer.weight[:, :, center, center] = matrix
            assert layer.bias is not None
            layer.bias.zero_()
