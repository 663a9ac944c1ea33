"""What a terminal is said to be able to do, and how to get more of it; how the app looks with few colors."""

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from rich.style import Style
from textual.pilot import Pilot

from engine.workspace import Workspace
from fext_tui.asking import Answer
from fext_tui.graphics import Cell
from fext_tui.terminal import Check, color_system, examine_terminal

KITTY = {"TERM": "xterm-kitty", "COLORTERM": "truecolor"}
XTERM = {"TERM": "xterm-256color"}
CELL = Cell(9, 18)
GOOD_TMUX = {"allow-passthrough": "on", "set-clipboard": "on", "client_termfeatures": "256,RGB,title",
             "focus-events": "on", "escape-time": "20"}  # fmt: skip
"""What tmux answers where nothing is missing."""


def examined(
    environ: Mapping[str, str],
    size: tuple[int, int] = (120, 36),
    *,
    encoding: str = "utf-8",
    cell: Cell | None = CELL,
    sixel: bool = False,
    tmux: Mapping[str, str] | None = None,
) -> dict[str, Check]:
    options = tmux or {}
    answer = Answer(sixel=sixel, cell=cell)
    checks = examine_terminal(environ, size, encoding, answer, lambda name: options.get(name, ""))
    return {check.name: check for check in checks}


def test_a_terminal_that_can_everything_needs_no_remedy() -> None:
    checks = examined(KITTY)
    assert [check.state for check in checks.values()] == ["good"] * 4
    assert [check.remedy for check in checks.values()] == [""] * 4
    assert "kitty's protocol" in checks["Pictures"].found


@pytest.mark.parametrize(
    ("environ", "size", "encoding", "remedy"),
    [(XTERM, (79, 36), "utf-8", "80×24"), (XTERM, (80, 24), "latin-1", "UTF-8 locale"), ({}, (80, 24), "UTF-8", "TERM"),
     ({"TERM": "dumb"}, (80, 24), "UTF-8", "TERM")],
)  # fmt: skip
def test_what_is_too_little_is_told(
    environ: Mapping[str, str], size: tuple[int, int], encoding: str, remedy: str
) -> None:
    check = examined(environ, size, encoding=encoding)["Terminal"]
    assert (check.state, remedy in check.remedy) == ("notice", True)


@pytest.mark.parametrize(
    ("environ", "colors"),
    [(KITTY, "truecolor"), (XTERM, "256"), ({"TERM": "xterm-16color"}, "standard"), ({"TERM": "xterm"}, "standard"),
     (KITTY | {"NO_COLOR": ""}, ""), (XTERM | {"TEXTUAL_COLOR_SYSTEM": "truecolor"}, "truecolor")],
)  # fmt: skip
def test_colors_are_those_that_the_app_draws_with(environ: Mapping[str, str], colors: str) -> None:
    assert color_system(environ) == colors
    assert examined(environ)["Colors"].state == ("good" if colors == "truecolor" else "notice")


@pytest.mark.parametrize(
    ("environ", "cell", "found", "remedy"),
    [
        ({"TERM": "foot", "COLORTERM": "truecolor"}, CELL, "sixels", ""),
        ({"TERM": "foot", "COLORTERM": "truecolor"}, None, "quarter blocks", "how large a cell is"),
        ({"TERM": "xterm-kitty"}, CELL, "quarter blocks", "COLORTERM=truecolor"),
        (XTERM, CELL, "quarter blocks", "kitty and Ghostty"),
        ({"TERM": "linux"}, None, "half blocks", "kitty and Ghostty"),
        (KITTY | {"TMUX": "x"}, CELL, "quarter blocks", "outside of tmux"),
    ],
)
def test_pictures_are_drawn_as_the_app_does(
    environ: Mapping[str, str], cell: Cell | None, found: str, remedy: str
) -> None:
    check = examined(environ, cell=cell)["Pictures"]
    assert found in check.found
    assert remedy in check.remedy
    assert (check.state == "good") == (remedy == "")


