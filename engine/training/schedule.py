"""How long a run lasts, and its learning rate on the way."""

import math
from dataclasses import dataclass
from typing import Literal

from engine.settings import TrainingSettings

_WARMUP_SHARE = 0.1
_RISE_SHARE = 0.3
_FIRST_SHARE = 1 / 25


@dataclass(frozen=True)
class Plan:
    """A stretch of training, from ``start`` to ``end`` in steps or in seconds of training time.

    A finished run that is resumed gets a new stretch, with a decay of its own.
    """

    unit: Literal["steps", "s"]
    start: float
    end: float

    def share(self, steps: int, seconds: float) -> float:
        """Return how much of the stretch is done, from 0 to 1."""
        done = steps if self.unit == "steps" else seconds
        return min(1.0, max(0.0, (done - self.start) / max(self.end - self.start, 1e-9)))


def learning_rate(settings: TrainingSettings, steps: int, share: float) -> float:
    """Return the learning rate of the next step.

    The warm-up takes its steps, at most a tenth of the stretch. ``onecycle`` needs none: it rises from 1/25 of the
    highest rate over 30 % of the stretch, then falls to the final rate, both as half a cosine (L. N. Smith and
    N. Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2019; the numbers
    and the cosines are those of PyTorch's ``OneCycleLR``).

    Args:
        settings: the schedule and its rates.
        steps: steps done since the start of the stretch.
        share: how much of the stretch is done, from 0 to 1.

    """
    highest, final = settings.learning_rate, settings.final_learning_rate
    if settings.schedule == "constant":
        return highest
    if settings.schedule == "onecycle":
        if share < _RISE_SHARE:
            return _cosine(highest * _FIRST_SHARE, highest, share / _RISE_SHARE)
        return _cosine(highest, final, (share - _RISE_SHARE) / (1 - _RISE_SHARE))
    warm = 1.0
    if settings.warmup_steps:
        warm = min(1.0, max((steps + 1) / (settings.warmup_steps + 1), share / _WARMUP_SHARE))
    if settings.schedule == "cosine":
        return warm * _cosine(highest, final, share)
    fall = share
    if settings.schedule == "hold_decay":
        fall = min(1.0, max(0.0, (steps - settings.hold_steps) / settings.decay_steps))
    return warm * (highest + (final - highest) * fall)


def _cosine(start: float, end: float, share: float) -> float:
    return start + (end - start) * (0.5 - 0.5 * math.cos(math.pi * share))
