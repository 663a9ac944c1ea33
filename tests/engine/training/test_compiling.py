"""Compiling the training step: what is chosen by measurement, what it leaves behind, and what a resume takes over."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor

from engine.checkpoints import find_checkpoint
from engine.device import Device, choose_device
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import DeviceSettings, Settings
from engine.training import resume, train
from engine.training.compile_memory import Experience, key_of, recall, remember
from engine.training.compiling import SETTLING_STEPS, TIMED_STEPS, Ledger, TrainingStep, stored_ledger
from engine.workspace import Workspace

Small = Callable[..., Settings]
MEASURED = SETTLING_STEPS + TIMED_STEPS
CPU = choose_device(DeviceSettings(kind="cpu"))
NO_SCALE = torch.amp.GradScaler("cpu", enabled=False)
MATRIX = torch.rand(500, 500) / 500


def _work(matrix: Tensor) -> Tensor:
    result = matrix
    for _ in range(10):
        result = result @ matrix
    return result.sum()


def _quicker(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
    """Leave the work out of `_laborious`, whose result it does not change."""
    return lambda *values: (sum(value.sum() for value in values if value.requires_grad),)


def _slower(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
    def run(*values: Any) -> Any:
        for _ in range(4):
            _work(MATRIX)
        return graph(*values)

    return run


def _broken(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
    raise RuntimeError("no compiler here")


BACKENDS = {"quicker_for_test": _quicker, "slower_for_test": _slower, "broken_for_test": _broken}


@pytest.fixture(scope="module", autouse=True)
def backends() -> None:
    for name, backend in BACKENDS.items():
        if name not in torch.compiler.list_backends(exclude_tags=()):
            torch._dynamo.register_backend(backend, name)


@pytest.fixture(autouse=True)
def fresh_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


class Bench:
    """One parameter, a laborious loss of it, and steps taken with that."""

    def __init__(self) -> None:
        self.parameter = torch.ones(3, requires_grad=True)
        self.report = CollectedReport()
        self.lengthy = 0

    def step(
        self, backend: str, *, left: float = 1e6, before: Ledger | None = None, compiling: str = "auto"
    ) -> TrainingStep:
        return TrainingStep(
            lambda stored, keys: self.parameter.sum() + 0 * _work(MATRIX),
            [self.parameter],
            settings=DeviceSettings.model_validate({"compile": compiling, "compile_backend": backend}),
            device=CPU,
            work={"sum": 3},
            seconds_left=lambda _: left,
            before=before,
            report=self.report,
        )

    def take(self, step: TrainingStep, count: int) -> None:
        for _ in range(count):
            self.parameter.grad = None
            loss = step.loss_and_gradients(torch.zeros(1), torch.zeros(1), NO_SCALE)
            assert loss.item() == pytest.approx(3)
            assert self.parameter.grad is not None
            assert self.parameter.grad.tolist() == [1, 1, 1]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _graphs() -> int:
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


def test_a_quicker_compiled_step_is_kept_and_its_cost_is_told(bench: Bench) -> None:
    step = bench.step("quicker_for_test")
    bench.take(step, MEASURED)
    assert step.ledger is None
    assert _graphs() == 0
    bench.take(step, MEASURED)
    ledger = step.ledger
    assert ledger is not None
    assert ledger.kept
    assert ledger.compile_seconds is not None
    assert ledger.eager_step_seconds is not None
    assert ledger.compiled_step_seconds is not None
    assert ledger.steps_to_pay is not None
    won = ledger.eager_step_seconds - ledger.compiled_step_seconds
    assert 0 <= ledger.steps_to_pay * won - ledger.compile_seconds < won + 1e-9
    told = [line for _, line in bench.report.lines]
    assert told[0] == "Compiling the training step with quicker_for_test …"
    assert f"paid in {ledger.steps_to_pay:,} steps" in told[1]
    bench.take(step, 2)
    assert stored_ledger(json.loads(json.dumps({"compile": step.facts()}))) == ledger


def test_a_slower_compiled_step_is_given_up(bench: Bench) -> None:
    step = bench.step("slower_for_test")
    bench.take(step, 2 * MEASURED)
    assert step.ledger is not None
    assert not step.ledger.kept
    assert step.ledger.steps_to_pay is None
    assert bench.report.lines[-1][1].startswith("Compiled and given up: slower_for_test, ")
    torch._dynamo.reset()
    bench.take(step, 1)
    assert _graphs() == 1


def test_little_work_left_is_not_worth_a_trial(bench: Bench) -> None:
    step = bench.step("quicker_for_test", left=60)
    bench.take(step, 3 * MEASURED)
    assert _graphs() == 0
    assert step.ledger is not None
    assert str(step.ledger) == "not compiled: too little training is left to win its time back"


def test_what_paid_before_is_tried_where_it_pays_again(bench: Bench) -> None:
    first = bench.step("quicker_for_test")
    bench.take(first, 2 * MEASURED)
    assert first.ledger is not None
    assert first.ledger.compile_seconds is not None
    enough = 2 * first.ledger.compile_seconds * (first.ledger.eager_step_seconds or 0) / _won(first.ledger)
    torch._dynamo.reset()
    again = bench.step("quicker_for_test", left=enough)
    bench.take(again, 2 * MEASURED)
    assert again.ledger is not None
    assert again.ledger.kept
    too_short = bench.step("quicker_for_test", left=0.0)
    bench.take(too_short, 2 * MEASURED)
    assert too_short.ledger is not None
    assert str(too_short.ledger) == "not compiled: too little training is left to win its time back"


def test_what_gave_nothing_before_is_not_tried_again(bench: Bench) -> None:
    bench.take(bench.step("slower_for_test"), 2 * MEASURED)
    graphs = _graphs()
    again = bench.step("slower_for_test")
    bench.take(again, 2 * MEASURED)
    assert _graphs() == graphs
    assert again.ledger is not None
    assert str(again.ledger) == "not compiled: it made no step quicker when this machine tried"


def _won(ledger: Ledger) -> float:
    assert ledger.eager_step_seconds is not None
    assert ledger.compiled_step_seconds is not None
    return ledger.eager_step_seconds - ledger.compiled_step_seconds


def test_the_memory_tells_apart_what_differs_and_outlasts_damage(tmp_path: Path) -> None:
    experience = Experience(41.0, 0.1)
    one, other = key_of({"batch": (16, 0)}), key_of({"batch": (32, 0)})
    assert recall(one) is None
    remember(one, experience)
    assert recall(one) == experience
    assert recall(other) is None
    file = tmp_path / "cache" / "fext" / "compiling.json"
    entries = json.loads(file.read_text())
    file.write_text(json.dumps({**entries, other: {"compile_seconds": "much"}}))
    assert (recall(one), recall(other)) == (experience, None)
    for damage in ("", "[]", "{", "null"):
        file.write_text(damage)
        assert recall(one) is None
        remember(one, experience)
        assert recall(one) == experience


def test_the_memory_is_bounded_and_the_oldest_goes(tmp_path: Path) -> None:
    remember("first", Experience(1.0, 0.5))
    file = tmp_path / "cache" / "fext" / "compiling.json"
    [entry] = json.loads(file.read_text()).values()
    file.write_text(json.dumps(dict.fromkeys(["first", *map(str, range(999))], entry)))
    remember("last", Experience(1.0, 0.25))
    assert recall("first") is None
    assert recall("0") == Experience(1.0, 0.5)
    assert recall("last") == Experience(1.0, 0.25)


@pytest.mark.parametrize(("seconds", "pays"), [(409, False), (411, True)])
def test_compiling_pays_once_it_saves_more_than_it_took(seconds: float, pays: bool) -> None:
    assert Experience(41.0, 0.1).pays_within(seconds) is pays
    assert not Experience(41.0, -0.04).pays_within(1e9)


KEPT = Ledger(CPU.name, "quicker_for_test", kept=True, compile_seconds=1, eager_step_seconds=9, compiled_step_seconds=3)


def test_a_choice_made_before_is_taken_over(bench: Bench) -> None:
    step = bench.step("quicker_for_test", before=KEPT, left=1)
    bench.take(step, MEASURED)
    assert _graphs() == 1
    assert step.ledger is not None
    assert (step.ledger.kept, step.ledger.eager_step_seconds) == (True, 9)
    given_up = replace(KEPT, kept=False)
    step = bench.step("quicker_for_test", before=given_up)
    bench.take(step, 3 * MEASURED)
    assert _graphs() == 1
    assert step.ledger == given_up


@pytest.mark.parametrize("other", [{"device": "another"}, {"backend": "inductor"}, {"eager_step_seconds": None}])
def test_a_choice_made_for_something_else_is_made_anew(bench: Bench, other: Mapping[str, Any]) -> None:
    step = bench.step("quicker_for_test", before=replace(KEPT, **other))
    bench.take(step, MEASURED)
    assert _graphs() == 0
    bench.take(step, MEASURED)
    assert _graphs() == 1


def test_on_compiles_the_first_step_and_keeps_it(bench: Bench) -> None:
    step = bench.step("slower_for_test", compiling="on", left=0)
    bench.take(step, 1)
    assert _graphs() == 1
    bench.take(step, MEASURED)
    assert step.ledger is not None
    assert step.ledger.kept
    assert step.ledger.eager_step_seconds is None


def test_a_fault_of_the_loss_is_no_fault_of_the_compiler(bench: Bench) -> None:
    step = bench.step("quicker_for_test")
    bench.take(step, 1)
    bench.parameter = torch.ones(3)
    with pytest.raises(RuntimeError, match="does not require grad"):
        bench.take(step, 1)


class StoppingReport(CollectedReport):
    """A report that asks to stop once ``after`` steps are told."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def metrics(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        super().metrics(step, epoch, values)
        self.stop = self.stop or step >= self.after


