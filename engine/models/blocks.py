"""The pieces of the autoencoders; every tensor is (B, C, H, W) in channels-last memory order."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.architecture import COMPARED_VALUES
from engine.randomness import uniform

_DROPOUT_STREAM = 2
_HALF_A_LEVEL = 0.5 / 255


class ChannelNorm(nn.LayerNorm):
    """Layer normalization over the channels of each position: (B, C, H, W) to the same shape.

    The permutation is free in channels-last order.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each position's channels."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ResidualBlock(nn.Module):
    """Normalization and two 3 × 3 convolutions beside the identity: (B, C, H, W) to the same shape.

    The last convolution starts at zero, so that a new block is the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        assert self.conv2.bias is not None
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Add the block's correction."""
        correction: Tensor = self.conv2(F.relu(self.conv1(self.norm(x))))
        return x + correction


class Downsample(nn.Module):
    """2 × 2 max pooling and a change of channels: (B, C, H, W) to (B, C', H/2, W/2)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Halve height and width."""
        projected: Tensor = self.project(F.max_pool2d(x, 2))
        return projected


class Upsample(nn.Module):
    """A transposed convolution beside a nearest-pixel shortcut: (B, C, H, W) to (B, C', 2H, 2W).

    The transposed convolution starts at zero: a new block copies each position to 2 × 2.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, out_channels, 1)
        self.detail = nn.ConvTranspose2d(channels, out_channels, 2, stride=2, bias=False)
        nn.init.zeros_(self.detail.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Double height and width."""
        detail: Tensor = self.detail(x)
        return detail + F.interpolate(self.project(x), scale_factor=2, mode="nearest")


class Compression(nn.Module):
    """The bottleneck: a 1 × 1 convolution, (B, C, h, w) to the latent (B, Z, h, w), with optional dropout."""

    def __init__(self, channels: int, latent_channels: int, dropout: float) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.project = nn.Conv2d(channels, latent_channels, 1)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Compress."""
        compressed: Tensor = self.project(self.norm(x))
        return compressed

    def drop(self, latent: Tensor, keys: Tensor | None) -> Tensor:
        """Drop values of the latent (B, Z, h, w) at random by their images' keys (B,), where there are any."""
        if keys is None or self.dropout == 0:
            return latent
        kept = uniform(keys, latent[0].numel(), _DROPOUT_STREAM) >= self.dropout
        return latent * kept.view(latent.shape).to(latent.dtype) / (1 - self.dropout)


class Projection(nn.Sequential):
    """The head before a contrastive loss, (B, D) to (B, 128), which lets the vectors below keep what views differ in.

    Linear, batch normalization by the batch at hand, ReLU, linear: T. Chen et al., "A Simple Framework for Contrastive
    Learning of Visual Representations", ICML 2020.
    """

    def __init__(self, values: int, width: int, generator: torch.Generator) -> None:
        norm = nn.BatchNorm1d(width, track_running_stats=False)
        super().__init__(nn.Linear(values, width), norm, nn.ReLU(), nn.Linear(width, COMPARED_VALUES))
        for part in self:
            if isinstance(part, nn.Linear):
                nn.init.kaiming_normal_(part.weight, nonlinearity="linear", generator=generator)
                nn.init.zeros_(part.bias)


def local_contrast(images: Tensor, cell: int) -> tuple[Tensor, Tensor]:
    """Return the mean color and the contrast about each cell of an image.

    Args:
        images: (B, C, H, W), H and W multiples of ``cell``.
        cell: side of the cells that the image is cut into, in pixels.

    Returns:
        The mean color (B, C, H / cell, W / cell) of the three by three cells about each, and their contrast
        (B, 1, H / cell, W / cell), the standard deviation about it, at least half an 8-bit level; float32.

    """
    with torch.autocast(images.device.type, enabled=False):
        images = images.float()
        moments = F.avg_pool2d(torch.cat([images, images.square().mean(1, keepdim=True)], 1), cell)
        moments = F.avg_pool2d(moments, 3, stride=1, padding=1, count_include_pad=False)
        color, square = moments[:, :-1], moments[:, -1:]
        variance = square - color.square().mean(1, keepdim=True)
        return color, variance.clamp_min(_HALF_A_LEVEL**2).sqrt()


def local_detail(images: Tensor, cell: int) -> tuple[Tensor, Tensor]:
    """Return an image (B, C, H, W) in units of its local contrast, and that contrast (B, 1, H / cell, W / cell).

    The detail (B, C · cell², H / cell, W / cell) is each cell less its mean color, divided by its contrast, both as
    `local_contrast` has them; float32.
    """
    color, contrast = local_contrast(images, cell)
    with torch.autocast(images.device.type, enabled=False):
        detail = F.pixel_unshuffle(images.float(), cell) - color.repeat_interleave(cell**2, 1)
        return detail / contrast, contrast


def initialize(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of every convolution that did not start at zero (He et al., 2015), from one generator."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and part.weight.any():
            nn.init.kaiming_normal_(part.weight, nonlinearity="linear", generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
