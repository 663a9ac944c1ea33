"""Starting, following and stopping jobs from the app: its threads, its messages, its signals."""

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import App
from textual.message import Message
from textual.reactive import reactive
from textual.signal import Signal

from engine.errors import FextError
from engine.jobs.process import boot_id, host_name
from engine.machine import Machine, MachineUse
from engine.records import JobRow, Records
from engine.settings import Settings
from fext_tui import text
from fext_tui.following import FollowingFailed, History, JobEnded, JobHeard, JobsChanged, Watcher
from fext_tui.keys import shown_key
from fext_tui.machine import READINGS
from fext_tui.notice import notice
from fext_tui.screens.dialogs import Confirm
from fext_tui.told_errors import MOST_ERRORS, ToldError, in_passing, told_error

if TYPE_CHECKING:
    from engine.jobs.follow import Update


class MachineRead(Message):
    """The machine was read."""

    def __init__(self, use: MachineUse) -> None:
        super().__init__()
        self.use = use


class JobSubmitted(Message):
    """A job is in the queue."""

    def __init__(self, job: JobRow) -> None:
        super().__init__()
        self.job = job


class StopAsked(Message):
    """A job was asked to stop."""

    def __init__(self, job: int, *, leave: bool) -> None:
        super().__init__()
        self.job = job
        self.leave = leave


