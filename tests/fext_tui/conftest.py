"""The app in a terminal of the tests' own, on workspaces whose contents and times are fixed."""

import asyncio
import contextlib
import fcntl
import gc
import json
import math
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from textual.pilot import Pilot
from textual.worker import Worker, WorkerCancelled

from engine.checkpoints import mark_complete
from engine.jobs.lock import RunnerLock
from engine.jobs.process import boot_id, host_name, start_time
from engine.machine import GpuUse, JobUse, Machine, MachineUse
from engine.records import Finding, Records
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.app import FextApp

NOW = 1_760_000_000.0
HOUR = 3600.0
HOSTILE = "[bold red]x[/] \x1b[31m\u202egpj.\n\udcff"
"""A name with markup, an escape code, a bidirectional override, a newline and a byte that is no UTF-8."""

SUMMARY = (
    "Validation images differ somewhat from training images: darker on the whole (Jensen-Shannon 0.103, "
    "Kolmogorov-Smirnov 0.074, Wasserstein 8.51 gray levels)."
)
COLORS = (((52, 110, 180), (236, 190, 90)), ((70, 140, 80), (150, 70, 60)))
SPREAD = {"mean": 25.3, "std": 2.0, "min": 17.1, "p5": 20.4, "p25": 24.0, "p50": 25.6, "p75": 27.0, "p95": 29.0,
          "max": 31.2}  # fmt: skip

_FEWEST_LOOKS, _MOST_LOOKS = 3, 30
"""How often `settle` looks at a screen: as many times the same, or so often while it changes, as beside a job."""

Opener = Callable[..., AbstractAsyncContextManager[Pilot[None]]]


@pytest.fixture(autouse=True, scope="session")
def _collected_seldom() -> None:
    """Let the collector rest: of what a test of the app takes, it was a third."""
    gc.set_threshold(20_000)


class Furniture:
    """Writes runs, jobs and checkpoints into a workspace."""

    def __init__(self, workspace: Workspace, records: Records) -> None:
        self.workspace = workspace
        self.records = records

    def training(self, name: str, at: float, state: str, *, steps: int = 600, best: float = 25.4) -> int:
        """Write a run with its curve, and return its job; a running one seems to run in this process."""
        variant = name.partition("-")[0]
        run = self.records.add_run(name, variant)
        settings = Settings().with_values({"model.variant": variant, "training.epochs": 40})
        job = self.records.add_job("train", "cpu", settings.model_dump(mode="json"), {"name": name}, run)
        self.records.add_metrics(run, (curve_row(step, at, best) for step in range(5, steps + 1, 5)))
        self.lines(job, at, "1,204 images, 963 for training, 241 for validation.")
        if state == "running":
            self.run_here(job, at, done=steps)
        else:
            result = {"run": name, "state": state, "checkpoint": name, "epochs": 40, "steps": steps, "img_s": 61.3,
                      "val_psnr": best}  # fmt: skip
            self.records.change_job(job, state=state, created=at, started=at, ended=at + steps / 2, result=result)
        return job

    def run_here(self, job: int, at: float, *, done: float, total: float = 1000.0) -> None:
        """Make a job one that runs in this process, so that it counts as alive."""
        self.records.change_job(
            job, state="running", created=at, started=at, host=host_name(), boot=boot_id(), pid=os.getpid(),
            pid_started=start_time(os.getpid()), phase="training", phase_started=at + 2, done=done, total=total,
            unit="steps", heartbeat=time.time(),
        )  # fmt: skip

    def job(self, kind: str, at: float, state: str, arguments: Mapping[str, Any], **columns: Any) -> int:
        """Write a job that has ended, and return its number."""
        job = self.records.add_job(kind, "cpu", Settings().model_dump(mode="json"), arguments)
        self.records.change_job(job, state=state, created=at, started=at + 1, ended=at + 42, **columns)
        return job

    def lines(self, job: int, at: float, *texts: str, level: str = "info") -> None:
        """Write log lines."""
        self.records.add_log_lines(job, [(at + index, level, text) for index, text in enumerate(texts)])

    def checkpoint(
        self, name: str, at: float, *, step: int = 600, psnr: float = 25.4, tags: Sequence[str] = ("best", "last")
    ) -> Path:
        """Write a state of a checkpoint that lists like a real one, under tags; its weights fill it up to 15 kB."""
        state = self.workspace.checkpoints / name / f"step-{step:08d}"
        state.mkdir(parents=True)
        settings = Settings().with_values({"model.variant": name.partition("-")[0]})
        document = {"name": name, "settings": settings.model_dump(mode="json"), "image_channels": 3,
                    "latent": [64, 8, 8], "parameters": 3_100_000, "step": step, "epoch": step / 15,
                    "val_psnr": psnr, "created": at}  # fmt: skip
        config = json.dumps(document).encode()
        (state / "config.json").write_bytes(config)
        (state / "training_state.json").write_text(json.dumps({"seconds": 1234.5, "images": step * 16}))
        (state.parent / "images.csv").write_text("subset,path,content_hash\ntrain,a.png,1\nvalidation,b.png,2\n")
        (state / "model.safetensors").write_bytes(bytes(14_530 - len(config)))
        mark_complete(state)
        for tag in tags:
            (state.parent / tag).symlink_to(state.name)
        return state.parent


