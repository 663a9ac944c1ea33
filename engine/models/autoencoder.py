"""The FeXT autoencoders: Redux, Medium and Large."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.models.blocks import ChannelNorm, Compression, Downsample, ResidualBlock, Upsample, initialize
from engine.models.shortcut import PatchShortcut
from engine.settings import ModelSettings, Pooling, Variant

_STEM = 2
_GRAY = 0.5


@dataclass(frozen=True)
class Widths:
    """Channels and residual blocks of each stage, from the finest to the coarsest."""

    channels: tuple[int, ...]
    blocks: tuple[int, ...]


VARIANTS: dict[Variant, Widths] = {
    "redux": Widths((32, 64, 128, 256), (1, 1, 1, 1)),
    "medium": Widths((48, 96, 192, 384), (1, 1, 2, 2)),
    "large": Widths((64, 128, 256, 512), (1, 2, 3, 3)),
}


def stages_of(variant: Variant, downsampling: int) -> Widths:
    """Return the stages that reach a downsampling of 8, 16 or 32: the variant's four, without or with one more."""
    widths = VARIANTS[variant]
    count = downsampling.bit_length() - 1
    extra = max(0, count - len(widths.channels))
    channels = (widths.channels + widths.channels[-1:] * extra)[:count]
    blocks = (widths.blocks + widths.blocks[-1:] * extra)[:count]
    return Widths(channels, blocks)


class Autoencoder(nn.Module):
    """A convolutional autoencoder of images (B, C, H, W) in [0, 1], C = 1 or 3, any H and W of 16 or more.

    A pixel-unshuffle stem brings the picture to half size with four times the channels, where convolutions
    are quick; its inverse in the head restores every pixel. Beside the whole network lies, unless the settings leave
    it out, a linear shortcut from each patch of ``downsampling`` × ``downsampling`` pixels to one position of the
    latent and back; `fit_shortcut` makes it the principal components of the training images, and the network, which
    then starts at zero, learns what they leave. The output is not clamped, so that the gradient never vanishes.
    """

    def __init__(self, settings: ModelSettings, image_channels: int, seed: int = 0) -> None:
        super().__init__()
        self.downsampling = settings.downsampling
        self.image_channels = image_channels
        stages = stages_of(settings.variant, settings.downsampling)
        widths = stages.channels
        self.stem = nn.Conv2d(image_channels * _STEM**2, widths[0], 3, padding=1)
        self.encoder = nn.Sequential()
        self.decoder = nn.Sequential()
        for level, (width, blocks) in enumerate(zip(widths, stages.blocks, strict=True)):
            if level:
                self.encoder.append(Downsample(widths[level - 1], width))
            self.encoder.extend(ResidualBlock(width) for _ in range(blocks))
        self.compression = Compression(widths[-1], settings.latent_channels, settings.dropout)
        self.expansion = nn.Conv2d(settings.latent_channels, widths[-1], 1)
        for level in reversed(range(len(widths))):
            self.decoder.extend(ResidualBlock(widths[level]) for _ in range(stages.blocks[level]))
            if level:
                self.decoder.append(Upsample(widths[level], widths[level - 1]))
        last = nn.Conv2d(widths[0], image_channels * _STEM**2, 3, padding=1)
        self.head = nn.Sequential(ChannelNorm(widths[0]), last)
        generator = torch.Generator().manual_seed(seed)
        initialize(self, generator)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.constant_(last.bias, 0.0 if settings.shortcut else _GRAY)
        self.shortcut: PatchShortcut | None = None
        if settings.shortcut:
            self.shortcut = PatchShortcut(image_channels, settings.latent_channels, settings.downsampling)
            self.shortcut.initialize(generator)
            nn.init.zeros_(self.compression.project.weight)
        self.to(memory_format=torch.channels_last)

    def encode(self, images: Tensor, keys: Tensor | None = None) -> Tensor:
        """Return the latent (B, Z, h, w), h = ⌈H / downsampling⌉; ``keys`` (B,) switch dropout on."""
        images = F.pad(images, self._padding(images), mode="replicate")
        x = self.encoder(self.stem(F.pixel_unshuffle(images * 2 - 1, _STEM)))
        linear = self.shortcut.encode(images) if self.shortcut else None
        latent: Tensor = self.compression(x, linear, keys)
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """Return images (B, C, h · downsampling, w · downsampling), about [0, 1], not clamped."""
        images = F.pixel_shuffle(self.head(self.decoder(self.expansion(latent))), _STEM)
        return images + self.shortcut.decode(latent) if self.shortcut else images

    def forward(self, images: Tensor, keys: Tensor | None = None) -> Tensor:
        """Return the reconstruction, of the images' own size."""
        height, width = images.shape[-2:]
        return self.decode(self.encode(images, keys))[..., :height, :width]

    def embed(self, images: Tensor, pooling: Pooling) -> Tensor:
        """Return vectors (B, D) float32: the latent, flattened or pooled over its positions."""
        latent = self.encode(images).float()
        if pooling == "flatten":
            return latent.flatten(1)
        mean = latent.mean((2, 3))
        if pooling == "mean":
            return mean
        return torch.cat([mean, latent.std((2, 3), correction=0)], 1)

    def _padding(self, images: Tensor) -> tuple[int, int, int, int]:
        height, width = images.shape[-2:]
        return (0, -width % self.downsampling, 0, -height % self.downsampling)

    def fit_shortcut(self, images: Tensor) -> None:
        """Make the shortcut, if there is one, the principal components of patches of images (N, C, H, W) in [0, 1]."""
        if self.shortcut:
            self.shortcut.fit(F.pad(images, self._padding(images), mode="replicate"))

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Return (Z, h, w) of the latent of an image of this size."""
        step = self.downsampling
        return (self.expansion.in_channels, -(-height // step), -(-width // step))
