"""What libraries in C say by themselves, kept off the screen that is drawn through the same file."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def kept_off_screen() -> Iterator[None]:
    """Let what is written to descriptor 2 vanish, for as long as the body runs, but for Python's standard error.

    The app is drawn on standard error. libjpeg writes of damaged pictures to that descriptor, and OpenCV has no way to
    stop it; what is wrong with a picture is told where it stands.
    """
    screen = os.dup(2)
    streams = sys.stderr, sys.__stderr__
    stderr = os.fdopen(screen, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    sys.stderr = sys.__stderr__ = stderr  # type: ignore[misc] # Final in the stubs only
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(screen, 2)
        sys.stderr, sys.__stderr__ = streams  # type: ignore[misc] # as above
        with suppress(OSError):  # the terminal has gone
            stderr.close()
