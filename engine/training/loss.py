"""What training lowers."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from engine import randomness
from engine.device import Device
from engine.images.augment import augment
from engine.images.disguise import disguise, view
from engine.models import Autoencoder
from engine.settings import Settings
from engine.tensors import to_float

_CHARBONNIER_EPSILON = 1e-3

StepLoss = Callable[[Tensor, Tensor], Tensor]


def reconstruction_loss(kind: str, reconstruction: Tensor, images: Tensor) -> Tensor:
    """Return the mean loss () of reconstructions (B, C, H, W) against images in [0, 1].

    ``mae``: mean of |d|; ``mse``: mean of d²; ``charbonnier``: mean of sqrt(d² + ε²), ε = 0.001 (P. Charbonnier
    et al., "Two deterministic half-quadratic regularization algorithms for computed imaging", ICIP 1994).
    """
    if kind == "mae":
        return F.l1_loss(reconstruction, images)
    if kind == "mse":
        return F.mse_loss(reconstruction, images)
    return torch.sqrt((reconstruction - images).square() + _CHARBONNIER_EPSILON**2).mean()


def step_loss(model: Autoencoder, settings: Settings, device: Device) -> StepLoss:
    """Return the function that training differentiates: (uint8 images (B, H, W, C), keys (B,)) to the loss ().

    It holds everything from the stored bytes to the loss, so that it can be compiled as one graph. What the objective
    asks for beside plain reconstruction is added to it.
    """
    objective = settings.objective

    def loss(stored: Tensor, keys: Tensor) -> Tensor:
        images = augment(to_float(stored), keys, settings.augmentation)
        with device.autocast():
            reconstruction = model(disguise(images, keys, objective), keys)
        total = reconstruction_loss(settings.training.loss, reconstruction.float(), images)
        if objective.agreement:
            views = torch.cat([view(images, keys, 0, objective), view(images, keys, 1, objective)])
            with device.autocast():
                vectors = model.embed(views, "mean")
            total = total + objective.agreement * contrastive_loss(vectors, objective.temperature)
        return total

    return loss


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
