"""How alike two pictures are; the same functions serve training and evaluation.

All functions take batches (B, C, H, W) of the same size and return one value an image, (B,).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.tensors import to_float

PSNR_LIMIT = 100.0
"""PSNR in dB that stands for equality."""

_WINDOW = 11
_SIGMA = 1.5
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

MS_SSIM_SIDE = _WINDOW << (len(_SCALE_WEIGHTS) - 1)
"""The shortest side in pixels, 176, of which the fifth scale still holds a window."""


def mean_absolute_error(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean of ``|a − b|``."""
    return (a - b).abs().flatten(1).mean(1)


def mean_squared_error(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean of ``(a − b)²``."""
    return (a - b).square().flatten(1).mean(1)


def psnr_of(mse: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB, ``−10·log10(MSE)``, of errors of pictures in [0, 1].

    It is limited to `PSNR_LIMIT`, which stands for equality.
    """
    return (-10 * torch.log10(mse.clamp_min(1e-30))).clamp_max(PSNR_LIMIT)


def rmse_of(mse: Tensor) -> Tensor:
    """Return the root of a mean squared error, in units of the pictures' scale."""
    return mse.sqrt()


def structural_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean structural similarity, at most 1, of pictures in [0, 1] with sides of 11 pixels or more.

    Gaussian window of 11 × 11 pixels, sigma 1.5, population covariance, K1 = 0.01, K2 = 0.03, averaged over the
    pixels whose window lies inside: Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image Quality
    Assessment: From Error Visibility to Structural Similarity", IEEE TIP 13(4), 2004.
    """
    return _similarity_and_contrast(a, b)[0]


def multi_scale_structural_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Return the structural similarity over five scales, in [0, 1], of pictures in [0, 1].

    Their sides must be `MS_SSIM_SIDE` pixels or more. From a scale to the next, 2 × 2 pixels are averaged; the means of
    contrast and structure at the first four scales and of the whole similarity at the fifth are limited to 0 and more,
    raised to the weights 0.0448, 0.2856, 0.3001, 0.2363 and 0.1333, and multiplied: Z. Wang, E. P. Simoncelli and
    A. C. Bovik, "Multi-scale Structural Similarity for Image Quality Assessment", Asilomar Conference on Signals,
    Systems and Computers, 2003.
    """
    whole = torch.ones(len(a), dtype=a.dtype, device=a.device)
    for weight in _SCALE_WEIGHTS[:-1]:
        _, contrast = _similarity_and_contrast(a, b)
        whole = whole * contrast.clamp_min(0) ** weight
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return whole * structural_similarity(a, b).clamp_min(0) ** _SCALE_WEIGHTS[-1]


def _similarity_and_contrast(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means of the structural similarity and of its part that is not luminance."""
    channels = a.shape[1]
    offset = torch.arange(_WINDOW, dtype=a.dtype, device=a.device) - _WINDOW // 2
    weights = torch.exp(-0.5 * (offset / _SIGMA).square())
    weights = (weights / weights.sum()).expand(channels, 1, _WINDOW)

    def blurred(x: Tensor) -> Tensor:
        x = F.conv2d(x, weights[:, :, :, None], groups=channels)
        return F.conv2d(x, weights[:, :, None, :], groups=channels)

    mean_a, mean_b = blurred(a), blurred(b)
    variance_a = blurred(a * a) - mean_a.square()
    variance_b = blurred(b * b) - mean_b.square()
    covariance = blurred(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return (luminance * structure).flatten(1).mean(1), structure.flatten(1).mean(1)


def cosine_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Return the cosine between the flattened pictures, in [0, 1] for pictures in [0, 1]; two black ones give 1."""
    a, b = a.flatten(1), b.flatten(1)
    norms = a.norm(dim=1) * b.norm(dim=1)
    both_black = (a.norm(dim=1) == 0) & (b.norm(dim=1) == 0)
    return torch.where(both_black, torch.ones_like(norms), (a * b).sum(1) / norms.clamp_min(1e-12)).clamp(-1, 1)


def image_errors(original: Tensor, reconstruction: Tensor) -> dict[str, Tensor]:
    """Return the errors of uint8 pictures (B, H, W, C), each (B,) float32, on the scale [0, 1].

    They are mae, mse, rmse, psnr, ssim and cosine, and ms_ssim where both sides have `MS_SSIM_SIDE` pixels or more.
    """
    a, b = to_float(original), to_float(reconstruction)
    mse = mean_squared_error(a, b)
    errors = {
        "mae": mean_absolute_error(a, b),
        "mse": mse,
        "rmse": rmse_of(mse),
        "psnr": psnr_of(mse),
        "ssim": structural_similarity(a, b),
        "cosine": cosine_similarity(a, b),
    }
    if min(a.shape[2:]) >= MS_SSIM_SIDE:
        errors["ms_ssim"] = multi_scale_structural_similarity(a, b)
    return errors
