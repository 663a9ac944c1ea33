"""How fast training is, beside the convolution peak, plain eager and a naive loop, all in one run on this machine."""

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import ConvolutionPeak, Step, interleaved, ratio, seconds_of, tell, work_of
from PIL import Image
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from engine.device import Device, choose_device
from engine.feeder import Feeder
from engine.images.dataset import Indices, TrainingData, prepare
from engine.models import Autoencoder
from engine.records import Records
from engine.report import CollectedReport
from engine.sample import sample
from engine.settings import Settings, from_layers
from engine.tensors import to_float
from engine.training.compiling import SETTLING_STEPS, TIMED_STEPS, TrainingStep
from engine.training.loss import image_keys, step_loss
from engine.training.optimizer import Optimizer
from engine.training.order import batch_of, epoch_order, steps_of_epoch
from engine.workspace import Workspace

VARIANTS = ("redux", "medium", "large")
_SAMPLE_IMAGES = 256
_THOROUGH = 1.0, 5
_QUICK = 0.05, 3
"""Seconds of a timing, at least one step, and rounds of timings."""

_COMPILED = ("compiled", "cuda_graphs")


@dataclass(frozen=True)
class Bench:
    """What a variant is measured with."""

    settings: Settings
    device: Device
    data: TrainingData

    def model(self, memory_format: torch.memory_format) -> Autoencoder:
        """Return a new network on the device, in training mode."""
        model = Autoencoder(self.settings.model, 3, self.settings.training.seed)
        return model.to(self.device.handle).to(memory_format=memory_format).train()

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (numbers (B,), pictures (B, H, W, 3) uint8) from the product's feeder, for ever."""
        return Feeder(self.data.train, self.device).batches(self._numbers())

    def _numbers(self) -> Iterator[Indices]:
        images, batch = len(self.data.train), self.settings.training.batch_size
        for epoch in count():
            order = epoch_order(images, self.settings.training.seed, epoch, shuffle=True, buffer=0)
            yield from (batch_of(order, step, batch) for step in range(steps_of_epoch(images, batch)))


def own_step(bench: Bench, *, compiling: str = "off", fixed: bool = False, graphs: bool = True) -> Step:
    """Return the product's step: feeder, loss, gradients, clipping, fused AdamW; ``fixed`` feeds one batch for ever."""
    settings, device = bench.settings, bench.device
    model = bench.model(torch.channels_last)
    optimizer = Optimizer(model, settings.training, device, {})
    plain = step_loss(model, settings, device)
    taken = TrainingStep(
        plain if graphs else torch.compile(plain, fullgraph=True, dynamic=False),
        model.parameters(),
        settings=settings.device.model_copy(update={"compile": compiling}),
        device=device,
        work={},
        seconds_left=lambda _: 0.0,
        before=None,
        report=CollectedReport(),
    )
    batches = bench.batches()
    kept = next(batches)

    def step() -> None:
        numbers, images = kept if fixed else next(batches)
        loss = taken.loss_and_gradients(images, image_keys(settings, 0, numbers), optimizer.scaler)
        optimizer.step(loss, 0, settings.training.learning_rate)

    return step


def _plain_step(bench: Bench, batches: Iterator[Tensor], told: Callable[[Tensor], object]) -> Step:
    model = bench.model(torch.contiguous_format)
    optimizer = torch.optim.AdamW(model.parameters(), lr=bench.settings.training.learning_rate)

    def step() -> None:
        images = next(batches)
        optimizer.zero_grad()
        loss = F.l1_loss(model(images), images)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), bench.settings.training.gradient_clip)
        optimizer.step()
        told(loss)

    return step


def eager_step(bench: Bench) -> Step:
    """Return a step of the same network fed by the product, in PyTorch's own ways: NCHW, float32, plain AdamW."""
    batches = (to_float(stored).contiguous() for _, stored in bench.batches())
    return _plain_step(bench, batches, lambda loss: loss)


