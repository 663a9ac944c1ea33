"""What training in several processes costs and gives, beside one process with all cores, in one run on this machine."""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from measuring import tell
from rich.table import Table

from engine.device import choose_device
from engine.distributed.group import Group, join
from engine.distributed.launch import launch, processes_of
from engine.distributed.ranks import ALONE, Ranks
from engine.models import Autoencoder
from engine.report import CollectedReport
from engine.settings import DeviceSettings, Settings, from_layers
from engine.training.accumulation import Accumulation
from engine.training.checkpoint import Standing
from engine.training.compiling import TrainingStep
from engine.training.loss import image_keys, step_loss
from engine.training.optimizer import Optimizer

_ROUNDS = 5
_STEPS = 3
_REPEATS = 50


def measure(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Return what the first of some ranks measured, and what starting them takes, medians of rounds."""
    processes = processes_of(DeviceSettings(kind=options.device, processes=options.processes))
    launching = [_seconds(lambda: _launch(options, processes, scratch, "join")) for _ in range(options.rounds)]
    starting = [_seconds(_start_one) for _ in range(options.rounds)]
    _launch(options, processes, scratch, "train")
    return {
        "processes": processes,
        "launch_s": statistics.median(launching),
        "one_process_s": statistics.median(starting),
        **json.loads((scratch / "measured.json").read_text()),
    }


def _launch(options: argparse.Namespace, processes: int, scratch: Path, what: str) -> None:
    sizes = "--batch-size", str(options.batch_size), "--image-size", str(options.image_size)
    rest = "--rounds", str(options.rounds), "--device", options.device, "--rank", what, "--folder", str(scratch)
    command = [sys.executable, __file__, *sizes, *rest]
    ending = launch(command, processes, scratch, stopping=lambda: False, has_ended=lambda: False)
    if ending.codes:
        sys.exit(f"Ranks failed: {ending.codes}.")


def _start_one() -> None:
    subprocess.run([sys.executable, "-c", "import torch.distributed"], check=True)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- In a rank ------------------------------------------------------------------------------------------------


def work(options: argparse.Namespace) -> None:
    """Join the ranks; where training is to be measured, measure it, and let the first one write it down."""
    settings = DeviceSettings(kind=options.device, compile="off")
    ranks = join(settings)
    if options.rank == "train":
        measured = _measure_in_turn(options, settings, ranks)
        if ranks.is_first:
            (options.folder / "measured.json").write_text(json.dumps(measured))
    ranks.leave()


def _measure_in_turn(options: argparse.Namespace, device: DeviceSettings, ranks: Group) -> dict[str, Any]:
    """Return medians of rounds; in each, the first rank trains alone with all threads, then all together."""
    values = {"training.batch_size": options.batch_size, "device.kind": device.kind, "device.compile": "off",
              "data.image_height": options.image_size, "data.image_width": options.image_size}  # fmt: skip
    settings = from_layers(("", values))
    together, alone = _Steps(settings, ranks), _Steps(settings, ALONE)
    together.take()
    with ranks.first_works() as works:
        if works:
            alone.take()
    rates: dict[str, list[float]] = {"alone": [], "together": []}
    images = _STEPS * options.batch_size
    for _ in range(options.rounds):
        with ranks.first_works() as works:
            if works:
                rates["alone"].append(images / alone.seconds(_STEPS))
        rates["together"].append(images / together.seconds(_STEPS))
    weights = sum(parameter.numel() for parameter in together.model.parameters())
    gradient = torch.zeros(weights, device=together.device.handle)
    pairs = zip(rates["together"], rates["alone"], strict=True) if ranks.is_first else [(1.0, 1.0)]
    return {
        "threads_each": torch.get_num_threads(),
        "gradient_mb": weights * 4 / 1e6,
        "all_reduce_ms": 1000 * _median_of(lambda: dist.all_reduce(gradient), together),
        "agree_ms": 1000 * _median_of(lambda: ranks.agree([0.0, 0.0, 0.0]), together),
        "img_s": statistics.median(rates["together"]),
        "one_process_img_s": statistics.median(rates["alone"] or [0.0]),
        "vs_one_process": statistics.median(one / other for one, other in pairs),
    }


def _median_of(work: Callable[[], object], steps: "_Steps") -> float:
    def one() -> None:
        work()
        steps.wait()

    one()
    return statistics.median(_seconds(one) for _ in range(_REPEATS))


class _Steps:
    """Training steps on noise: loss, gradients, new weights."""

    def __init__(self, settings: Settings, ranks: Ranks) -> None:
        training = settings.training
        self.device = choose_device(ranks.own_device(settings.device))
        self.model = Autoencoder(settings.model, 3).to(self.device.handle).train()
        report, weights = CollectedReport(), list(self.model.parameters())
        step = TrainingStep(
            step_loss(self.model, settings, self.device, ranks), weights, settings=settings.device,
            device=self.device, work={}, seconds_left=lambda _: 0.0, before=None, report=report, ranks=ranks,
        )  # fmt: skip
        self._accumulation = Accumulation(step, weights, training, Standing(), report, ranks=ranks)
        self._optimizer = Optimizer(self.model, training, self.device, {})
        numbers = ranks.share_of(np.arange(training.batch_size))
        size = len(numbers), settings.data.image_height, settings.data.image_width, 3
        self._stored = torch.randint(0, 256, size, dtype=torch.uint8).to(self.device.handle)
        self._keys = image_keys(settings, 0, torch.from_numpy(numbers).to(self.device.handle))

    def take(self) -> None:
        """Take a step."""
        loss = self._accumulation.loss_and_gradients(self._stored, self._keys, self._optimizer.scaler)
        self._optimizer.step(loss, 1, 1e-4)

    def seconds(self, count: int) -> float:
        """Return the seconds of some steps."""
        self.wait()
        began = time.perf_counter()
        for _ in range(count):
            self.take()
        self.wait()
        return time.perf_counter() - began

    def wait(self) -> None:
        """Wait for the device."""
        if self.device.is_gpu:
            torch.cuda.synchronize(self.device.handle)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench distributed", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument("--processes", type=int, default=0, help="how many (default: one a GPU, else a core)")
    parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="where to train")
    parser.add_argument("--batch-size", type=int, default=16, help="of all processes together (default: 16)")
    parser.add_argument("--image-size", type=int, default=128, help="height and width (default: 128)")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"timings of each (default: {_ROUNDS})")
    parser.add_argument("--rank", choices=["join", "train"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _table(account: dict[str, Any]) -> Table:
    table = Table("figure", "value", title="Training in several processes")
    for key, value in account.items():
        table.add_row(key, f"{value:,.3g}" if isinstance(value, float) else f"{value:,}")
    return table


if __name__ == "__main__":
    given = _options()
    if given.rank:
        work(given)
    else:
        tell(given, measure, _table)
