"""The forecast of a run in full, and a probe that measures what is not known."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.message import Message
from textual.widgets import Static

from engine.errors import Stopped, UsageError
from engine.forecast import Forecast, ImageCount, count_images, find_measured, forecast, probe
from engine.jobs.tasks import lane_of
from engine.records import Records
from fext_tui.forecasting import Row, rows
from fext_tui.keys import key_hints, with_keys
from fext_tui.screens.base import WorkingDialog

_TITLE = 11
_AROUND_TEXT = 11
"""Rows of the dialog beside its text, and of the terminal beside the dialog."""
_WAY = "{forecast.measure:m} runs a few steps to see"
_MEASURING = "Measuring a few steps …  {dialog.close:esc} breaks off"
_KEYS = (
    ("forecast.measure", "m measure"), ("forecast.train", "t train"), ("dialog.copy", "y copy"),
    ("dialog.close", "esc close"),
)  # fmt: skip


class ForecastScreen(WorkingDialog[bool]):
    """What a run with the present settings will take; answers whether it is to be trained."""

    CLOSES_ON_FAILURE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,T", "dismiss(False)", "Close", id="dialog.close"),
        Binding("m", "measure", "Measure", id="forecast.measure", tooltip="Run a few steps, and measure them"),
        Binding("t", "dismiss(True)", "Train", id="forecast.train", tooltip="Train with these settings"),
        Binding("y", "copy", "Copy", id="dialog.copy"),
        Binding("down,j", "scroll('down')", "Down", show=False, id="dialog.down"),
        Binding("up,k", "scroll('up')", "Up", show=False, id="dialog.up"),
    ]

    class Made(Message):
        """A forecast was made."""

        def __init__(self, made: Forecast) -> None:
            super().__init__()
            self.made = made

    def __init__(self) -> None:
        super().__init__()
        self._images: ImageCount | None = None
        self._told = Content("")
        self._measuring = False

    def compose(self) -> ComposeResult:
        """Give the text."""
        with Vertical(classes="dialog reading"):
            yield Static("What training will take", classes="dialog-title")
            with VerticalScroll():
                yield Static("Counting the images …", id="forecast-rows")
            yield Static(key_hints(self, *_KEYS), classes="dialog-keys")

    def on_mount(self) -> None:
        """Make the forecast."""
        self.in_thread(self._make, "forecast")

    def on_resize(self, event: Resize) -> None:
        """Let the text be as high as it is, within the terminal."""
        self.query_one(VerticalScroll).styles.max_height = max(event.size.height - _AROUND_TEXT, 3)

    def on_unmount(self) -> None:
        """End a probe that goes on."""
        self._measuring = False

    def _make(self) -> Message:
        settings, workspace = self.fext.settings, self.fext.workspace
        lane = lane_of("train", settings.device)
        with Records(workspace) as records:
            self._images = self._images or count_images(settings.data, workspace, records)
            measured = find_measured(settings, lane, workspace, records)
        return self.Made(forecast(settings, lane, self._images, measured, workspace))

    @on(Made)
    def _show(self, message: Made) -> None:
        self._measuring = False
        self._told = _draw(message.made, self.fext.clock(), with_keys(self, _WAY))
        self.query_one("#forecast-rows", Static).update(self._told)

    def action_measure(self) -> None:
        """Run a few steps in a child process, unless a job would disturb them."""
        job = self.fext.current_job
        if job is not None and not job.has_ended:
            self.fext.tell_error(UsageError(f"Job {job.id} is at work.", "Measure when it has ended."))
        elif self._images is not None and not self._measuring:
            self._measuring = True
            self.query_one("#forecast-rows", Static).update(with_keys(self, _MEASURING))
            self.in_thread(self._probe, "forecast")

    def _probe(self) -> Message | None:
        settings = self.fext.settings
        try:
            lane = lane_of("train", settings.device)
            probe(settings, lane, self.fext.workspace, lambda: not self._measuring)
        except Stopped:  # the dialog was closed
            return None
        return self._make()

    def action_copy(self) -> None:
        """Copy the text to the person's clipboard through the terminal (OSC 52)."""
        self.app.copy_to_clipboard(self._told.plain)
        self.notify("Copied, where the terminal allows it.", timeout=3)

    def action_scroll(self, way: str) -> None:
        """Scroll."""
        getattr(self.query_one(VerticalScroll), f"scroll_{way}")(animate=False)


def _draw(made: Forecast, now: float, way_to_measure: str) -> Content:
    told = list(rows(made, now, way_to_measure))
    width = max(len(_amount(row)) for row in told)
    lines = [_line(row, width) for row in told]
    lines += [Content.styled(problem, "$text-error") for problem in made.problems]
    return Content("\n").join(lines)


def _amount(row: Row) -> str:
    title, amount, _ = row
    return amount if title else f"  {amount}"


def _line(row: Row, width: int) -> Content:
    title, _, source = row
    return Content.assemble((f"{title:<{_TITLE}}", "bold"), f"{_amount(row):<{width}}  ", (source, "$text-muted"))
