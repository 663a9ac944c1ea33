"""How quick the app is for its person, in a pseudo-terminal, while a job compiles and trains on all cores."""

import argparse
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import psutil
from measuring import Account, tell
from PIL import Image
from rich.table import Table
from terminal import Terminal, fext

from engine.jobs.follow import Follower
from engine.jobs.recording import RecordingReport
from engine.jobs.requests import StopRequests
from engine.jobs.stop import request_stop
from engine.jobs.submit import submit
from engine.records import JobRow, Records
from engine.report import CollectedReport
from engine.sample import sample
from engine.settings import Settings
from engine.workspace import Workspace

WIDE, USUAL = (160, 48), (120, 36)
UP, DOWN = "\x1b[A", "\x1b[B"
_ROWS_AT_ONCE = 10_000
_SETTLING_SECONDS = 5.0
_NAMES_A_FILE = 50_000
_LONG_STEPS = 2_500
"""Steps of the long run an epoch."""


@dataclass(frozen=True)
class Figure:
    """A figure of the account: what it is, its unit, and the most that it may be."""

    title: str
    unit: str
    bar: float


FIGURES = {
    "first_paint_s": Figure("first screen painted, median", "s", 0.5),
    "help_s": Figure("fext --help, median", "s", 0.3),
    "library_s": Figure("  of it or of any: Textual imported, median", "s", float("inf")),
    "key_compiling_p50_ms": Figure("key to paint while a job compiles, median", "ms", 50),
    "key_compiling_p99_ms": Figure("key to paint while a job compiles, 99 %", "ms", 50),
    "key_training_p50_ms": Figure("key to paint while a job trains, curve in view, median", "ms", 50),
    "key_training_p99_ms": Figure("key to paint while a job trains, curve in view, 99 %", "ms", 50),
    "stream_kb_s": Figure("written while a curve streams at 120×36", "kB/s", 8),
    "stream_cpu_pct": Figure("processor time of the app meanwhile, of one core", "%", float("inf")),
    "idle_bytes": Figure("written while idle", "B", 0),
    "idle_cpu_pct": Figure("processor time while idle, of one core", "%", 1),
    "curve_ms": Figure("one curve of the long run read, median", "ms", 200),
    "all_curves_ms": Figure("all its curves read, median", "ms", 200),
    "open_ms": Figure("key to its curve painted, median", "ms", 200),
    "folder_s": Figure("key to the first page of a folder of a million files, median", "s", 1),
    "folder_listed_s": Figure("key to all of its files, in order, median", "s", float("inf")),
    "record_pct": Figure("streaming, of the time of a step", "%", 1),
}


def measure(options: argparse.Namespace, scratch: Path) -> Account:
    """Return every figure of `FIGURES`, and what they were measured with."""
    workspace = Workspace(scratch / "workspace").create()
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(scratch / "compiled")
    account: Account = {
        "starts": options.starts,
        "keys": options.keys,
        "values": options.values,
        "files": options.files,
    }
    account |= starting(workspace, options.starts)
    account |= long_run(workspace, options.values)
    account |= large_folder(workspace, scratch / "large", options.files)
    with Records(workspace) as records, training(workspace, records, scratch / "images") as job:
        account |= while_training(workspace, records, job, options.keys, options.seconds)
        account |= watched(workspace, "stream", options.seconds)
    account |= watched(workspace, "idle", options.seconds)
    account |= recording(scratch / "recording", account["step_ms"], options.seconds)
    return account


# --- Starting -------------------------------------------------------------------------------------------------


def starting(workspace: Workspace, times: int) -> Account:
    """Return how long the first screen and ``--help`` take, and Python with Textual alone, in turn."""
    library = [sys.executable, "-c", "import textual.app, textual.widgets, textual.screen"]
    paints, helps, imports = [], [], []
    for _ in range(times):
        with app(workspace, USUAL) as terminal:
            paints.append(terminal.wait(shows("4 Runs")) - terminal.began)
        helps.append(seconds_of_process(fext("--help")))
        imports.append(seconds_of_process(library))
    middle = statistics.median
    return {"first_paint_s": middle(paints), "help_s": middle(helps), "library_s": middle(imports)}


def app(workspace: Workspace, size: tuple[int, int]) -> Terminal:
    """Return the app in a terminal of its own."""
    return Terminal(fext("--resources", str(workspace.root)), *size)


def shows(*texts: str) -> Callable[[Sequence[str]], bool]:
    """Return the condition that every text stands somewhere on the screen."""

    def condition(lines: Sequence[str]) -> bool:
        screen = "\n".join(lines)
        return all(text in screen for text in texts)

    return condition