class Runs:
    """Runs in one workspace."""

    def __init__(self, workspace: Workspace, records: Records) -> None:
        self.parts = workspace, records

    def train(self, name: str, settings: Settings, report: CollectedReport) -> Any:
        run = self.parts[1].add_run(name, settings.model.variant)
        return train(settings, *self.parts, report, run=run)

    def resume(self, name: str, settings: Settings, report: CollectedReport) -> Any:
        return resume(settings, *self.parts, report, checkpoint=name)

    def last(self, name: str) -> Path:
        return find_checkpoint(self.parts[0], f"{name}/last")

    def ledger(self, name: str) -> Ledger | None:
        return stored_ledger(json.loads((self.last(name) / "config.json").read_text()))


@pytest.fixture
def runs(workspace: Workspace, records: Records) -> Runs:
    return Runs(workspace, records)


def test_a_run_compiles_as_one_graph_and_learns_the_same(runs: Runs, small: Small) -> None:
    settings = small(
        device__compile="on",
        device__compile_backend="aot_eager",
        augmentation__enabled=True,
        model__dropout=0.2,
        training__epochs=3,
    )
    result = runs.train("compiled", settings, CollectedReport())
    assert _graphs() == 1
    assert not torch._dynamo.utils.counters["graph_break"]
    assert result.compiling == str(runs.ledger("compiled"))
    assert result.compiling.startswith("compiled: aot_eager, ")
    plain = runs.train("eager", settings.with_values({"device.compile": "off"}), CollectedReport())
    assert plain.compiling == "not compiled: switched off"
    compiled, eager = (load_file(runs.last(name) / "model.safetensors") for name in ("compiled", "eager"))
    assert all(np.allclose(compiled[name], eager[name], atol=2e-3) for name in eager)


