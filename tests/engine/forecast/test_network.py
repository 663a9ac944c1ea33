"""The size of networks, counted without torch, beside the networks that torch builds."""

from typing import Any

import pytest
import torch
from torch import Tensor

from engine.device import choose_device
from engine.forecast.disk import state_bytes
from engine.forecast.memory import activation_bytes
from engine.forecast.network import NetworkSize, network_size
from engine.models import Autoencoder
from engine.settings import Settings, from_layers
from engine.training.loss import image_keys, step_loss
from engine.training.room import state_bytes as built_state_bytes

CASES: dict[str, dict[str, Any]] = {
    "redux": {},
    "medium": {"model.variant": "medium"},
    "large": {"model.variant": "large", "training.ema": 0.9},
    "fine": {"model.downsampling": 8},
    "coarse": {"model.downsampling": 32},
    "gray, odd size": {"data.grayscale": True, "data.image_height": 50, "data.image_width": 40},
    "narrow latent": {"model.latent_channels": 4},
    "one basis, not whitened": {"model.bases": 1, "model.whitening": False},
    "no shortcut": {"model.shortcut": False, "training.loss": "mae"},
    "views": {"model.shortcut": False, "model.projection": 32, "objective.agreement": 1.0},
    "disguised": {"objective.noise": 0.1, "objective.masked": 0.5, "model.dropout": 0.2, "augmentation.enabled": True},
}


def built(values: dict[str, Any]) -> tuple[Settings, Autoencoder, NetworkSize]:
    base = {"data.image_height": 64, "data.image_width": 64, "device.kind": "cpu", "training.batch_size": 4}
    settings = from_layers(("", base), ("", values))
    data, channels = settings.data, 1 if settings.data.grayscale else 3
    size = network_size(settings.model, data.image_height, data.image_width, channels)
    return settings, Autoencoder(settings.model, channels), size


@pytest.mark.parametrize("name", CASES)
def test_parameters_buffers_and_states_are_those_of_the_network(name: str) -> None:
    settings, model, size = built(CASES[name])
    assert size.parameters == sum(one.numel() for one in model.parameters())
    assert size.buffers == sum(one.numel() for one in model.buffers())
    assert state_bytes(size, settings.training) == built_state_bytes(model, settings.training)


@pytest.mark.parametrize("name", CASES)
def test_activations_are_what_autograd_keeps(name: str) -> None:
    settings, model, size = built(CASES[name])
    own = {one.untyped_storage().data_ptr() for one in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    data = settings.data
    shape = settings.training.batch_size, data.image_height, data.image_width, 1 if data.grayscale else 3
    stored = torch.randint(0, 256, shape, dtype=torch.uint8)
    loss = step_loss(model.train(), settings, choose_device(settings.device))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = loss(stored, image_keys(settings, 0, torch.arange(len(stored))))
    counted = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert result.isfinite()
    assert activation_bytes(settings, size, gpu=False) == pytest.approx(counted, rel=0.03)


def test_half_precision_and_micro_batches_take_less() -> None:
    settings, _, size = built({})
    whole = activation_bytes(settings, size, gpu=False)
    assert activation_bytes(settings, size, gpu=True) == pytest.approx(whole * 2 / 3)
    part = settings.with_values({"training.micro_batch": 1})
    assert activation_bytes(part, size, gpu=False) < whole / 3
