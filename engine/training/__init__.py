"""Training of the autoencoders."""

from engine.training.task import resume, train
from engine.training.trainer import TrainingResult

__all__ = ["TrainingResult", "resume", "train"]
