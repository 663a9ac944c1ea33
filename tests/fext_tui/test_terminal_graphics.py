"""The Viewer in terminals with graphics: what it writes to a real pseudo-terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest

from engine.workspace import Workspace

ROWS, COLUMNS, CELL_WIDTH, CELL_HEIGHT = 30, 100, 9, 18


class Terminal:
    """A pseudo-terminal with the app in it."""

    def __init__(self, workspace: Workspace, environ: dict[str, str], *, pixels: bool = True) -> None:
        self.theirs, ours = pty.openpty()
        size = (COLUMNS * CELL_WIDTH, ROWS * CELL_HEIGHT) if pixels else (0, 0)
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, *size))
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "PYTHONPATH"}}
        self.child = subprocess.Popen(
            [sys.executable, "-m", "fext_tui", "--resources", str(workspace.root)],
            stdin=ours, stdout=ours, stderr=ours, start_new_session=True,
            env={**kept, "COLORTERM": "truecolor", **environ},
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        os.close(ours)
        self.told = b""

    def press(self, keys: str) -> None:
        os.write(self.theirs, keys.encode())

    def wait(self, pattern: bytes, seconds: float = 60.0) -> re.Match[bytes]:
        deadline = time.monotonic() + seconds
        while not (match := re.search(pattern, self.told, re.DOTALL)):
            assert time.monotonic() < deadline, f"{pattern!r} was not written; the last was {self.told[-2000:]!r}"
            if select.select([self.theirs], [], [], 0.1)[0]:
                self.told += os.read(self.theirs, 65_536)
        return match

    def close(self) -> None:
        os.close(self.theirs)
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait(60)


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    for name, color in (("a.png", (200, 10, 10)), ("b.png", (10, 200, 10))):
        PIL.Image.new("RGB", (64, 64), color).save(workspace.images / name)
    return workspace


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def test_kitty_is_sent_each_picture_once_and_told_to_forget_it(filled: Workspace, terminals: list[Terminal]) -> None:
    terminal = Terminal(filled, {"TERM": "xterm-kitty"})
    terminals.append(terminal)
    terminal.wait(b"Dataset")
    terminal.press("3")
    number = terminal.wait(rb"\x1b_Ga=T,U=1,f=100,i=(\d+),c=\d+,r=\d+,q=2,m=\d;").group(1)
    terminal.wait("\U0010eeee".encode())
    terminal.press("j")
    terminal.wait(rb"\x1b_Ga=d,d=I,i=" + number + rb",q=2\x1b\\")
    assert terminal.told.count(b"a=T,U=1") == 2
    assert b"\x1b[c" not in terminal.told
    assert b"\x1b[16t" not in terminal.told


def test_sixels_have_the_size_of_their_cells(filled: Workspace, terminals: list[Terminal]) -> None:
    terminal = Terminal(filled, {"TERM": "foot"})
    terminals.append(terminal)
    terminal.wait(b"Dataset")
    terminal.press("3")
    match = terminal.wait(rb'\x1b7\x1b\[(\d+);(\d+)H\x1bP[^"]*"1;1;(\d+);(\d+)[^\x1b]*\x1b\\\x1b8')
    row, column, width, height = map(int, match.groups())
    assert width % CELL_WIDTH == 0
    assert height % CELL_HEIGHT == 0
    assert width == pytest.approx(height, abs=CELL_HEIGHT), "the picture is square"
    assert row + height // CELL_HEIGHT - 1 < ROWS
    assert column + width // CELL_WIDTH - 1 <= COLUMNS


def test_a_terminal_that_tells_no_cell_size_gets_blocks(filled: Workspace, terminals: list[Terminal]) -> None:
    terminal = Terminal(filled, {"TERM": "foot"}, pixels=False)
    terminals.append(terminal)
    terminal.wait(b"Dataset")
    terminal.press("3")
    terminal.wait(rb"48;2;200;10;10")
    assert b"\x1bP" not in terminal.told.replace(b"\x1bP+q", b"")


def test_no_color_is_no_color(filled: Workspace, terminals: list[Terminal]) -> None:
    terminal = Terminal(filled, {"TERM": "xterm-kitty", "NO_COLOR": "1"})
    terminals.append(terminal)
    terminal.wait(b"Dataset")
    terminal.press("3")
    terminal.wait(b"a.png")
    terminal.press("j")
    terminal.wait(rb"b\.png.*64 ")
    colors = {match.groups() for match in re.finditer(rb"[34]8;2;(\d+);(\d+);(\d+)", terminal.told)}
    assert all(red == green == blue for red, green, blue in colors)
    assert b"\x1b_Ga=T" not in terminal.told
