"""Gradients of a step: of one process, or the mean of several."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Loss = Callable[[Tensor, Tensor], Tensor]


class Gradients:
    """Gradients of the images of this process."""

    def add(self, loss: Loss, stored: Tensor, keys: Tensor, scale: torch.amp.GradScaler, *, last: bool) -> Tensor:
        """Add the gradients of a micro-batch to the parameters, and return its loss ().

        Args:
            loss: the loss of images by their keys.
            stored: uint8 images (b, H, W, C).
            keys: theirs (b,).
            scale: what the loss is multiplied by before.
            last: whether it is the last of its step.

        """
        value = loss(stored, keys)
        torch.autograd.backward(scale.scale(value))
        return value.detach().clone()

    def mean(self, losses: Sequence[Tensor], scale: torch.amp.GradScaler) -> Tensor:
        """Return the mean loss () of a step, from those of its micro-batches."""
        return torch.stack(list(losses)).mean()


class SharedGradients(Gradients):
    """Gradients that are, after the last micro-batch of a step, the mean over all ranks.

    They go out while the rest of them is computed. The loss rides along, as the gradient of a scalar of its own: so
    every rank knows that of the whole batch, and decides alike whether a step is skipped, without another message.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self._step = _Step(parameters)
        # A graph that stays the same needs no search for what has no gradient. The first step tells what it is: there
        # each micro-batch is exchanged, which comes to the same mean.
        self._exchanging = DistributedDataParallel(self._step, static_graph=True, gradient_as_bucket_view=True)
        self._is_known = False

    def add(self, loss: Loss, stored: Tensor, keys: Tensor, scale: torch.amp.GradScaler, *, last: bool) -> Tensor:
        """Add the gradients of a micro-batch; they are exchanged with the last of them."""
        self._step.loss = loss
        with nullcontext() if last or not self._is_known else self._exchanging.no_sync():
            value: Tensor = self._exchanging(stored, keys)
            torch.autograd.backward(scale.scale(value))
        self._is_known = self._is_known or last
        return value.detach().clone()

    def mean(self, losses: Sequence[Tensor], scale: torch.amp.GradScaler) -> Tensor:
        """Return the mean loss () of the step over all ranks."""
        told = self._step.told.grad
        assert told is not None, "the last micro-batch was exchanged"
        self._step.told.grad = None
        return told / (scale.scale(torch.ones_like(told)) * len(losses))


class _Step(nn.Module):
    """A loss as a module: what `DistributedDataParallel` takes. Its ``told`` gets the loss for a gradient."""

    loss: Loss

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        super().__init__()
        self.trained = nn.ParameterList(parameters)
        self.told = nn.Parameter(torch.zeros((), device=self.trained[0].device))

    def forward(self, stored: Tensor, keys: Tensor) -> Tensor:
        """Return the loss () of uint8 images (b, H, W, C) by their keys (b,)."""
        value = self.loss(stored, keys)
        return value + self.told * value.detach()
