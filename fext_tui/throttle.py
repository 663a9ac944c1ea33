"""Doing something seldom enough, without losing the last call."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message_pump import MessagePump

if TYPE_CHECKING:
    from textual.timer import Timer

_SOON = 0.01


class Throttle:
    """Calls a function at most once in so many seconds; what is asked for meanwhile comes when they are over."""

    def __init__(self, node: MessagePump, seconds: float, call: Callable[[], object]) -> None:
        self._node = node
        self._seconds = seconds
        self._call = call
        self._timer: Timer | None = None
        self._called_at = float("-inf")

    def soon(self) -> None:
        """Call now, or as soon as the last call is long enough ago."""
        if self._timer is None:
            wait = self._called_at + self._seconds - time.monotonic()
            self._timer = self._node.set_timer(max(wait, _SOON), self.now)

    def now(self) -> None:
        """Call at once."""
        if self._timer is not None:
            self._timer.stop()
        self._timer, self._called_at = None, time.monotonic()
        self._call()
