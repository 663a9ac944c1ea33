"""Where the work is computed, and in which precision."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from engine.errors import UsageError
from engine.settings import DeviceSettings


@dataclass(frozen=True)
class Device:
    """A device and the precision that suits it."""

    handle: torch.device
    precision: torch.dtype
    name: str

    @property
    def is_gpu(self) -> bool:
        """Whether this is a GPU."""
        return self.handle.type == "cuda"

    @property
    def precision_name(self) -> str:
        """The precision as the settings name it."""
        return str(self.precision).removeprefix("torch.")

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context in which the forward pass runs in this precision."""
        return torch.autocast(self.handle.type, dtype=self.precision, enabled=self.precision != torch.float32)


def choose_device(settings: DeviceSettings) -> Device:
    """Return the device that the settings ask for.

    Raises:
        UsageError: a GPU is asked for that is not there, or a precision it cannot compute.

    """
    if settings.kind == "cpu" or (settings.kind == "auto" and not torch.cuda.is_available()):
        if settings.precision == "float16":
            raise UsageError("float16 is not trained on a CPU.", "Set device.precision to auto, float32 or bfloat16.")
        precision = torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
        threads = torch.get_num_threads()
        return Device(torch.device("cpu"), precision, f"CPU, {threads} thread{'s' if threads > 1 else ''}")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if settings.id >= count:
        there = f"There are {count}, numbered from 0." if count else "PyTorch sees none on this machine."
        raise UsageError(
            f"GPU {settings.id} is not there. {there}", "Set device.kind to auto or cpu, or mend the driver."
        )
    device = torch.device("cuda", settings.id)
    torch.cuda.set_device(device)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    return Device(device, _gpu_precision(settings), torch.cuda.get_device_name(device))


def _gpu_precision(settings: DeviceSettings) -> torch.dtype:
    if settings.precision == "auto":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[settings.precision]
