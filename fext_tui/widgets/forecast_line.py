"""What a run with the present settings would take, in a line or two under their form."""

from functools import partial
from typing import TYPE_CHECKING, cast

from textual import on
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from engine.errors import FextError
from engine.forecast import Forecast, ImageCount, count_images, find_measured, forecast
from engine.jobs.tasks import lane_of
from engine.records import Records
from engine.settings import Settings
from fext_tui.forecasting import compact, extent
from fext_tui.text import cause_of, folder_name, safe
from fext_tui.throttle import Throttle

if TYPE_CHECKING:
    from fext_tui.app import FextApp

MOST_IMAGES = 100_000
"""So many images of a folder are counted here; the dialog counts all."""
_QUIET_SECONDS = 0.25
"""How long a forecast waits for the next change after one was made."""


class ForecastLine(Static):
    """Makes a forecast on a thread whenever settings, images or runs change; keys never wait for it."""

    class Made(Message):
        """A forecast for some settings, or why there is none, ready to be shown."""

        def __init__(self, settings: Settings, made: Forecast | None, problem: str = "") -> None:
            super().__init__()
            self.settings = settings
            self.made = made
            self.problem = problem

    def __init__(self) -> None:
        super().__init__(id="forecast")
        self._soon = Throttle(self, _QUIET_SECONDS, self._make)
        self._counts: dict[str, ImageCount] = {}

    @property
    def _fext(self) -> "FextApp":
        return cast("FextApp", self.app)

    def on_mount(self) -> None:
        """Listen for what changes it."""
        self.watch(self.app, "settings", lambda _: self._soon.soon(), init=False)
        self._fext.job_ended.subscribe(self, lambda _: self.renew())
        self._soon.soon()

    def renew(self) -> None:
        """Count the images anew, and look for what runs measured."""
        self._counts = {}
        self._soon.soon()

    def _make(self) -> None:
        work = partial(self._forecast, self._fext.settings, self._counts)
        self.run_worker(work, group="forecast", exclusive=True, thread=True)

    def _forecast(self, settings: Settings, counts: dict[str, ImageCount]) -> None:
        """Make a forecast, on a thread; ``counts`` are those of the images by what they depend on."""
        workspace, worker = self._fext.workspace, get_current_worker()
        try:
            with Records(workspace) as records:
                key = settings.data.model_dump_json()
                if key not in counts:
                    counts[key] = count_images(settings.data, workspace, records, MOST_IMAGES)
                lane = lane_of("train", settings.device)
                measured = find_measured(settings, lane, workspace, records)
                made = forecast(settings, lane, counts[key], measured, workspace)
        except (FextError, OSError) as error:
            told = self.Made(settings, None, cause_of(error)[0])
        else:
            told = self.Made(settings, made)
        if not worker.is_cancelled:
            self.post_message(told)

    @on(Made)
    def _show(self, message: Made) -> None:
        message.stop()
        if message.settings != self._fext.settings:
            return
        made = message.made
        if made is None:
            root = self._fext.workspace.root
            told = message.problem.replace(safe(root), folder_name(root))
            self.update(Content.styled(f"No forecast: {told}", "$text-muted"), layout=False)
            return
        lines = Content.assemble(compact(made), "\n", (extent(made), "$text-muted"))
        if made.problems:
            lines = Content.assemble((made.problems[0], "$text-error"), "\n", compact(made))
        self.update(lines, layout=False)
