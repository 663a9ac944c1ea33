"""A program in a pseudo-terminal, watched by the clock: what it writes, when, and what stands on its screen."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pyte

_READ = 65_536
_PATIENCE = 60.0


class Terminal:
    """A child process whose terminal is a pseudo-terminal of ``columns`` × ``rows``; killed at the end of the context.

    ``bytes`` counts what it wrote.
    """

    def __init__(self, command: Sequence[str], columns: int, rows: int) -> None:
        self.bytes = 0
        self.began = time.perf_counter()
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._child, self._leader = pty.fork()
        if self._child == 0:
            os.environ["TERM"], os.environ["COLORTERM"] = "xterm-256color", "truecolor"
            os.execv(command[0], command)  # noqa: S606 - our own command
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process = psutil.Process(self._child)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        os.close(self._leader)

    def press(self, keys: str) -> float:
        """Write keys, and return the time at which they were written."""
        at = time.perf_counter()
        os.write(self._leader, keys.encode())
        return at

    def read(self, seconds: float) -> tuple[float, bytes] | None:
        """Return the next piece of output with the time it came at; None where none comes in time or ever again."""
        if not select.select([self._leader], [], [], max(seconds, 0))[0]:
            return None
        at = time.perf_counter()
        try:
            piece = os.read(self._leader, _READ)
        except OSError:  # the child has ended
            return None
        self.bytes += len(piece)
        return at, piece

    def wait(self, condition: Callable[[Sequence[str]], object], seconds: float = _PATIENCE) -> float:
        """Return the time at which the output came that makes the screen's lines meet a condition.

        Raises:
            TimeoutError: it did not come in time.

        """
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if got := self.read(end - time.perf_counter()):
                self._stream.feed(got[1])
                if condition(self._screen.display):
                    return got[0]
        raise TimeoutError("\n".join(["The screen did not become what was awaited:", *self._screen.display]))

    def follow(self, seconds: float) -> None:
        """Take what it writes for so long, and keep the screen up to date."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if got := self.read(end - time.perf_counter()):
                self._stream.feed(got[1])

    def cpu_seconds(self) -> float:
        """Return the processor time it has used."""
        times = self._process.cpu_times()
        return float(times.user + times.system)


def fext(*arguments: str) -> list[str]:
    """Return the command line of ``fext`` in this checkout's environment."""
    return [str(Path(sys.executable).parent / "fext"), *arguments]
