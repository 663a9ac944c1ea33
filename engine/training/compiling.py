"""torch.compile of the training step, kept where it measurably pays, with an account of what it cost and gave."""

import math
import shutil
import statistics
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from engine.device import Device
from engine.distributed.gradients import Gradients
from engine.distributed.ranks import ALONE, Ranks
from engine.errors import FextError, UsageError
from engine.files import printable
from engine.report import Level, Report
from engine.settings import DeviceSettings
from engine.training.compile_memory import Experience, key_of, recall, remember
from engine.training.loss import StepLoss

SETTLING_STEPS = 3
TIMED_STEPS = 8
_TRIAL_SECONDS = {"cpu": 7200, "cuda": 120}
"""Training time left from which ``auto`` tries what this machine never compiled. On two CPU cores compiling took 30 to
70 s, and a step became −4 to +17 % quicker: from two hours on, finding that out costs a hundredth at most. A GPU's cost
is of that size, and its gain larger."""

_COMPILERS = ("c++", "g++", "clang++")
_Trial = Generator[StepLoss, float, StepLoss]


@dataclass(frozen=True)
class Ledger:
    """Whether the training step is compiled, and what that cost and gave.

    ``compile_seconds`` is what the first compiled steps took beyond usual ones; seconds of a step are the median of a
    loss with its gradients; ``steps_to_pay`` compiled steps win the compiling's time back. None: not measured.
    ``why`` says what kept the step from being compiled, where it was not the time it took.
    """

    device: str
    backend: str
    kept: bool
    why: str = ""
    compile_seconds: float | None = None
    eager_step_seconds: float | None = None
    compiled_step_seconds: float | None = None
    steps_to_pay: int | None = None

    def __str__(self) -> str:
        if self.why:
            return f"not compiled: {self.why}"
        parts = [self.backend]
        if self.compile_seconds is not None:
            parts.append(f"{self.compile_seconds:.1f} s to compile")
        if self.eager_step_seconds is not None:
            parts.append(f"{self.eager_step_seconds * 1000:,.1f} ms a step before")
        if self.compiled_step_seconds is not None:
            parts.append(f"{self.compiled_step_seconds * 1000:,.1f} ms after")
        if self.steps_to_pay is not None:
            parts.append(f"paid in {self.steps_to_pay:,} steps")
        return f"{'compiled' if self.kept else 'compiled and given up'}: {', '.join(parts)}"


def stored_ledger(config: Mapping[str, Any]) -> Ledger | None:
    """Return the ledger in a state's ``config.json``; None where the choice was not made yet.

    Raises:
        FextError: it tells something else.

    """
    stored = config.get("compile")
    try:
        return Ledger(**stored) if stored else None
    except TypeError as error:
        told = printable(str(error))[:100]
        raise FextError(f"What config.json tells of compiling cannot be understood: {told}.", "Train again.") from error


