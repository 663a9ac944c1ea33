"""What two ranks check of themselves; run by `torch.distributed.run`'s launcher, it writes what came of it."""

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.device import Device
from engine.distributed.group import Group, join
from engine.distributed.ranks import ALONE, Ranks
from engine.distributed.together import work_together
from engine.images.dataset import Subset
from engine.models import Autoencoder
from engine.report import CollectedReport, Report, go_on
from engine.settings import DeviceSettings, Settings, from_layers
from engine.training.accumulation import Accumulation
from engine.training.checkpoint import Standing
from engine.training.clock import Clock
from engine.training.compiling import TrainingStep
from engine.training.loss import image_keys, step_loss
from engine.training.validation import Validation

CPU = Device(torch.device("cpu"), torch.float32, "CPU")
SMALL = {"data.image_height": 16, "data.image_width": 16, "model.latent_channels": 8, "model.downsampling": 8}
CASES: dict[str, dict[str, Any]] = {
    "plain": {"model.dropout": 0.3, "augmentation.enabled": True, "objective.masked": 0.3},
    "micro_batches": {"training.micro_batch": 2, "model.dropout": 0.3},
    "agreement": {"objective.agreement": 0.5, "model.projection": 16, "model.shortcut": False},
    "unused_parameters": {"model.projection": 16},
}
BATCH = 16


def check_agreement(ranks: Group) -> None:
    assert ranks.agree([ranks.number + 1.0, 2.5]) == [1.0, 2.5]
    assert ranks.most(ranks.number * 3.0) == 3.0
    assert ranks.total(torch.tensor([1.0, ranks.number])).tolist() == [2.0, 1.0]
    shares = [np.arange(8)[number::2].tolist() for number in range(2)]
    assert ranks.share_of(np.arange(8)).tolist() == shares[ranks.number]
    tensor = torch.full((2, 3, 4, 4), float(ranks.number)).to(memory_format=torch.channels_last)
    ranks.spread([tensor])
    assert not tensor.any()


def check_the_first_works_alone(ranks: Group, folder: Path) -> None:
    with ranks.first_works() as works:
        assert works == ranks.is_first
        if works:
            (folder / "made").touch()
    assert (folder / "made").exists()
    with ranks.first_ahead():
        assert (folder / "ahead").exists() != ranks.is_first
        (folder / "ahead").touch()


def check_calls(ranks: Group) -> None:
    told = ["", "a/é\udcff\n b"]
    assert [ranks.call(text if ranks.is_first else "mine") for text in told] == told
    own = ranks.own_device(DeviceSettings(id=3, workers=5))
    assert (own.id, own.workers) == (3 + ranks.number, 2)


def check_work_of_unequal_parts(ranks: Group) -> None:
    told, items = CollectedReport(), [40, 3][ranks.number]

    def work(report: Report) -> None:
        for item in range(items):
            go_on(report)
            report.progress("work", item + 1, items, "items")

    assert not work_together(ranks, told, work, total=53, before=10)
    if ranks.is_first:
        assert told.progresses[-1] == ("work", 53, 53, "items")


def check_all_stop_with_the_first(ranks: Group) -> None:
    """Check that a rank that has much to do stops where the first, which is through, is asked to."""
    told = CollectedReport()

    def work(report: Report) -> None:
        while not ranks.is_first:
            go_on(report)
        told.stop = ranks.is_first

    assert work_together(ranks, told, work)
    assert ranks.agree([7.0 + ranks.number]) == [7.0]


def check_time_and_stops_are_the_first_ranks(ranks: Group) -> None:
    report = CollectedReport(stop=not ranks.is_first)
    clock = Clock(10.0 + ranks.number, ranks, report)
    assert (clock.seconds, clock.stopping) == (10.0, False)
    clock.start()
    report.stop = ranks.is_first
    seconds = clock.stop()
    assert clock.stopping
    assert 10 < seconds == ranks.agree([seconds])[0]


def check_gradients(ranks: Group, values: dict[str, Any]) -> None:
    settings = from_layers(("", SMALL | {"training.batch_size": BATCH} | values))
    own, whole = _Steps(settings, ranks), _Steps(settings, ALONE)
    for step in range(3):
        loss, expected_loss = own.take(step), whole.take(step)
        assert abs(loss - expected_loss) < 1e-5 * abs(expected_loss), (loss, expected_loss)
        largest = max(float(one.grad.abs().max()) for one in whole.model.parameters() if one.grad is not None)
        for (name, got), expected in zip(own.model.named_parameters(), whole.model.parameters(), strict=True):
            assert (got.grad is None) == (expected.grad is None), name
            if got.grad is not None:
                assert torch.allclose(got.grad, expected.grad, rtol=1e-3, atol=1e-5 * largest), name


class _Steps:
    """A model, and the gradients of its steps."""

    def __init__(self, settings: Settings, ranks: Ranks) -> None:
        self.model = Autoencoder(settings.model, 3).train()
        self._settings, self._ranks = settings, ranks
        step = _step(step_loss(self.model, settings, CPU, ranks), list(self.model.parameters()), ranks)
        training = settings.training
        if ranks is ALONE:  # what all micro-batches together are to be equal to
            training = training.model_copy(update={"micro_batch": 0})
        self._accumulation = Accumulation(
            step, self.model.parameters(), training, Standing(), CollectedReport(), ranks=ranks
        )

    def take(self, step: int) -> float:
        """Return the loss of a step, and leave its gradients."""
        self.model.zero_grad(set_to_none=True)
        numbers = self._ranks.share_of(np.arange(BATCH) + step)
        generator = torch.Generator().manual_seed(0)
        stored = torch.randint(0, 256, (BATCH + 3, 16, 16, 3), dtype=torch.uint8, generator=generator)
        keys = image_keys(self._settings, 1, torch.from_numpy(numbers))
        return float(self._accumulation.loss_and_gradients(stored[numbers], keys, _no_scale()))