def seconds_of_process(command: Sequence[str]) -> float:
    """Return how long a process takes from start to end."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return time.perf_counter() - began


# --- While a job trains ---------------------------------------------------------------------------------------


@contextmanager
def training(workspace: Workspace, records: Records, images: Path) -> Iterator[int]:
    """Run a job that compiles and then trains on all cores; give its number, and stop it at the end."""
    settings = Settings().with_values({
        "data.folder": str(images), "device.compile": "on", "device.kind": "cpu", "training.epochs": 10_000,
        "training.validate_every_steps": 100,
    })  # fmt: skip
    sample(settings, workspace, records, CollectedReport(), folder=str(images), count=300, seed=1)
    job = submit(workspace, records, "train", settings, {"name": "streaming"}).id
    try:
        yield job
    finally:
        request_stop(records, job)
        wait_until(records, job, lambda row: row.has_ended)


def wait_until(records: Records, job: int, condition: Callable[[JobRow], bool], seconds: float = 300.0) -> JobRow:
    """Return a job when it meets a condition."""
    end = time.monotonic() + seconds
    while not condition(row := records.job(job)):
        if time.monotonic() > end or row.error:
            sys.exit(f"Job {job} is {row.state} in {row.phase or 'no phase'}: {row.error}")
        time.sleep(0.1)
    return row


def while_training(workspace: Workspace, records: Records, job: int, keys: int, seconds: float) -> Account:
    """Return how long keys take to be answered while the job compiles and while it trains, and its step's time."""
    with app(workspace, WIDE) as terminal:
        terminal.wait(shows("4 Runs"))
        wait_until(records, job, lambda row: row.phase == "compiling")
        terminal.press("2")
        terminal.wait(shows("model.variant"))
        compiling = key_times(terminal, keys, lambda: records.job(job).phase == "compiling")
        terminal.wait(shows("loss ", "img/s"), seconds=300)
        terminal.follow(2)
        trained = key_times(terminal, keys)
    rows = records.curve(records.run_of("streaming", "redux"), "img_s")
    step_ms = 1e3 * Settings().training.batch_size / statistics.median(row["value"] for row in rows)
    return told_of(compiling, "compiling") | told_of(trained, "training") | {"step_ms": step_ms}


def key_times(terminal: Terminal, keys: int, going: Callable[[], bool] = lambda: True) -> list[float]:
    """Return the milliseconds from a key to the paint that answers it, of so many keys, while it is ``going`` on."""
    pauses, times = random.Random(1), []
    answers = ((DOWN, shows("model.latent_channels")), (UP, shows("model.variant")))
    while len(times) < keys and going():
        for key, answer in answers:
            times.append(_answered(terminal, key, answer))
            terminal.follow(pauses.uniform(0.02, 0.12))
    return times


def _answered(terminal: Terminal, key: str, answer: Callable[[Sequence[str]], bool]) -> float:
    pressed = terminal.press(key)
    return 1e3 * (terminal.wait(answer) - pressed)


def told_of(times: Sequence[float], when: str) -> Account:
    """Return number, median and 99th percentile of milliseconds."""
    p50, p99 = (float(np.percentile(times, share)) if times else None for share in (50, 99))
    return {f"key_{when}": len(times), f"key_{when}_p50_ms": p50, f"key_{when}_p99_ms": p99}


def watched(workspace: Workspace, name: str, seconds: float) -> Account:
    """Return what the app writes and works while its curves are in view, under names that begin with ``name``."""
    with app(workspace, USUAL) as terminal:
        terminal.wait(shows("4 Runs"))
        terminal.press("2")
        terminal.wait(shows("loss "))
        terminal.follow(_SETTLING_SECONDS)
        return {f"{name}_{figure}": value for figure, value in load_of(terminal, seconds).items()}


def load_of(terminal: Terminal, seconds: float) -> Account:
    """Return ``bytes``, ``kb_s`` and ``cpu_pct`` of a while."""
    written, worked, began = terminal.bytes, terminal.cpu_seconds(), time.perf_counter()
    end = began + seconds
    while time.perf_counter() < end:
        terminal.read(end - time.perf_counter())
    took = time.perf_counter() - began
    more = terminal.bytes - written
    return {"bytes": more, "kb_s": more / took / 1e3, "cpu_pct": 100 * (terminal.cpu_seconds() - worked) / took}


# --- A long run -----------------------------------------------------------------------------------------------


def long_run(workspace: Workspace, values: int) -> Account:
    """Write a run of so many values, and return how long its curves take to be read and to be shown."""
    with Records(workspace) as records:
        write_long_run(records, values)
        short = records.add_run("short", "redux")
        job = records.add_job("train", "cpu", {}, {}, short)
        records.add_metrics(short, [(step, 0.1, float(step), {"train/loss": 1.0}) for step in range(2)])
        records.change_job(job, state="done", started=0.0, ended=1.0)
        one, every = [], []
        for _ in range(7):
            began = time.perf_counter()
            records.curve(1, "train/loss")
            one.append(1e3 * (time.perf_counter() - began))
            began = time.perf_counter()
            Follower(records, 1).poll()
            every.append(1e3 * (time.perf_counter() - began))
    with app(workspace, WIDE) as terminal:
        terminal.wait(shows("4 Runs"))
        terminal.follow(2)
        terminal.press("4")
        terminal.wait(shows("long", "short", "step 1 "))
        opened = []
        for _ in range(7):
            opened.append(_answered(terminal, DOWN, shows(f"step {values // 4:,}")))
            terminal.follow(0.5)
            _answered(terminal, UP, shows("step 1 "))
            terminal.follow(0.5)
    middle = statistics.median
    return {"curve_ms": middle(one), "all_curves_ms": middle(every), "open_ms": middle(opened)}


