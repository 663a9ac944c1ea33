"""What the terminal is taken to be able to draw."""

import os
import pty
import struct
import subprocess
import sys
import termios
import textwrap
from fcntl import ioctl

import pytest

from fext_tui.graphics import Cell, detect, usable
from fext_tui.tmux import passes_on_kitty


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({}, "quadrants"),
        ({"TERM": "xterm-256color"}, "quadrants"),
        ({"TERM": "linux"}, "halves"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1", "VTE_VERSION": "7600"}, "quadrants"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "sixel"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "foot", "TMUX": "socket,1,0"}, "quadrants"),
        ({"TERM": "screen.xterm-256color", "KITTY_WINDOW_ID": "1"}, "quadrants"),
        ({"TERM": "xterm-kitty", "STY": "1.a"}, "quadrants"),
    ],
)
def test_the_terminal_is_told_by_its_environment(environ: dict[str, str], kind: str) -> None:
    assert detect(environ) == kind


def test_tmux_hands_pictures_to_a_kitty_around_it_alone() -> None:
    around = {"client_termname": "xterm-kitty", "allow-passthrough": "on", "client_termfeatures": "256,RGB,title"}
    assert passes_on_kitty(around.__getitem__)
    for name, value in (("client_termname", "xterm-256color"), ("allow-passthrough", "off"),
                        ("client_termfeatures", "256,title")):  # fmt: skip
        assert not passes_on_kitty((around | {name: value}).__getitem__)
    assert detect({"TERM": "tmux-256color", "TMUX": "x"}, sixel=True, kitty=True) == "kitty"


def test_what_a_terminal_lacks_takes_graphics_away() -> None:
    cell = Cell(9, 18)
    assert usable("kitty", truecolor=True, colors=True, cell=cell) == "kitty"
    assert usable("kitty", truecolor=False, colors=True, cell=cell) == "quadrants"
    assert usable("sixel", truecolor=False, colors=True, cell=cell) == "sixel"
    assert usable("sixel", truecolor=True, colors=True, cell=None) == "quadrants"
    assert usable("halves", truecolor=True, colors=True, cell=None) == "halves"
    assert usable("kitty", truecolor=True, colors=False, cell=cell) == "shades"


def test_importing_the_renderables_writes_nothing_to_the_terminal_and_reads_nothing_from_it() -> None:
    program = textwrap.dedent("""
        import sys
        from fext_tui.graphics import cell_size, import_renderables
        kept = sys.__stdout__
        import_renderables()
        assert sys.__stdout__ is kept
        from textual_image._terminal import get_cell_size
        get_cell_size()
        print("cell", *(cell_size() or ()))
        print("key", sys.stdin.readline().strip())
    """)
    theirs, ours = pty.openpty()
    ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 720, 432))
    child = subprocess.Popen([sys.executable, "-c", program], stdin=ours, stdout=ours, stderr=subprocess.PIPE)
    os.write(theirs, b"eaten?\n")
    _, errors = child.communicate(timeout=240)
    os.close(ours)
    told = _read_all(theirs).decode()
    assert child.returncode == 0, errors
    assert "\x1b" not in told
    assert "cell 9 18" in told
    assert "key eaten?" in told


def _read_all(descriptor: int) -> bytes:
    told = b""
    try:
        while part := os.read(descriptor, 4096):
            told += part
    except OSError:  # how the end of a pseudo-terminal reads
        os.close(descriptor)
    return told
