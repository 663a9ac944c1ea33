"""The app: modes, keys, palette and themes."""

import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Event, InputEvent
from textual.message import Message
from textual.screen import Screen

from engine.errors import FextError, UsageError
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.asking import Answer, AskingDriver, TerminalAnswered
from fext_tui.chores import ChoreDoing
from fext_tui.hangup import leave_at_once, leave_on_hangup
from fext_tui.key_file import keys_file, read_keys
from fext_tui.keys import describe_keys, offered
from fext_tui.screens.base import HEIGHTS, FextScreen, Target
from fext_tui.screens.dialogs import Choose, ErrorList, KeyList
from fext_tui.sources import Chosen, Source
from fext_tui.theme import DARK, LIGHT, THEMES, cursor_variables
from fext_tui.tmux import passes_on_kitty, tmux_option
from fext_tui.told_errors import told_facts
from fext_tui.widgets.job_facts import error_facts

if TYPE_CHECKING:
    from engine.inference import Inference
    from fext_tui.screens.viewer import ViewerScreen

PRELOAD_SECONDS = 0.5
"""After the first screen is painted, the others' modules are loaded."""

MACHINE_SECONDS = 2.0
"""How often the machine is read while a job runs."""

ERRORS_FILE = "errors.txt"
"""What is copied of errors is in this file of the logs folder too."""

MOST_KEY_PROBLEMS = 3
"""Of what is wrong with the user's keys, so much is told at once."""


class KeysChecked(Message):
    """The user's keys were checked: those that can be given, and what is wrong with the others."""

    def __init__(self, keys: Mapping[str, str], problems: Sequence[UsageError]) -> None:
        super().__init__()
        self.keys = keys
        self.problems = problems


class KittyPassed(Message):
    """The tmux around the app passes on kitty's protocol."""


def _load_screens() -> None:
    """Load them; then let the collector work again where it was put off, and pass over all that is there for good."""
    for name in ("fext_tui.screens.model", "fext_tui.screens.runs", "fext_tui.screens.viewer", "engine.inference"):
        importlib.import_module(name)
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