def write_long_run(records: Records, values: int) -> None:
    """Write a run whose four metrics have ``values`` values together."""
    run = records.add_run("long", "redux")
    job = records.add_job("train", "cpu", {}, {}, run)
    records.change_job(job, state="done", started=0.0, ended=1.0)
    steps, generator = values // 4, np.random.default_rng(1)
    for first in range(1, steps + 1, _ROWS_AT_ONCE):
        numbers = range(first, min(first + _ROWS_AT_ONCE, steps + 1))
        losses = 1e5 / (1e5 + np.array(numbers)) + generator.normal(0, 0.05, len(numbers))
        records.add_metrics(run, ((
            step, step / _LONG_STEPS, float(step),
            {"train/loss": loss, "learning_rate": 1e-3, "img_s": 50.0, "memory_gb": 1.0},
        ) for step, loss in zip(numbers, losses.tolist(), strict=True)))  # fmt: skip


# --- A folder of very many files ------------------------------------------------------------------------------


def large_folder(workspace: Workspace, folder: Path, files: int) -> Account:
    """Make a folder of so many small pictures, and return how long the Viewer takes to show and to list it.

    Reading the folder anew each time, its names are in the memory of the system all the same.
    """
    fill(folder, files)
    os.environ["FEXT_DATA_FOLDER"] = str(folder)
    firsts, lasts = [], []
    for _ in range(3):
        with app(workspace, WIDE) as terminal:
            terminal.wait(shows("4 Runs"))
            terminal.follow(2)
            began = time.perf_counter()
            firsts.append(_answered(terminal, "3", shows(".png", "1 of ")) / 1e3)
            lasts.append(terminal.wait(shows(f"of {files:,}")) - began)
    del os.environ["FEXT_DATA_FOLDER"]
    middle = statistics.median
    return {"folder_s": middle(firsts), "folder_listed_s": middle(lasts)}


def fill(folder: Path, files: int) -> None:
    """Write so many pictures: names of a few files, as a file can have no more than so many."""
    folder.mkdir()
    for number in range(files):
        path = folder / f"{number:08d}.png"
        if number % _NAMES_A_FILE == 0:
            Image.new("RGB", (48, 32), (number // _NAMES_A_FILE % 256, 90, 160)).save(path)
            first = path
        else:
            os.link(first, path)


# --- What streaming costs the job -----------------------------------------------------------------------------


def recording(root: Path, step_ms: float, seconds: float) -> Account:
    """Return the share of a step that telling it and writing the records take: processor time of all threads."""
    workspace = Workspace(root).create()
    with Records(workspace) as records:
        run = records.add_run("told", "redux")
        job = records.add_job("train", "cpu", {}, {}, run)
        records.change_job(job, state="running")
    process, steps = psutil.Process(), max(1, int(seconds * 1e3 / step_ms))
    with RecordingReport(workspace, job, run, StopRequests(), StringIO()) as report:
        before = process.cpu_times()
        for step in range(1, steps + 1):
            report.progress("training", step, steps, "steps")
            report.metrics(step, step / 100, _told_values(step))
            time.sleep(step_ms / 1e3)
    after = process.cpu_times()
    worked = after.user + after.system - before.user - before.system
    return {"record_pct": 100 * worked / (steps * step_ms / 1e3)}


def _told_values(step: int) -> Mapping[str, float]:
    return {"train/loss": 1 / step, "learning_rate": 1e-3, "img_s": 50.0, "memory_gb": 1.0, "gradient_norm": 1.0}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench ui", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument("--starts", type=int, default=15, help="starts of the app (default: 15)")
    parser.add_argument("--keys", type=int, default=500, help="keys while a job trains (default: 500)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each load that is measured (default: 30)")
    parser.add_argument("--values", type=int, default=10_000_000, help="values of a long run (default: 10,000,000)")
    parser.add_argument("--files", type=int, default=1_000_000, help="files of a large folder (default: 1,000,000)")
    return parser.parse_args()


def _table(account: Account) -> Table:
    table = Table("figure", "value", "bar", title="The app in a terminal")
    for name, figure in FIGURES.items():
        value, bar = account[name], figure.bar
        shown = "–" if value is None else f"{value:,.3g} {figure.unit}"
        table.add_row(figure.title, shown, "" if bar == float("inf") else f"≤ {bar:g} {figure.unit}")
    return table


if __name__ == "__main__":
    tell(_options(), measure, _table)
