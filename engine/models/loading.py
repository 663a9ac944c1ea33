"""Autoencoders read back from their checkpoints."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.checkpoints import MODEL_FILE, CheckpointConfig, fingerprint, read_config, verify
from engine.device import Device, choose_device
from engine.errors import FextError
from engine.files import printable
from engine.models.autoencoder import Autoencoder
from engine.settings import DeviceSettings, Pooling
from engine.tensors import to_float, to_uint8

_LONGEST = 200
_MOST_HEADER_BYTES = 100_000_000
"""What safetensors lets the header of a file have."""


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, on the CPU.

    Raises:
        FextError: it cannot be read.

    """
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise FextError(
            f"{path} cannot be read: {error}.",
            "Choose another checkpoint (`fext checkpoints` lists them), or train again.",
        ) from error


def load_weights(state: Path) -> tuple[Autoencoder, CheckpointConfig]:
    """Return the autoencoder of a saved state, in evaluation mode on the CPU, and what the state says of itself.

    Raises:
        FextError: the state is damaged, or its weights do not fit its configuration.

    """
    verify(state)
    config = read_config(state)
    model = Autoencoder(config.settings.model, config.image_channels)
    name = state.parent.name
    size, own = (state / MODEL_FILE).stat().st_size, sum(tensor.nbytes for tensor in model.state_dict().values())
    if size > 2 * own + _MOST_HEADER_BYTES:  # not even in float64: they are not read into memory
        raise _misfit(name, f"{MODEL_FILE} has {size:,} bytes, and the network {own:,}")
    weights = load_tensors(state / MODEL_FILE)
    if integers := [key for key, tensor in weights.items() if not tensor.is_floating_point()]:
        raise _misfit(name, f"{integers[0]} holds {weights[integers[0]].dtype}")
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise _misfit(name, str(error).splitlines()[-1].strip().removesuffix(".")) from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in model.state_dict().values()):
        raise FextError(f"The weights of {name} hold values that are not finite.", "Train again with a lower rate.")
    return model.eval(), config


def _misfit(name: str, reason: str) -> FextError:
    return FextError(
        f"The weights of {name} do not fit its configuration: {printable(reason)[:_LONGEST]}.",
        "Choose another checkpoint (`fext checkpoints` lists them), or train again.",
    )


@dataclass(frozen=True)
class LoadedModel:
    """An autoencoder ready for use on a device, with its configuration and the digest of its weights."""

    model: Autoencoder
    config: CheckpointConfig
    device: Device
    fingerprint: str

    def to_device(self, images: NDArray[np.uint8]) -> Tensor:
        """Return pictures (B, H, W, C) as float32 (B, C, H, W) in [0, 1] on the device."""
        return to_float(torch.from_numpy(images).to(self.device.handle))

    @torch.inference_mode()
    def reconstruct(self, images: NDArray[np.uint8]) -> Tensor:
        """Return the reconstructions (B, H, W, C), uint8 on the device, of pictures (B, H, W, C) as a person sees them.

        Raises:
            FextError: the network gives values that are not finite.

        """
        with self.device.autocast():
            return to_uint8(self.sound(self.model(self.to_device(images))))

    @torch.inference_mode()
    def embed(self, images: NDArray[np.uint8], pooling: Pooling) -> Tensor:
        """Return the vectors (n, D) float32 of pictures (n, H, W, C), on the device and perhaps still in the making.

        They are a function of the pictures and the weights alone.

        Raises:
            UsageError: whitened vectors are asked of a network without the statistics.

        """
        if not len(images):
            return torch.empty((0, self.dimension(pooling)))
        with self.device.autocast():
            return self.model.embed(self.to_device(images), pooling).float()

    def sound(self, values: Tensor) -> Tensor:
        """Return what the network gave, as it is.

        Raises:
            FextError: a value of it is not finite.

        """
        if not bool(torch.isfinite(values).all()):
            raise FextError(
                "The network gives values that are not finite.",
                "Set device.precision to float32, or choose another checkpoint.",
            )
        return values

    def dimension(self, pooling: Pooling) -> int:
        """Return D of the vectors."""
        data = self.config.settings.data
        return self.model.dimension(data.image_height, data.image_width, pooling)


def load_for_use(state: Path, settings: DeviceSettings) -> LoadedModel:
    """Return the autoencoder of a saved state on the device that the settings ask for.

    Raises:
        FextError: the state is damaged, or the device is not there.

    """
    device = choose_device(settings)
    model, config = load_weights(state)
    return LoadedModel(model.to(device.handle), config, device, fingerprint(state))
