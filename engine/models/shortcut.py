"""The linear shortcut of the autoencoders: principal components of patches."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SMALLEST_DEVIATION = 1e-3


class PatchShortcut(nn.Module):
    """A linear map from patches of ``size`` × ``size`` pixels to the latent's positions, and one back.

    Both are trained with the network. Before `fit` they are a random orthogonal map and its transpose.
    """

    def __init__(self, image_channels: int, latent_channels: int, size: int) -> None:
        super().__init__()
        self.to_latent = nn.Conv2d(image_channels, latent_channels, size, stride=size)
        self.to_image = nn.ConvTranspose2d(latent_channels, image_channels, size, stride=size)

    def encode(self, images: Tensor) -> Tensor:
        """Return (B, Z, h, w) for images (B, C, h · size, w · size)."""
        latent: Tensor = self.to_latent(images)
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """Return images (B, C, h · size, w · size)."""
        images: Tensor = self.to_image(latent)
        return images

    def initialize(self, generator: torch.Generator) -> None:
        """Draw a random orthogonal map, and let the way back be its transpose."""
        nn.init.orthogonal_(self.to_latent.weight, generator=generator)
        with torch.no_grad():
            self.to_image.weight.copy_(self.to_latent.weight)
            for bias in (self.to_latent.bias, self.to_image.bias):
                assert bias is not None
                bias.zero_()

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set both maps to the first principal components of the patches of images (N, C, h · size, w · size).

        The latent values get variance one over these patches; the mean color is the way back's bias. Reconstruction is
        then the best linear one of this size: K. Pearson, "On lines and planes of closest fit", 1901.
        """
        size, count = self.to_latent.kernel_size[0], self.to_latent.out_channels
        color = images.mean((0, 2, 3))
        patches = F.unfold(images - color[:, None, None], size, stride=size).transpose(1, 2).flatten(0, 1)
        moments, vectors = torch.linalg.eigh((patches.T @ patches / len(patches)).double())
        moments, vectors = moments.flip(0)[:count], vectors.flip(1)[:, :count]
        deviations = moments.clamp_min(0).sqrt().clamp_min(_SMALLEST_DEVIATION).float()
        shape = (len(moments), *self.to_latent.weight.shape[1:])
        components = vectors.T.float().reshape(shape)
        for layer, scale in ((self.to_latent, 1 / deviations), (self.to_image, deviations)):
            layer.weight.zero_()
            layer.weight[: len(moments)] = components * scale[:, None, None, None]
        assert self.to_latent.bias is not None
        assert self.to_image.bias is not None
        self.to_image.bias.copy_(color)
        self.to_latent.bias.copy_(-(self.to_latent.weight.sum((2, 3)) @ color))
