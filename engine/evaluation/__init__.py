"""Evaluation of a checkpoint: how faithful its reconstructions are."""

from engine.evaluation.task import EvaluationResult, evaluate

__all__ = ["EvaluationResult", "evaluate"]
