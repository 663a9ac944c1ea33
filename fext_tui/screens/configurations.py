"""Settings as a whole: saved by name, loaded, taken from a preset."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.configurations import configuration_names, read_configuration, save_configuration
from engine.errors import FextError
from engine.settings import Settings
from engine.workspace import check_name
from fext_tui import text
from fext_tui.keys import shown_key
from fext_tui.screens.base import FextScreen
from fext_tui.screens.dialogs import Ask, Choose, Confirm
from fext_tui.screens.presets import ChoosePreset, changes, settings_of

_CONFIG = Binding.Group("Config", compact=True)


class ConfiguringScreen(FextScreen):
    """A screen with keys for the settings as a whole."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "load", "Load", id="settings.load", group=_CONFIG, tooltip="Load a saved configuration"),
        Binding("w", "write", "Write", id="settings.write", group=_CONFIG, tooltip="Save these settings by name"),
        Binding("p", "preset", "Preset", id="settings.preset", group=_CONFIG, tooltip="Take a preset's values"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._configuration = ""

    def action_load(self) -> None:
        """Choose a saved configuration, and take its values."""
        names = configuration_names(self.fext.workspace)
        if not names:
            hint = f"{shown_key(self, 'settings.write', 'w')} writes the settings by name."
            self.notify(hint, title="No configuration is saved yet.", markup=False, timeout=5)
            return
        self.app.push_screen(
            Choose("Load a configuration", [(name, text.safe(name), "") for name in names]), self._load
        )

    def _load(self, name: str | None) -> None:
        if name is None:
            return
        try:
            values = read_configuration(self.fext.workspace, name)
            self.fext.settings = Settings().with_values(values, f"configuration {name}")
        except FextError as error:
            self.fext.tell_error(error)
        else:
            self._configuration = name
            self.notify(f"Configuration {name} is loaded.", markup=False, timeout=3)

    def action_write(self) -> None:
        """Ask for a name, and save the settings by it."""

        def check(name: str) -> None:
            check_name(name, "configuration")

        self.app.push_screen(Ask("Save these settings", "Name:", self._configuration, check), self._write)

    def _write(self, name: str | None) -> None:
        if name is None:
            return
        if name in configuration_names(self.fext.workspace) and name != self._configuration:
            self.app.push_screen(
                Confirm(f"Write over the configuration {name}?", yes="Write over it", no="Keep it"),
                lambda sure: self._save(name) if sure else None,
            )
        else:
            self._save(name)

    def _save(self, name: str) -> None:
        try:
            path = save_configuration(self.fext.workspace, name, self.fext.settings)
        except FextError as error:
            self.fext.tell_error(error)
        else:
            self._configuration = name
            self.notify(f"Saved as {text.folder_name(path)}", markup=False, timeout=5)

    def action_preset(self) -> None:
        """Choose a preset, and put its values over the settings."""
        self.app.push_screen(ChoosePreset(self.fext.settings), self._take_preset)

    def _take_preset(self, choice: str | None) -> None:
        if choice is None:
            return
        before = self.fext.settings
        self.fext.settings = settings_of(choice, before)
        count = len(changes(before, self.fext.settings))
        self.notify(f"{choice}: {count} settings changed.", timeout=4)
