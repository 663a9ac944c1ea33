"""A list to choose from."""

from contextlib import suppress
from typing import Literal

from textual.widgets import OptionList


class Options(OptionList):
    """Textual's, which fails where its pages are turned before they are laid out: there is nothing to turn yet."""

    def _move_page(self, direction: Literal[-1, 1]) -> None:
        with suppress(KeyError):
            super()._move_page(direction)
