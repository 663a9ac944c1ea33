"""What this machine has of what the product needs: one check each, none of which loads PyTorch here."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from engine.errors import FextError
from engine.records import Records
from engine.workspace import Workspace
from fext_tui.text import cause_of, size

State = Literal["good", "notice", "bad"]

_PROBE = """
import torch
print(f"{torch.__version__}; compiles with {', '.join(torch.compiler.list_backends())}")
for number in range(torch.cuda.device_count()):
    facts = torch.cuda.get_device_properties(number)
    print(f"GPU {number}: {facts.name}, {facts.total_memory / 2**30:.0f} GiB")
"""
_PROBE_SECONDS = 120
_REINSTALL = "Remove .venv and run scripts/start again, or reinstall fext-tui."
_ROOM_BYTES = 2_000_000_000
COMPILERS = ("c++", "g++", "clang++")


@dataclass(frozen=True)
class Check:
    """What was looked at, how it stands, what was found, and what to do where it is not good."""

    name: str
    state: State
    found: str
    remedy: str = ""


def examine(workspace: Workspace) -> Iterator[Check]:
    """Yield the checks, each as soon as it is known; PyTorch takes seconds, for it starts in a child."""
    yield _python()
    yield from _torch()
    yield _compiler()
    yield from _workspace(workspace)
    yield _terminal()


def _python() -> Check:
    found = f"{platform.python_version()} at {sys.executable}"
    return Check("Python", "good", found)


def _torch() -> Iterator[Check]:
    command = [sys.executable, "-P", "-c", _PROBE]
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and text
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        yield Check(
            "PyTorch", "bad", f"did not start in {_PROBE_SECONDS} s", "Run doctor again; if it stays, reinstall."
        )
        return
    if child.returncode:
        last = (child.stderr.strip().splitlines() or [f"exit status {child.returncode}"])[-1]
        yield Check("PyTorch", "bad", last, _REINSTALL)
        return
    version, *gpus = child.stdout.splitlines()
    yield Check("PyTorch", "good", version)
    cores = len(os.sched_getaffinity(0))
    yield Check("Devices", "good", ", ".join(gpus) or f"CPU, {cores} cores; no GPU that PyTorch can use")


def _compiler() -> Check:
    found = next((path for name in COMPILERS if (path := shutil.which(name))), None)
    if found:
        return Check("Compiler", "good", found)
    return Check("Compiler", "notice", "no C++ compiler: torch.compile stays off", "Install g++ to compile.")


def _workspace(workspace: Workspace) -> Iterator[Check]:
    try:
        workspace.create()
        yield Check("Workspace", "good", str(workspace.root))
        yield _disk(workspace)
        with Records(workspace) as records:
            jobs, runs = len(records.jobs()), len(records.runs())
        yield Check("Records", "good", f"{workspace.database}: {jobs} jobs, {runs} runs")
    except FextError as error:
        cause, remedy = cause_of(error)
        yield Check("Workspace", "bad", cause, remedy)


def _disk(workspace: Workspace) -> Check:
    free = shutil.disk_usage(workspace.root).free
    if free < _ROOM_BYTES:
        return Check("Disk", "notice", f"{size(free)} free", "Make room: packs and checkpoints need some.")
    return Check("Disk", "good", f"{size(free)} free")


def _terminal() -> Check:
    if not sys.stdout.isatty():
        return Check("Terminal", "notice", "none here", "The app needs one; every other verb works without.")
    columns, rows = shutil.get_terminal_size()
    found = f"{os.environ.get('TERM', '?')}, {columns}×{rows}, {sys.stdout.encoding}"
    problems: list[tuple[Callable[[], bool], str]] = [
        (lambda: columns < 80 or rows < 24, "Make it at least 80×24."),
        (lambda: sys.stdout.encoding.lower() != "utf-8", "Set a UTF-8 locale, for instance LANG=C.UTF-8."),
        (lambda: os.environ.get("TERM", "dumb") == "dumb", "Set TERM to what the terminal is."),
    ]
    remedy = next((text for is_so, text in problems if is_so()), "")
    return Check("Terminal", "notice" if remedy else "good", found, remedy)
