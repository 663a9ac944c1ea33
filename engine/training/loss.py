"""What training lowers."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from engine import randomness
from engine.device import Device
from engine.distributed.ranks import ALONE, Ranks
from engine.images.augment import augment
from engine.images.disguise import disguise, view
from engine.models import Autoencoder
from engine.settings import Settings
from engine.tensors import to_float

_CHARBONNIER_EPSILON = 1e-3
_RMSE_EPSILON = 1e-7
_SECOND_VIEW = 0x5555_5555
RECONSTRUCTED = 4
"""Of this many images that are told alike, one is reconstructed too: decoding all costs a third of the step."""

StepLoss = Callable[[Tensor, Tensor], Tensor]


def reconstruction_loss(kind: str, reconstruction: Tensor, images: Tensor) -> Tensor:
    """Return the mean loss () of reconstructions (B, C, H, W) against images in [0, 1].

    ``rmse``: mean over images of sqrt(mean of d² + 1e-7), between PSNR, which smooth images decide, and MSE, which busy
    ones do; ``mae``: mean of |d|; ``mse``: mean of d²; ``charbonnier``: mean of sqrt(d² + ε²), ε = 0.001
    (P. Charbonnier et al., "Two deterministic half-quadratic regularization algorithms for computed imaging", ICIP
    1994).
    """
    if kind == "rmse":
        return ((reconstruction - images).square().flatten(1).mean(1) + _RMSE_EPSILON).sqrt().mean()
    if kind == "mae":
        return F.l1_loss(reconstruction, images)
    if kind == "mse":
        return F.mse_loss(reconstruction, images)
    return torch.sqrt((reconstruction - images).square() + _CHARBONNIER_EPSILON**2).mean()


def step_loss(model: Autoencoder, settings: Settings, device: Device, ranks: Ranks = ALONE) -> StepLoss:
    """Return the function that training differentiates: (uint8 images (B, H, W, C), keys (B,)) to the loss ().

    It holds everything from the stored bytes to the loss, so that it can be compiled as one graph. With agreement, two
    views of each image stand in the image's place, those of all ranks are compared, and some of the first views are
    reconstructed.
    """
    objective, kind = settings.objective, settings.training.loss

    def reconstructing(stored: Tensor, keys: Tensor) -> Tensor:
        images = augment(to_float(stored), keys, settings.augmentation)
        with device.autocast():
            reconstruction = model(disguise(images, keys, objective), keys)
        return reconstruction_loss(kind, reconstruction.float(), images)

    def agreeing(stored: Tensor, keys: Tensor) -> Tensor:
        images = augment(to_float(stored), keys, settings.augmentation)
        height, width = images.shape[-2:]
        views = torch.cat([view(images, keys, 0, objective), view(images, keys, 1, objective)])
        both = torch.cat([keys, keys ^ _SECOND_VIEW])
        some = -(-len(images) // RECONSTRUCTED)
        with device.autocast():
            latent = model.encode(disguise(views, both, objective), both)
            reconstruction = model.decode(latent[:some])[..., :height, :width]
            vectors = model.project(latent, ranks.gather_views)
        agreement = contrastive_loss(vectors, objective.temperature)
        return reconstruction_loss(kind, reconstruction.float(), views[:some]) + objective.agreement * agreement

    return agreeing if objective.agreement else reconstructing


def contrastive_loss(vectors: Tensor, temperature: float) -> Tensor:
    """Return the loss () of vectors (2·B, D), of which rows i and B + i are views of one image.

    The normalized temperature-scaled cross entropy: each vector is to be nearer, by cosine, to its partner than to
    the views of the batch's other images (T. Chen et al., "A Simple Framework for Contrastive Learning of Visual
    Representations", ICML 2020).
    """
    count = len(vectors) // 2
    vectors = F.normalize(vectors.float(), dim=1)
    likeness = vectors @ vectors.T / temperature
    itself = torch.eye(2 * count, dtype=torch.bool, device=vectors.device)
    partner = torch.arange(2 * count, device=vectors.device).roll(count)
    return F.cross_entropy(likeness.masked_fill(itself, -torch.inf), partner)


def image_keys(settings: Settings, epoch: int, numbers: Tensor) -> Tensor:
    """Return the keys (B,) from which augmentation and dropout of these images draw in this epoch."""
    return randomness.keys(settings.training.seed, epoch, numbers)