class _Files(Dataset[Tensor]):
    def __init__(self, bench: Bench) -> None:
        train, data = bench.data.train, bench.settings.data
        self._paths = [bench.data.folder / train.store.files[row].path for row in train.rows]
        self._size = data.image_width, data.image_height

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Tensor:
        picture = Image.open(self._paths[index]).convert("RGB").resize(self._size, Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255


def naive_step(bench: Bench) -> Step:
    """Return the step that tutorials teach: every file decoded every epoch in the loop, and the loss read each step."""

    def batches() -> Iterator[Tensor]:
        loader = DataLoader(_Files(bench), batch_size=bench.settings.training.batch_size, shuffle=True, drop_last=True)
        while True:
            yield from (images.to(bench.device.handle) for images in loader)

    return _plain_step(bench, batches(), lambda loss: loss.item())


def measure(bench: Bench, *, quick: bool, compiled: bool) -> dict[str, float]:
    """Return the figures of one variant; ``docs/performance.md`` says what they mean."""
    device, batch = bench.device, bench.settings.training.batch_size
    torch.compiler.reset()
    figures: dict[str, float] = {}
    held = _memory(device)
    steps: dict[str, Step] = {"own": own_step(bench)}
    work = work_of(steps["own"])
    if device.is_gpu:
        seconds_of(steps["own"], 3, device)
        figures["peak_memory_gb"] = (torch.cuda.max_memory_allocated(device.handle) - held) / 1e9
        steps["without_loader"] = own_step(bench, fixed=True)
    steps |= {"eager": eager_step(bench), "naive": naive_step(bench)}
    if compiled:
        steps["cuda_graphs" if device.is_gpu else "compiled"] = own_step(bench, compiling="on")
        if device.is_gpu:
            steps["compiled"] = own_step(bench, graphs=False)
    for name, step in steps.items():
        seconds_of(step, SETTLING_STEPS + TIMED_STEPS if name in _COMPILED else 1, device)
    peak = ConvolutionPeak(device)
    seconds, rounds = _QUICK if quick else _THOROUGH
    times = interleaved(steps | {"peak": peak.measure}, seconds, rounds, device)
    own, best = statistics.median(times["own"]), peak.best()
    figures |= {
        "img_s": batch / own,
        "gflop_s": work / own / 1e9,
        "peak_gflop_s": best / 1e9,
        "share_of_peak": work / own / best,
        "vs_naive": ratio(times, "naive", "own"),
        "vs_eager": ratio(times, "eager", "own"),
        "gflop_an_image": work / batch / 1e9,
    }
    figures |= {f"{name}_img_s": batch / statistics.median(times[name]) for name in _COMPILED if name in times}
    if device.is_gpu:
        figures["loader_share"] = max(0.0, 1 - ratio(times, "without_loader", "own"))
    return figures


def _memory(device: Device) -> int:
    if not device.is_gpu:
        return 0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device.handle)
    return torch.cuda.memory_allocated(device.handle)


def run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the whole account: the machine, the sizes, and the figures by variant."""
    workspace = Workspace(folder).create()
    report = CollectedReport()
    base: dict[str, Any] = {"data.image_height": options.image_size, "data.image_width": options.image_size}
    base |= {
        "training.batch_size": options.batch_size,
        "data.validation_fraction": 0.0,
        "data.folder": options.folder or "",
    }
    account: dict[str, Any] = {"image_size": options.image_size, "batch_size": options.batch_size}
    with Records(workspace) as records:
        for variant in options.variant or VARIANTS:
            settings = from_layers(("", base), ("", {"model.variant": variant}))
            device = choose_device(settings.device)
            if not options.folder:
                images = max(_SAMPLE_IMAGES, options.batch_size)
                sample(settings, workspace, records, report, folder="", count=images, seed=1)
            account |= {"device": device.name, "precision": device.precision_name, "torch": torch.__version__}
            bench = Bench(settings, device, prepare(settings, workspace, records, report))
            if len(bench.data.train) < options.batch_size:
                sys.exit(
                    f"{options.folder} holds fewer images than a batch of {options.batch_size}. Take smaller batches."
                )
            print(f"Measuring {variant} …", file=sys.stderr)
            compiled = options.compile or device.is_gpu
            account[variant] = measure(bench, quick=options.quick, compiled=compiled)
    return account


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench train", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument("--quick", action="store_true", help="time less, for a first idea")
    parser.add_argument("--compile", action="store_true", help="measure the compiled step too (always on a GPU)")
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="measure this one only (repeatable)")
    parser.add_argument("--folder", type=os.path.abspath, help="pictures to take in place of drawn ones")
    parser.add_argument("--image-size", type=int, default=128, help="height and width in pixels (default: 128)")
    parser.add_argument("--batch-size", type=int, default=Settings().training.batch_size, help="images a step")
    return parser.parse_args()


def _table(account: dict[str, Any]) -> Table:
    table = Table(title=f"{account['device']}, {account['precision']}, PyTorch {account['torch']}")
    variants = [name for name in VARIANTS if name in account]
    table.add_column(f"{account['image_size']} px, batch {account['batch_size']}")
    for name in variants:
        table.add_column(name, justify="right")
    for key in dict.fromkeys(key for name in variants for key in account[name]):
        table.add_row(key, *(f"{account[name][key]:,.3g}" for name in variants))
    return table


if __name__ == "__main__":
    tell(_options(), run, _table)
