"""Gradients of a batch, computed in as many parts as the memory asks for."""

from collections.abc import Iterable

import torch
from torch import Tensor

from engine.distributed.gradients import Loss
from engine.distributed.ranks import ALONE, Ranks
from engine.errors import FextError
from engine.report import Report
from engine.settings import TrainingSettings
from engine.training.checkpoint import Standing
from engine.training.compiling import TrainingStep
from engine.training.memory import is_out_of_memory


class Accumulation:
    """Takes a batch in equal micro-batches, and smaller ones from where memory runs out.

    All are of one size, a divisor of the batch's, so that a compiled step sees one shape. The size that memory
    allowed is kept in ``standing``, for the resumes of the run. Of several ranks, each takes its part of the batch in
    micro-batches; since one that failed in a step would leave the others waiting, they find the size beforehand, by
    ``rehearsal``, the loss of a rank alone.
    """

    def __init__(
        self,
        step: TrainingStep,
        parameters: Iterable[Tensor],
        training: TrainingSettings,
        standing: Standing,
        report: Report,
        *,
        ranks: Ranks = ALONE,
        rehearsal: Loss | None = None,
    ) -> None:
        self._step = step
        self._parameters = list(parameters)
        self._wanted = training.micro_batch or training.batch_size
        self._standing = standing
        self._report = report
        self._ranks = ranks
        self._rehearsal = rehearsal

    def loss_and_gradients(self, stored: Tensor, keys: Tensor, scale: torch.amp.GradScaler) -> Tensor:
        """Return the mean loss () of uint8 images (B, H, W, C) by their keys (B,), and give parameters its gradients.

        Loss and gradients are those of all ranks.

        Raises:
            FextError: not even one image fits into memory.

        """
        if self._rehearsal:
            self._rehearse(stored, keys, self._rehearsal)
            self._rehearsal = None
        while True:
            size = self._size(len(stored))
            try:
                return self._add_up(stored, keys, scale, size)
            except RuntimeError as error:
                if self._ranks.count > 1 or not is_out_of_memory(error):
                    raise
            self._halve(len(stored), size)

    def _size(self, batch: int) -> int:
        return largest_divisor(batch, self._standing.micro_batch or self._wanted)

    def _rehearse(self, stored: Tensor, keys: Tensor, loss: Loss) -> None:
        """Find the size that fits in every rank."""
        while True:
            size = self._size(len(stored))
            if not self._ranks.most(not self._fits(stored[:size], keys[:size], loss)):
                return
            self._halve(len(stored), size)

    def _fits(self, stored: Tensor, keys: Tensor, loss: Loss) -> bool:
        try:
            torch.autograd.backward(loss(stored, keys))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        finally:
            self._forget_gradients()
        return True

    def _add_up(self, stored: Tensor, keys: Tensor, scale: torch.amp.GradScaler, size: int) -> Tensor:
        parts = len(stored) // size
        pairs = zip(stored.chunk(parts), keys.chunk(parts), strict=True)
        losses = [
            self._step.loss_and_gradients(*pair, scale, last=number == parts) for number, pair in enumerate(pairs, 1)
        ]
        if parts > 1:
            torch._foreach_div_([one.grad for one in self._parameters if one.grad is not None], parts)
        return self._step.gradients.mean(losses, scale)

    def _forget_gradients(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    def _halve(self, batch: int, size: int) -> None:
        if size == 1:
            raise FextError(
                "Memory ran out: the training step does not fit even for one image at a time.",
                "Choose smaller images, a lighter model.variant or device.precision = bfloat16, "
                "or end what else takes memory.",
            )
        self._forget_gradients()
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
