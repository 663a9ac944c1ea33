"""The curves of the marked runs over one another, and the settings in which they differ."""

from collections.abc import Mapping, Sequence
from typing import cast

from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from engine.comparing import RunFacts, differing
from engine.settings import text_of
from fext_tui import text
from fext_tui.comparison import AXES, LOOKS, METRICS, Axis, Comparison, Look, laid
from fext_tui.series import Series
from fext_tui.widgets.curve import CurvePlot, Line
from fext_tui.widgets.curves_pane import CurvesPane

_NAME_WIDTH = 16


class Overlay(Container):
    """One metric of several runs, each in its color and with its mark, over steps, epochs or time."""

    def __init__(self) -> None:
        super().__init__(id="overlay")
        self._comparison = Comparison()
        self._metric = next(iter(METRICS))
        self._axis: Axis = "step"
        self._logarithmic = False
        self._smooth = False

    def compose(self) -> ComposeResult:
        """Give the legend and the plot."""
        yield Static(id="overlay-title")
        yield Static(id="overlay-legend")
        yield CurvePlot(id="overlay-plot")

    def show(self, comparison: Comparison) -> None:
        """Draw these runs."""
        self._comparison = comparison
        self._draw()

    def next_metric(self) -> None:
        """Draw the next metric."""
        self._metric = _after(tuple(METRICS), self._metric)
        self._draw()

    def next_axis(self) -> None:
        """Draw over the next of steps, epochs and time."""
        self._axis = cast("Axis", _after(tuple(AXES), self._axis))
        self._draw()

    def toggle_logarithmic(self) -> None:
        """Change between a linear and a logarithmic scale."""
        self._logarithmic = not self._logarithmic
        self._draw()

    def toggle_smooth(self) -> None:
        """Change between the values as they are and a moving average."""
        self._smooth = not self._smooth
        self._draw()

    def on_resize(self) -> None:
        """Draw for this size."""
        self._draw()

    def _draw(self) -> None:
        series = {
            name: laid(curves[self._metric], self._axis, logarithmic=self._logarithmic, smooth=self._smooth)
            for name, curves in self._comparison.curves.items()
        }
        told = {name: one for name, one in series.items() if one.values}
        lines = [Line(run.name, *how) for run, how in zip(self._comparison.runs, LOOKS, strict=False)]
        self.query_one("#overlay-title", Static).update(self._title(), layout=False)
        legend = _legend(lines, told, METRICS[self._metric][1], self.size.width)
        self.query_one("#overlay-legend", Static).update(legend, layout=False)
        plot = self.query_one(CurvePlot)
        plot.set_lines(lines, logarithmic=self._logarithmic)
        plot.show(told)

    def _title(self) -> Content:
        title, _ = METRICS[self._metric]
        how = [f"over {AXES[self._axis]}"]
        how += ["logarithmic"] if self._logarithmic else []
        how += ["smoothed"] if self._smooth else []
        return Content.assemble((title, "bold"), (f" {', '.join(how)}", "$text-muted"))


class ComparedCurves(CurvesPane):
    """The curves of the selected run, or those of the marked ones over one another."""

    def compose(self) -> ComposeResult:
        """Give both; one of them is seen."""
        yield from super().compose()
        yield Overlay()

    def compare(self, comparison: Comparison) -> None:
        """Show these runs over one another; the selected one alone where there are none."""
        self.set_class(bool(comparison.runs), "-compared")
        self.query_one(Overlay).show(comparison)


def _after(names: Sequence[str], name: str) -> str:
    return names[(names.index(name) + 1) % len(names)]


def _legend(lines: Sequence[Line], series: Mapping[str, Series], unit: str, width: int) -> Content:
    """Return the runs in their colors with their last values, as many as fit."""
    told = Content("")
    for line in lines:
        value = f" {series[line.metric].values[-1]:#.4g}{unit}" if line.metric in series else " –"
        name = text.shortened(text.safe(line.metric), _NAME_WIDTH)
        more = Content.assemble(
            "  " if told.plain else "", (f"─{line.mark}─ ", f"${line.color}"), name, (value, "$text-muted")
        )
        if told.cell_length + more.cell_length > width:
            break
        told += more
    return told


def comparison_facts(comparison: Comparison, now: float) -> Content:
    """Return how the runs went, best first, and the settings in which they differ."""
    runs = comparison.runs
    looks = {run.name: look for run, look in zip(runs, LOOKS, strict=False)}
    best = sorted(runs, key=lambda run: -(run.psnr or 0.0))
    heading = f"{len(runs)} runs compared, best first" if len(runs) > 1 else "Mark another run to compare it with"
    parts = [Content.styled(heading, "bold $text-primary"), *(_run_lines(run, looks[run.name], now) for run in best)]
    if len(runs) > 1:
        parts.append(_differences(best, looks))
    return Content("\n\n").join(parts)


def _run_lines(run: RunFacts, look: Look, now: float) -> Content:
    title = Content.assemble(look.sign, (text.safe(run.name), "bold"), (f"  {run.state}", "$text-muted"))
    figures = [text.decibel(run.psnr), f"{text.number(run.epoch, 1)} epochs", text.duration(run.seconds)]
    figures += [text.rate(run.img_s)] if run.img_s is not None else []
    lines = [title, Content("  " + " · ".join(figures))]
    lines += [Content.styled(f"  {text.safe(run.description)}", "$text-muted")] if run.description else []
    return Content("\n").join(lines)


def _differences(runs: Sequence[RunFacts], looks: Mapping[str, Look]) -> Content:
    changed = differing(runs)
    if not changed:
        return Content.styled("Their settings are the same.", "$text-muted")
    lines = [Content.styled("Settings that differ", "bold $text-primary")]
    for key, values in changed.items():
        lines.append(Content.styled(key, "$text-muted"))
        for run, value in zip(runs, values, strict=True):
            shown = text.safe(text_of(value)) if value is not None else "–"
            lines.append(Content.assemble("  ", looks[run.name].sign, (shown or "empty", "bold")))
    return Content("\n").join(lines)
