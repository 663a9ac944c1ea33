"""Processes: starting them apart from the terminal, telling them apart, and ending them."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_OUT_OF_MEMORY_PREFERENCE = 500
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class ProcessIdentity:
    """A process that cannot be mistaken for another: a process number alone is used again after a while.

    ``started`` is in clock ticks since the boot of the machine, as the kernel counts them, so that setting the clock
    does not change it.
    """

    host: str
    boot: str
    pid: int
    started: float


@cache
def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


@cache
def boot_id() -> str:
    """Return what the kernel names this boot of the machine: another one after each restart; empty if it does not."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def this_process() -> ProcessIdentity:
    """Return the identity of the calling process."""
    started = start_time(os.getpid())
    assert started is not None
    return ProcessIdentity(host_name(), boot_id(), os.getpid(), started)


def start_time(pid: int) -> float | None:
    """Return when a process of this machine was started, or None where it is gone or only waits to be reaped."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name of the program stands in parentheses and may hold anything; fields 3 (state) and 22 follow.
    fields = status.rpartition(b")")[2].split()
    return None if fields[0] in (b"Z", b"X") else float(fields[19])


def command_of(module: str, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs ``python -m MODULE``; the folder it is started from is not searched for modules."""
    return [sys.executable, "-P", "-X", "faulthandler", "-m", module, *arguments]


def spawn(
    module: str, arguments: Sequence[str], log: Path, *, kept_open: Iterable[int] = ()
) -> subprocess.Popen[bytes]:
    """Start ``python -m MODULE`` in a session of its own, without a terminal, its output appended to ``log``.

    Neither the folder it is started from nor the workspace is searched for modules.

    Raises:
        OSError: the process cannot be started, or the log cannot be written.

    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module, without a shell
            command_of(module, arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
            pass_fds=tuple(kept_open),
        )


def ask_to_stop(pid: int) -> None:
    """Ask a worker to stop."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def kill_with_children(pid: int) -> None:
    """Kill a worker and every process that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, however that ends; at once where it has."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def be_first_to_go() -> None:
    """Let the kernel take this process before the person's others where memory runs out; without the right, not."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OUT_OF_MEMORY_PREFERENCE), encoding="ascii")
