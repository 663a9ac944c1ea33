"""The base of dialogs."""

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """Is left once, and not before its parts are there: over a slow line several keys come at the same time."""

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Leave the dialog with a result, unless it was left already or another stands over it."""
        is_seen = self.app.screen is self
        if is_seen and self.is_mounted:
            return super().dismiss(result)
        if is_seen:
            self.call_later(self.dismiss, result)
        return AwaitComplete()
