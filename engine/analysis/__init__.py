"""Analysis of a dataset: metrics of every image, pixel distribution, training against validation."""

from engine.analysis.task import AnalysisResult, analyze

__all__ = ["AnalysisResult", "analyze"]
