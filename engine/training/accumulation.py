"""Gradients of a batch, computed in as many parts as the memory asks for."""

from collections.abc import Iterable

import torch
from torch import Tensor

from engine.errors import FextError
from engine.report import Report
from engine.settings import TrainingSettings
from engine.training.checkpoint import Standing
from engine.training.compiling import TrainingStep
from engine.training.memory import is_out_of_memory


class Accumulation:
    """Takes a batch in equal micro-batches, and smaller ones from where memory runs out.

    All are of one size, a divisor of the batch's, so that a compiled step sees one shape. The size that memory
    allowed is kept in ``standing``, for the resumes of the run.
    """

    def __init__(
        self,
        step: TrainingStep,
        parameters: Iterable[Tensor],
        training: TrainingSettings,
        standing: Standing,
        report: Report,
    ) -> None:
        self._step = step
        self._parameters = list(parameters)
        self._wanted = training.micro_batch or training.batch_size
        self._standing = standing
        self._report = report

    def loss_and_gradients(self, stored: Tensor, keys: Tensor, scale: torch.amp.GradScaler) -> Tensor:
        """Return the mean loss () of uint8 images (B, H, W, C) by their keys (B,), and give parameters its gradients.

        Raises:
            FextError: not even one image fits into memory.

        """
        while True:
            size = largest_divisor(len(stored), self._standing.micro_batch or self._wanted)
            try:
                return self._add_up(stored, keys, scale, size)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            self._halve(len(stored), size)

    def _add_up(self, stored: Tensor, keys: Tensor, scale: torch.amp.GradScaler, size: int) -> Tensor:
        parts = len(stored) // size
        pairs = zip(stored.chunk(parts), keys.chunk(parts), strict=True)
        loss = torch.stack([self._step.loss_and_gradients(*pair, scale) for pair in pairs]).mean()
        if parts > 1:
            torch._foreach_div_([one.grad for one in self._parameters if one.grad is not None], parts)
        return loss

    def _halve(self, batch: int, size: int) -> None:
        if size == 1:
            raise FextError(
                "Memory ran out: the training step does not fit even for one image at a time.",
                "Choose smaller images, a lighter model.variant or device.precision = bfloat16, "
                "or end what else takes memory.",
            )
        for parameter in self._parameters:
            parameter.grad = None
        torch.cuda.empty_cache()
        smaller = largest_divisor(batch, size // 2)
        self._standing.micro_batch = smaller
        self._report.log(
            f"Memory ran out at {size:,} images at a time: going on with {smaller:,}. "
            f"Their gradients add up to those of the same batch of {batch:,}.",
            "warning",
        )


def largest_divisor(number: int, limit: int) -> int:
    """Return the largest divisor of a number that is at most ``limit``; both are at least 1."""
    return next(size for size in range(min(number, limit), 0, -1) if number % size == 0)
