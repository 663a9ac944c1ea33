"""Batches of pictures on the device, without waiting for the disk."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from engine.device import Device
from engine.images.dataset import Indices, Subset

_RESIDENT_SHARE = 0.5
_BATCHES_AHEAD = 2


class Feeder:
    """Gives batches of a subset on the device: from the device's own memory where they fit, else read ahead."""

    def __init__(self, subset: Subset, device: Device) -> None:
        self._subset = subset
        self._device = device
        self._resident = self._upload() if self._fits() else None

    def _fits(self) -> bool:
        if not self._device.is_gpu:
            return False
        free, _ = torch.cuda.mem_get_info(self._device.handle)
        return len(self._subset) * int(np.prod(self._subset.store.shape)) < free * _RESIDENT_SHARE

    def _upload(self) -> Tensor:
        count = len(self._subset)
        images = torch.empty((count, *self._subset.store.shape), dtype=torch.uint8, device=self._device.handle)
        for start in range(0, count, 1024):
            numbers = np.arange(start, min(start + 1024, count), dtype=np.int64)
            images[start : start + len(numbers)] = torch.from_numpy(self._subset.batch(numbers))
        return images

    def batches(self, numbers: Iterator[Indices]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (numbers (n,) int64, uint8 pictures (n, H, W, C)) on the device for each array of numbers."""
        if self._resident is not None:
            for wanted in numbers:
                here = torch.from_numpy(wanted).to(self._device.handle, non_blocking=True)
                yield here, self._resident[here]
            return
        with ThreadPoolExecutor(1, thread_name_prefix="feeder") as pool:
            waiting: list[Future[tuple[Tensor, Tensor]]] = []
            for wanted in numbers:
                waiting.append(pool.submit(self._read, wanted))
                if len(waiting) > _BATCHES_AHEAD:
                    yield self._to_device(waiting.pop(0).result())
            for future in waiting:
                yield self._to_device(future.result())

    def _read(self, numbers: Indices) -> tuple[Tensor, Tensor]:
        pair = torch.from_numpy(numbers), torch.from_numpy(self._subset.batch(numbers))
        return (pair[0].pin_memory(), pair[1].pin_memory()) if self._device.is_gpu else pair

    def _to_device(self, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        numbers, images = pair
        return (
            numbers.to(self._device.handle, non_blocking=True),
            images.to(self._device.handle, non_blocking=True),
        )
