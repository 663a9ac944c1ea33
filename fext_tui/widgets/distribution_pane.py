"""The pane of distributions: levels of pixels or a metric, of all images, and training against validation."""

import math
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from engine.errors import FextError
from engine.measures import label
from engine.records.schema import columns_of
from engine.workspace import Workspace
from fext_tui.dataset_facts import DatasetFacts, Histogram
from fext_tui.measured import read_distribution
from fext_tui.measures import figure
from fext_tui.screens.dialogs import Choose
from fext_tui.text import safe
from fext_tui.widgets.empty import Empty
from fext_tui.widgets.histogram import Curve, HistogramPlot, legend

EMPTY = "No distribution yet.\n{data.analyze:a}  analyzes the images."
GRAY, COLORS = "gray levels", "colors"
_CURVES = (("all", "all", "primary"), ("train", "training", "primary"), ("validation", "validation", "accent"))
_CHANNELS = {"red": "error", "green": "success", "blue": "primary"}
_MEASURE = Binding.Group("Measure", compact=True)


class Legend(Static):
    """Names the curves of a plot, as far as there is room."""

    _curves: tuple[Curve, ...] = ()

    def show(self, *curves: Curve) -> None:
        """Name these curves."""
        self._curves = curves
        self.on_resize()

    def on_resize(self) -> None:
        """Write for this width."""
        self.update(legend(*self._curves, room=self.size.width) if self._curves else "")


