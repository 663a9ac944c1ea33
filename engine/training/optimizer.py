"""From gradients to new weights, and what there is to tell of the steps between two reports."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from engine.device import Device
from engine.models import Autoencoder
from engine.settings import TrainingSettings
from engine.training.checkpoint import misfit, put_tensors, tensors_of

SKIPS_IN_A_ROW = 8
"""Steps in a row without a finite loss and gradient, from which training has diverged."""


class Account(NamedTuple):
    """What the device counted since the last report: the sum of finite losses, and steps skipped.

    ``in_a_row`` are the last steps that were skipped without one taken since; loss, gradient norm, step and
    learning rate are those of the last one skipped.
    """

    loss_sum: float
    skipped: float
    in_a_row: float
    loss: float
    norm: float
    step: float
    rate: float


class Optimizer:
    """AdamW that leaves weights and moments as they are where loss or gradient are not finite.

    The device decides and counts; the host waits for it in `account` only.
    """

    def __init__(
        self, model: Autoencoder, training: TrainingSettings, device: Device, tensors: Mapping[str, Tensor]
    ) -> None:
        self._model = model
        self._clip = training.gradient_clip
        self._parameters = list(model.parameters())
        self._adamw = torch.optim.AdamW(
            model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
        )
        put_tensors(self._adamw, model, tensors)
        self.scaler = _scaler(device, tensors)
        nothing = torch.zeros(len(Account._fields), dtype=torch.float64)
        counted = tensors.get("extra.account", nothing)
        if (counted.shape, counted.dtype) != (nothing.shape, nothing.dtype):
            raise misfit("extra.account")
        self._counted = counted.to(device.handle, copy=True)

    @torch.no_grad()
    def step(self, loss: Tensor, step: int, rate: float) -> None:
        """Change the weights by their gradients, at this learning rate; loss () and step are for the account."""
        for group in self._adamw.param_groups:
            group["lr"] = rate
        self.scaler.unscale_(self._adamw)
        gradients = [one.grad for one in self._parameters if one.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self._clip:
            torch.nn.utils.clip_grads_with_norm_(self._parameters, self._clip, norm)
        skips = ~(loss.isfinite() & norm.isfinite())
        self._count(skips, loss, norm, step, rate)
        self._adamw.found_inf = skips.float()  # type: ignore[attr-defined]  # what the fused kernel skips by
        self._adamw.step()
        self.scaler.update()
        self._adamw.zero_grad(set_to_none=True)

    def _count(self, skips: Tensor, loss: Tensor, norm: Tensor, step: int, rate: float) -> None:
        loss_sum, skipped, in_a_row = self._counted[:3]
        facts = torch.stack([loss.double(), norm.double(), loss_sum.new_full((), step), loss_sum.new_full((), rate)])
        counts = torch.stack([torch.where(skips, loss_sum, loss_sum + loss), skipped + skips, (in_a_row + 1) * skips])
        self._counted = torch.cat([counts, torch.where(skips, facts, self._counted[3:])])

    def account(self) -> Account:
        """Return what was counted since this was last asked, and count anew; steps in a row are counted on."""
        account = Account(*self._counted.tolist())
        self._counted[:2] = 0
        return account

    def tensors(self) -> dict[str, Tensor]:
        """Return all that a resume needs of the optimizer, by name."""
        extra = {"account": self._counted}
        if self.scaler.is_enabled():
            state = self.scaler.state_dict()
            extra["scale"] = torch.tensor(float(state["scale"]))
            extra["growth_tracker"] = torch.tensor(int(state["_growth_tracker"]))
        return tensors_of(self._adamw, self._model, extra)


def _scaler(device: Device, tensors: Mapping[str, Tensor]) -> torch.amp.GradScaler:
    scaler = torch.amp.GradScaler(device.handle.type, enabled=device.precision == torch.float16)
    if scaler.is_enabled() and "extra.scale" in tensors:
        state = scaler.state_dict()
        state["scale"] = float(tensors["extra.scale"])
        state["_growth_tracker"] = int(tensors["extra.growth_tracker"])
        scaler.load_state_dict(state)
    return scaler
