"""Model: settings, training with its curves, checkpoints, log."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.widgets import DataTable

from engine.checkpoints import CheckpointFacts, list_checkpoints
from engine.errors import UsageError
from engine.records import JobRow, Records
from engine.upkeep import remove_checkpoint
from fext_tui import text
from fext_tui.following import History
from fext_tui.screens.base import Breakpoints
from fext_tui.screens.configurations import ConfiguringScreen
from fext_tui.screens.dialogs import Ask, Confirm
from fext_tui.throttle import Throttle
from fext_tui.widgets.checkpoints import CheckpointTable
from fext_tui.widgets.curves_pane import CurvesPane
from fext_tui.widgets.empty import Empty
from fext_tui.widgets.forecast_line import ForecastLine
from fext_tui.widgets.log import JobLog
from fext_tui.widgets.panes import Panes, PaneStrip
from fext_tui.widgets.settings_form import SettingsForm

if TYPE_CHECKING:
    from engine.jobs.follow import Update

GROUPS = ("model", "training", "objective", "device", "data", "augmentation", "evaluation", "encoding", "anomalies")
PANES = {
    "settings": ("f", "Settings"),
    "curves": ("v", "Curves"),
    "checkpoints": ("c", "Checkpoints"),
    "log": ("o", "Log"),
}
WIDTHS: Breakpoints = [(0, "-narrow"), (116, "-medium"), (150, "-wide")]
"""Columns from which the form and the curves stand side by side, and from which there is room for all."""
REDRAW_SECONDS = 1.0
"""How long after drawing the curves news of them wait: they come together, and a slow link is spared."""
NO_CHECKPOINT = "No checkpoint yet.\n{model.train:t}  trains with the settings as they are."


class CheckpointsRead(Message):
    """The checkpoints of the workspace were read from disk."""

    def __init__(self, facts: list[CheckpointFacts]) -> None:
        super().__init__()
        self.facts = facts


class CheckpointDeleted(Message):
    """A checkpoint is gone."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class ModelScreen(ConfiguringScreen):
    """Settings, training, checkpoints."""

    MODE: ClassVar[str] = "model"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    AUTO_FOCUS = "#setting-list"
    BINDING_GROUP_TITLE = "Model"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "train", "Train", id="model.train", tooltip="Train with these settings"),
        Binding(
            "T", "forecast", "Forecast", id="model.forecast", tooltip="What training will take; measure a few steps"
        ),
        Binding("r", "resume", "Resume", id="model.resume", tooltip="Go on with the selected checkpoint"),
        Binding("e", "evaluate", "Evaluate", id="model.evaluate", tooltip="Measure the selected checkpoint"),
        Binding("n", "encode", "Encode", id="model.encode", tooltip="Turn a folder of images into vectors"),
        Binding("d", "delete", "Delete", id="model.delete", tooltip="Delete the selected checkpoint"),
        Binding("f", "pane('settings')", "Settings", show=False, id="model.settings", tooltip="To the settings"),
        Binding("v", "pane('curves')", "Curves", show=False, id="model.curves", tooltip="To the curves"),
        Binding("c", "pane('checkpoints')", "Checkpoints", show=False, id="model.checkpoints", tooltip="To the table"),
        Binding("o", "pane('log')", "Log", show=False, id="model.log", tooltip="To what the job told"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._curves = Throttle(self, REDRAW_SECONDS, self._show_history)
        self._history = self._trained = History()
        self._facts: dict[str, CheckpointFacts] = {}

    def compose_body(self) -> ComposeResult:
        """Give the four panes."""
        yield PaneStrip(PANES)
        yield Panes(
            PANES,
            "settings",
            Container(SettingsForm(GROUPS, opened=("model",)), ForecastLine(), id="pane-settings"),
            CurvesPane(),
            Container(CheckpointTable(), Empty(NO_CHECKPOINT), id="pane-checkpoints"),
            Container(JobLog(id="log"), id="pane-log"),
        )

    def on_mount(self) -> None:
        """Show what is known, and listen for news."""
        self.fext.job_updates.subscribe(self, self._hear)
        self.fext.job_ended.subscribe(self, self._hear_end)
        self._curves.now()
        self._read_checkpoints()

    def on_screen_resume(self) -> None:
        """Draw what came while another screen was shown."""
        self._curves.now()
        self.query_one(ForecastLine).renew()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what concerns a checkpoint only where there is one."""
        if action in {"resume", "evaluate", "encode", "delete"}:
            return bool(self._facts)
        return super().check_action(action, parameters)

    # --- Panes ------------------------------------------------------------------------------------------------

    def action_pane(self, name: str) -> None:
        """Go to a pane."""
        self.query_one(Panes).show(name)
        target = {"settings": "#setting-list", "checkpoints": "#checkpoints", "log": "#log"}.get(name)
        self.set_focus(self.query_one(target) if target else None)
        self._curves.now()

    # --- News -------------------------------------------------------------------------------------------------

    def _hear(self, update: "Update") -> None:
        if update.metrics or self._history is not self.fext.history:
            self._curves.soon()
        if any(row["name"] == "validation/psnr" for row in update.metrics):
            self._read_checkpoints()
        self._take_log()

    def _hear_end(self, job: JobRow) -> None:
        self._curves.now()
        self._read_checkpoints()

    def _show_history(self) -> None:
        self._take_log()
        if self._history.job is None or self._history.job.run is not None:
            self._trained = self._history
        self.query_one(CurvesPane).show(self._trained)

    def _take_log(self) -> None:
        log = self.query_one(JobLog)
        if self._history is not self.fext.history:
            self._history = self.fext.history
            log.begin()
        log.take(self._history.lines)

    def _read_checkpoints(self) -> None:
        self.fext.in_thread(self._list_checkpoints, "checkpoints")

    def _list_checkpoints(self) -> None:
        self.post_message(CheckpointsRead(list_checkpoints(self.fext.workspace)))

    @on(CheckpointsRead)
    def _show_checkpoints(self, message: CheckpointsRead) -> None:
        self._facts = {one.name: one for one in message.facts}
        self.query_one("#pane-checkpoints").set_class(not self._facts, "-empty")
        self.query_one(CheckpointTable).show_checkpoints(message.facts, self.fext.clock())
        self.refresh_bindings()

    # --- Jobs -------------------------------------------------------------------------------------------------

    @property
    def _selected(self) -> str:
        name = self.query_one(CheckpointTable).selected
        assert name is not None, "the action is offered only where there is a checkpoint"
        return name

    def action_train(self) -> None:
        """Train with these settings."""
        self.fext.start_job("train", {})
        self.action_pane("curves")

    def action_forecast(self) -> None:
        """Show what training will take, and train where that is wanted."""
        from fext_tui.screens.forecast import ForecastScreen

        self.app.push_screen(ForecastScreen(), lambda train: self.action_train() if train else None)

    def action_resume(self) -> None:
        """Go on with the selected checkpoint."""
        self.fext.start_job("resume", {"checkpoint": self._selected})
        self.action_pane("curves")

    @on(DataTable.RowSelected, "#checkpoints")
    def _show_details(self) -> None:
        from fext_tui.screens.checkpoint import CheckpointScreen

        self.app.push_screen(CheckpointScreen(self._selected), self.fext.show_chosen)

    def action_evaluate(self) -> None:
        """Measure the selected checkpoint on its validation images."""
        self.fext.start_job("evaluate", {"checkpoint": self._selected})

    def action_encode(self) -> None:
        """Ask for a folder, and encode its images with the selected checkpoint."""
        name = self._selected
        workspace = self.fext.workspace
        default = workspace.actual_path(self.fext.settings.encoding.folder or str(workspace.inference_images))

        def start(folder: str | None) -> None:
            if folder is not None:
                self.fext.start_job("encode", {"checkpoint": name, "folder": str(Path(folder).expanduser())})

        self.app.push_screen(Ask(f"Encode with {name}", "Folder of images:", str(default), _check_folder), start)

    def action_delete(self) -> None:
        """Delete the selected checkpoint, after asking."""
        name = self._selected
        job = self.fext.current_job
        if self.fext.job_lives and self.fext.history.name == name and job is not None:
            self.fext.tell_error(UsageError(f"Job {job.id} is writing {name}.", "Stop it first."))
            return
        facts = self._facts[name]
        detail = (
            f"{text.size(facts.bytes)}, epoch {facts.epoch:.1f}, {text.decibel(facts.val_psnr)}. This cannot be undone."
        )
        self.app.push_screen(
            Confirm(f"Delete the checkpoint {name}?", detail, "Delete", "Keep"),
            lambda sure: self._delete(name) if sure else None,
        )

    def _delete(self, name: str) -> None:
        def work() -> None:
            with Records(self.fext.workspace) as records:
                remove_checkpoint(self.fext.workspace, records, name)
            self.post_message(CheckpointDeleted(name))

        self.fext.in_thread(work, "checkpoints")

    @on(CheckpointDeleted)
    def _tell_deleted(self, message: CheckpointDeleted) -> None:
        self.notify(f"Checkpoint {message.name} is deleted.", markup=False, timeout=4)
        self._read_checkpoints()


def _check_folder(folder: str) -> None:
    if not Path(folder).expanduser().is_dir():
        raise UsageError(f"There is no folder {folder}.", "Give the folder that holds the images.")