def test_tmux_is_told_only_what_it_lacks() -> None:
    inside = {"TERM": "tmux-256color", "COLORTERM": "truecolor", "TMUX": "socket,1,0"}
    assert examined(inside, tmux=GOOD_TMUX)["tmux"].state == "good"
    lacking = GOOD_TMUX | {"set-clipboard": "external", "escape-time": "500", "client_termfeatures": "256,title"}
    lines = examined(inside, tmux=lacking)["tmux"].remedy.splitlines()
    assert [line.split("  #")[0].strip() for line in lines[1:]] == [
        "set -g set-clipboard on", 'set -as terminal-features ",*:RGB"', "set -sg escape-time 20",
    ]  # fmt: skip
    assert "tmux" not in examined(XTERM)


@pytest.mark.parametrize(
    ("environ", "tmux", "state"),
    [(KITTY, {}, "good"), ({"TERM": "alacritty"}, {}, "good"), (XTERM, {}, "notice"), ({"TERM": "linux"}, {}, "notice"),
     (XTERM | {"VTE_VERSION": "7600"}, {}, "notice"), (XTERM | {"STY": "1"}, {}, "notice"),
     (XTERM | {"TMUX": "x"}, GOOD_TMUX, "good"), (KITTY | {"TMUX": "x"}, {"set-clipboard": "external"}, "notice")],
)  # fmt: skip
def test_copying_is_told_by_the_terminals_name(environ: Mapping[str, str], tmux: Mapping[str, str], state: str) -> None:
    check = examined(environ, tmux=tmux)["Copying"]
    assert (check.state, bool(check.remedy)) == (state, state == "notice")


def is_light(style: Style) -> bool:
    """Return whether the background is lighter than a dark theme's ever is."""
    return style.bgcolor is not None and min(style.bgcolor.get_truecolor()) > 190


# --- Few colors -------------------------------------------------------------------------------------------------------


def reversed_text(pilot: Pilot[None]) -> str:
    """Return what stands on the screen turned round, whatever its colors."""
    segments = (segment for line in pilot.app.screen._compositor.render_strips() for segment in line)
    return "".join(segment.text for segment in segments if segment.style and segment.style.reverse)


@pytest.mark.parametrize(("keys", "row"), [("2 down", "Latent channels"), ("4", "medium-wide")])
async def test_without_color_the_cursor_and_the_screen_are_turned_round(
    keys: str, row: str, furnished: Workspace, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(keys=keys) as pilot:
        assert row in reversed_text(pilot)
        assert f" {pilot.app.current_mode.title()} " in reversed_text(pilot)


@pytest.mark.parametrize(
    ("keys", "row"), [("U down", "Prune checkpoints"), ("colon down", "Data: Dataset"), ("4 c down", "state")]
)
async def test_without_color_the_chosen_option_is_underlined_in_exchanged_colors(
    keys: str, row: str, furnished: Workspace, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(keys=keys) as pilot:
        told = ""
        for line in pilot.app.screen._compositor.render_strips():
            styled = [(segment.text, segment.style) for segment in line if segment.style]
            told += "".join(text for text, style in styled if style.underline and is_light(style))
        assert told.startswith(row)


async def test_with_color_nothing_is_turned_round(furnished: Workspace, opened: Any) -> None:
    async with opened(keys="4") as pilot:
        assert reversed_text(pilot) == ""


async def test_sixteen_colors_are_taken_for_few(make_app: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    monkeypatch.setattr(type(app), "is_headless", False)
    for system, few in (("truecolor", False), ("eight_bit", False), ("standard", True)):
        monkeypatch.setattr(type(app.console), "color_system", system)
        assert app.has_few_colors is few


def test_a_terminal_that_answers_so_draws_sixels() -> None:
    environ = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    assert examined(environ, sixel=True)["Pictures"].state == "good"
    assert "quarter blocks" in examined(environ)["Pictures"].found


def test_a_real_terminal_is_asked_and_left_as_it_was() -> None:
    theirs, ours = pty.openpty()
    before = termios.tcgetattr(ours)
    code = "from fext_tui.asking import ask_now; print(ask_now(60.0))"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=ours, stdout=ours)
    told = b""
    while b"\x1b[16t\x1b[c" not in told:
        told += os.read(theirs, 1024)
    os.write(theirs, b"k\x1b[6;20;10t\x1b[?62;4c")
    while b"\n" not in told:
        told += os.read(theirs, 1024)
    assert child.wait(60) == 0
    assert b"Answer(sixel=True, cell=Cell(width=10, height=20))" in told
    assert termios.tcgetattr(ours) == before
    os.close(ours)
    os.close(theirs)
