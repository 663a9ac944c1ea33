"""The pane of gray-level distributions: all images, and training against validation."""

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import Static

from fext_tui.dataset_facts import DatasetFacts
from fext_tui.text import safe
from fext_tui.widgets.histogram import Curve, HistogramPlot, legend

_CURVES = (("all", "all", "primary"), ("train", "training", "primary"), ("validation", "validation", "accent"))
EMPTY = "No distribution yet.\na  analyzes the images."


class Legend(Static):
    """Names the curves of a plot, as far as there is room."""

    _curves: tuple[Curve, ...] = ()

    def show(self, *curves: Curve) -> None:
        """Name these curves."""
        self._curves = curves
        self.on_resize()

    def on_resize(self) -> None:
        """Write for this width."""
        self.update(legend(*self._curves, room=self.size.width))


class DistributionPane(Container):
    """Two histograms side by side, and in words what their distance means."""

    def __init__(self) -> None:
        super().__init__(id="pane-distribution", classes="-empty")

    def compose(self) -> ComposeResult:
        """Give the plots and the sentence."""
        yield Static(EMPTY, classes="empty")
        with Container(id="distributions"):
            with Vertical(classes="distribution"):
                yield Legend(id="all-legend")
                yield HistogramPlot(id="all-plot")
            with Vertical(classes="distribution", id="compared"):
                yield Legend(id="compared-legend")
                yield HistogramPlot(id="compared-plot")
        yield Static(id="comparison")

    def show(self, facts: DatasetFacts) -> None:
        """Show the histograms of a dataset."""
        found = facts.histograms
        curves = {
            name: Curve(title, color, found[name], filled=name == "all")
            for name, title, color in _CURVES
            if name in found
        }
        compared = [curves[name] for name in ("train", "validation") if name in curves]
        self.set_class(not found, "-empty")
        self.set_class(len(compared) < 2, "-alone")
        self._draw("all", [curves["all"]] if "all" in curves else compared[:1])
        self._draw("compared", compared)
        self.query_one("#comparison", Static).update(Content(safe(facts.comparison)))

    def _draw(self, name: str, curves: list[Curve]) -> None:
        self.query_one(f"#{name}-legend", Legend).show(*curves)
        self.query_one(f"#{name}-plot", HistogramPlot).show(*curves)
