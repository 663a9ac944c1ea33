"""How well the images held out are reconstructed, measured while training."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from engine.device import Device
from engine.distributed.ranks import ALONE, Ranks
from engine.feeder import Feeder
from engine.images.dataset import Indices, Subset
from engine.metrics import mean_absolute_error, mean_squared_error, psnr_of, structural_similarity
from engine.models import Autoencoder
from engine.report import Report
from engine.settings import Settings
from engine.tensors import to_float, to_uint8
from engine.training.loss import reconstruction_loss

NAMES = ("loss", "mae", "mse", "psnr", "ssim")


class Validation:
    """Measures a model on the images held out; they are sent through in batches, and only the sums leave the device.

    All ranks take part, each with batches of its own.
    """

    def __init__(self, subset: Subset, device: Device, settings: Settings, ranks: Ranks = ALONE) -> None:
        self._ranks = ranks
        self._count = len(subset)
        self._feeder = Feeder(subset, device)
        self._device = device
        self._loss = settings.training.loss
        self._batch_size = settings.evaluation.batch_size

    @torch.inference_mode()
    def measure(self, model: Autoencoder, report: Report) -> dict[str, float] | None:
        """Return the means of `NAMES` over the images, or None where it was asked to stop in between.

        The loss is that of the network's output; errors are of what a person sees, clamped and rounded to 8 bits, on
        the scale [0, 1], PSNR in dB averaged over images.
        """
        sums = torch.zeros(len(NAMES), dtype=torch.float64, device=self._device.handle)
        was_training = model.training
        model.eval()
        done = 0
        for numbers, stored in self._feeder.batches(self._batches()):
            [stopping] = self._ranks.agree([report.stopping()])
            if stopping:
                break
            if len(numbers):
                sums += self._sums(model, stored)
            done = min(done + self._batch_size * self._ranks.count, self._count)
            report.progress("validating", done, self._count, "images")
        model.train(was_training)
        if done < self._count:
            return None
        return dict(zip(NAMES, (self._ranks.total(sums) / self._count).tolist(), strict=True))

    def _batches(self) -> Iterator[Indices]:
        """Yield this rank's batches: as many as the others have, the last one perhaps empty."""
        everything = np.arange(self._count, dtype=np.int64)
        for start in range(0, self._count, self._batch_size * self._ranks.count):
            own = start + self._batch_size * self._ranks.number
            yield everything[own : own + self._batch_size]

    def _sums(self, model: Autoencoder, stored: Tensor) -> Tensor:
        images = to_float(stored)
        with self._device.autocast():
            reconstruction = model(images).float()
        shown = to_float(to_uint8(reconstruction))
        mse = mean_squared_error(shown, images)
        loss = reconstruction_loss(self._loss, reconstruction, images) * len(stored)
        errors = mean_absolute_error(shown, images), mse, psnr_of(mse), structural_similarity(images, shown)
        return torch.stack([loss, *(error.sum() for error in errors)]).double()
