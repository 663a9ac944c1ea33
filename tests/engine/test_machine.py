"""The machine as it is read: against what the kernel tells, and against a driver of GPUs that is none."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine import machine as module
from engine.machine import Machine

BUSY = """
import multiprocessing
work = lambda: [one for one in iter(int, 1)]
multiprocessing.get_context("fork").Process(target=work).start()
work()
"""

DRIVER = r"""
#include <cstring>
extern "C" {
int nvmlInit_v2() { return 0; }
int nvmlInitWithFlags(unsigned) { return 0; }
int nvmlShutdown() { return 0; }
const char *nvmlErrorString(int) { return "not supported"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned number, void **device) {
    *device = (void *)(unsigned long)(number + 1); return 0;
}
int nvmlDeviceGetName(void *, char *name, unsigned length) { strncpy(name, "Imagined GPU", length); return 0; }
int nvmlDeviceGetMemoryInfo(void *, unsigned long long *memory) {
    memory[0] = 80000; memory[1] = 39000; memory[2] = 41000; return 0;
}
int nvmlDeviceGetUtilizationRates(void *device, unsigned *rates) {
    if (device == (void *)2) return 3;
    rates[0] = 97; rates[1] = 40; return 0;
}
int nvmlDeviceGetTemperature(void *, int, unsigned *degrees) { *degrees = 64; return 0; }
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
    if (device == (void *)2) return 3;
    *milliwatts = 412000; return 0;
}
int nvmlDeviceGetEnforcedPowerLimit(void *, unsigned *milliwatts) { *milliwatts = 700000; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *, unsigned *count, void *) { *count = 0; return 0; }
}
"""


@pytest.fixture
def busy(wait_for: Callable[..., Any]) -> Any:
    """Give a process that works, and whose child works too."""
    process = subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True)
    parent = psutil.Process(process.pid)
    wait_for(parent.children, what="the child")
    yield process.pid
    os.killpg(process.pid, 9)
    process.wait()


def test_what_the_kernel_tells_is_told(tmp_path: Path) -> None:
    use = Machine(tmp_path).read(None)
    assert use.cores == len(os.sched_getaffinity(0))
    assert 0 <= use.busy <= 1
    assert 0 < use.memory_used < use.memory_total <= psutil.virtual_memory().total
    assert use.disk_total == shutil.disk_usage(tmp_path).total
    assert 0 < use.disk_free <= use.disk_total
    assert use.job is None


def test_a_job_is_its_process_and_what_came_of_it(busy: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)
    machine, processes = Machine(tmp_path), [psutil.Process(busy), *psutil.Process(busy).children()]

    def seconds() -> float:
        return sum(one.cpu_times().user + one.cpu_times().system for one in processes)

    machine.read(busy)
    began, worked = time.monotonic(), seconds()
    while seconds() - worked < 0.3:
        time.sleep(0.01)
    use = machine.read(busy)
    assert use.job is not None
    took = time.monotonic() - began
    assert use.job.cores == pytest.approx((seconds() - worked) / took, rel=0.5)
    private = sum(one.memory_info().rss - one.memory_info().shared for one in processes)
    assert use.job.memory == pytest.approx(private, rel=0.3)
    assert use.busy > 0


def test_a_reading_stands_for_a_while_but_not_for_another_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH_SECONDS", 1000.0)
    machine = Machine(tmp_path)
    first = machine.read(None)
    assert machine.read(None) is first
    mine = machine.read(os.getpid())
    assert mine.job is not None
    assert mine.job.memory > 1_000_000
    assert machine.read(os.getpid()) is mine


def test_a_job_that_is_gone_uses_nothing(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert Machine(tmp_path).read(ended.pid).job is None


def test_a_container_has_the_memory_it_may_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CGROUP", tmp_path)
    for name, text in {
        "memory.max": "4000000000\n", "memory.current": "1500000000\n",
        "memory.stat": "anon 900\ninactive_file 300000000\n",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    use = Machine(tmp_path).read(None)
    assert (use.memory_used, use.memory_total) == (1_200_000_000, 4_000_000_000)
    (tmp_path / "memory.max").write_text("max\n")
    assert Machine(tmp_path).read(None).memory_total == psutil.virtual_memory().total


@pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler to build the driver with")
def test_gpus_are_what_the_driver_tells(tmp_path: Path) -> None:
    """The library that is loaded answers as NVIDIA's does; the second GPU does not know everything."""
    (tmp_path / "driver.cpp").write_text(DRIVER)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run(["g++", "-shared", "-fPIC", "-o", library, tmp_path / "driver.cpp"], check=True)
    code = (
        "import dataclasses, json, pathlib; from engine.machine import Machine\n"
        "print(json.dumps([dataclasses.asdict(gpu) for gpu in Machine(pathlib.Path('.')).read(None).gpus]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"LD_LIBRARY_PATH": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, second = json.loads(told.stdout)
    assert first == {
        "number": 0, "name": "Imagined GPU", "busy": 0.97, "memory_used": 41000, "memory_total": 80000,
        "job_memory": None, "temperature": 64, "power": 412.0, "power_limit": 700.0,
    }  # fmt: skip
    assert (second["number"], second["busy"], second["power"], second["temperature"]) == (1, None, None, 64)


def test_without_a_driver_there_is_no_gpu(tmp_path: Path) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is a GPU")
    assert Machine(tmp_path).read(None).gpus == ()
