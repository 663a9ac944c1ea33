"""What the terminal can draw pictures with: by what it is called, by what it answered, by what colors it has."""

import fcntl
import importlib
import io
import struct
import sys
import termios
from collections.abc import Mapping
from typing import Literal, NamedTuple

from fext_tui.tmux import KITTY_TERMS

Kind = Literal["kitty", "sixel", "quadrants", "halves", "shades"]
"""How a picture is drawn: the kitty or the sixel protocol, colored quadrant or half blocks, shades without color."""

_MULTIPLEXED = ("tmux", "screen")
_SIXEL_TERMS = ("foot", "mlterm", "contour")
_SIXEL_PROGRAMS = frozenset({"wezterm", "iterm.app"})
_OTHER_TERMINALS = ("TERM_PROGRAM", "VTE_VERSION", "KONSOLE_VERSION", "XTERM_VERSION", "WT_SESSION")
LARGEST_CELL = 256


class Cell(NamedTuple):
    """The size of one character cell in pixels."""

    width: int
    height: int


USUAL_CELL = Cell(10, 20)
"""The size that is taken where the terminal tells none."""


def detect(environ: Mapping[str, str], *, sixel: bool = False, kitty: bool = False) -> Kind:
    """Return the best kind of graphics that the terminal is known to draw rightly.

    That is what the terminal is known for which the environment names. Where that is not known, as mostly behind SSH,
    and inside tmux, it is sixels where it answered that it draws ``sixel``, else quadrant blocks; on the console of
    Linux, whose fonts have no others, half blocks. Inside tmux, it is kitty's protocol where that is passed on to a
    ``kitty``. The variables of a terminal are inherited by others that are started from it, so kitty's counts only
    where no other terminal names itself.
    """
    unknown: Kind = "sixel" if sixel else "quadrants"
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "").lower()
    if term == "linux":
        return "halves"
    if "TMUX" in environ or "STY" in environ or term.startswith(_MULTIPLEXED):
        return "kitty" if kitty else unknown
    if term in KITTY_TERMS or program == "ghostty":
        return "kitty"
    if "KITTY_WINDOW_ID" in environ and not any(name in environ for name in _OTHER_TERMINALS):
        return "kitty"
    if program in _SIXEL_PROGRAMS or term.startswith(_SIXEL_TERMS):
        return "sixel"
    return unknown


def usable(kind: Kind, *, truecolor: bool, colors: bool, cell: Cell | None) -> Kind:
    """Return what is left of ``kind`` in this terminal.

    kitty's placeholders carry the number of the picture in their color, so they need true color unchanged; sixel
    needs the size of a cell in pixels; blocks need colors of any number.
    """
    if not colors:
        return "shades"
    if kind == "kitty" and not truecolor:
        return "quadrants"
    return "quadrants" if kind == "sixel" and cell is None else kind


def cell_size() -> Cell | None:
    """Return the size of a cell as the kernel knows it; None where the terminal did not tell it."""
    for stream in (sys.__stdout__, sys.__stderr__):
        try:
            answer = fcntl.ioctl(stream, termios.TIOCGWINSZ, b"\0" * 8) if stream else b""
        except (OSError, ValueError):
            continue
        rows, columns, width, height = struct.unpack("HHHH", answer or b"\0" * 8)
        if rows and columns and width and height:
            cell = Cell(width // columns, height // rows)
            if all(0 < side <= LARGEST_CELL for side in cell):
                return cell
    return None


def import_renderables() -> None:
    """Import textual-image's renderables without their queries of the terminal.

    The package asks what the terminal can do when it is imported, and for the size of a cell when it first draws,
    where standard output is a terminal. Call this on the thread of the screen, before anything else imports the
    package: the stream is taken away for that moment, and the second question is answered once and for all.
    """
    stdout = sys.__stdout__
    sys.__stdout__ = io.TextIOWrapper(io.BytesIO())  # type: ignore[misc] # Final in the stubs only
    try:
        importlib.import_module("textual_image.renderable")
        from textual_image._terminal import get_cell_size

        get_cell_size()
    finally:
        sys.__stdout__ = stdout  # type: ignore[misc] # as above
