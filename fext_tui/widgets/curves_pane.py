"""The pane of a run's curves: figures, losses, PSNR."""

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Static

from engine.records import JobRow
from fext_tui.following import History
from fext_tui.widgets.curve import CurvePlot, Line
from fext_tui.widgets.empty import Empty
from fext_tui.widgets.figures import Figures, legend

LOSS = (Line("train/loss", "primary"), Line("validation/loss", "accent", mark="◆"))
PSNR = (Line("validation/psnr", "success", mark="◆"),)
EMPTY = "No curve yet.\n{model.train:t}  trains with the settings as they are."

NOT_LIVE = "The live plot is off: the curves are drawn when the job has ended."


def draws_now(job: JobRow | None) -> bool:
    """Return whether a job's curves are drawn: always when it has ended, before that where its settings want it."""
    return job is None or job.has_ended or bool(job.settings.get("training", {}).get("live_plot", True))


class CurvesPane(Container):
    """What is drawn of one run."""

    def __init__(self, empty: str = EMPTY) -> None:
        super().__init__(id="pane-curves", classes="-empty")
        self._empty = empty
        self._history = History()

    def compose(self) -> ComposeResult:
        """Give figures and two plots, each under its legend."""
        yield Empty(self._empty)
        yield Figures()
        with Container(classes="plots"):
            with Vertical(classes="plot"):
                yield Static(id="loss-legend")
                yield CurvePlot(*LOSS, id="loss-plot")
            with Vertical(classes="plot"):
                yield Static(id="psnr-legend")
                yield CurvePlot(*PSNR, id="psnr-plot")

    def on_resize(self) -> None:
        """Draw for this size."""
        self.show(self._history)

    def show(self, history: History) -> None:
        """Draw what is known of a run."""
        self._history = history
        live = draws_now(history.job)
        self.set_class(not (history.series and live), "-empty")
        self.query_one(Empty).tell(self._empty if live else NOT_LIVE)
        self.query_one(Figures).show(history)
        digits = 4 if self.size.width > 70 else 3
        self.query_one("#loss-legend", Static).update(legend(LOSS, "loss", history, digits), layout=False)
        self.query_one("#psnr-legend", Static).update(legend(PSNR, "PSNR", history, 2, " dB"), layout=False)
        for plot in self.query(".plots CurvePlot").results(CurvePlot):
            plot.show(history.series)
