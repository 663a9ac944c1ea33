"""Figures in one house style, drawn by matplotlib without a screen and written as PNG."""

from engine.plots.curves import Curve, curves_figure
from engine.plots.levels import comparison_figure, distribution_figure
from engine.plots.panels import Panel, overview_figure
from engine.plots.pictures import learning_figure, reconstruction_figure
from engine.plots.style import BLUE, ORANGE

__all__ = [
    "BLUE",
    "ORANGE",
    "Curve",
    "Panel",
    "comparison_figure",
    "curves_figure",
    "distribution_figure",
    "learning_figure",
    "overview_figure",
    "reconstruction_figure",
]
