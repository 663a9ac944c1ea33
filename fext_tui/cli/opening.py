"""``fext`` without a verb: the app."""

import gc
import os
import sys
from typing import TYPE_CHECKING

from fext_tui.cli.invocation import Invocation

if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.workspace import Workspace


_FRAMES = "240"
"""How many times a second Textual may paint: what changes waits for the next time, up to twice as a key is answered."""

_SWITCH_SECONDS = 0.001
"""How long a thread that draws or reads may hold up the one that answers keys."""


def open_app(invocation: Invocation) -> int:
    """Open the app on the workspace, and return the exit code when it is closed.

    Raises:
        FextError: there is no terminal, the settings are wrong, or the records cannot be used.

    """
    from engine.errors import UsageError

    if invocation.as_json or not has_terminal():
        raise UsageError("The app needs a terminal.", "`fext --help` lists the verbs that work without one.")
    return run_app(invocation.workspace(), invocation.settings())


def has_terminal() -> bool:
    """Return whether the app can be shown: it reads standard input and draws on standard error."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def run_app(workspace: "Workspace", settings: "Settings") -> int:
    """Run the app until it is closed, and return its exit code.

    Starting makes hardly any garbage: that none is looked for before the app stands saves a tenth of the time. The app
    lets it be collected from then on.
    """
    gc.disable()
    sys.setswitchinterval(_SWITCH_SECONDS)
    os.environ.setdefault("TEXTUAL_FPS", _FRAMES)
    from fext_tui.app import FextApp
    from fext_tui.native_messages import kept_off_screen

    with kept_off_screen():
        app = FextApp(workspace, settings)
        app.run()
    return app.return_code or 0
