"""Measuring a few steps in a child process, for settings of which nothing is known."""

import subprocess
import sys
import time
from collections.abc import Callable

from engine.errors import FextError, Stopped
from engine.forecast.measured import Measured, probe_file, read_probe
from engine.settings import Settings
from engine.workspace import Workspace

MODULE = "engine.training.pace_probe"
_LOOK_SECONDS = 0.1


def probe(settings: Settings, lane: str, workspace: Workspace, stopping: Callable[[], bool]) -> Measured:
    """Train a few steps in a child process, keep what they took in the workspace, and return it.

    Raises:
        Stopped: ``stopping`` says so; the child is ended.
        FextError: the child failed; its last words are the cause.

    """
    result, log = probe_file(settings, lane, workspace), workspace.logs / "probe.log"
    command = [sys.executable, "-P", "-m", MODULE, str(workspace.root), str(result), settings.model_dump_json()]
    try:
        with (
            log.open("wb") as output,
            subprocess.Popen(  # noqa: S603  our own interpreter and module, without a shell
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True
            ) as child,
        ):
            _wait(child, stopping)
    except OSError as error:
        raise FextError(f"No probe can be started: {error}.", "Mend the installation, or make room.") from error
    measured = read_probe(settings, lane, workspace) if child.returncode == 0 else None
    if measured is None:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise FextError(f"The probe failed: {lines[-1] if lines else child.returncode}", f"All of it is in {log}.")
    return measured


def _wait(child: "subprocess.Popen[bytes]", stopping: Callable[[], bool]) -> None:
    """Wait until a child ends; whatever breaks that off ends the child."""
    try:
        while child.poll() is None:
            if stopping():
                raise Stopped
            time.sleep(_LOOK_SECONDS)
    finally:
        child.kill()
