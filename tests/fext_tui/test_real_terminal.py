"""The app in a real pseudo-terminal, its bytes read by a terminal emulator: drawn, drawn anew, left as it was."""

import re
import termios
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyte
import pytest
from PIL import Image

from engine.workspace import Workspace
from tests.fext_tui.conftest import HOSTILE

if TYPE_CHECKING:
    from tests.fext_tui.conftest import Terminal

WIDE = "日本語の写真" * 6
NAMES = (HOSTILE.replace("/", ""), WIDE, "\u202eגדול\u2066", "👍 family", "\x9b31m", "plain")
COLOR = "c80a0a"
SEQUENCE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[P_^X][^\x1b]*\x1b\\|[ -/]*[0-~])"
)  # fmt: skip
"""What a terminal takes for a command rather than for text: CSI, OSC, DCS and the like, and the short ones."""
MODES = ((b"?1049", b"h", b"l"), (b"?25", b"l", b"h"), (b"?2004", b"h", b"l"), (b"?1003", b"h", b"l"))
"""Modes that the app sets: alternate screen, no cursor, bracketed paste, mouse; what sets them, and what takes back."""


@pytest.fixture
def pictures(workspace: Workspace) -> Workspace:
    for name in NAMES:
        Image.new("RGB", (60, 40), f"#{COLOR}").save(workspace.images / f"{name}.png")
    return workspace


class Emulator:
    """A terminal emulator that shows what the app writes."""

    def __init__(self, terminal: "Terminal") -> None:
        self._terminal = terminal
        self._screen = pyte.Screen(terminal.columns, terminal.rows)
        self._stream = pyte.ByteStream(self._screen)
        self._fed = 0

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size; what stood in it is gone, as in terminals that do not flow it anew."""
        self._screen.reset()
        self._screen.resize(rows, columns)
        self._terminal.resize(rows, columns)

    def wait(self, condition: Callable[[list[str]], object]) -> list[str]:
        """Return the lines on the screen once something is true of them."""

        def is_so(told: bytes) -> object:
            self._stream.feed(told[self._fed :])
            self._fed = len(told)
            return condition(list(self._screen.display))

        self._terminal.wait_until(is_so)
        return list(self._screen.display)

    def painted(self) -> int:
        """Return how many cells have the color of the pictures."""
        rows, columns = range(self._screen.lines), range(self._screen.columns)
        cells = (self._screen.buffer[row][column] for row in rows for column in columns)
        return sum(COLOR in {cell.fg, cell.bg} for cell in cells)


def pictures_shown(lines: list[str]) -> bool:
    """Return whether there are thumbnails, and none of them is yet to be drawn."""
    text = "\n".join(lines)
    return "plain.png" in text and "+- Zoom" in text and " · " not in text


@pytest.mark.usefixtures("pictures")
def test_it_is_drawn_drawn_anew_and_left_as_it_was(in_terminal: "Callable[..., Terminal]") -> None:
    terminal = in_terminal({"TERM": "xterm-256color"}, pixels=False)
    emulator, before = Emulator(terminal), termios.tcgetattr(terminal.theirs)
    emulator.wait(lambda lines: "Dataset" in "".join(lines))
    terminal.press("3t")
    emulator.wait(pictures_shown)
    assert emulator.painted() > 60 * len(NAMES)
    emulator.resize(24, 80)
    lines = emulator.wait(pictures_shown)
    assert emulator.painted() > 60 * len(NAMES)
    assert "FeXT" in lines[0]
    assert "q Quit" in lines[-1]
    terminal.press("q")
    assert terminal.end() == 0
    assert termios.tcgetattr(terminal.theirs) == before
    for mode, on, off in MODES:
        assert terminal.told.rindex(b"\x1b[" + mode + off) > terminal.told.rindex(b"\x1b[" + mode + on), mode
    after = terminal.told[terminal.told.rindex(b"\x1b[?1049l") :]
    assert SEQUENCE.sub(b"", after).strip() == b"", "nothing is left on the screen of the shell"
    assert b"\x1b[31m" not in terminal.told, "that stands in a name alone"
    text = SEQUENCE.sub(b"", terminal.told).decode()
    assert {one for one in text if unicodedata.category(one) in {"Cc", "Cf", "Cs"}} <= {"\r", "\n"}