def curve_row(step: int, at: float, best: float) -> tuple[int, float, float, Mapping[str, float]]:
    """Return the metrics of one step of a run that learns as runs do."""
    ripple = 0.004 * math.sin(step * 1.7) + 0.002 * math.sin(step * 0.31)
    values = {
        "train/loss": 0.035 + 0.2 * math.exp(-step / 60) + ripple,
        "learning_rate": 0.002 * (1 - step / 700),
        "img_s": 61.3 + math.sin(step),
    }
    if step % 15 == 0:
        values["validation/loss"] = 0.039 + 0.2 * math.exp(-step / 62)
        values["validation/psnr"] = best - 14 * math.exp(-step / 90)
    return step, step / 15, at + step * 0.5, values


@pytest.fixture
def furniture(workspace: Workspace, records: Records) -> Furniture:
    """Return what writes into `workspace`."""
    return Furniture(workspace, records)


@pytest.fixture
def furnished(furniture: Furniture) -> Workspace:
    """Return a workspace with two runs and their checkpoints, an evaluation, an analysis and a failure."""
    furniture.training("redux-photos", NOW - 5 * HOUR, "done")
    furniture.checkpoint("redux-photos", NOW - 4.8 * HOUR)
    furniture.job("evaluate", NOW - 4 * HOUR, "done", {"checkpoint": "redux-photos"}, result={
        "images": 128, "mae": 0.0312, "mse": 0.0021, "psnr": 25.31, "ssim": 0.8123, "cosine": 0.9871, "skipped": 1,
        "figure": "database/validation/redux-photos/reconstructions.png"})  # fmt: skip
    furniture.job("analyze", NOW - 3 * HOUR, "done", {"folder": "/photos/holiday"}, result={
        "images": 1204, "skipped": 3, "seconds": 8.4, "folder": "/photos/holiday", "plots": [], "csv": ""})  # fmt: skip
    failed = furniture.job("train", NOW - 2 * HOUR, "failed", {"name": "large-first"}, error={
        "cause": "There is no image in /photos/[bold]empty[/bold].", "exit_code": 1, "traceback": "Traceback: line 1",
        "remedy": "Choose a folder with jpg, jpeg, png, webp, bmp, tif or tiff files."})  # fmt: skip
    furniture.lines(failed, NOW - 2 * HOUR, "Scanning /photos/[bold]empty[/bold]")
    furniture.lines(failed, NOW - 2 * HOUR, "No image was found.", level="error")
    furniture.training("medium-wide", NOW - HOUR, "stopped", steps=260, best=27.9)
    furniture.checkpoint("medium-wide", NOW - 0.5 * HOUR, step=260, psnr=27.9)
    return furniture.workspace


