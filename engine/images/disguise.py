"""What the network is shown in place of a training image, drawn from (seed, epoch, image) alone.

Restoring a picture from a disguised one asks for more than copying it: noise (P. Vincent et al., "Extracting and
Composing Robust Features with Denoising Autoencoders", ICML 2008), hidden patches (K. He et al., "Masked Autoencoders
Are Scalable Vision Learners", CVPR 2022). Views are two disguises of one picture that should be told alike.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.randomness import uniform
from engine.settings import ObjectiveSettings

_NOISE_STREAM = 3
_MASK_STREAM = 4
_VIEW_STREAM = 5
_VIEW_DRAWS = 12
_STRETCH = 0.25
_NO_COLOR_ODDS = 0.2
_SWAP_ODDS = 0.3


def disguise(images: Tensor, keys: Tensor, settings: ObjectiveSettings) -> Tensor:
    """Return images (B, C, H, W) in [0, 1] with noise and hidden patches, by their keys (B,).

    Noise is Gaussian, and may leave [0, 1]. A hidden patch shows the mean color of its image; the share of hidden
    patches is the same in every image.
    """
    if settings.noise:
        drawn = uniform(keys, images[0].numel(), _NOISE_STREAM).view(images.shape)
        normal = math.sqrt(2) * torch.erfinv(drawn * 2 - (1 - 2**-24))
        images = images + settings.noise * normal.to(images.dtype)
    if settings.masked:
        hidden = _hidden(keys, images.shape[-2:], settings)
        images = torch.where(hidden, images.mean((2, 3), keepdim=True), images)
    return images.contiguous(memory_format=torch.channels_last)


def _hidden(keys: Tensor, shape: torch.Size, settings: ObjectiveSettings) -> Tensor:
    height, width = shape
    size = settings.mask_size
    rows, columns = -(-height // size), -(-width // size)
    draws = uniform(keys, rows * columns, _MASK_STREAM)
    hidden = draws.argsort(1).argsort(1) < round(settings.masked * rows * columns)
    pixels = hidden.view(-1, 1, rows, columns).repeat_interleave(size, 2).repeat_interleave(size, 3)
    return pixels[..., :height, :width]


def view(images: Tensor, keys: Tensor, number: int, settings: ObjectiveSettings) -> Tensor:
    """Return a view (B, C, H, W) in [0, 1] of each image (B, C, H, W), by its key (B,) and the view's number, 0 or 1.

    A part of the picture, stretched, turned and perhaps flipped left-right, in other colors, brightness and contrast:
    T. Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020.
    """
    draws = uniform(keys, _VIEW_DRAWS, _VIEW_STREAM + number).to(images.dtype).unbind(1)
    parts = F.grid_sample(
        images,
        F.affine_grid(_placement(draws, settings), list(images.shape), align_corners=False),
        padding_mode="border",
        align_corners=False,
    )
    return _recolored(parts, draws, settings.view_color).contiguous(memory_format=torch.channels_last)


def _placement(draws: tuple[Tensor, ...], settings: ObjectiveSettings) -> Tensor:
    side = (settings.view_area + draws[0] * (1 - settings.view_area)).sqrt()
    stretch = torch.exp((draws[1] * 2 - 1) * (-side.log()).clamp(max=_STRETCH))
    width, height = side * stretch, side / stretch
    angle = (draws[2] * 2 - 1) * math.radians(settings.view_rotation)
    flip = torch.where(draws[3] < 0.5, -1.0, 1.0)
    x, y = (draws[4] * 2 - 1) * (1 - width), (draws[5] * 2 - 1) * (1 - height)
    first = torch.stack([width * angle.cos() * flip, -height * angle.sin(), x], 1)
    second = torch.stack([width * angle.sin() * flip, height * angle.cos(), y], 1)
    return torch.stack([first, second], 1)


def _recolored(images: Tensor, draws: tuple[Tensor, ...], strength: float) -> Tensor:
    contrast, brightness, saturation, gray, swap, order = (draw[:, None, None, None] for draw in draws[6:])
    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * (1 + (contrast * 2 - 1) * strength) + mean + (brightness - 0.5) * strength
    luminance = images.mean(1, keepdim=True)
    factor = 1 + (saturation * 2 - 1) * 2 * strength
    factor = torch.where(gray < _NO_COLOR_ODDS * min(1.0, strength * 2.5), torch.zeros_like(factor), factor)
    images = luminance + (images - luminance) * factor
    if images.shape[1] == 3:
        turned = torch.where(order < 0.5, images.roll(1, 1), images.roll(2, 1))
        images = torch.where(swap < _SWAP_ODDS * min(1.0, strength * 2.5), turned, images)
    return images.clamp(0, 1)
