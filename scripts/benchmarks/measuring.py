"""What benchmarks share: interleaved timing, counted work, and the machine's convolution peak."""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from engine.device import Device
from engine.errors import FextError

Step = Callable[[], object]
Account = dict[str, Any]
Tabled = Callable[[Account], Table]

_PEAK_SECONDS = 0.2
_PEAK_TIMINGS = 5


def seconds_of(step: Step, count: int, device: Device) -> float:
    """Return the mean seconds of ``count`` steps, with the device's work done."""
    _wait_for(device)
    began = time.perf_counter()
    for _ in range(count):
        step()
    _wait_for(device)
    return (time.perf_counter() - began) / count


def _wait_for(device: Device) -> None:
    if device.is_gpu:
        torch.cuda.synchronize(device.handle)


def interleaved(steps: Mapping[str, Step], seconds: float, rounds: int, device: Device) -> dict[str, list[float]]:
    """Return the seconds of a step by name, one value a round.

    Every round times each step in turn, for about ``seconds``, so that what else the machine does strikes all alike.
    """
    counts = {name: max(1, math.ceil(seconds / seconds_of(step, 1, device))) for name, step in steps.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            times[name].append(seconds_of(step, counts[name], device))
    return times


def ratio(times: Mapping[str, list[float]], name: str, to: str) -> float:
    """Return how many times longer one step takes than another: the median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(times[name], times[to], strict=True))


def work_of(step: Step) -> int:
    """Return the floating-point operations of a step: convolutions and matrix products, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


class ConvolutionPeak:
    """A forward 3 × 3 convolution 128 → 128 on 32 × 32, batch 32, channels last, in the device's precision."""

    def __init__(self, device: Device) -> None:
        layout = torch.channels_last
        self._images = torch.rand(32, 128, 32, 32).to(device.handle, device.precision, memory_format=layout)
        self._weight = torch.rand(128, 128, 3, 3).to(device.handle, device.precision, memory_format=layout)
        self.work = work_of(self)
        self._device = device
        seconds_of(self, 3, device)
        self._count = math.ceil(_PEAK_SECONDS / seconds_of(self, 3, device))
        self._rates: list[float] = []

    @torch.inference_mode()
    def __call__(self) -> None:
        """Take the convolution once."""
        F.conv2d(self._images, self._weight, padding=1)

    def measure(self) -> None:
        """Time it once more."""
        self._rates.append(self.work / seconds_of(self, self._count, self._device))

    def best(self) -> float:
        """Return the highest rate of five timings or more, in operations a second."""
        while len(self._rates) < _PEAK_TIMINGS:
            self.measure()
        return max(self._rates)


def tell(options: argparse.Namespace, measure: Callable[[argparse.Namespace, Path], Account], table: Tabled) -> None:
    """Measure with a temporary folder, and print the account as one line of JSON where asked to, else as a table."""
    with tempfile.TemporaryDirectory(prefix="fext-bench-") as folder:
        try:
            account = measure(options, Path(folder))
        except FextError as error:
            sys.exit(str(error))
    if options.json:
        print(json.dumps(account))
    else:
        Console(width=100).print(table(account))
