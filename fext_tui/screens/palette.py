"""The palette of commands."""

from contextlib import suppress

from textual.command import CommandPalette
from textual.widgets import Input


class Palette(CommandPalette):
    """Textual's, which fails where its pages are turned before they are laid out: there is nothing to turn yet."""

    def on_mount(self) -> None:
        """Let the cursor stand: blinking would send something to the terminal for ever."""
        self.query_one(Input).cursor_blink = False

    def _action_command_list(self, action: str) -> None:
        with suppress(KeyError):
            super()._action_command_list(action)
