"""torch.compile of the training step, with an account of what it cost and gave."""

import os
import time
from pathlib import Path

import platformdirs
import torch
from torch import Tensor

from engine.report import Report
from engine.training.loss import StepLoss


class CompiledStep:
    """A step loss that compiles when first called, and goes on eagerly where that fails.

    After the first call, ``seconds`` tells what compiling cost, and ``is_compiled`` whether it worked.
    """

    def __init__(self, loss: StepLoss, backend: str, report: Report) -> None:
        _use_own_cache()
        self._eager = loss
        self._active: StepLoss = torch.compile(loss, backend=backend, fullgraph=True, dynamic=False)
        self._backend = backend
        self._report = report
        self.seconds: float | None = None
        self.is_compiled = False

    def loss_and_gradients(self, stored: Tensor, keys: Tensor, scale: torch.amp.GradScaler) -> Tensor:
        """Return the loss () of a batch after adding its gradients to the parameters."""
        if self.seconds is not None:
            return _backward(self._active, stored, keys, scale)
        began = time.perf_counter()
        self._report.log(f"Compiling the training step with {self._backend} …")
        try:
            loss = _backward(self._active, stored, keys, scale)
            self.is_compiled = True
            self.seconds = time.perf_counter() - began
            self._report.log(f"Compiled in {self.seconds:.0f} s.")
        except Exception as error:  # noqa: BLE001 - a backend may raise anything; the eager step below tells real faults
            self._active = self._eager
            self.seconds = time.perf_counter() - began
            cause = getattr(error, "inner_exception", error)
            reason = f"{type(cause).__name__}: {cause}".strip().splitlines()[0][:300]
            self._report.log(f"Compiling failed, training goes on uncompiled. {reason}", "warning")
            loss = _backward(self._active, stored, keys, scale)
        return loss


class EagerStep:
    """A step loss that runs as it is written."""

    def __init__(self, loss: StepLoss) -> None:
        self._loss = loss
        self.seconds: float | None = None
        self.is_compiled = False

    def loss_and_gradients(self, stored: Tensor, keys: Tensor, scale: torch.amp.GradScaler) -> Tensor:
        """Return the loss () of a batch after adding its gradients to the parameters."""
        return _backward(self._loss, stored, keys, scale)


def _backward(loss_of: StepLoss, stored: Tensor, keys: Tensor, scale: torch.amp.GradScaler) -> Tensor:
    loss = loss_of(stored, keys)
    torch.autograd.backward(scale.scale(loss))
    return loss.detach()


def _use_own_cache() -> None:
    """Keep compiled code in the user's own cache folder, which nobody else can write."""
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        folder = Path(platformdirs.user_cache_path("fext")) / "inductor"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
