"""How much work an autoencoder is: floating point operations, counted without doing them."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from engine.models.autoencoder import Autoencoder
from engine.settings import Settings


def flops_of(model: Autoencoder, height: int, width: int) -> int:
    """Return the operations of one image of this size there and back, a multiplication and an addition being two.

    Those of matrix products and convolutions are counted, as `torch.utils.flop_counter` does. Nothing is computed: the
    tensors have shapes alone.
    """
    device = next(model.parameters()).device
    counter = FlopCounterMode(display=False)
    with FakeTensorMode(allow_non_fake_inputs=True), counter, torch.inference_mode():
        model(torch.zeros(1, model.image_channels, height, width, device=device))
    return int(counter.get_total_flops())


def flops_by(settings: Settings) -> int:
    """Return `flops_of` of the network that settings describe; random numbers of the process stay as they were."""
    data = settings.data
    with torch.random.fork_rng(devices=[]):
        model = Autoencoder(settings.model, 1 if data.grayscale else 3)
    return flops_of(model, data.image_height, data.image_width)
