"""The Viewer in terminals with graphics: what it writes to a real pseudo-terminal."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import PIL.Image
import pytest

from engine.workspace import Workspace

if TYPE_CHECKING:
    from tests.fext_tui.conftest import Terminal

Open = Callable[..., "Terminal"]


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    for name, color in (("a.png", (200, 10, 10)), ("b.png", (10, 200, 10))):
        PIL.Image.new("RGB", (64, 64), color).save(workspace.images / name)
    return workspace


def test_kitty_is_sent_each_picture_once_and_told_to_forget_it(filled: Workspace, in_terminal: Open) -> None:
    terminal = in_terminal({"TERM": "xterm-kitty"})
    terminal.wait(b"Dataset")
    terminal.press("3")
    number = terminal.wait(rb"\x1b_Ga=T,U=1,f=100,i=(\d+),c=\d+,r=\d+,q=2,m=\d;").group(1)
    terminal.wait("\U0010eeee".encode())
    terminal.press("j")
    terminal.wait(rb"\x1b_Ga=d,d=I,i=" + number + rb",q=2\x1b\\")
    assert terminal.told.count(b"a=T,U=1") == 2
    assert terminal.told.count(b"\x1b[16t\x1b[c") == terminal.told.count(b"\x1b[c") == 1, "it is asked once"


def kept(told: bytes) -> list[bytes]:
    """Return the numbers of the pictures that kitty was sent and not told to forget, in their order."""
    sent = re.findall(rb"\x1b_Ga=T,U=1,f=100,i=(\d+)", told)
    gone = re.findall(rb"\x1b_Ga=d,d=I,i=(\d+)", told)
    return [number for number in sent if number not in gone]


def test_a_thumbnail_that_stays_is_not_forgotten(filled: Workspace, in_terminal: Open) -> None:
    terminal = in_terminal({"TERM": "xterm-kitty"})
    terminal.wait(b"Dataset")
    terminal.press("3")
    terminal.wait_until(lambda told: len(kept(told)) == 1)
    (large,) = kept(terminal.told)
    terminal.press("t")
    terminal.wait_until(lambda told: len(kept(told)) == 3)
    terminal.press("/")
    terminal.wait(b"Everything")
    terminal.press("b")
    terminal.wait_until(lambda told: len(kept(told)) == 2)
    terminal.press("\r\r")
    terminal.wait_until(lambda told: large not in kept(told))
    assert len(kept(terminal.told)) == 2, "the other picture, and its thumbnail, which waits meanwhile"


@pytest.fixture
def tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the words that run a command in a tmux of its own, which knows the terminal ``xterm-kitty``."""
    if not (shutil.which("tmux") and shutil.which("tic")):
        pytest.skip("there is no tmux here, or no tic to describe a terminal to it")
    entry = tmp_path / "kitty.terminfo"
    entry.write_text("xterm-kitty|kitty,\n\tTc, use=xterm-256color,\n")
    subprocess.run(["tic", "-x", "-o", str(tmp_path / "terminfo"), str(entry)], check=True)
    settings = tmp_path / "tmux.conf"
    settings.write_text("set -g allow-passthrough on\nset -sg escape-time 10\n")
    monkeypatch.setenv("TMUX_TMPDIR", str(tmp_path))
    yield ["env", f"TERMINFO={tmp_path / 'terminfo'}", f"TMUX_TMPDIR={tmp_path}", "tmux", "-u", "-f", str(settings),
           "new-session"]  # fmt: skip
    subprocess.run(["tmux", "kill-server"], check=False, capture_output=True)


def test_kitty_is_reached_through_tmux(filled: Workspace, in_terminal: Open, tmux: list[str]) -> None:
    terminal = in_terminal({"TERM": "xterm-kitty"}, around=tmux)
    terminal.wait(b"Dataset")
    terminal.press("3")
    number = int(terminal.wait(rb"\x1b_Ga=T,U=1,f=100,i=(\d+),c=\d+,r=\d+,q=2,m=\d;[^\x1b]+\x1b\\").group(1))
    color = f"38;2;{number >> 16};{number >> 8 & 255};{number & 255}m".encode()
    terminal.wait(color + rb"[^\x1b]*" + "\U0010eeee".encode())
    assert b"Ptmux" not in terminal.told, "tmux has unwrapped it"
    terminal.press("j")
    terminal.wait(rb"\x1b_Ga=d,d=I,i=%d,q=2\x1b\\" % number)
    terminal.press("q")
    assert terminal.end() == 0


def test_sixels_have_the_size_of_their_cells(filled: Workspace, in_terminal: Open) -> None:
    terminal = in_terminal({"TERM": "foot"})
    terminal.wait(b"Dataset")
    terminal.press("3")
    match = terminal.wait(rb'\x1b7\x1b\[(\d+);(\d+)H\x1bP[^"]*"1;1;(\d+);(\d+)[^\x1b]*\x1b\\\x1b8')
    row, column, width, height = map(int, match.groups())
    assert width % terminal.cell_width == 0
    assert height % terminal.cell_height == 0
    assert width == pytest.approx(height, abs=terminal.cell_height), "the picture is square"
    assert row + height // terminal.cell_height - 1 < terminal.rows
    assert column + width // terminal.cell_width - 1 <= terminal.columns


def test_a_terminal_that_tells_no_cell_size_gets_blocks(filled: Workspace, in_terminal: Open) -> None:
    terminal = in_terminal({"TERM": "foot"}, pixels=False)
    terminal.wait(b"Dataset")
    terminal.press("3")
    terminal.wait(rb"48;2;200;10;10")
    assert b"\x1bP" not in terminal.told.replace(b"\x1bP+q", b"")


def test_no_color_is_no_color(filled: Workspace, in_terminal: Open) -> None:
    terminal = in_terminal({"TERM": "xterm-kitty", "NO_COLOR": "1"})
    terminal.wait(b"Dataset")
    terminal.press("3")
    terminal.wait(b"a.png")
    terminal.press("j")
    terminal.wait(rb"b\.png.*64 ")
    colors = {match.groups() for match in re.finditer(rb"[34]8;2;(\d+);(\d+);(\d+)", terminal.told)}
    assert all(red == green == blue for red, green, blue in colors)
    assert b"\x1b_Ga=T" not in terminal.told


def test_an_unknown_terminal_is_asked_and_its_answer_is_no_key(filled: Workspace, in_terminal: Open) -> None:
    terminal = in_terminal({"TERM": "xterm-256color"}, pixels=False)
    terminal.wait(rb"\x1b\[16t\x1b\[c")
    terminal.wait(b"Dataset")
    terminal.press("3")
    terminal.wait(rb"48;2;200;10;10")
    terminal.press("\x1b[6;18;9t\x1b[?62;4")
    terminal.press(";22cj")
    match = terminal.wait(rb'\x1b7\x1b\[\d+;\d+H\x1bP[^"]*"1;1;(\d+);(\d+)')
    assert int(match.group(1)) % 9 == int(match.group(2)) % 18 == 0, "in cells of the size that was told"
    terminal.wait(rb"b\.png.*64 ")
    terminal.press("q")
    assert terminal.end() == 0