@pytest.fixture
def analyzed(workspace: Workspace, records: Records) -> Workspace:
    """Return a workspace with pictures of four plain quarters, and an analysis of them."""
    folder = workspace.images
    dataset = records.dataset(folder)
    names = [f"{place}/{number:03}.png" for place in ("harbor", "meadow") for number in range(70)]
    for number, turn in enumerate((1, -1)):
        quarters = np.array(COLORS, np.uint8)[:, ::turn]
        Image.fromarray(quarters.repeat(384, axis=0).repeat(512, axis=1)).save(workspace.root / f"{number}.png")
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).hardlink_to(workspace.root / f"{number % 2}.png")
    numbers = records.put_images(dataset, [
        {"path": name, "bytes": 41_000 + 997 * number, "modified_ns": 1, "format": "PNG", "width": 1024, "height": 768,
         "subset": "validation" if number % 5 == 0 else "train", "mode": "RGB", "bits": 8, "alpha": False,
         "gray": False}
        for number, name in enumerate(names)
    ])  # fmt: skip
    records.put_image_metrics("statistics", [
        {"image": image, "height": 768, "width": 1024, "mean": 90 + order * 0.37, "median": 88 + order % 9,
         "std": 31.25 + order % 7, "min": order % 5, "max": 240 + order % 16, "pixel_range": 230, "noise_std": 2.125,
         "noise_ratio": 0.0625}
        for order, image in enumerate(numbers.values())
    ])  # fmt: skip
    records.put_image_metrics("exposure", [
        {"image": image, "underexposed_pct": order / 9, "overexposed_pct": 1.5, "midtone_pct": 90,
         "mean_gray": 2 + (order * 37 % 140) * 1.6}
        for order, image in enumerate(numbers.values())
    ])  # fmt: skip
    levels = np.arange(256)
    for subset, images, middle in (("all", 140, 118), ("train", 112, 120), ("validation", 28, 108)):
        counts = (1e6 * np.exp(-(((levels - middle) / 40) ** 2)) + 2e5 * (np.abs(levels - 220) < 6)).astype(int)
        records.put_histogram(dataset, subset, "gray", images, counts.tolist())
    records.put_findings(
        dataset,
        ["truncated", "unreadable", "dark"],
        [
            Finding("harbor/[b]old[/b].jpg", "truncated", "truncated"),
            Finding("x.png", "unreadable", "empty"),
            *(Finding(name, "dark", f"{number + 2} mean gray level, below 15", number) for number, name in
              enumerate(names[:40:3])),
        ],
    )  # fmt: skip
    records.exclude(dataset, names[3:4])
    job = records.add_job("analyze", "cpu", Settings().model_dump(mode="json"), {})
    result = {"images": 140, "skipped": 2, "seconds": 1.4, "folder": str(folder), "plots": [], "csv": "",
              "summary": SUMMARY}  # fmt: skip
    records.change_job(job, state="done", created=NOW - 7210, started=NOW - 7202, ended=NOW - 7200, result=result)
    return workspace


@pytest.fixture
def evaluated(furnished: Workspace, records: Records, tmp_path: Path) -> Workspace:
    """Return the furnished workspace, where `redux-photos` was evaluated twice."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a", "b[red]", "c"):
        Image.new("RGB", (32, 24), "teal").save(pictures / f"{name}.png")
    report = furnished.validation / "redux-photos" / "validation"
    report.mkdir(parents=True)
    Image.new("RGB", (64, 32), "gold").save(report / "errors.png")
    summary = {"summary": {"psnr": SPREAD}, "baselines": {"mean": {"title": "mean image", "psnr": 12.5}}, "worth": {}}
    for subset, psnr in (("training", 26.1), ("validation", 25.3)):
        values = {
            "job": None, "checkpoint": "redux-photos", "folder": str(pictures), "subset": subset, "images": 3,
            "skipped": 1, "mae": 0.031, "mse": 0.002, "psnr": psnr, "ssim": 0.8123, "cosine": 0.987, "rmse": 0.04,
            "ms_ssim": None, "fingerprint": "f", "seconds": 3.0, "report": furnished.stored_path(report),
            "summary": json.dumps(summary),
        }  # fmt: skip
        rows = [
            {"path": f"{name}.png", "mae": 0.1, "mse": 0.1, "psnr": value, "ssim": 0.5, "cosine": 0.5, "ms_ssim": None}
            for name, value in (("a", 20.0), ("b[red]", 10.0), ("c", 30.0))
        ]
        records.add_evaluation(values, rows)
    return furnished


@pytest.fixture
def no_runner(workspace: Workspace) -> Iterator[None]:
    """Hold the runner's lock, so that submitted jobs wait and nothing is started."""
    with RunnerLock(workspace) as lock:
        assert lock.take()
        yield


class StillMachine(Machine):
    """A machine of two cores and one GPU on which always the same happens."""

    def read(self, pid: int | None) -> MachineUse:
        """Return it."""
        gpu = GpuUse(0, "NVIDIA H100 80GB HBM3", 0.97, 41_200_000_000, 80_000_000_000, 38_000_000_000, 64, 412.0, 700.0)
        job = None if pid is None else JobUse(1.8, 2_100_000_000)
        return MachineUse(0.0, 2, 0.52, 8_100_000_000, 24_000_000_000, 69_000_000_000, 250_000_000_000, (gpu,), job)


@pytest.fixture
def make_app(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FextApp]:
    """Return what makes the app on `workspace`, its clock standing at `NOW`, its path shown as ``~/workspace``."""
    monkeypatch.setenv("HOME", str(workspace.root.parent))

    def make(values: Mapping[str, Any] | None = None) -> FextApp:
        app = FextApp(workspace, Settings().with_values(values or {}))
        app.clock = lambda: NOW
        app.machine = StillMachine(workspace.root)
        return app

    return make


@pytest.fixture
def opened(make_app: Callable[..., FextApp]) -> Opener:
    """Return what opens the app: ``async with opened(size=(80, 24), keys="2") as pilot``."""

    @asynccontextmanager
    async def run(
        *, size: tuple[int, int] = (80, 24), keys: str = "", values: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Pilot[None]]:
        async with make_app(values).run_test(size=size, notifications=True) as pilot:
            await until(pilot, lambda: pilot.app.current_mode == "data" or len(pilot.app.screen_stack) > 1)
            for key in keys.split():
                await pilot.press(key)
                await settle(pilot)
            yield pilot

    return run