class DistributionPane(Container):
    """Two histograms side by side, and in words what their distance means; keys go through the measures."""

    BINDING_GROUP_TITLE = "Distribution"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "left_square_bracket", "turn(-1)", "Measure back", key_display="[", group=_MEASURE,
            id="distribution.back", tooltip="The measure before this one",
        ),
        Binding("left,h", "turn(-1)", "Measure back", show=False, id="distribution.back_arrow"),
        Binding("right,l", "turn(1)", "Next measure", show=False, id="distribution.next_arrow"),
        Binding(
            "right_square_bracket", "turn(1)", "Next measure", key_display="]", group=_MEASURE,
            id="distribution.next", tooltip="The next measure",
        ),
        Binding(
            "p,enter", "choose", "Choose", key_display="p", id="distribution.choose",
            tooltip="Choose among all measures, those first that differ most between training and validation",
        ),
    ]  # fmt: skip

    class Read(Message):
        """A thread has read the distribution of a metric."""

        def __init__(self, measure: str, histograms: Mapping[str, Histogram]) -> None:
            super().__init__()
            self.measure = measure
            self.histograms = histograms

    class Failed(Message):
        """A distribution cannot be read."""

        def __init__(self, error: FextError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(id="pane-distribution", classes="-empty")
        self.can_focus = True
        self._workspace = workspace
        self._facts: DatasetFacts | None = None
        self.measure = GRAY

    def compose(self) -> ComposeResult:
        """Give the plots and the sentence."""
        yield Empty(EMPTY)
        yield Static(id="measure-line")
        with Container(id="distributions"):
            with Vertical(classes="distribution"):
                yield Legend(id="all-legend")
                yield HistogramPlot(id="all-plot")
            with Vertical(classes="distribution", id="compared"):
                yield Legend(id="compared-legend")
                yield HistogramPlot(id="compared-plot")
        yield Static(id="comparison")

    @property
    def measures(self) -> tuple[str, ...]:
        """What can be shown: levels of pixels, and the metrics that were measured."""
        if self._facts is None:
            return ()
        metrics = dict.fromkeys(column for group in self._facts.groups for column in columns_of(group))
        return (GRAY, *([COLORS] if self._facts.channels else []), *metrics)

    def show(self, facts: DatasetFacts) -> None:
        """Show a dataset, by the measure that was shown last where it has that."""
        self._facts = facts
        self.set_class(not facts.histograms, "-empty")
        self._turn_to(self.measure if self.measure in self.measures else GRAY)

    def action_turn(self, step: int) -> None:
        """Show the next measure, or the one before."""
        if self.measures:
            self._turn_to(self.measures[(self.measures.index(self.measure) + step) % len(self.measures)])

    def action_choose(self) -> None:
        """Offer all measures, those that differ most first."""
        if self._facts is not None and self.measures:
            apart = self._facts.distances
            effect = {name: float(apart[name]["effect"]) if name in apart else math.inf for name in self.measures}
            ordered = sorted(self.measures, key=lambda name: -effect[name]) if apart else list(self.measures)
            options = [(name, label(name), self._difference(name)) for name in ordered]
            self.app.push_screen(Choose("Show the distribution of", options), self._chosen)

    def _chosen(self, measure: str | None) -> None:
        if measure is not None:
            self._turn_to(measure)

    def _difference(self, measure: str) -> str:
        """Return how training and validation differ in a metric, in a few words; empty where they are not compared."""
        apart = self._facts.distances.get(measure) if self._facts else None
        if not apart:
            return ""
        one, other = apart["means"]
        mark = " ▲" if apart["is_notable"] else ""
        return f"{figure(one)} → {figure(other)}, KS {apart['kolmogorov_smirnov']:.2f}{mark}"

    def _turn_to(self, measure: str) -> None:
        facts = self._facts
        if facts is None:
            return
        self.measure = measure
        place = f"{self.measures.index(measure) + 1}/{len(self.measures)}" if measure in self.measures else ""
        line = Content.assemble((label(measure), "bold"), (f"   {place}", "$text-muted"))
        self.query_one("#measure-line", Static).update(line)
        if measure == GRAY:
            self._draw_subsets(facts.histograms)
        elif measure == COLORS:
            self._draw_subsets(facts.histograms)
            self._draw("all", [Curve(name, color, facts.channels[name]) for name, color in _CHANNELS.items()])
        else:
            work = partial(self._read, facts, measure)
            self.run_worker(work, group="distribution", exclusive=True, thread=True)
        self._write_comparison()

    def _read(self, facts: DatasetFacts, measure: str) -> None:
        """Read a distribution: on a thread, which touches no widget."""
        worker = get_current_worker()
        try:
            found = read_distribution(self._workspace, facts, measure)
        except FextError as error:
            self.post_message(self.Failed(error))
            return
        if not worker.is_cancelled:
            self.post_message(self.Read(measure, found))

    @on(Read)
    def _take(self, message: Read) -> None:
        message.stop()
        if message.measure == self.measure:
            self._draw_subsets(message.histograms)

    def _draw_subsets(self, found: Mapping[str, Histogram]) -> None:
        curves = {
            name: Curve(title, color, found[name], filled=name == "all")
            for name, title, color in _CURVES
            if name in found
        }
        compared = [curves[name] for name in ("train", "validation") if name in curves]
        self.set_class(len(compared) < 2, "-alone")
        self._draw("all", [curves["all"]] if "all" in curves else compared[:1])
        self._draw("compared", compared)

    def _write_comparison(self) -> None:
        """Say how training and validation images differ: in the metric that is shown, or on the whole."""
        text = Content(safe(self._facts.comparison if self._facts else ""))
        apart = self._facts.distances.get(self.measure) if self._facts else None
        if apart:
            notable = "more than by chance" if not apart["by_chance"] else "no more than by chance"
            text = Content(
                f"Training {figure(apart['means'][0])}, validation {figure(apart['means'][1])} on average; "
                f"they differ {notable}: Wasserstein {figure(apart['wasserstein'])} ({apart['effect']:.2f} of the "
                "deviation), "
                f"Jensen-Shannon {apart['jensen_shannon']:.3f}, Kolmogorov-Smirnov {apart['kolmogorov_smirnov']:.3f}."
            )
        self.query_one("#comparison", Static).update(text)

    def _draw(self, name: str, curves: list[Curve]) -> None:
        self.query_one(f"#{name}-legend", Legend).show(*curves)
        self.query_one(f"#{name}-plot", HistogramPlot).show(*curves)
