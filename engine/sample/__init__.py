"""Labelled sample images, drawn from a seed: shapes over textured grounds."""

from engine.sample.shapes import LABELS, Shape, shape_of
from engine.sample.task import SampleResult, sample

__all__ = ["LABELS", "SampleResult", "Shape", "sample", "shape_of"]
