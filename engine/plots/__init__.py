"""Figures in one house style, drawn by matplotlib without a screen and written as PNG."""

from engine.plots.curves import Curve, curves_figure
from engine.plots.features import spectrum_figure, worth_figure
from engine.plots.levels import comparison_figure, distribution_figure
from engine.plots.panels import Panel, errors_figure, overview_figure
from engine.plots.pictures import learning_figure, reconstruction_figure
from engine.plots.scatter import ByLabel, ByValue, scatter3_figure, scatter_figure
from engine.plots.style import BLUE, ORANGE

__all__ = [
    "BLUE",
    "ORANGE",
    "ByLabel",
    "ByValue",
    "Curve",
    "Panel",
    "comparison_figure",
    "curves_figure",
    "distribution_figure",
    "errors_figure",
    "learning_figure",
    "overview_figure",
    "reconstruction_figure",
    "scatter3_figure",
    "scatter_figure",
    "spectrum_figure",
    "worth_figure",
]
