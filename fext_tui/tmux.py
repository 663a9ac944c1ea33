"""The tmux around this program: its options, what it shows in, and what it passes on to that."""

import re
import subprocess
from collections.abc import Callable, Mapping

TmuxOption = Callable[[str], str]
"""Gives the value of an option of tmux; empty where there is none of that name."""

KITTY_TERMS = ("xterm-kitty", "xterm-ghostty")
"""What terminals that draw with kitty's protocol are called."""

_SECONDS = 5
_SEQUENCE = re.compile(r"\x1b[_P\]][^\x1b]*\x1b\\")


def tmux_option(name: str) -> str:
    """Return an option of tmux; names that begin with ``client_`` are of the terminal that shows it."""
    words = ["display-message", "-p", f"#{{{name}}}"] if name.startswith("client_") else ["show-options", "-Agqv", name]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            ["tmux", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False  # noqa: S607
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def passes_on_kitty(option: TmuxOption) -> bool:
    """Return whether pictures by kitty's protocol come through: to a terminal that draws them, in colors unchanged."""
    return (
        option("client_termname") in KITTY_TERMS
        and option("allow-passthrough") in {"on", "all"}
        and "RGB" in option("client_termfeatures")
    )


def passed_through(sequences: str, environ: Mapping[str, str]) -> str:
    """Return escape sequences (APC, DCS, OSC) as they reach the terminal: inside tmux each is wrapped, to be passed on.

    Source: tmux's FAQ, "What is the passthrough escape sequence and how do I use it?".
    """
    if "TMUX" not in environ:
        return sequences
    return _SEQUENCE.sub(lambda one: "\x1bPtmux;" + one[0].replace("\x1b", "\x1b\x1b") + "\x1b\\", sequences)
