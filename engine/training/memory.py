"""Memory of the device: how much training takes, and whether it ran out."""

import psutil
import torch

from engine.device import Device

_SIGNS = ("can't allocate memory", "DefaultCPUAllocator", "ALLOC_FAILED")
"""What CPU allocator, cuBLAS and cuDNN say, which raise no error class of their own."""


def memory_gb(device: Device) -> float:
    """Return memory in units of 10⁹ bytes: the most allocated so far on a GPU, the process's resident set on a CPU."""
    if device.is_gpu:
        return torch.cuda.max_memory_allocated(device.handle) / 1e9
    return int(psutil.Process().memory_info().rss) / 1e9


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error says that the device's memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in _SIGNS)
