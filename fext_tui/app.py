"""The app: modes, keys, palette and themes."""

import gc
import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.hangup import leave_at_once, leave_on_hangup
from fext_tui.keys import describe_keys, offered
from fext_tui.screens.dialogs import Choose, Reading
from fext_tui.sources import Chosen
from fext_tui.steering import JobSteering
from fext_tui.theme import DARK, LIGHT, THEMES
from fext_tui.widgets.job_facts import error_facts

PRELOAD_SECONDS = 0.5
"""After the first screen is painted, the others' modules are loaded."""

MACHINE_SECONDS = 2.0
"""How often the machine is read while a job runs."""


def _load_screens() -> None:
    """Load them; then let the collector work again where it was put off, and pass over all that is there for good."""
    for name in ("model", "runs", "viewer"):
        importlib.import_module(f"fext_tui.screens.{name}")
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _data() -> Screen[None]:
    from fext_tui.screens.data import DataScreen

    return DataScreen()


def _model() -> Screen[None]:
    from fext_tui.screens.model import ModelScreen

    return ModelScreen()


def _viewer() -> Screen[None]:
    from fext_tui.screens.viewer import ViewerScreen

    return ViewerScreen()


def _runs() -> Screen[None]:
    from fext_tui.screens.runs import RunsScreen

    return RunsScreen()


