"""How much of the disk the checkpoints of a run take."""

from engine.forecast.network import NetworkSize
from engine.settings import TrainingSettings

BEST_AND_LAST = 2
_FLOAT = 4


def state_bytes(size: NetworkSize, training: TrainingSettings) -> int:
    """Return the bytes of one state: weights, AdamW's two moments, and the raw weights beside their average."""
    return _FLOAT * (size.parameters + size.buffers + (3 if training.ema else 2) * size.parameters)


def kept_states(training: TrainingSettings) -> int | None:
    """Return how many states are kept beside best and last, at most; None where that cannot be known."""
    every, minutes = training.checkpoint_every, training.keep_every_minutes
    if not every and not minutes:
        return 0
    if training.keep_checkpoints:
        return training.keep_checkpoints
    if training.minutes:
        return None if every else int(training.minutes / minutes)
    return None if minutes else training.epochs // every