def _no_scale() -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", enabled=False)


def _step(
    loss: Callable[[Tensor, Tensor], Tensor], parameters: list[Tensor], ranks: Ranks, **device: Any
) -> TrainingStep:
    return TrainingStep(
        loss, parameters, settings=DeviceSettings(**({"compile": "off"} | device)), device=CPU, work={},
        seconds_left=lambda _: 0.0, before=None, report=CollectedReport(), ranks=ranks,
    )  # fmt: skip


def check_what_one_cannot_compile_none_compiles(ranks: Group) -> None:
    def backend(graph: Any, _: Any) -> Any:
        if not ranks.is_first:
            raise RuntimeError("no compiler here")
        return graph.forward

    torch._dynamo.register_backend(backend, name="of_the_first")
    weight = torch.nn.Parameter(torch.ones(()))
    step = _step(
        lambda stored, _: (weight * stored).mean(), [weight], ranks, compile="on", compile_backend="of_the_first"
    )
    for _ in range(2):
        weight.grad = None
        loss = step.loss_and_gradients(torch.tensor([2.0 + ranks.number]), torch.zeros(1), _no_scale())
        assert (float(step.gradients.mean([loss], _no_scale())), float(weight.grad)) == (2.5, 2.5)
        assert step.ledger is not None
        assert not step.ledger.kept
        assert ("no compiler here" in step.ledger.why) != ranks.is_first


def check_memory_that_one_lacks(ranks: Group) -> None:
    def rehearsal(stored: Tensor, keys: Tensor) -> Tensor:
        if not ranks.is_first and len(stored) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return weight * 100

    weight, standing, report = torch.nn.Parameter(torch.ones(())), Standing(), CollectedReport()
    step = _step(lambda stored, _: (weight * stored).mean(), [weight], ranks)
    training = from_layers(("", {"training.batch_size": BATCH})).training
    accumulation = Accumulation(step, [weight], training, standing, report, ranks=ranks, rehearsal=rehearsal)
    own = torch.from_numpy(ranks.share_of(np.arange(BATCH))).float()
    loss = accumulation.loss_and_gradients(own, torch.zeros(8), _no_scale())
    assert standing.micro_batch == 2
    assert float(loss) == float(weight.grad) == 7.5
    assert len(report.lines) == 2


class _Noise:
    """A store of pictures of noise."""

    shape = (16, 16, 3)

    def batch(self, indices: Any) -> Any:
        return np.stack([np.random.default_rng(n).integers(0, 256, self.shape, dtype=np.uint8) for n in indices])


class _PicturesOfNothing(_Noise):
    def batch(self, indices: Any) -> Any:
        return super().batch(indices) if len(indices) else np.empty((0, *self.shape), dtype=np.uint8)


def check_validation(ranks: Group) -> None:
    settings = from_layers(("", SMALL | {"evaluation.batch_size": 3}))
    subset = Subset(_PicturesOfNothing(), np.arange(7, dtype=np.int64))  # type: ignore[arg-type]
    model, told = Autoencoder(settings.model, 3), CollectedReport()
    shared = Validation(subset, CPU, settings, ranks).measure(model, told)
    alone = Validation(subset, CPU, settings).measure(model, CollectedReport())
    assert shared is not None
    assert alone is not None
    assert all(abs(shared[name] - alone[name]) < 1e-5 * abs(alone[name]) for name in alone)
    assert [done for _, done, *_ in told.progresses] == [6, 7]
    assert Validation(subset, CPU, settings, ranks).measure(model, CollectedReport(stop=ranks.is_first)) is None


def checks(ranks: Group, folder: Path) -> dict[str, Callable[[], None]]:
    """Return what is checked, by name."""
    return {
        "agreement": lambda: check_agreement(ranks),
        "first_works": lambda: check_the_first_works_alone(ranks, folder),
        "calls": lambda: check_calls(ranks),
        "unequal_parts": lambda: check_work_of_unequal_parts(ranks),
        "stops": lambda: check_all_stop_with_the_first(ranks),
        "clock": lambda: check_time_and_stops_are_the_first_ranks(ranks),
        **{f"gradients_{name}": lambda values=values: check_gradients(ranks, values) for name, values in CASES.items()},
        "compiling": lambda: check_what_one_cannot_compile_none_compiles(ranks),
        "memory": lambda: check_memory_that_one_lacks(ranks),
        "validation": lambda: check_validation(ranks),
    }


NAMES = (
    "agreement",
    "first_works",
    "calls",
    "unequal_parts",
    "stops",
    "clock",
    *(f"gradients_{name}" for name in CASES),
    "compiling",
    "memory",
    "validation",
)


def main(folder: Path) -> int:
    ranks = join(DeviceSettings(kind="cpu"))
    told, passed = {}, True
    for name, check in checks(ranks, folder).items():
        try:
            check()
            told[name] = "passed"
        except Exception:  # noqa: BLE001 - the test tells it
            told[name], passed = traceback.format_exc(), False
            break
    (folder / f"checks-{ranks.number}.json").write_text(json.dumps(told))
    if passed:
        ranks.leave()
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
