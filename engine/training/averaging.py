"""The exponential moving average of the weights while training."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from engine.models import Autoencoder

_RAW = "raw."


class WeightAverage:
    """A copy of a model whose weights are the moving average of those that training changes.

    Args:
        model: what is trained; its present weights begin the average.
        decay: share of the average that a step keeps, in (0, 1).

    """

    def __init__(self, model: Autoencoder, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self._decay = decay
        self._averages = [parameter.detach() for parameter in self.model.parameters()]
        self._weights = [parameter.detach() for parameter in model.parameters()]

    def update(self, steps: int) -> None:
        """Take the weights after so many steps of the run into the average.

        The decay is at most (1 + steps) / (10 + steps), so that the first weights are soon forgotten (as
        ``tf.train.ExponentialMovingAverage`` has it).
        """
        decay = min(self._decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(self._averages, self._weights, 1 - decay)


def raw_tensors(model: Autoencoder) -> dict[str, Tensor]:
    """Return the weights that training changes, as a state keeps them beside their average."""
    return {f"{_RAW}{name}": parameter for name, parameter in model.named_parameters()}


@torch.no_grad()
def put_raw_tensors(model: Autoencoder, tensors: Mapping[str, Tensor]) -> None:
    """Give a model the weights that `raw_tensors` returned, where a state holds them."""
    for name, parameter in model.named_parameters():
        if f"{_RAW}{name}" in tensors:
            parameter.copy_(tensors[f"{_RAW}{name}"])
