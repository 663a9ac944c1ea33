"""The palette of commands."""

from contextlib import suppress

from textual.command import CommandPalette


class Palette(CommandPalette):
    """Textual's, which fails where its pages are turned before they are laid out: there is nothing to turn yet."""

    def _action_command_list(self, action: str) -> None:
        with suppress(KeyError):
            super()._action_command_list(action)
