"""Random changes of training images, drawn from (seed, epoch, image) alone."""

import torch
from torch import Tensor

from engine.randomness import uniform
from engine.settings import AugmentationSettings

_STREAM = 1
_DRAWS = 6


def augment(images: Tensor, keys: Tensor, settings: AugmentationSettings) -> Tensor:
    """Return images (B, C, H, W) in [0, 1], each flipped, brightened and contrasted at random by its key (B,).

    Contrast scales about the image's own mean; the result is clamped to [0, 1].
    """
    if not settings.enabled:
        return images
    draws = uniform(keys, _DRAWS, _STREAM).to(images.dtype)[:, :, None, None, None].unbind(1)
    images = torch.where(draws[0] < settings.flip_horizontal, images.flip(3), images)
    images = torch.where(draws[1] < settings.flip_vertical, images.flip(2), images)
    shift = (draws[2] * 2 - 1) * settings.brightness
    images = images + torch.where(draws[3] < settings.brightness_probability, shift, torch.zeros_like(shift))
    factor = settings.contrast_low + draws[4] * (settings.contrast_high - settings.contrast_low)
    factor = torch.where(draws[5] < settings.contrast_probability, factor, torch.ones_like(factor))
    mean = images.mean((1, 2, 3), keepdim=True)
    return ((images - mean) * factor + mean).clamp(0, 1)
