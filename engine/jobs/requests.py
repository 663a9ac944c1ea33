"""Requests to stop, as a worker hears them."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from engine.errors import Interrupted


class StopRequests:
    """Requests to stop, which come as signals to this process."""

    def __init__(self) -> None:
        self._came = False
        self._breaks_off = False

    def listen(self, numbers: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT)) -> None:
        """Go on after a hang-up, and note requests, which come as these signals, from now on."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in numbers:
            signal.signal(number, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        if self._breaks_off:
            self._breaks_off = False
            raise Interrupted

    def came(self) -> bool:
        """Return whether there was one."""
        return self._came

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Break the body off with `Interrupted` where one comes; it is not begun where one came before."""
        self._breaks_off = True
        try:
            if self._came:
                raise Interrupted
            yield
        finally:
            self._breaks_off = False
