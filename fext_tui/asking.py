"""What the terminal answers when it is asked what it can draw.

It is asked while the app runs, so that no start waits for a slow line, and the answer is taken out of the input before
keys are made of it: whenever it comes, it neither eats a key nor makes one.
"""

import os
import re
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from fext_tui.graphics import LARGEST_CELL, Cell

QUESTION = "\x1b[16t\x1b[c"
"""For the size of a cell in pixels, and for the device's attributes (DA1), which every terminal answers.

Source: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html, "Primary DA" and "Window manipulation".
"""

_ANSWER = re.compile(r"\x1b\[\?(?P<attributes>[\d;]+)c|\x1b\[6;(?P<height>\d+);(?P<width>\d+)t")
_BEGUN = re.compile(r"\x1b\[(\?[\d;]*|6(;[\d;]*)?)\Z")
"""What an answer may begin with, at the end of what was read; no key does."""
_SIXEL = "4"
_LONGEST = 64


class Answer(NamedTuple):
    """Whether the terminal draws sixels, and the size of its cells; None: not told."""

    sixel: bool = False
    cell: Cell | None = None


class TerminalAnswered(Message):
    """The terminal has told something of itself."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class AnswerFilter:
    """Takes answers out of what is typed, also where they come in pieces.

    ``is_complete`` tells that the last answer has come: that for the attributes.
    """

    def __init__(self, tell: Callable[[Answer], object]) -> None:
        self._tell = tell
        self._held = ""
        self._answer = Answer()
        self.is_complete = False

    def pass_on(self, typed: str) -> str:
        """Return what was typed without answers, which are told, and without what may become one."""
        typed = _ANSWER.sub(self._take, self._held + typed)
        begun = _BEGUN.search(typed[-_LONGEST:])
        self._held = begun.group() if begun else ""
        return typed.removesuffix(self._held) if self._held else typed

    def _take(self, match: re.Match[str]) -> str:
        if match["attributes"]:
            self.is_complete = True
            self._answer = self._answer._replace(sixel=_SIXEL in match["attributes"].split(";")[1:])
        else:
            cell = Cell(int(match["width"]), int(match["height"]))
            self._answer = self._answer._replace(cell=cell if all(0 < side <= LARGEST_CELL for side in cell) else None)
        self._tell(self._answer)
        return ""


def ask_now(seconds: float) -> Answer:
    """Ask the terminal of standard input, and return what it answers within so many seconds; what is typed is lost."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    told = [Answer()]
    answers = AnswerFilter(told.append)
    deadline = time.monotonic() + seconds
    tty.setcbreak(descriptor)
    try:
        os.write(sys.stdout.fileno(), QUESTION.encode())
        while not answers.is_complete and (left := deadline - time.monotonic()) > 0:
            if select.select([descriptor], [], [], left)[0]:
                answers.pass_on(os.read(descriptor, 1024).decode(errors="replace"))
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
    return told[-1]


class FilteringParser(XTermParser):
    """Textual's parser of what is typed, which sees no answers."""

    def __init__(self, answers: AnswerFilter, debug: bool = False) -> None:
        super().__init__(debug)
        self._answers = answers

    def feed(self, data: str) -> Iterable[Message]:
        """Parse what is no answer; nothing at all is the end of the input."""
        passed = self._answers.pass_on(data) if data else ""
        return () if data and not passed else super().feed(passed)


class AskingDriver(LinuxDriver):
    """Textual's driver, which asks when it starts, and hears the answers."""

    def start_application_mode(self) -> None:
        """Start, and ask."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.write(QUESTION)
        self.flush()

    def run_input_thread(self) -> None:
        """Read what is typed. The driver makes its parser itself, by the name in its module."""
        answers = AnswerFilter(lambda answer: self._app.post_message(TerminalAnswered(answer)))
        linux_driver.XTermParser = partial(FilteringParser, answers)  # type: ignore[attr-defined, assignment]
        try:
            super().run_input_thread()
        finally:
            linux_driver.XTermParser = XTermParser  # type: ignore[attr-defined]