class FextApp(JobSteering):
    """FeXT in a terminal."""

    TITLE = "FeXT"
    CSS_PATH: ClassVar = ["fext.tcss", "screens/data.tcss", "screens/viewer.tcss", "screens/checkpoint.tcss"]
    BINDING_GROUP_TITLE = "Everywhere"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[None]]]] = {
        "data": _data, "model": _model, "viewer": _viewer, "runs": _runs,
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop_job", "Stop", id="stop", tooltip="Stop the running job with a checkpoint; again: kill it"),
        Binding("R", "resume_job", "Resume", id="resume", tooltip="Go on with the training that was killed or lost"),
        Binding("exclamation_mark", "error", "Error", id="error", key_display="!", tooltip="What went wrong, in full"),
        Binding("1", "mode('data')", "Data", show=False, id="mode.data", tooltip="Images, metrics, findings"),
        Binding("2", "mode('model')", "Model", show=False, id="mode.model", tooltip="Settings, training, checkpoints"),
        Binding("3", "mode('viewer')", "Viewer", show=False, id="mode.viewer", tooltip="Pictures and plots"),
        Binding("4", "mode('runs')", "Runs", show=False, id="mode.runs", tooltip="Jobs, runs, records"),
        Binding("M", "machine", "Machine", show=False, id="machine", tooltip="Processor, memory, disk, GPUs"),
        Binding("question_mark", "keys", "Keys", id="keys", key_display="?", tooltip="All keys of this screen"),
        Binding("q", "quit", "Quit", id="quit", tooltip="Leave; a running job may go on"),
    ]

    DEFAULT_MODE = "data"

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        """Open the records.

        Raises:
            FextError: the workspace or its records cannot be used.

        """
        super().__init__(Records(workspace.create()), settings)
        for theme in THEMES:
            self.register_theme(theme)
        self.set_reactive(FextApp.theme, DARK.name)

    def on_mount(self) -> None:
        """Follow what runs."""
        if not self.is_headless and sys.__stdin__ is not None:
            leave_on_hangup(sys.__stdin__.fileno(), leave_at_once)
        self.watch_jobs()
        self.set_interval(MACHINE_SECONDS, self._read_machine)
        self.set_timer(PRELOAD_SECONDS, self._preload)

    def _read_machine(self) -> None:
        """Read the machine while a job runs on it; the top bar tells it."""
        if self.running_here is not None:
            self.read_machine()

    def _preload(self) -> None:
        """Load the other screens' modules in a thread, so that their keys answer at once."""
        self.run_worker(_load_screens, group="preload", thread=True)

    def on_unmount(self) -> None:
        """Let the threads end, and close the records."""
        self.close_jobs()
        self.records.close()

    async def action_quit(self) -> None:
        """Leave; where a job runs, ask what becomes of it."""
        job = self.current_job
        if job is None or job.has_ended:
            self.exit()
            return
        options = (
            ("leave", "Leave it running", "fext, opened again, shows its curve"),
            ("stop", "Stop it and leave", "with a checkpoint, in seconds"),
            ("stay", "Stay", ""),
        )
        self.push_screen(Choose(f"Job {job.id} ({job.kind}) is {job.state}.", options), self._leave)

    def _leave(self, choice: str | None) -> None:
        if choice == "leave":
            self.exit()
        elif choice == "stop" and self.current_job is not None:
            self.ask_to_stop(self.current_job.id, leave=True)

    def action_mode(self, mode: str) -> None:
        """Show one of the four screens."""
        self.switch_mode(mode)

    async def open_in_viewer(self, path: Path) -> None:
        """Show a picture or a folder of pictures in the Viewer."""
        from fext_tui.screens.viewer import ViewerScreen

        await self.switch_mode("viewer")
        assert isinstance(self.screen, ViewerScreen)
        self.screen.show_path(path)

    async def open_all_in_viewer(self, title: str, paths: Sequence[Path]) -> None:
        """Show files in the Viewer, in the order given."""
        from fext_tui.screens.viewer import ViewerScreen

        await self.switch_mode("viewer")
        assert isinstance(self.screen, ViewerScreen)
        self.screen.show_paths(title, paths)

    async def show_chosen(self, chosen: Chosen | None) -> None:
        """Show in the Viewer what a dialog left to be shown, if anything."""
        if chosen is not None and chosen.title:
            await self.open_all_in_viewer(chosen.title, chosen.paths)
        elif chosen is not None:
            await self.open_in_viewer(chosen.paths[0])

    async def show_curves(self) -> None:
        """Show the curves of the followed job."""
        from fext_tui.screens.model import ModelScreen

        await self.switch_mode("model")
        assert isinstance(self.screen, ModelScreen)
        self.screen.action_pane("curves")

    def action_keys(self) -> None:
        """Show what every key does here."""
        self.push_screen(Reading("Keys", describe_keys(self.screen)))

    def action_resume_job(self) -> None:
        """Go on with the run of the followed job, from its last checkpoint."""
        job = self.current_job
        if job is not None and job.run is not None:
            self.start_job("resume", {"checkpoint": self.records.run(job.run)["name"]})

    def action_machine(self) -> None:
        """Show what the machine does."""
        from fext_tui.screens.machine import MachinePanel

        self.push_screen(MachinePanel())

    def action_error(self) -> None:
        """Show the followed job's error in full."""
        job = self.current_job
        if job is not None and job.error is not None:
            log = self.workspace.log_of_job(job.id)
            self.push_screen(Reading(f"Job {job.id} ({job.kind}) {job.state}", error_facts(job, log), log))

    def action_toggle_light(self) -> None:
        """Change between the dark and the light theme."""
        self.theme = LIGHT.name if self.current_theme.dark else DARK.name

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield what the palette offers: every action that a key has here, and the themes."""
        for active in offered(screen):
            binding = active.binding
            run = partial(self.run_action, binding.action, active.node)
            yield SystemCommand(f"{binding.description}  ({self.get_key_display(binding)})", binding.tooltip, run)
        yield SystemCommand("Dark or light", "Change between the dark and the light theme", self.action_toggle_light)
        yield SystemCommand("Theme", "Choose among all themes", self.action_change_theme)
        yield SystemCommand("Screenshot", "Save this screen as an SVG file", self.deliver_screenshot)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide what makes no sense now."""
        if action == "stop_job":
            return self.job_lives
        if action == "resume_job":
            job = self.current_job
            return job is not None and job.run is not None and job.state in {"killed", "lost"}
        if action == "error":
            return self.current_job is not None and self.current_job.error is not None
        return super().check_action(action, parameters)