class TrainingStep:
    """The loss of a batch and its gradients, compiled as the settings say.

    ``on`` compiles from the first step. ``auto`` times some steps as they are and, where compiling pays within the
    training that is left, compiles, times as many, and goes on with what was quicker; those few steps wait for the
    device. Whether it pays is known from the last time that this machine compiled the same; else it is tried where a
    trial costs next to nothing. What fails to compile goes on eagerly. All ranks choose alike, by the slowest of them.

    Args:
        loss: the step's loss.
        parameters: what gets gradients.
        settings: whether to compile, and the backend.
        device: where the loss is computed.
        work: what the loss is made of; steps that are told the same are the same to compile.
        seconds_left: gives the training time that is left, for the seconds of a step.
        before: the ledger of the run so far; ``auto`` takes over what was chosen on the same device.
        report: told what is chosen.
        ranks: those that take the step together.

    Raises:
        UsageError: compiling is on, and its backend is not installed.

    """

    def __init__(
        self,
        loss: StepLoss,
        parameters: Iterable[Tensor],
        *,
        settings: DeviceSettings,
        device: Device,
        work: Mapping[str, Any],
        seconds_left: Callable[[float], float],
        before: Ledger | None,
        report: Report,
        ranks: Ranks = ALONE,
    ) -> None:
        self.ledger = _chosen(settings, device, before)
        self._eager = self._active = loss
        self._parameters = list(parameters)
        self._ranks = ranks
        self._gradients: list[Tensor] = []
        self._backend = settings.compile_backend
        self._device = device
        self._key = key_of({**work, "device": device.name, "backend": self._backend})
        self._seconds_left = seconds_left
        self._report = report
        self._trial = self._try() if self.ledger is None or self.ledger.kept else None
        self._trial_began = False

    @cached_property
    def gradients(self) -> Gradients:
        """What computes the gradients; made with the first step, for it listens to every gradient from then on."""
        return self._ranks.gradients(self._parameters)

    def facts(self) -> dict[str, Any] | None:
        """Return the ledger as a checkpoint keeps it; None while nothing is chosen."""
        return asdict(self.ledger) if self.ledger else None

    def loss_and_gradients(
        self, stored: Tensor, keys: Tensor, scale: torch.amp.GradScaler, *, last: bool = True
    ) -> Tensor:
        """Return the loss () of a batch after adding its gradients to the parameters.

        Of several micro-batches of a step, all but one are not ``last``.

        Raises:
            Interrupted: the task was asked to stop while it compiled; the gradients are worth nothing.

        """
        if self._trial is None:
            return self._run(stored, keys, scale, last=last)
        if not self._trial_began:
            self._active, self._trial_began = next(self._trial), True
        self._wait()
        began, failure = time.perf_counter(), None
        try:
            with nullcontext() if self._active is self._eager else self._report.interruptible():
                loss = self._run(stored, keys, scale, last=last)
        except Exception as error:
            if self._active is self._eager:
                raise
            failure, self._active = error, self._eager
            loss = self._run(stored, keys, scale, last=last)
        self._wait()
        slowest = self._ranks.most(math.inf if failure else time.perf_counter() - began)
        self._go_on(slowest if slowest < math.inf else failure or FextError("it failed in another process"))
        return loss

    def _run(self, stored: Tensor, keys: Tensor, scale: torch.amp.GradScaler, *, last: bool) -> Tensor:
        if self._device.is_gpu and self._active is not self._eager:
            self._own_gradients()
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return self.gradients.add(self._active, stored, keys, scale, last=last)

    def _own_gradients(self) -> None:
        """Let gradients be added to memory of their own: that of a CUDA graph is written over by its next replay."""
        if not self._gradients:
            self._gradients = [torch.zeros_like(parameter) for parameter in self._parameters]
        missing = [pair for pair in zip(self._parameters, self._gradients, strict=True) if pair[0].grad is None]
        if missing:
            torch._foreach_zero_([gradient for _, gradient in missing])
            for parameter, gradient in missing:
                parameter.grad = gradient

    # --- The trial ------------------------------------------------------------------------------------------

    def _go_on(self, told: float | Exception) -> None:
        assert self._trial is not None
        try:
            self._active = self._trial.throw(told) if isinstance(told, Exception) else self._trial.send(told)
        except StopIteration as end:
            self._active, self._trial = end.value, None

    def _try(self) -> _Trial:
        """Yield the loss to take the next step with, get the seconds that took, and return the loss to stay with."""
        ledger = self.ledger
        if ledger is None:
            _, eager = yield from _timed(self._eager)
            ledger = Ledger(self._device.name, self._backend, kept=False, eager_step_seconds=eager)
            why_not = self._why_not(self._seconds_left(eager))
            [is_decided] = self._ranks.agree([bool(why_not)])
            if is_decided:
                self._decide(replace(ledger, why=why_not))
                return self._eager
        self._report.log(f"Compiling the training step with {self._backend} …")
        self._report.progress("compiling", 0, 0, "")
        try:
            compiled = compile_loss(self._eager, self._backend, self._device)
            settling, seconds = yield from _timed(compiled)
        except Exception as error:  # noqa: BLE001 - whatever it is, the log tells it
            self._decide(replace(ledger, kept=False, why=f"compiling failed, {_reason(error)}"), "warning")
            return self._eager
        ledger = replace(
            ledger,
            kept=ledger.kept or seconds < (ledger.eager_step_seconds or math.inf),
            compile_seconds=max(0.0, settling - SETTLING_STEPS * seconds),
            compiled_step_seconds=seconds,
        )
        self._decide(replace(ledger, steps_to_pay=_steps_to_pay(ledger)))
        if ledger.eager_step_seconds and ledger.compile_seconds is not None and self._ranks.is_first:
            remember(self._key, Experience(ledger.compile_seconds, 1 - seconds / ledger.eager_step_seconds))
        return compiled if ledger.kept else self._eager

    def _why_not(self, seconds_left: float) -> str:
        """Return why compiling is not to be tried with so much training left; empty where it is."""
        known = recall(self._key)
        if known is not None and known.saved_share <= 0:
            return "it made no step quicker when this machine tried"
        pays = (
            seconds_left >= _TRIAL_SECONDS[self._device.handle.type]
            if known is None
            else known.pays_within(seconds_left)
        )
        return "" if pays else "too little training is left to win its time back"

    def _decide(self, ledger: Ledger, level: Level = "info") -> None:
        self.ledger = ledger
        told = str(ledger)
        self._report.log(f"{told[0].upper()}{told[1:]}.", level)

    def _wait(self) -> None:
        if self._device.is_gpu:
            torch.cuda.synchronize(self._device.handle)


