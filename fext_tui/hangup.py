"""Leaving when the terminal is gone."""

import os
import select
import signal
import threading
from collections.abc import Callable

EXIT_HUNG_UP = 128 + signal.SIGHUP


def leave_on_hangup(descriptor: int, leave: Callable[[], None]) -> None:
    """Call ``leave`` from a thread when the terminal behind ``descriptor`` hangs up; cost nothing until then.

    SIGHUP ends a process by itself, but not one that a shell, nohup or ssh told to ignore it; such a process
    would go on to read the end of its input for ever.
    """
    threading.Thread(target=_wait, args=(descriptor, leave), name="fext-hangup", daemon=True).start()


def _wait(descriptor: int, leave: Callable[[], None]) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)
    poll.poll()
    leave()


def leave_at_once() -> None:
    """End the process without a word to the terminal that is gone; jobs are processes of their own and go on."""
    os._exit(EXIT_HUNG_UP)
