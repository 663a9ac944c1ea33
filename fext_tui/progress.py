"""Following a job on a terminal: a bar, the curve and the log; or plain lines where there is no terminal."""

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from types import FrameType, TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from engine.jobs.care import reconcile
from engine.jobs.follow import Follower, Update
from engine.jobs.stop import request_stop
from engine.records import JobRow, Records, Row
from fext_tui.curve import CURVES, LossCurve
from fext_tui.hangup import leave_at_once, leave_on_hangup
from fext_tui.pace import Pace, metric_texts, pace_texts
from fext_tui.text import safe

_POLL_SECONDS = 0.2
_LOOK_AFTER_SECONDS = 5.0
_PLAIN_LINE_SECONDS = 10.0
_CURVE_SECONDS = 1.0
_LEVELS = {"warning": ("! ", "yellow")}


def follow(records: Records, job: int, console: Console, *, plot: bool = False) -> JobRow:
    """Show a job until it has ended, and return it.

    Ctrl-C asks the job to stop and goes on showing it; a second one kills it. What ends this process — a
    hang-up — leaves the job alone.

    Args:
        records: the records of the job's workspace.
        job: its number.
        console: where to show it.
        plot: draw the loss curve, where the console is a terminal.

    Raises:
        FextError: the records cannot be used.

    """
    if console.is_terminal:
        _leave_with_terminal()
    follower = Follower(records, job)
    looked_after = time.monotonic()
    with _interrupts() as pressed, _view(console, plot) as view:
        answered = 0
        while True:
            update = follower.poll()
            view.show(_without_cause(update), _waiting_for(records, update.job))
            if update.job.has_ended and not (update.log or update.metrics):
                return update.job
            if len(pressed) > answered:
                answered += 1
                request_stop(records, job)
                view.say(_answer(update.job, answered))
            if time.monotonic() - looked_after > _LOOK_AFTER_SECONDS:
                reconcile(records.workspace, records)
                looked_after = time.monotonic()
            time.sleep(_POLL_SECONDS)


@cache
def _leave_with_terminal() -> None:
    """Let this process end when its terminal is gone, although a shell or nohup told it to ignore the hang-up."""
    leave_on_hangup(sys.stderr.fileno(), leave_at_once)


def _without_cause(update: Update) -> Update:
    """Leave out the error that ends a job: whoever follows it tells it, with its remedy."""
    return Update(update.job, [line for line in update.log if line["level"] != "error"], update.metrics)


def _answer(job: JobRow, times: int) -> str:
    if times > 1:
        return f"Job {job.id} is being killed."
    saves = "saves a checkpoint and ends" if job.kind in {"train", "resume"} else "ends after the image at hand"
    return f"Job {job.id} was asked to stop: it {saves}. Ctrl-C again kills it."


@contextmanager
def _interrupts() -> Iterator[Sequence[int]]:
    """Give a list that gets longer with every Ctrl-C, which then does nothing else."""
    pressed: list[int] = []

    def press(number: int, _: FrameType | None) -> None:
        pressed.append(number)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _waiting_for(records: Records, job: JobRow) -> str:
    """Return what a queued job waits for; empty where it does not wait."""
    if job.state != "queued":
        return ""
    before = [other for other in records.jobs("running", "queued") if other.lane == job.lane and other.id < job.id]
    if not before:
        return "starting"
    running = next((other for other in before if other.state == "running"), before[-1])
    more = f" and {len(before) - 1} more" if len(before) > 1 else ""
    return f"waiting for job {running.id} ({running.kind}){more}"


class _View(AbstractContextManager["_View"], Protocol):
    def show(self, update: Update, waiting: str) -> None:
        """Show what is new of the job."""

    def say(self, text: str) -> None:
        """Show a message to the person."""


def _view(console: Console, plot: bool) -> _View:
    return _TerminalView(console, plot) if console.is_terminal and not console.is_dumb_terminal else _PlainView(console)


class _Newest:
    """The newest value of each metric."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.epoch = 0.0

    def take(self, update: Update) -> None:
        for row in update.metrics:
            if row["value"] is not None:
                self.values[row["name"]] = row["value"]
                self.epoch = row["epoch"]
        self.values |= update.last

    def texts(self) -> list[str]:
        return metric_texts(self.values, self.epoch) if self.values else []


class _PlainView:
    """A line when the phase changes, and every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._pace = Pace()
        self._newest = _Newest()
        self._phase = ""
        self._told = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind."""

    def show(self, update: Update, waiting: str) -> None:
        now, job = time.monotonic(), update.job
        self._pace.see(job, now)
        self._newest.take(update)
        for line in update.log:
            self.say(_log_text(line).plain)
        phase = waiting or job.phase
        changed = phase != self._phase and bool(phase)
        if not job.has_ended and phase and (changed or now - self._told >= _PLAIN_LINE_SECONDS):
            self._phase, self._told = phase, now
            numbers = [] if waiting else pace_texts(job, self._pace)
            metrics = self._newest.texts() if job.phase == "training" else []
            self.say(", ".join([safe(phase), *map(safe, numbers), *metrics]))

    def say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


class _TerminalView:
    """A bar that moves, the newest figures and the curve under it, the log above it."""

    def __init__(self, console: Console, plot: bool) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._pace = Pace()
        self._newest = _Newest()
        self._curve = LossCurve() if plot else None
        self._shown = 0.0

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, update: Update, waiting: str) -> None:
        self._pace.see(update.job, time.monotonic())
        self._newest.take(update)
        for line in update.log:
            self._console.print(_log_text(line))
        if self._curve is not None:
            for row in update.metrics:
                if row["value"] is not None:
                    self._curve.add(row["name"], row["step"], row["value"])
        now = time.monotonic()
        if update.job.has_ended or not self._curve or now - self._shown >= _CURVE_SECONDS:
            self._shown = now
            self._live.update(Group(*self._parts(update.job, waiting)), refresh=True)

    def say(self, text: str) -> None:
        self._console.print(Text(text, style="bold yellow"))

    def _parts(self, job: JobRow, waiting: str) -> Iterator[RenderableType]:
        if waiting:
            yield Text(f"job {job.id} · {waiting}", style="dim")
            return
        if job.phase:
            yield self._bar(job)
        if self._newest.values:
            yield _colored(self._newest.texts())
        # Narrower than the terminal: the ^C that it echoes must not wrap, or the next frame begins a line too low.
        width, height = min(self._console.width - 4, 100), min(14, self._console.height - 8)
        if self._curve and width >= 30 and height >= 6:
            yield self._curve.draw(width, height)

    def _bar(self, job: JobRow) -> Table:
        row = Table.grid(padding=(0, 1))
        row.add_column(no_wrap=True)
        row.add_column(no_wrap=True)
        row.add_column(no_wrap=True, overflow="ellipsis")
        width = max(8, min(40, self._console.width // 3))
        bar = ProgressBar(total=job.total or None, completed=job.done, width=width, pulse=not job.total)
        row.add_row(Text(safe(job.phase), style="bold"), bar, Text(" · ".join(map(safe, pace_texts(job, self._pace)))))
        return row


def _colored(texts: Sequence[str]) -> Text:
    line = Text(" · ".join(texts), no_wrap=True, overflow="ellipsis")
    line.highlight_regex(r"(?<!held out )loss [\d.,]+", CURVES["train/loss"])
    line.highlight_regex(r"held out [\d.,]+", CURVES["validation/loss"])
    return line


def _log_text(line: Row) -> Text:
    mark, style = _LEVELS.get(line["level"], ("", "dim"))
    return Text(mark + "\n".join(map(safe, line["text"].split("\n"))), style=style)
