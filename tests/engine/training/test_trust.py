"""What a person may trust a run with: steps that fail, memory that ends, averages, patience."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.checkpoints import find_checkpoint
from engine.device import choose_device
from engine.errors import FextError
from engine.models import Autoencoder
from engine.report import CollectedReport
from engine.settings import DeviceSettings, Settings, TrainingSettings
from engine.training import task
from engine.training.accumulation import Accumulation, largest_divisor
from engine.training.averaging import WeightAverage
from engine.training.checkpoint import Standing
from engine.training.compiling import TrainingStep
from engine.training.loss import StepLoss, image_keys, step_loss
from engine.training.memory import is_out_of_memory
from engine.training.optimizer import Optimizer
from tests.engine.training.bench import Bench, Small, StoppingReport, history_of

CPU = choose_device(DeviceSettings(kind="cpu"))
NO_SCALE = torch.amp.GradScaler("cpu", enabled=False)
Around = Callable[[Callable[[StepLoss], StepLoss]], None]


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Around:
    """Return a function that puts a wrapper around the loss of the runs that follow."""

    def put(wrapper: Callable[[StepLoss], StepLoss]) -> None:
        monkeypatch.setattr(task, "step_loss", lambda *arguments: wrapper(step_loss(*arguments)))

    return put


def not_finite_at(*calls: int) -> Callable[[StepLoss], StepLoss]:
    """Spoil these calls of the loss, numbered from 1."""

    def wrapper(inner: StepLoss) -> StepLoss:
        numbers = iter(range(1, 10_000))
        return lambda stored, keys: inner(stored, keys) * (torch.nan if next(numbers) in calls else 1.0)

    return wrapper


# --- Steps that are not finite ------------------------------------------------------------------------------


def _model(settings: Settings) -> Autoencoder:
    """Return a model whose every weight matters: none of its parameters is zero."""
    model = Autoencoder(settings.model, 3, seed=1).train()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.02)
    return model


@pytest.mark.parametrize("precision", [torch.float32, torch.float16])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e30])
def test_a_gradient_that_is_not_finite_changes_nothing(small: Small, bad: float, precision: torch.dtype) -> None:
    model = _model(small())
    optimizer = Optimizer(model, TrainingSettings(weight_decay=0.5), replace(CPU, precision=precision), {})
    scaled = optimizer.scaler.is_enabled()
    assert scaled == (precision == torch.float16)
    last = list(model.parameters())[-1]

    def step(number: int, spoil: bool) -> None:
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter) * optimizer.scaler.scale(torch.ones(()))
        if spoil:
            assert last.grad is not None
            last.grad[0] = bad
        optimizer.step(torch.tensor(0.25 * number), number, 0.01 * number)

    def state() -> dict[str, Tensor]:
        everything = {**model.state_dict(), **optimizer.tensors()}
        return {name: tensor.clone() for name, tensor in everything.items() if not name.startswith("extra.")}

    step(1, spoil=False)
    before = state()
    step(2, spoil=True)
    step(3, spoil=True)
    assert all(torch.equal(before[name], tensor) for name, tensor in state().items())
    assert not scaled or np.isfinite(bad) or optimizer.scaler.get_scale() == 2**14
    step(4, spoil=False)
    account = optimizer.account()
    assert (account.loss_sum, account.skipped, account.in_a_row) == (1.25, 2, 0)
    assert (account.loss, account.step, account.rate) == (0.75, 3, 0.03)
    assert not np.isfinite(account.norm)
    assert not torch.equal(before["stem.weight"], model.state_dict()["stem.weight"])
    step(5, spoil=True)
    assert optimizer.account()[:3] == (0, 1, 1)
    step(6, spoil=True)
    assert optimizer.account()[:3] == (0, 1, 2)


def test_skipped_steps_are_counted_and_training_goes_on(bench: Bench, small: Small, around: Around) -> None:
    report = CollectedReport()
    around(not_finite_at(5, 6, 7, 8, 10))
    result = bench.train("skips", small(training__epochs=3), report)
    history = history_of(report)
    assert (result.state, result.steps) == ("done", 12)
    assert history[0, "validation/psnr"] != history[4, "validation/psnr"] == history[8, "validation/psnr"]
    assert {step for step, name in history if name == "train/loss"} == {1, 2, 3, 4, 9, 11, 12}
    told = [line for level, line in report.lines if level == "warning"]
    assert len(told) == 5
    assert "1 of 1 steps skipped" in told[0]
    assert "step 5, epoch 1.25, learning rate" in told[0]
    assert all(np.isfinite(tensor).all() for tensor in bench.weights("skips/last").values())


def test_divergence_is_told_and_the_last_good_weights_are_saved(bench: Bench, small: Small, around: Around) -> None:
    settings = small(training__epochs=5)
    bench.train("good", settings, StoppingReport(5))
    around(not_finite_at(*range(6, 100)))
    report = CollectedReport()
    with pytest.raises(FextError, match=r"for 8 steps.* step 13, epoch 3\.25, learning rate .*, loss nan, .* norm nan"):
        bench.train("diverges", settings, report)
    good, saved = bench.weights("good/last"), bench.weights("diverges/last")
    assert all(np.array_equal(good[name], saved[name]) for name in good)
    best = max(value for (_, name), value in history_of(report).items() if name == "validation/psnr")
    config = json.loads((find_checkpoint(bench.workspace, "diverges") / "config.json").read_text())
    assert config["val_psnr"] == best
    around(lambda inner: inner)
    healed = CollectedReport()
    assert bench.resume("diverges", settings, healed).state == "done"
    losses = history_of(healed)
    assert 0 < losses[14, "train/loss"] < 2 * losses[15, "train/loss"]


def test_skips_in_a_row_are_counted_over_a_stop(bench: Bench, small: Small, around: Around) -> None:
    around(not_finite_at(*range(1, 100)))
    settings = small(training__epochs=9)
    assert bench.train("stopped", settings, StoppingReport(5)).steps == 5
    with pytest.raises(FextError, match=r"for 8 steps.* step 8, "):
        bench.resume("stopped", settings)


# --- Memory -------------------------------------------------------------------------------------------------


def _run_out(kind: str) -> None:
    if kind == "gpu":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
    torch.empty(1 << 60, dtype=torch.uint8)


def room_for(images: int, kind: str) -> Callable[[StepLoss], StepLoss]:
    """Run out of memory in the backward pass of more than so many images."""

    class Need(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, loss: Tensor, count: int) -> Tensor:
            ctx.count = count
            return loss.clone()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Any:
            if ctx.count > images:
                _run_out(kind)
            return gradient, None

    def wrapper(inner: StepLoss) -> StepLoss:
        return lambda stored, keys: Need.apply(inner(stored, keys), len(stored))

    return wrapper


def test_the_micro_batch_is_halved_where_memory_runs_out(bench: Bench, small: Small, around: Around) -> None:
    settings = small(augmentation__enabled=True, model__dropout=0.2)
    given = settings.with_values({"training.micro_batch": 2})
    bench.train("given", given)
    around(room_for(3, "cpu"))
    first, second = StoppingReport(5), CollectedReport()
    bench.train("found", settings, first)
    told = [line for level, line in first.lines if level == "warning"]
    assert [line.split(". ")[0] for line in told] == [
        "Memory ran out at 8 images at a time: going on with 4",
        "Memory ran out at 4 images at a time: going on with 2",
    ]
    assert bench.standing("found/last")["micro_batch"] == 2
    assert bench.resume("found", settings, second).steps == 8
    assert not any("Memory ran out" in line for _, line in second.lines)
    expected, got = bench.weights("given/last"), bench.weights("found/last")
    assert all(np.array_equal(expected[name], got[name]) for name in expected)


def test_no_room_for_one_image_is_told(bench: Bench, small: Small, around: Around) -> None:
    around(room_for(0, "gpu"))
    report = CollectedReport()
    with pytest.raises(FextError, match="not fit even for one image"):
        bench.train("none", small(), report)
    assert [level for level, line in report.lines if "Memory ran out" in line] == ["warning"] * 3


def test_only_memory_errors_are_taken_for_such() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    with pytest.raises(RuntimeError) as caught:
        torch.zeros(2) @ torch.zeros(3)
    assert not is_out_of_memory(caught.value)


@pytest.mark.parametrize("micro_batch", [4, 3, 1])
def test_micro_batches_give_the_gradients_of_the_batch(small: Small, micro_batch: int) -> None:
    settings = small(augmentation__enabled=True, model__dropout=0.3, objective__noise=0.1, objective__masked=0.3)
    stored = torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    keys = image_keys(settings, 3, torch.arange(8))

    def gradients(size: int) -> tuple[Tensor, list[Tensor]]:
        model = _model(settings)
        report = CollectedReport()
        loss = step_loss(model, settings, CPU)
        parameters = list(model.parameters())
        off = DeviceSettings(compile="off")
        step = TrainingStep(
            loss, parameters, settings=off, device=CPU, work={}, seconds_left=lambda _: 0.0, before=None, report=report
        )
        training = settings.with_values({"training.micro_batch": size}).training
        accumulation = Accumulation(step, parameters, training, Standing(), report)
        total = accumulation.loss_and_gradients(stored, keys, NO_SCALE)
        return total, [parameter.grad for parameter in parameters if parameter.grad is not None]

    (whole_loss, whole), (loss, parts) = gradients(0), gradients(micro_batch)
    assert loss.item() == pytest.approx(whole_loss.item(), rel=1e-6)
    assert len(parts) == len(whole) > 10
    for expected, got in zip(whole, parts, strict=True):
        assert torch.allclose(expected, got, rtol=1e-3, atol=1e-5 * float(expected.abs().max()) + 1e-9)


def test_micro_batches_are_of_one_size() -> None:
    assert [largest_divisor(12, limit) for limit in (12, 8, 5, 1, 99)] == [12, 6, 4, 1, 12]


# --- The average of the weights -----------------------------------------------------------------------------


def test_the_average_is_that_of_its_formula(small: Small) -> None:
    model = _model(small())
    average = WeightAverage(model, 0.5)
    expected = model.stem.weight.detach().double()
    for step, decay in [(1, 2 / 11), (2, 3 / 12), (3, 4 / 13), (40, 0.5)]:
        with torch.no_grad():
            model.stem.weight.mul_(1.5)
        average.update(step)
        expected = decay * expected + (1 - decay) * model.stem.weight.detach().double()
        assert torch.allclose(average.model.stem.weight.double(), expected, rtol=1e-5)
    assert average.model.stem.weight.is_contiguous(memory_format=torch.channels_last)


def test_saved_is_the_average_and_training_goes_on_from_the_raw_weights(bench: Bench, small: Small) -> None:
    bench.train("plain", small())
    bench.train("averaged", small(training__ema=0.9))
    plain, averaged = bench.weights("plain/last"), bench.weights("averaged/last")
    raw = bench.training_tensors("averaged/last")
    trained = [name for name in plain if not name.startswith(("shortcut.", "whitening."))]
    assert all(np.array_equal(raw[f"raw.{name}"], plain[name]) for name in trained)
    assert any(not np.array_equal(averaged[name], plain[name]) for name in plain)
    assert not any(name.startswith("raw.") for name in bench.training_tensors("plain/last"))


# --- Patience and validations -------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [None, 5])
def test_training_ends_when_patience_does(bench: Bench, small: Small, after: int | None) -> None:
    settings = small(training__epochs=50, training__patience=2, training__min_gain=50)
    report = CollectedReport()
    if after is None:
        result = bench.train("patient", settings, report)
    else:
        bench.train("patient", settings, StoppingReport(after))
        result = bench.resume("patient", settings, report)
    assert (result.state, result.epochs, result.steps) == ("done", 2, 8)
    assert any("2 validations in a row brought no gain of 50 dB" in line for _, line in report.lines)
    assert bench.resume("patient", settings).steps == 16


def test_a_gain_renews_the_patience(bench: Bench, small: Small) -> None:
    report = CollectedReport()
    settings = small(model__shortcut=False, training__epochs=40, training__patience=2, training__min_gain=0.5)
    result = bench.train("renewed", settings, report)
    psnr = [value for (_, name), value in sorted(history_of(report).items()) if name == "validation/psnr"]
    assert result.epochs == len(psnr) - 1 == _epochs_until(psnr, patience=2, gain=0.5)
    assert result.epochs > 2, "the patience of the start alone"


def _epochs_until(psnr: list[float], patience: int, gain: float) -> int:
    reference, at = psnr[0], 0
    for epoch, value in enumerate(psnr):
        if value > reference + gain:
            reference, at = value, epoch
        if epoch - at == patience:
            return epoch
    return len(psnr) - 1


def test_validations_come_in_between(bench: Bench, small: Small) -> None:
    def steps(**values: Any) -> list[int]:
        report = CollectedReport()
        bench.train(f"run-{len(bench.records.runs())}", small(**values), report)
        return sorted(step for step, name in history_of(report) if name == "validation/psnr")

    assert steps() == [0, 4, 8]
    assert steps(training__validate_every_steps=3) == [0, 3, 4, 6, 8]
    assert steps(training__validate_every_seconds=1e-9) == list(range(9))


def test_a_report_tells_memory_and_rate(bench: Bench, small: Small) -> None:
    report = CollectedReport()
    bench.train("tells", small(), report)
    rows = [values for _, _, values in report.metric_rows if "train/loss" in values]
    assert len(rows) == 8
    assert all(0.01 < values["memory_gb"] < 1000 for values in rows)
    assert all(values.keys() == {"train/loss", "learning_rate", "memory_gb", "img_s"} for values in rows)
