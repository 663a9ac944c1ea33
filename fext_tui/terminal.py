"""What this terminal can do for the app, told from its environment and its multiplexer, and how to get more of it."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from fext_tui.asking import Answer, ask_now
from fext_tui.graphics import cell_size, detect, usable
from fext_tui.tmux import TmuxOption, passes_on_kitty, tmux_option

State = Literal["good", "notice", "bad"]


@dataclass(frozen=True)
class Check:
    """What was looked at, how it stands, what was found, and what to do where it is not good."""

    name: str
    state: State
    found: str
    remedy: str = ""


_ANSWER_SECONDS = 2.0
_COLORS = {"truecolor": "true color", "256": "256 colors", "standard": "16 colors"}
_KINDS = {
    "kitty": "drawn pixel by pixel, by kitty's protocol",
    "sixel": "drawn pixel by pixel, as sixels",
    "quadrants": "drawn with quarter blocks",
    "halves": "drawn with half blocks",
    "shades": "drawn with shades, without color",
}
_WHERE_PIXELS = (
    "Pixel by pixel they are drawn in kitty and Ghostty (kitty's protocol; true color is needed), and in WezTerm, "
    "iTerm2, foot, mlterm, Contour and whatever else answers that it does (sixels)"
)
_TMUX_PIXELS = (
    "tmux passes on kitty's protocol where it has set -g allow-passthrough on and is shown in kitty or Ghostty. tmux "
    "3.4, built with sixels, draws them in a terminal that does: put set -as terminal-features ',*:sixel' into "
    "~/.tmux.conf."
)
_SAY_TRUECOLOR = (
    "If your terminal has true color, say so: export COLORTERM=truecolor. SSH does not carry that over by itself."
)
_COPYING = ("kitty", "ghostty", "foot", "alacritty", "wezterm", "contour")
_TMUX = {
    "set -g allow-passthrough on": "lets pictures (kitty, Ghostty) and the notice of a job's end through",
    "set -g set-clipboard on": "lets y copy to your clipboard",
    'set -as terminal-features ",*:RGB"': "shows true color",
    "set -g focus-events on": "tells the app when you are elsewhere",
    "set -sg escape-time 20": "lets escape answer at once",
}


def examine_terminal(
    environ: Mapping[str, str], size: tuple[int, int], encoding: str, answer: Answer, option: TmuxOption
) -> Iterator[Check]:
    """Yield what a terminal of ``size`` columns and rows can do, which gave an ``answer`` when it was asked."""
    yield _terminal(environ, size, encoding)
    colors = color_system(environ)
    yield _color_check(environ, colors)
    yield _pictures(environ, colors, answer, kitty="TMUX" in environ and passes_on_kitty(option))
    if "TMUX" in environ:
        yield _tmux(option)
    yield _copying(environ, option)


def this_terminal() -> Iterator[Check]:
    """Yield what the terminal that this program writes to can do; without one, that there is none."""
    if not sys.stdout.isatty():
        yield Check("Terminal", "notice", "none here", "The app needs one; every other verb works without.")
        return
    answer = ask_now(_ANSWER_SECONDS) if sys.stdin.isatty() else Answer()
    answer = answer._replace(cell=cell_size() or answer.cell)
    yield from examine_terminal(os.environ, shutil.get_terminal_size(), sys.stdout.encoding, answer, tmux_option)


def color_system(environ: Mapping[str, str]) -> str:
    """Return what the app will draw with: ``truecolor``, ``256``, ``standard``; nothing where color is not wanted."""
    from rich.console import Console

    told = environ.get("TEXTUAL_COLOR_SYSTEM", "auto")
    if "NO_COLOR" in environ:
        return ""
    return told if told in _COLORS else Console(force_terminal=True, _environ=environ).color_system or ""


def _terminal(environ: Mapping[str, str], size: tuple[int, int], encoding: str) -> Check:
    columns, rows = size
    term = environ.get("TERM", "")
    problems = {
        "Make it at least 80×24.": columns < 80 or rows < 24,
        "Set a UTF-8 locale, for instance LANG=C.UTF-8.": encoding.lower().replace("-", "") != "utf8",
        "Set TERM to what the terminal is.": term in {"", "dumb"},
    }
    remedy = " ".join(text for text, is_so in problems.items() if is_so)
    found = f"{term or 'no TERM'}, {columns}×{rows}, {encoding}"
    return Check("Terminal", "notice" if remedy else "good", found, remedy)


def _color_check(environ: Mapping[str, str], colors: str) -> Check:
    if "NO_COLOR" in environ:
        return Check("Colors", "notice", "none, as NO_COLOR asks", "Unset NO_COLOR to have them.")
    if colors == "truecolor":
        return Check("Colors", "good", _COLORS[colors])
    return Check("Colors", "notice", _COLORS.get(colors, "none"), _SAY_TRUECOLOR)


def _pictures(environ: Mapping[str, str], colors: str, answer: Answer, *, kitty: bool) -> Check:
    wanted = detect(environ, sixel=answer.sixel, kitty=kitty)
    kind = usable(wanted, truecolor=colors == "truecolor", colors=True, cell=answer.cell)
    if kind in {"kitty", "sixel"}:
        return Check("Pictures", "good", _KINDS[kind])
    if wanted == "kitty":
        remedy = f"This terminal draws pixels where it has true color. {_SAY_TRUECOLOR}"
    elif wanted == "sixel":
        remedy = "This terminal draws pixels where it tells how large a cell is; over some links it does not."
    elif "TMUX" in environ or "STY" in environ:
        remedy = f"{_WHERE_PIXELS}, outside of tmux and screen. {_TMUX_PIXELS}"
    else:
        remedy = f"{_WHERE_PIXELS}."
    return Check("Pictures", "notice", _KINDS[kind], remedy)


def _tmux(option: TmuxOption) -> Check:
    missing = [line for line, has in zip(_TMUX, _tmux_has(option), strict=True) if not has]
    if not missing:
        return Check("tmux", "good", "passes on colors, copying and notices")
    width = max(map(len, missing))
    lines = [f"{line:<{width}}  # {_TMUX[line]}" for line in missing]
    found = f"{len(missing)} of {len(_TMUX)} options would give more"
    return Check("tmux", "notice", found, "\n".join(("Add to ~/.tmux.conf, then start tmux anew:", *lines)))


def _tmux_has(option: TmuxOption) -> list[bool]:
    delay = option("escape-time")
    return [
        option("allow-passthrough") in {"on", "all"},
        option("set-clipboard") == "on",
        "RGB" in option("client_termfeatures"),
        option("focus-events") == "on",
        not delay.isdecimal() or int(delay) <= 50,
    ]


def _copying(environ: Mapping[str, str], option: TmuxOption) -> Check:
    """Tell whether y copies: by OSC 52, which no terminal answers, so that it is known by the terminal's name only."""
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "").lower()
    file = "What is copied of errors is written to logs/errors.txt as well."
    if "TMUX" in environ:
        if option("set-clipboard") == "on":
            return Check("Copying", "good", "to tmux, and to the terminal around it where that allows it (OSC 52)")
        return Check("Copying", "notice", "tmux keeps it to itself", f"See tmux above: set-clipboard. {file}")
    if "STY" in environ or term == "linux" or "VTE_VERSION" in environ or program == "apple_terminal":
        return Check("Copying", "notice", "this terminal takes no text to copy (OSC 52)", f"Select with shift. {file}")
    if any(name in term or name in program for name in _COPYING) or "KITTY_WINDOW_ID" in environ:
        return Check("Copying", "good", "to your clipboard (OSC 52)")
    remedy = f"Allow programs to write to the clipboard in the terminal's settings (OSC 52). {file}"
    return Check("Copying", "notice", "it is not known whether this terminal takes text to copy", remedy)