class Refused(Message):
    """What was asked for cannot be done."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class JobSteering(App[None]):
    """The part of the app that deals with jobs. Threads post messages; handlers change what is shown."""

    settings: reactive[Settings] = reactive(Settings)

    def __init__(self, records: Records, settings: Settings) -> None:
        super().__init__()
        self.records = records
        self.workspace = records.workspace
        self.set_reactive(JobSteering.settings, settings)
        self.clock: Callable[[], float] = time.time
        self.history = History()
        self.current_job: JobRow | None = None
        self.errors: deque[ToldError] = deque(maxlen=MOST_ERRORS)
        self.job_updates: Signal[Update] = Signal(self, "job-updates")
        self.job_ended: Signal[JobRow] = Signal(self, "job-ended")
        self.jobs_changed: Signal[None] = Signal(self, "jobs-changed")
        self.machine = Machine(self.workspace.root)
        self.machine_readings: deque[MachineUse] = deque(maxlen=READINGS)
        self.machine_read: Signal[MachineUse] = Signal(self, "machine-read")
        self._reads_machine = False
        self._watcher = Watcher(self.workspace, self.post_message)

    @property
    def running_here(self) -> JobRow | None:
        """The followed job, where it runs on this machine."""
        job = self.current_job
        is_here = job is not None and job.state == "running" and (job.host, job.boot) == (host_name(), boot_id())
        return job if is_here else None

    @property
    def job_lives(self) -> bool:
        """Whether the followed job waits or runs."""
        return self.current_job is not None and not self.current_job.has_ended

    def dismiss_job(self) -> None:
        """Forget the followed job where it has ended, so that the bar says what could be done next."""
        if self.current_job is not None and self.current_job.has_ended:
            self.current_job = None
            self.jobs_changed.publish(None)
            self.refresh_bindings()

    def forget_jobs(self) -> None:
        """Forget what was heard of jobs, when their records are gone."""
        self.current_job = None
        self.history = History()
        self.jobs_changed.publish(None)
        self.refresh_bindings()

    def watch_jobs(self) -> None:
        """Start the thread that follows jobs."""
        self.run_worker(self._watcher.run, group="follow", thread=True)

    def read_machine(self) -> None:
        """Read what the machine does, in a thread; a reading that is under way is waited for."""
        if self._reads_machine:
            return
        self._reads_machine = True
        job = self.running_here
        pid = job.pid if job is not None else None

        def work() -> None:
            try:
                self.post_message(MachineRead(self.machine.read(pid)))
            finally:
                self._reads_machine = False

        self.in_thread(work, "machine")

    @on(MachineRead)
    def _take_reading(self, message: MachineRead) -> None:
        if not self.machine_readings or message.use != self.machine_readings[-1]:  # the same is read while it is fresh
            self.machine_readings.append(message.use)
        self.machine_read.publish(message.use)

    def close_jobs(self) -> None:
        """Let that thread end."""
        self._watcher.close()

    def with_records(self, work: Callable[[Records], object], group: str) -> None:
        """Do ``work`` in a thread with records of its own; it posts messages. What it raises is told as a toast."""

        def opened() -> None:
            with Records(self.workspace) as records:
                work(records)

        self.in_thread(opened, group)

    def in_thread(self, work: Callable[[], object], group: str) -> None:
        """Do ``work`` in a thread; it posts messages. What it raises is told as a toast."""
        self.run_worker(partial(self._work, work), group=group, thread=True)

    def _work(self, work: Callable[[], object]) -> None:
        try:
            work()
        except (FextError, OSError) as error:
            self.post_message(Refused(error))

    def tell_error(self, error: Exception) -> None:
        """Show a toast with cause and remedy, and keep them to be read in full."""
        told = told_error(error, self.clock())
        self.errors.append(told)
        cause, remedy = in_passing(told, shown_key(self, "error", "!"))
        self.notify(remedy, title=cause, severity="error", markup=False, timeout=10)
        self.refresh_bindings()

    @on(Refused)
    def _tell_refused(self, message: Refused) -> None:
        self.tell_error(message.error)

    # --- Starting ---------------------------------------------------------------------------------------------

    def start_job(self, kind: str, arguments: Mapping[str, object]) -> None:
        """Submit a job with the current settings, tell its number, and follow it unless another runs."""
        from engine.jobs.submit import submit

        settings = self.settings

        def work(records: Records) -> None:
            self.post_message(JobSubmitted(submit(self.workspace, records, kind, settings, arguments)))

        self.with_records(work, "submit")

    @on(JobSubmitted)
    def _tell_submitted(self, message: JobSubmitted) -> None:
        job = message.job
        waits = self.job_lives
        told = "is in the queue" if waits else "started"
        self.notify(f"Job {job.id} ({job.kind}) {told}.", markup=False, timeout=4)
        if not waits:
            self.attach(job.id)

    def attach(self, job: int) -> None:
        """Follow a job from its beginning."""
        self._watcher.follow(job)

    # --- Stopping ---------------------------------------------------------------------------------------------

    def action_stop_job(self) -> None:
        """Ask the followed job to stop."""
        self.stop_job(self.current_job)

    def stop_job(self, job: JobRow | None) -> None:
        """Ask a job to stop; where it was asked before, ask the person whether to kill it."""
        if job is None or job.has_ended:
            self.notify("No job runs.", timeout=3)
        elif job.stop:
            question = f"Kill job {job.id} ({job.kind}) at once?"
            detail = (
                "It was asked to stop and is finishing its step. Killed, it loses what came after its last checkpoint."
            )
            self.push_screen(
                Confirm(question, detail, "Kill it", "Let it finish"),
                lambda sure: self.ask_to_stop(job.id) if sure else None,
            )
        else:
            self.ask_to_stop(job.id)

    def ask_to_stop(self, job: int, *, leave: bool = False) -> None:
        """Ask a job to stop, the second time kill it; then leave the app where wanted."""
        from engine.jobs.stop import request_stop

        def work(records: Records) -> None:
            request_stop(records, job)
            self.post_message(StopAsked(job, leave=leave))

        self.with_records(work, "stop")

    @on(StopAsked)
    def _tell_stop_asked(self, message: StopAsked) -> None:
        if message.leave:
            self.exit()
        else:
            self.notify(f"Job {message.job} was asked to stop.", markup=False, timeout=4)

    # --- News -------------------------------------------------------------------------------------------------

    @on(JobHeard)
    def _hear(self, message: JobHeard) -> None:
        update = message.update
        if message.first:
            self.history = History(name=message.name)
            self.machine_readings.clear()
        self.history.take(update, self.clock())
        before, self.current_job = self.current_job, update.job
        if message.first and self.running_here is not None:
            self.read_machine()
        self.job_updates.publish(update)
        if before is None or (before.id, before.state) != (update.job.id, update.job.state):
            self.refresh_bindings()

    @on(JobEnded)
    def _hear_end(self, message: JobEnded) -> None:
        self.current_job = message.job
        self.job_ended.publish(message.job)
        self.refresh_bindings()
        self._tell_end(message.job)
        if not self.is_headless and self._driver is not None:
            self._driver.write(notice(message.job, os.environ))
            self._driver.flush()

    def _tell_end(self, job: JobRow) -> None:
        name = f"Job {job.id} ({job.kind})"
        if job.state in {"done", "stopped"}:
            self.notify(f"{name} {'is done' if job.state == 'done' else 'stopped'}.", markup=False, timeout=5)
            return
        error = job.error or {}
        told = text.safe_lines(f"{error.get('cause', '')}\n{error.get('remedy', '')}".strip(), 1000)
        title = f"{name} failed" if job.state == "failed" else f"{name} was {job.state}"
        self.notify(told, title=title, severity="error", markup=False, timeout=10)

    @on(JobsChanged)
    def _hear_change(self) -> None:
        self.jobs_changed.publish(None)

    @on(FollowingFailed)
    def _hear_failure(self, message: FollowingFailed) -> None:
        self.tell_error(message.error)