def compile_loss(loss: StepLoss, backend: str, device: Device) -> StepLoss:
    """Return the loss compiled as one graph of static shapes, which inductor replays as CUDA graphs on a GPU."""
    mode = "reduce-overhead" if device.is_gpu and backend == "inductor" else None
    compiled: StepLoss = torch.compile(loss, backend=backend, mode=mode, fullgraph=True, dynamic=False)
    return compiled


def _chosen(settings: DeviceSettings, device: Device, before: Ledger | None) -> Ledger | None:
    """Return what is chosen before the first step, None where `TrainingStep` is to find out."""
    backend = settings.compile_backend
    unchosen = Ledger(device.name, backend, kept=False)
    if settings.compile == "off":
        return replace(unchosen, why="switched off")
    if backend == "inductor" and not any(shutil.which(name) for name in _COMPILERS):
        return replace(unchosen, why="no C++ compiler (install g++ to compile)")
    is_same = before and (before.device, before.backend) == (device.name, backend)
    known = before if before and is_same and before.eager_step_seconds is not None else None
    if settings.compile == "auto" and not (known and known.kept):
        return known
    installed = torch.compiler.list_backends(exclude_tags=())
    if backend not in installed:
        raise UsageError(
            f"device.compile_backend = {backend!r} is not installed.", f"Installed are {', '.join(sorted(installed))}."
        )
    return replace(unchosen, kept=True, eager_step_seconds=known.eager_step_seconds if known else None)


def _timed(loss: StepLoss) -> Generator[StepLoss, float, tuple[float, float]]:
    """Have steps taken with a loss; return the seconds of those that settle it, and the median of those after."""
    seconds = []
    for _ in range(SETTLING_STEPS + TIMED_STEPS):
        seconds.append((yield loss))  # noqa: PERF401 - a comprehension cannot yield
    return sum(seconds[:SETTLING_STEPS]), statistics.median(seconds[SETTLING_STEPS:])


def _steps_to_pay(ledger: Ledger) -> int | None:
    cost, before, after = ledger.compile_seconds, ledger.eager_step_seconds, ledger.compiled_step_seconds
    if cost is None or before is None or after is None or after >= before:
        return None
    return math.ceil(cost / (before - after))


def _reason(error: Exception) -> str:
    cause = getattr(error, "inner_exception", error)
    return f"{type(cause).__name__}: {cause}".strip().splitlines()[0][:300]