def test_a_backend_that_fails_gives_way_to_eager(runs: Runs, small: Small) -> None:
    report = CollectedReport()
    settings = small(device__compile="on", device__compile_backend="broken_for_test")
    result = runs.train("falls-back", settings, report)
    assert result.state == "done"
    assert any(level == "warning" and "no compiler here" in line for level, line in report.lines)
    ledger = runs.ledger("falls-back")
    assert ledger is not None
    assert not ledger.kept
    runs.train("eager", settings.with_values({"device.compile": "off"}), CollectedReport())
    fallen, eager = (load_file(runs.last(name) / "model.safetensors") for name in ("falls-back", "eager"))
    assert all(np.array_equal(fallen[name], eager[name]) for name in eager)


def test_a_resume_does_not_measure_again(runs: Runs, small: Small) -> None:
    settings = small(training__minutes=600, device__compile_backend="slower_for_test")
    first, second = StoppingReport(2 * MEASURED), StoppingReport(4 * MEASURED)
    runs.train("stopped", settings, first)
    ledger = runs.ledger("stopped")
    assert ledger is not None
    assert not ledger.kept
    assert ledger.compiled_step_seconds is not None
    assert any("Compiling" in line for _, line in first.lines)
    runs.resume("stopped", settings, second)
    assert not any("ompil" in line for _, line in second.lines)
    assert runs.ledger("stopped") == ledger


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_replayed_graphs_add_up_gradients() -> None:
    device: Device = choose_device(DeviceSettings(kind="gpu", precision="float32"))
    layer = torch.nn.Linear(8, 8, device=device.handle)
    batches = torch.rand(2 * MEASURED, 4, 8, device=device.handle)

    def loss(stored: Tensor, keys: Tensor) -> Tensor:
        return layer(stored).square().mean()

    def gradients(compiling: str) -> list[Tensor]:
        layer.zero_grad(set_to_none=True)
        step = TrainingStep(
            loss,
            layer.parameters(),
            settings=DeviceSettings.model_validate({"compile": compiling}),
            device=device,
            work={},
            seconds_left=lambda _: 1e6,
            before=None,
            report=CollectedReport(),
        )
        for batch in batches:
            step.loss_and_gradients(batch, batch, torch.amp.GradScaler("cuda", enabled=False))
        assert step.ledger is not None
        assert step.ledger.kept == (compiling == "on")
        return [parameter.grad.clone() for parameter in layer.parameters() if parameter.grad is not None]

    for compiled, eager in zip(gradients("on"), gradients("off"), strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("chosen", ["", "elsewhere"])
def test_compiled_code_lies_in_the_users_own_folder_unless_another_is_named(tmp_path: Path, chosen: str) -> None:
    """In a process of its own: whichever part of PyTorch asks first fixes the folder."""
    code = (
        "import os, engine.training, torch\n"
        "torch.compiler.list_backends(exclude_tags=())\n"
        "from torch._inductor.runtime.cache_dir_utils import cache_dir\n"
        "print(cache_dir())"
    )
    environ = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"}
    named = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / chosen)} if chosen else {}
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ | named
    ).stdout.strip()
    assert told == str(tmp_path / (chosen or "cache/fext/inductor"))
    if not chosen:
        assert stat.S_IMODE(Path(told).stat().st_mode) == 0o700
