"""The measures of the autoencoders: what their networks are built from, known without loading torch."""

from dataclasses import dataclass

from engine.settings import ModelSettings, Variant

CELL = 4
"""Side of the cells of pixels that stem and head turn into channels and back."""

FRAME = 4
"""Directions that the shortcut's bases are found in, for each of theirs."""

COMPARED_VALUES = 128
"""Values that a contrastive loss compares, behind the projection."""

PYRAMID = (1, 2, 3)
"""Rows and columns of cells, from coarse to fine, over which a pyramid's means and deviations are taken."""

PYRAMID_CELLS = sum(side**2 for side in PYRAMID)

WHITENED_VALUES = 256
"""Principal components of a pyramid that whitened vectors have, at most."""

_FEWEST_FOR_A_CODE = 8
"""Latent channels from which on the last one may tell the kind of a patch."""

_FITTED_PIXELS = 1024 * 128 * 128
_FITTED_IMAGES = 2, 1024
"""What the shortcut is fitted to: so many pixels in all, and at least and at most so many images."""


@dataclass(frozen=True)
class Widths:
    """Channels and residual blocks of each stage, from the finest to the coarsest, and the shortcut's bases."""

    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    bases: int


VARIANTS: dict[Variant, Widths] = {
    "redux": Widths((64, 128, 256), (1, 1, 1), 4),
    "medium": Widths((96, 192, 384), (2, 1, 1), 16),
    "large": Widths((128, 256, 512), (2, 2, 2), 64),
}


def stages_of(variant: Variant, downsampling: int) -> Widths:
    """Return the stages that reach a downsampling of 8, 16 or 32: the first two of the variant's, all, or one more."""
    widths = VARIANTS[variant]
    count = (downsampling // CELL).bit_length()
    extra = max(0, count - len(widths.channels))
    channels = (widths.channels + widths.channels[-1:] * extra)[:count]
    blocks = (widths.blocks + widths.blocks[-1:] * extra)[:count]
    return Widths(channels, blocks, widths.bases)


def latent_shape(settings: ModelSettings, height: int, width: int) -> tuple[int, int, int]:
    """Return (Z, h, w) of the latent of an image of this size: h = ⌈height / downsampling⌉, and w likewise."""
    step = settings.downsampling
    return settings.latent_channels, -(-height // step), -(-width // step)


def bases_of(settings: ModelSettings) -> int:
    """Return how many bases the shortcut has; of itself one, where the latent is too narrow to hold a code."""
    own = VARIANTS[settings.variant].bases if settings.latent_channels >= _FEWEST_FOR_A_CODE else 1
    return settings.bases or own


def fitted_count(images: int, height: int, width: int) -> int:
    """Return how many of the training images the shortcut is fitted to: as 1,024 of 128 × 128 pixels come to."""
    fewest, most = _FITTED_IMAGES
    return min(images, max(fewest, min(most, _FITTED_PIXELS // (height * width))))