async def until(pilot: Pilot[None], condition: Callable[[], object], seconds: float = 240.0) -> None:
    """Wait until something is true; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{condition} did not come true in {seconds:g} s:\n{shown(pilot)}"
        await pilot.pause(0.02)


async def settle(pilot: Pilot[None]) -> None:
    """Wait until the threads that read have ended, what they told was shown, and nothing more is painted."""
    screens: list[str] = []
    while len(screens) < _FEWEST_LOOKS or (len({*screens[-_FEWEST_LOOKS:]}) > 1 and len(screens) < _MOST_LOOKS):
        busy = [worker for worker in pilot.app.workers if worker.group != "follow" and not worker.is_finished]
        await asyncio.gather(*map(_end_of, busy))
        await pilot.pause()
        screens.append(shown(pilot))


async def _end_of(worker: Worker[Any]) -> None:
    with contextlib.suppress(WorkerCancelled):  # a later one does its work
        await worker.wait()


def shown(pilot: Pilot[None]) -> str:
    """Return what stands on the screen, as text."""
    lines = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(strip.text for strip in line) for line in lines)


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    return until


@pytest.fixture(name="settle")
def _settle() -> Callable[..., Any]:
    return settle


@pytest.fixture(name="shown")
def _shown() -> Callable[[Pilot[None]], str]:
    return shown


@pytest.fixture
def hostile() -> str:
    """Return a name that tries everything."""
    return HOSTILE


class Terminal:
    """A pseudo-terminal with the app in it, as a person at a shell starts it."""

    rows, columns, cell_width, cell_height = 30, 100, 9, 18

    def __init__(
        self, workspace: Workspace, environ: dict[str, str], *, pixels: bool = True, around: Sequence[str] = ()
    ) -> None:
        self.theirs, ours = pty.openpty()
        size = (self.columns * self.cell_width, self.rows * self.cell_height) if pixels else (0, 0)
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, *size))
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "PYTHONPATH"}}
        self.child = subprocess.Popen(
            [*around, sys.executable, "-m", "fext_tui", "--resources", str(workspace.root)],
            stdin=ours, stdout=ours, stderr=ours, start_new_session=True,
            env={**kept, "COLORTERM": "truecolor", **environ},
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        os.close(ours)
        self.told = b""

    def press(self, keys: str) -> None:
        """Write keys."""
        os.write(self.theirs, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size, and tell the app, as a terminal window does."""
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.child.send_signal(signal.SIGWINCH)

    def wait(self, pattern: bytes, seconds: float = 240.0) -> re.Match[bytes]:
        """Return where a pattern stands in what the app wrote, once it is there."""
        self.wait_until(lambda told: re.search(pattern, told, re.DOTALL), seconds)
        match = re.search(pattern, self.told, re.DOTALL)
        assert match
        return match

    def wait_until(self, condition: Callable[[bytes], object], seconds: float = 240.0) -> None:
        """Wait until something is true of all that the app wrote."""
        deadline = time.monotonic() + seconds
        while not condition(self.told):
            assert time.monotonic() < deadline, f"{condition} did not come true; the last was {self.told[-2000:]!r}"
            if select.select([self.theirs], [], [], 0.1)[0]:
                self.told += os.read(self.theirs, 65_536)

    def end(self, seconds: float = 240.0) -> int:
        """Return the exit status of the app once it has left; what it writes until then is read."""
        deadline = time.monotonic() + seconds
        while self.child.poll() is None:
            assert time.monotonic() < deadline, f"the app did not leave; the last was {self.told[-2000:]!r}"
            if select.select([self.theirs], [], [], 0.05)[0]:
                with contextlib.suppress(OSError):  # the other end is closed
                    self.told += os.read(self.theirs, 65_536)
        return int(self.child.returncode)

    def hang_up(self) -> None:
        """Take the terminal away, as a link that drops does."""
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1

    def close(self) -> None:
        """End the app."""
        self.hang_up()
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait(240.0)


@pytest.fixture
def in_terminal(workspace: Workspace) -> Iterator[Callable[..., Terminal]]:
    """Return what opens the app on `workspace` in a pseudo-terminal: ``in_terminal({"TERM": "foot"}, pixels=True)``.

    ``around``: the words of a command that runs it.
    """
    opened: list[Terminal] = []

    def start(environ: dict[str, str], *, pixels: bool = True, around: Sequence[str] = ()) -> Terminal:
        opened.append(Terminal(workspace, environ, pixels=pixels, around=around))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()
