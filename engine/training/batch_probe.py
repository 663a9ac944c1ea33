"""The batch size at which a device takes the most images a second."""

import time
from collections.abc import Iterable

import torch
from torch import Tensor

from engine.device import Device
from engine.errors import FextError
from engine.images.dataset import Subset
from engine.report import Report, go_on
from engine.settings import Settings
from engine.training.loss import StepLoss, image_keys
from engine.training.memory import is_out_of_memory, memory_gb

_LARGEST = 4096
_WORTH = 1.05
"""How many times quicker a batch twice as large must be: it takes half the steps an epoch, which costs quality."""


def find_batch_size(
    loss: StepLoss, parameters: Iterable[Tensor], *, images: Subset, settings: Settings, device: Device, report: Report
) -> int:
    """Return the smallest power of two from which doubling the batch brings no more than 5 % of speed.

    Loss and gradients are computed twice for each size, and timed the second time; weights stay as they are.

    Raises:
        FextError: not even one image fits into memory.
        Stopped: it was asked to stop.

    """
    weights = list(parameters)
    best, best_rate, size = 0, 0.0, 1
    while size <= min(_LARGEST, len(images)):
        go_on(report)
        try:
            rate = _images_a_second(loss, size, images, settings, device)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            report.log(f"A batch of {size:,} does not fit into memory.")
            break
        finally:
            for weight in weights:
                weight.grad = None
        report.log(f"A batch of {size:,}: {rate:,.1f} images a second, {memory_gb(device):.1f} GB.")
        if best and rate < best_rate * _WORTH:
            break
        best, best_rate, size = size, rate, size * 2
    if not best:
        raise FextError(
            "Memory ran out: the training step does not fit even for one image.",
            "Choose smaller images, a lighter model.variant, or end what else takes memory.",
        )
    report.log(f"The batch size is {best:,}.")
    return best


def _images_a_second(loss: StepLoss, size: int, images: Subset, settings: Settings, device: Device) -> float:
    numbers = torch.arange(size)
    stored = torch.from_numpy(images.batch(numbers.numpy())).to(device.handle)
    keys = image_keys(settings, 0, numbers.to(device.handle))
    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        torch.autograd.backward(loss(stored, keys))
        if device.is_gpu:
            torch.cuda.synchronize(device.handle)
        seconds = time.perf_counter() - began
    return size / seconds
