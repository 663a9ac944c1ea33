"""The notice that a terminal gives when a job has ended: a bell, and a desktop notification where it can."""

from collections.abc import Mapping

from engine.records import JobRow
from fext_tui import text
from fext_tui.tmux import passed_through

_BELL = "\a"
_NO_SEQUENCES = {"", "dumb", "linux"}
_MOST_CHARACTERS = 120


def notice(job: JobRow, environ: Mapping[str, str]) -> str:
    """Return what is written to a terminal with these environment variables when a job has ended.

    Terminals that do not know the notification ignore it: OSC 777 is that of rxvt-unicode, foot and VTE, OSC 9 that of
    iTerm2, kitty, WezTerm, Ghostty and Windows Terminal. Inside tmux it is passed through to the terminal outside,
    where ``allow-passthrough`` is on.
    """
    term = environ.get("TERM", "")
    if term in _NO_SEQUENCES:
        return _BELL
    told = text.safe(f"Job {job.id} ({job.kind}) {job.state}", _MOST_CHARACTERS).replace(";", ",")
    by_name = term.startswith(("rxvt", "foot")) or "VTE_VERSION" in environ
    sequence = f"\x1b]777;notify;FeXT;{told}\x1b\\" if by_name else f"\x1b]9;FeXT: {told}\x1b\\"
    return _BELL + passed_through(sequence, environ)
