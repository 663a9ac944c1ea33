"""What this machine has of what the product needs: one check each, none of which loads PyTorch here."""

import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.errors import FextError
from engine.records import Records
from engine.workspace import Workspace
from fext_tui.terminal import Check, this_terminal
from fext_tui.text import cause_of, size

_PROBE = """
import json, torch
told = {"version": torch.__version__, "cuda": torch.version.cuda, "gpus": [], "problem": ""}
told["backends"] = torch.compiler.list_backends()
try:
    for number in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(number)
        told["gpus"].append(f"GPU {number}: {facts.name}, {facts.total_memory / 2**30:.0f} GiB")
    if torch.version.cuda and not told["gpus"]:
        torch.cuda.init()
except (RuntimeError, AssertionError) as error:
    told["problem"] = str(error)
print(json.dumps(told))
"""
_COMPILE_PROBE = """
import json, time, torch
from engine.training.compiler_cache import use_own_cache
use_own_cache()
took = {}
for kind in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
    began = time.monotonic()
    images = torch.rand(2, 3, 16, 16, device=kind)
    layer = torch.nn.Conv2d(3, 4, 3).to(kind)
    torch.compile(lambda x: torch.relu(layer(x)).sum(), fullgraph=True)(images).backward()
    took[kind] = round(time.monotonic() - began, 1)
print(json.dumps(took))
"""
_PROBE_SECONDS = 120
_COMPILE_SECONDS = 300
_REINSTALL = "Remove .venv and run scripts/start again, or reinstall fext-tui."
_ROOM_BYTES = 2_000_000_000
COMPILERS = ("c++", "g++", "clang++")


def examine(workspace: Workspace, *, compiles: bool = False) -> Iterator[Check]:
    """Yield the checks, each as soon as it is known; PyTorch takes seconds, for it starts in a child.

    With ``compiles``, a small network is compiled too, which may take a minute.
    """
    yield _python()
    yield from _torch()
    yield _compiler()
    if compiles:
        yield _compiling()
    yield from _workspace(workspace)
    yield from this_terminal()


def _python() -> Check:
    found = f"{platform.python_version()} at {sys.executable}"
    return Check("Python", "good", found)


def _child(program: str, seconds: int) -> dict[str, Any] | str:
    """Return what a program told as JSON, or its last words where it failed."""
    command = [sys.executable, "-P", "-c", program]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and text
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it did not end in {seconds} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    told = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(told, dict)
    return told


# --- PyTorch and what computes ----------------------------------------------------------------------------------------


def _torch() -> Iterator[Check]:
    told = _child(_PROBE, _PROBE_SECONDS)
    if isinstance(told, str):
        yield Check("PyTorch", "bad", told, _REINSTALL)
        return
    yield Check("PyTorch", "good", f"{told['version']}; compiles with {', '.join(told['backends'])}")
    cores = len(os.sched_getaffinity(0))
    yield Check("Devices", "good", ", ".join(told["gpus"]) or f"CPU, {cores} cores; no GPU that PyTorch can use")
    yield cuda_check(told, driver(), has_card=has_nvidia_card())


def driver() -> str:
    """Return the version of the NVIDIA driver, and of the CUDA that it serves; empty where there is none."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ""
    try:
        cuda = pynvml.nvmlSystemGetCudaDriverVersion_v2()
        return f"{pynvml.nvmlSystemGetDriverVersion()}, for CUDA {cuda // 1000}.{cuda % 1000 // 10}"
    finally:
        pynvml.nvmlShutdown()


def has_nvidia_card(devices: Path = Path("/sys/bus/pci/devices")) -> bool:
    """Return whether a graphics or computing card of NVIDIA is plugged in, with a driver or without."""
    facts = ((path / "class", path / "vendor") for path in devices.glob("*"))
    cards = (vendor for kind, vendor in facts if kind.is_file() and kind.read_text().startswith("0x03"))
    return any(vendor.read_text().strip() == "0x10de" for vendor in cards)


def cuda_check(told: Mapping[str, Any], driver_version: str, *, has_card: bool) -> Check:
    """Return how card, driver and PyTorch go together; ``told`` has ``cuda``, ``gpus`` and ``problem``."""
    built = f"PyTorch is built for CUDA {told['cuda']}" if told["cuda"] else "PyTorch is built without CUDA"
    if not driver_version:
        if has_card:
            remedy = "Install the driver of NVIDIA; nvidia-smi must list the GPU."
            return Check("CUDA", "notice", f"an NVIDIA card without a driver; {built}", remedy)
        return Check("CUDA", "good", f"no NVIDIA card, none is needed; {built}")
    found = f"driver {driver_version}; {built}"
    if told["gpus"]:
        return Check("CUDA", "good", found)
    if not told["cuda"]:
        return Check("CUDA", "notice", found, "Install a PyTorch with CUDA: https://pytorch.org/get-started")
    reason = str(told["problem"]).strip().splitlines()
    remedy = f"Update the driver to one for CUDA {told['cuda']} or newer, and see that CUDA_VISIBLE_DEVICES hides none."
    return Check("CUDA", "bad", f"{found}; no GPU can be used{f': {reason[0]}' if reason else ''}", remedy)


def _compiler() -> Check:
    found = next((path for name in COMPILERS if (path := shutil.which(name))), None)
    if not found:
        return Check("Compiler", "notice", "no C++ compiler: torch.compile stays off", "Install g++ to compile.")
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        remedy = "Install Python's headers, for instance python3-dev; `fext doctor --compile` tries it."
        return Check("Compiler", "notice", f"{found}, but no Python.h", remedy)
    return Check("Compiler", "good", found)


def _compiling() -> Check:
    told = _child(_COMPILE_PROBE, _COMPILE_SECONDS)
    if isinstance(told, str):
        remedy = "Install g++ and Python's headers, or leave device.compile off: training works without, more slowly."
        return Check("Compiling", "bad", told, remedy)
    return Check("Compiling", "good", ", ".join(f"{seconds} s on {kind}" for kind, seconds in told.items()))


# --- The workspace ----------------------------------------------------------------------------------------------------


def _workspace(workspace: Workspace) -> Iterator[Check]:
    try:
        workspace.create()
        yield Check("Workspace", "good", str(workspace.root))
        yield _disk(workspace)
        with Records(workspace) as records:
            yield _records(records)
    except FextError as error:
        cause, remedy = cause_of(error)
        yield Check("Workspace", "bad", cause, remedy)


def _records(records: Records) -> Check:
    found = f"{records.path}: {len(records.jobs())} jobs, {len(records.runs())} runs, {size(records.bytes())}"
    journal = records.journal()
    if not os.access(records.path, os.W_OK):
        return Check("Records", "notice", f"{found}; read only", "Make file and folder writable to start jobs.")
    if journal != "wal":
        remedy = "One machine at a time may use this workspace; on a local disk several programs can, and more quickly."
        return Check("Records", "notice", f"{found}; on a network file system", remedy)
    return Check("Records", "good", found)


def _disk(workspace: Workspace) -> Check:
    free = shutil.disk_usage(workspace.root).free
    if free < _ROOM_BYTES:
        remedy = "Make room: `fext maintain folders` tells what takes it, `fext maintain --help` what can go."
        return Check("Disk", "notice", f"{size(free)} free", remedy)
    return Check("Disk", "good", f"{size(free)} free")