class FextApp(ChoreDoing):
    """FeXT in a terminal."""

    TITLE = "FeXT"
    VERTICAL_BREAKPOINTS = HEIGHTS
    CSS_PATH: ClassVar = ["fext.tcss", "screens/data.tcss", "screens/viewer.tcss", "screens/checkpoint.tcss"]
    BINDING_GROUP_TITLE = "Everywhere"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[None]]]] = {
        "data": _data, "model": _model, "viewer": _viewer, "runs": _runs,
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop_job", "Stop", id="stop", tooltip="Stop the running job with a checkpoint; again: kill it"),
        Binding("R", "resume_job", "Resume", id="resume", tooltip="Go on with the training that was killed or lost"),
        Binding("exclamation_mark", "error", "Error", id="error", priority=True, tooltip="What went wrong, in full"),
        Binding("1", "mode('data')", "Data", show=False, id="mode.data", tooltip="Images, metrics, findings"),
        Binding("2", "mode('model')", "Model", show=False, id="mode.model", tooltip="Settings, training, checkpoints"),
        Binding("3", "mode('viewer')", "Viewer", show=False, id="mode.viewer", tooltip="Pictures and plots"),
        Binding("4", "mode('runs')", "Runs", show=False, id="mode.runs", tooltip="Jobs, runs, records"),
        Binding("M", "machine", "Machine", show=False, id="machine", tooltip="Processor, memory, disk, GPUs"),
        Binding("U", "maintain", "Maintenance", show=False, id="maintain", tooltip="Sizes; prune, check, delete"),
        Binding("ctrl+g", "guides", "Guides", show=False, id="guides", tooltip="How everything works, to be read here"),
        Binding("colon,ctrl+o", "jump", "Go to", show=False, id="jump", tooltip="Any screen, pane or place by name"),
        Binding("question_mark", "keys", "Keys", id="keys", priority=True, tooltip="All keys of this screen"),
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
        self.terminal_answer = Answer()
        self.tmux_passes_kitty = False
        self._inference: Inference | None = None
        self._own_keys: dict[str, str] = {}

    def get_driver_class(self) -> type[Driver]:
        """Return Textual's driver, as one that also asks the terminal what it can draw."""
        usual = super().get_driver_class()
        return AskingDriver if usual is LinuxDriver else usual

    @on(TerminalAnswered)
    def _take_answer(self, message: TerminalAnswered) -> None:
        self.terminal_answer = message.answer
        self._redraw()

    def _ask_tmux(self) -> None:
        if passes_on_kitty(tmux_option):
            self.post_message(KittyPassed())

    @on(KittyPassed)
    def _take_kitty(self) -> None:
        self.tmux_passes_kitty = True
        self._redraw()

    def _redraw(self) -> None:
        from fext_tui.widgets.canvas import Canvas

        for canvas in self.screen.query(Canvas):
            canvas.redraw()
        self.refresh_bindings()

    def on_load(self) -> None:
        """Take the user's keys before anything shows them."""
        self._take_keys()

    def on_mount(self) -> None:
        """Follow what runs."""
        if not self.is_headless and sys.__stdin__ is not None:
            leave_on_hangup(sys.__stdin__.fileno(), leave_at_once)
            if "TMUX" in os.environ:
                self.run_worker(self._ask_tmux, group="tmux", thread=True)
        self.watch_jobs()
        self.set_interval(MACHINE_SECONDS, self._read_machine)
        self.set_timer(PRELOAD_SECONDS, self._preload)

    def _read_machine(self) -> None:
        """Read the machine while a job runs on it; the top bar tells it."""
        if self.running_here is not None:
            self.read_machine()

    def _preload(self) -> None:
        """Load the other screens' modules in a thread, so that their keys answer at once; then check the user's."""
        self.run_worker(self._load, group="preload", thread=True)

    def _load(self) -> None:
        _load_screens()
        if self._own_keys:
            from fext_tui.bindings import all_actions
            from fext_tui.key_file import checked

            self.post_message(KeysChecked(*checked(self._own_keys, all_actions())))

    def _take_keys(self) -> None:
        """Take the user's keys as they stand; they are checked when there is time for it."""
        try:
            self._own_keys = read_keys(keys_file())
        except UsageError as error:
            self.tell_error(error)
        if self._own_keys:
            self.set_keymap(self._own_keys)

    @on(KeysChecked)
    def _take_checked(self, message: KeysChecked) -> None:
        self.set_keymap(message.keys)
        for problem in message.problems[:MOST_KEY_PROBLEMS]:
            self.tell_error(problem)
        if len(message.problems) > MOST_KEY_PROBLEMS:
            told = f"{len(message.problems)} lines of keys.toml cannot be used: `fext keys` tells all of them."
            self.notify(told, severity="warning", markup=False)

    def on_unmount(self) -> None:
        """Let the threads end, and close the records."""
        if self._inference is not None:
            self._inference.close()
        self.close_jobs()
        self.records.close()

    @property
    def inference(self) -> "Inference":
        """What reconstructs single pictures, in a process of its own; threads ask it."""
        from engine.inference import Inference

        self._inference = self._inference or Inference(self.workspace, lambda: self.settings.device)
        return self._inference

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

    async def on_event(self, event: Event) -> None:
        """Pass an event on; keys that come while the app is leaving do nothing more."""
        if self.return_code is None or not isinstance(event, InputEvent):
            await super().on_event(event)

    def action_mode(self, mode: str) -> None:
        """Show one of the four screens."""
        self.switch_mode(mode)

    async def _viewer(self) -> "ViewerScreen":
        from fext_tui.screens.viewer import ViewerScreen

        await self.switch_mode("viewer")
        assert isinstance(self.screen, ViewerScreen)
        return self.screen

    async def open_in_viewer(self, path: Path) -> None:
        """Show a picture or a folder of pictures in the Viewer."""
        (await self._viewer()).show_path(path)

    async def show_chosen(self, chosen: "Chosen | Source | None") -> None:
        """Show in the Viewer what a dialog left to be shown, if anything."""
        if isinstance(chosen, Source):
            (await self._viewer()).show_source(chosen)
        elif chosen is not None and chosen.title:
            (await self._viewer()).show_files(chosen)
        elif chosen is not None:
            await self.open_in_viewer(chosen.paths[0])

    async def show_pane(self, mode: str, pane: str) -> None:
        """Show a pane of one of the screens."""
        await self.switch_mode(mode)
        await self.screen.run_action(f"pane('{pane}')")

    async def show_curves(self) -> None:
        """Show the curves of the followed job."""
        await self.show_pane("model", "curves")

    def action_command_palette(self) -> None:
        """Show the palette."""
        from fext_tui.screens.palette import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def action_keys(self) -> None:
        """Show what every key does here; again: close that."""
        if isinstance(self.screen, KeyList):
            self.screen.dismiss(None)
        else:
            self.push_screen(KeyList("Keys", describe_keys(self.screen)))

    def action_jump(self) -> None:
        """Ask where to go, and go there."""
        from fext_tui.screens.jump import Jump, places

        screen = self.screen
        assert isinstance(screen, FextScreen)

        async def go(chosen: Target | str | None) -> None:
            if isinstance(chosen, Target):
                result = chosen.go()
                if isawaitable(result):
                    await result
            elif chosen is not None:
                screen.jump_to(chosen)

        self.push_screen(Jump([*screen.jump_targets(), *places(self)], screen.JUMP_HINT), go)

    def action_guides(self) -> None:
        """Choose a guide, and read it; that of this screen is the first."""
        from fext_tui.guides import topics

        here = f"guide-{self.current_mode}"
        try:
            titles = dict(sorted(topics().items(), key=lambda one: one[0] != here))
        except FextError as error:
            self.tell_error(error)
            return

        def read(topic: str | None) -> None:
            from fext_tui.screens.guide import GuideScreen

            if topic is not None:
                self.push_screen(GuideScreen(topic, titles[topic]))

        self.push_screen(Choose("Guides", [(topic, title, "") for topic, title in titles.items()]), read)

    def action_maintain(self) -> None:
        """Show how large everything is, and what can be done about it."""
        from fext_tui.screens.maintenance import Maintenance

        self.push_screen(Maintenance())

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
        """Show in full what went wrong, last things first: the followed job, and what was told in passing."""
        if isinstance(self.screen, ErrorList):
            self.screen.dismiss(None)
            return
        now = self.clock()
        found = [(told.at, told_facts(told, now)) for told in self.errors]
        job = self.current_job
        if job is not None and job.error is not None:
            title = Content.styled(f"Job {job.id} ({job.kind}) {job.state}", "bold")
            facts = error_facts(job, self.workspace.log_of_job(job.id))
            found.append((job.ended or now, Content("\n\n").join((title, facts))))
        newest_first = [facts for _, facts in sorted(found, key=lambda one: -one[0])]
        rule = Content.styled(f"\n\n{'─' * 40}\n\n", "$text-muted")
        self.push_screen(ErrorList("What went wrong", rule.join(newest_first), self.workspace.logs / ERRORS_FILE))

    @property
    def has_few_colors(self) -> bool:
        """Whether colors alone do not set anything off: the terminal has 16 or none, or none are wanted."""
        return self.no_color or (not self.is_headless and self.console.color_system in {"standard", None})

    def get_css_variables(self) -> dict[str, str]:
        """Return the variables of the theme, and those of cursors."""
        self.theme_variables = cursor_variables(super().get_css_variables(), few_colors=self.has_few_colors)
        return self.theme_variables

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
            return bool(self.errors) or (self.current_job is not None and self.current_job.error is not None)
        return super().check_action(action, parameters)
