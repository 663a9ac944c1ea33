"""Random numbers that depend on (seed, epoch, image) alone.

Augmentation and dropout draw from here, so that any number of workers, any place of an image in a batch and
any resume give the same numbers. The mixing function is lowbias32 (C. Wellons, "Prospecting for Hash
Functions", 2018), computed in int64 with the upper half masked away.
"""

import torch
from torch import Tensor

_MASK = 0xFFFF_FFFF
_GOLDEN = 0x9E37_79B9


def _mix(x: Tensor) -> Tensor:
    x = (x ^ (x >> 16)) * 0x7FEB_352D & _MASK
    x = (x ^ (x >> 15)) * 0x846C_A68B & _MASK
    return x ^ (x >> 16)


def keys(seed: int, epoch: int, indices: Tensor) -> Tensor:
    """Return one key an image, (B,) int64 in [0, 2³²), of the seed, the epoch and its index in the data set."""
    start = _mix(torch.tensor(seed & _MASK, dtype=torch.int64, device=indices.device))
    return _mix(_mix(start + epoch & _MASK) + indices & _MASK)


def uniform(image_keys: Tensor, count: int, stream: int) -> Tensor:
    """Return (B, count) float32 in [0, 1), uniform; ``stream`` keeps apart what draws from the same keys."""
    position = torch.arange(count, dtype=torch.int64, device=image_keys.device)
    spread = (position + 1) * _GOLDEN & _MASK
    drawn = _mix(_mix(image_keys[:, None] + stream * 0x85EB_CA6B & _MASK) ^ spread[None])
    return (_mix(drawn) >> 8).to(torch.float32) * 2.0**-24
