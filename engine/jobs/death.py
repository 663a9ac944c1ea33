"""What killed a worker that could not say so itself."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

from engine.errors import EXIT_FAILED

_TAIL_BYTES = 8_192
_TAIL_LINES = 20
_OOM_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_NATIVE = {signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGBUS, signal.SIGTRAP}
_NO_MEMORY = ("Cannot allocate memory", "MemoryError", "Memory allocation still failed", "failed to map segment")
"""What Python, the system and OpenBLAS print last where no memory is left even to begin."""

LESS_MEMORY = (
    "Use less memory: a smaller training.batch_size, smaller images (data.image_height, data.image_width), "
    "or a lighter model.variant."
)


def explain_exit(
    code: int, log: Path, way_on: str, *, out_of_memory: bool
) -> tuple[Literal["killed", "failed"], dict[str, Any]]:
    """Return state and error of a job from how its process ended.

    Args:
        code: exit status, or minus the signal, as `subprocess` gives it.
        log: what the process printed.
        way_on: what a person can do after any such end.
        out_of_memory: whether the kernel killed a process for want of memory while this one ran.

    """
    tail = tail_of(log)
    ran_out = out_of_memory if -code == signal.SIGKILL else any(sign in tail for sign in _NO_MEMORY)
    remedy = f"{LESS_MEMORY} {way_on}" if ran_out else way_on
    error = _error(cause_of_exit("job", code, out_of_memory=out_of_memory), remedy, tail)
    return "failed" if code >= 0 else "killed", error


def cause_of_exit(what: str, code: int, *, out_of_memory: bool) -> str:
    """Return why the process of ``what`` ended, from the same as `explain_exit`."""
    if code >= 0:
        return f"The {what}'s process ended with exit status {code} and no result."
    if -code == signal.SIGKILL and out_of_memory:
        return f"Memory ran out, and the system killed the {what}."
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"number {-code}"
    how = "crashed in native code" if -code in _NATIVE else "was killed from outside"
    return f"The {what} {how} (signal {name})."


def _error(cause: str, remedy: str, tail: str) -> dict[str, Any]:
    return {"cause": cause, "remedy": remedy, "exit_code": EXIT_FAILED} | ({"traceback": tail} if tail else {})


def tail_of(log: Path) -> str:
    """Return the last lines of a log; nothing where it is empty or gone."""
    try:
        with log.open("rb") as file:
            return last_lines(file)
    except OSError:
        return ""


def last_lines(file: IO[bytes]) -> str:
    """Return the last lines of an open file."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
    return "\n".join(file.read().decode(errors="backslashreplace").splitlines()[-_TAIL_LINES:])


def count_out_of_memory_kills(system: Path = Path("/")) -> int:
    """Return how often the kernel killed for want of memory: in the control group of this process, else anywhere.

    ``system`` is the root of the file system; only a difference of two counts means something.
    """
    for file in _counters(system):
        try:
            found = _OOM_COUNT.search(file.read_text(encoding="ascii"))
        except OSError:
            continue
        if found:
            return int(found[1])
    return 0


def _counters(system: Path) -> Iterator[Path]:
    groups = system / "sys" / "fs" / "cgroup"
    for line in _lines(system / "proc" / "self" / "cgroup"):
        number, controllers, path = line.split(":", 2)
        if number == "0":
            yield groups / path.lstrip("/") / "memory.events"
        elif "memory" in controllers.split(","):
            yield groups / "memory" / path.lstrip("/") / "memory.oom_control"
    yield system / "proc" / "vmstat"


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
