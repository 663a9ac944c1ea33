"""Pictures as tensors: uint8 (B, H, W, C) in files and memory, float (B, C, H, W) in [0, 1] in the network."""

import torch
from torch import Tensor


def to_float(images: Tensor) -> Tensor:
    """Return uint8 pictures (B, H, W, C) as float32 (B, C, H, W) in [0, 1], in channels-last memory order."""
    return images.permute(0, 3, 1, 2).to(torch.float32).div(255)


def to_uint8(images: Tensor) -> Tensor:
    """Return pictures (B, C, H, W) in [0, 1] as uint8 (B, H, W, C): clamped and rounded, as a person sees them."""
    return images.float().clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1)
