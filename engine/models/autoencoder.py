"""The FeXT autoencoders: Redux, Medium and Large."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.architecture import CELL, PYRAMID, PYRAMID_CELLS, bases_of, latent_shape, stages_of
from engine.errors import UsageError
from engine.models.blocks import (
    ChannelNorm,
    Compression,
    Downsample,
    Projection,
    ResidualBlock,
    Upsample,
    initialize,
    local_contrast,
    local_detail,
)
from engine.models.shortcut import PatchShortcut
from engine.models.whitening import Whitening
from engine.settings import ModelSettings, Pooling

_GRAY = 0.5
_TINY = 1e-12
"""Keeps the gradient of a deviation finite where it is zero."""

_LATENT_SHARE = 4.0
"""What the network adds to the latent, for a patch of contrast 1; most have a twentieth of that."""


class Autoencoder(nn.Module):
    """A convolutional autoencoder of images (B, C, H, W) in [0, 1], C = 1 or 3, any H and W of 16 or more.

    A pixel-unshuffle stem turns cells of 4 × 4 pixels into channels, where convolutions are quick; its inverse in the
    head restores every pixel. Beside the whole network lies, unless the settings leave it out, a shortcut from
    patches of ``downsampling`` × ``downsampling`` pixels to the latent and back; `fit_shortcut` makes it the principal
    components of the training images, by kind of patch. The network, which then starts at zero, learns what they
    leave: its last stage sees the shortcut's reconstruction in units of the local contrast, and its correction is
    multiplied by that contrast, so that what is smooth stays as exact as it is (a correction that scales with the
    picture, after S. Mohan et al., "Robust and Interpretable Blind Image Denoising via Bias-Free Convolutional Neural
    Networks", ICLR 2020). The output is not clamped, so that the gradient never vanishes.
    """

    def __init__(self, settings: ModelSettings, image_channels: int, seed: int = 0) -> None:
        super().__init__()
        self.settings = settings
        self.downsampling = settings.downsampling
        self.image_channels = image_channels
        stages = stages_of(settings.variant, settings.downsampling)
        widths, values = stages.channels, image_channels * CELL**2
        self.stem = nn.Conv2d(values, widths[0], 3, padding=1)
        self.encoder = nn.Sequential()
        self.decoder = nn.Sequential()
        for level, (width, blocks) in enumerate(zip(widths, stages.blocks, strict=True)):
            if level:
                self.encoder.append(Downsample(widths[level - 1], width))
            self.encoder.extend(ResidualBlock(width) for _ in range(blocks))
        self.shortcut: PatchShortcut | None = None
        if settings.shortcut:
            self.shortcut = PatchShortcut(
                image_channels, settings.latent_channels, settings.downsampling, bases_of(settings)
            )
        values_of_latent = self.shortcut.values if self.shortcut else settings.latent_channels
        self.compression = Compression(widths[-1], values_of_latent, settings.dropout)
        self.expansion = nn.Conv2d(settings.latent_channels, widths[-1], 1)
        for level in reversed(range(1, len(widths))):
            self.decoder.extend(ResidualBlock(widths[level]) for _ in range(stages.blocks[level]))
            self.decoder.append(Upsample(widths[level], widths[level - 1]))
        self.detail = nn.Conv2d(values, widths[0], 3, padding=1) if settings.shortcut else None
        self.finish = nn.Sequential(*(ResidualBlock(widths[0]) for _ in range(stages.blocks[0])))
        last = nn.Conv2d(widths[0], values, 3, padding=1)
        self.head = nn.Sequential(ChannelNorm(widths[0]), last)
        generator = torch.Generator().manual_seed(seed)
        initialize(self, generator)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.constant_(last.bias, 0.0 if settings.shortcut else _GRAY)
        if self.shortcut:
            self.shortcut.initialize(generator)
            nn.init.zeros_(self.compression.project.weight)
        self.projection: Projection | None = None
        if settings.projection:
            self.projection = Projection(2 * settings.latent_channels, settings.projection, generator)
        self.whitening = Whitening(2 * PYRAMID_CELLS * settings.latent_channels) if settings.whitening else None
        self.to(memory_format=torch.channels_last)

    def encode(self, images: Tensor, keys: Tensor | None = None) -> Tensor:
        """Return the latent (B, Z, h, w), h = ⌈H / downsampling⌉; ``keys`` (B,) switch dropout on."""
        images = F.pad(images, self._padding(images), mode="replicate")
        latent = self.compression(self.encoder(self.stem(F.pixel_unshuffle(images * 2 - 1, CELL))))
        if not self.shortcut:
            return self.compression.drop(latent, keys)
        _, contrast = local_contrast(images, self.downsampling)
        values, codes = self.shortcut.encode(images)
        values = self.compression.drop(values + latent * (contrast * _LATENT_SHARE), keys)
        return torch.cat([values, codes], 1)

    def decode(self, latent: Tensor) -> Tensor:
        """Return images (B, C, h · downsampling, w · downsampling), about [0, 1], not clamped."""
        x = self.decoder(self.expansion(latent))
        if not self.shortcut:
            return F.pixel_shuffle(self.head(self.finish(x)), CELL)
        assert self.detail is not None
        base = self.shortcut.decode(latent)
        detail, contrast = local_detail(base, CELL)
        correction = self.head(self.finish(x + self.detail(detail))) * contrast
        return base + F.pixel_shuffle(correction, CELL)

    def forward(self, images: Tensor, keys: Tensor | None = None) -> Tensor:
        """Return the reconstruction, of the images' own size."""
        height, width = images.shape[-2:]
        return self.decode(self.encode(images, keys))[..., :height, :width]

    def embed(self, images: Tensor, pooling: Pooling) -> Tensor:
        """Return vectors (B, D) float32: the latent, flattened or pooled over its positions, perhaps whitened.

        Raises:
            UsageError: whitened vectors are asked of a network without the statistics.

        """
        return self.vectors_of(self.encode(images), pooling)

    def vectors_of(self, latent: Tensor, pooling: Pooling) -> Tensor:
        """Return the vectors (B, D) float32 of a latent (B, Z, h, w), as `embed` does of images.

        Raises:
            UsageError: whitened vectors are asked of a network without the statistics.

        """
        kind = self.pooling(pooling)
        vectors = pooled(latent.float(), kind)
        return self.whitening(vectors) if self.whitening and kind == "whitened" else vectors

    def pooling(self, wanted: Pooling) -> Pooling:
        """Return the pooling that ``auto`` stands for, else the one wanted.

        Raises:
            UsageError: whitened vectors are asked of a network without the statistics.

        """
        has_statistics = self.whitening is not None and self.whitening.fitted
        if wanted == "auto":
            return "whitened" if has_statistics else "flatten"
        if wanted == "whitened" and not has_statistics:
            raise UsageError(
                "This network keeps no statistics to whiten by.",
                "Choose another encoding.pooling, or train with model.whitening = on.",
            )
        return wanted

    @torch.inference_mode()
    def fit_whitening(self, batches: Iterable[Tensor]) -> None:
        """Take the statistics that vectors are whitened by, if there are any, from batches of images (B, C, H, W)."""
        if self.whitening:
            vectors = [pooled(self.encode(images).float(), "whitened") for images in batches]
            self.whitening.fit(torch.cat(vectors))

    def dimension(self, height: int, width: int, pooling: Pooling) -> int:
        """Return the number of values of a vector, for images of this size."""
        channels, rows, columns = self.latent_shape(height, width)
        kind = self.pooling(pooling)
        if kind == "whitened":
            assert self.whitening is not None
            return self.whitening.components
        cells = {"flatten": rows * columns, "mean": 1, "mean_std": 2, "pyramid": 2 * PYRAMID_CELLS}
        return channels * cells[kind]

    def project(self, latent: Tensor, gathered: Callable[[Tensor], Tensor] = lambda vectors: vectors) -> Tensor:
        """Return what a contrastive loss compares, (B, D): mean and deviation of a latent, through the projection.

        ``gathered`` puts the vectors of other processes beside these before the projection, which looks at the batch.
        """
        vectors = gathered(pooled(latent.float(), "mean_std"))
        return self.projection(vectors) if self.projection else vectors

    def _padding(self, images: Tensor) -> tuple[int, int, int, int]:
        height, width = images.shape[-2:]
        return (0, -width % self.downsampling, 0, -height % self.downsampling)

    def fit_shortcut(self, images: Tensor, tell: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Fit the shortcut, if there is one, to images (N, C, H, W) in [0, 1]; see `PatchShortcut.fit`."""
        if self.shortcut:
            self.shortcut.fit(F.pad(images, self._padding(images), mode="replicate"), tell)

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Return (Z, h, w) of the latent of an image of this size."""
        return latent_shape(self.settings, height, width)


def pooled(latent: Tensor, pooling: Pooling) -> Tensor:
    """Return vectors (B, D) of a latent (B, Z, h, w).

    ``flatten``: all values; ``mean``: over positions; ``mean_std``: and standard deviations; ``pyramid``, and
    ``whitened``, which `Whitening` goes on from: `pyramid`.
    """
    if pooling == "flatten":
        return latent.flatten(1)
    if pooling == "mean":
        return latent.mean((2, 3))
    if pooling == "mean_std":
        return _mean_and_deviation(latent)
    return pyramid(latent)


def pyramid(latent: Tensor) -> Tensor:
    """Return means and deviations in cells of a latent (B, Z, h, w) whose positions are of length one: (B, 28·Z).

    There are 1 + 2 × 2 + 3 × 3 cells, by rows; cell i of k along n positions goes from ⌊i·n / k⌋ to ⌈(i + 1)·n / k⌉.
    A spatial pyramid (S. Lazebnik, C. Schmid and J. Ponce, "Beyond Bags of Features", CVPR 2006) keeps roughly where
    things are; positions of length one tell what is there and not how strong its contrast is.
    """
    rows, columns = latent.shape[2:]
    unit = F.normalize(latent, dim=1)
    return torch.cat(
        [
            _mean_and_deviation(unit[:, :, top:bottom, left:right])
            for side in PYRAMID
            for top, bottom in _cells(rows, side)
            for left, right in _cells(columns, side)
        ],
        1,
    )


def _cells(positions: int, count: int) -> list[tuple[int, int]]:
    return [(part * positions // count, -(-(part + 1) * positions // count)) for part in range(count)]


def _mean_and_deviation(latent: Tensor) -> Tensor:
    deviation = (latent.var((2, 3), correction=0) + _TINY).sqrt()
    return torch.cat([latent.mean((2, 3)), deviation], 1)
