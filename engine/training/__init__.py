"""Training of the autoencoders."""

from engine.training.compiler_cache import use_own_cache

use_own_cache()

from engine.training.task import resume, train  # noqa: E402 - what it imports chooses the cache where nobody has
from engine.training.trainer import TrainingResult  # noqa: E402

__all__ = ["TrainingResult", "resume", "train"]
