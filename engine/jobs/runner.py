"""The runner: the one process of a workspace that starts its jobs, passes on requests to stop, and sees them end."""

import argparse
import logging
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from engine.errors import EXIT_FAILED, FextError, UsageError
from engine.jobs.care import end_lost, has_work, is_alive, is_ours, killed_on_request, way_on
from engine.jobs.death import count_out_of_memory_kills, explain_exit
from engine.jobs.lock import RunnerLock
from engine.jobs.on_finish import start, take_command
from engine.jobs.process import ask_to_stop, boot_id, host_name, kill_with_children, spawn
from engine.jobs.tasks import ALL_GPUS, GPU_LANES, blocked_by
from engine.records import JobRow, Records
from engine.workspace import Workspace

_LOOK_SECONDS = 0.25
_GIVE_UP_SECONDS = 120.0

_log = logging.getLogger(__name__)


@dataclass
class Child:
    """A worker that this runner started; ``code`` once it has ended, as `subprocess` gives it."""

    job: int
    lane: str
    process: Popen[bytes]
    out_of_memory_kills: int
    code: int | None = None


class Runner:
    """Runs the jobs of a workspace, one at a time in each lane, until none runs or waits.

    Jobs that another runner left behind when it was killed are taken over: they keep their lane, are stopped on
    request, and are called lost when their process is gone without a word.
    """

    def __init__(self, workspace: Workspace, records: Records) -> None:
        self._workspace = workspace
        self._records = records
        self._children: list[Child] = []
        self._asked: dict[int, int] = {}
        self._unfinished: set[int] = set()
        self._commands: list[Popen[bytes]] = []

    def serve(self) -> None:
        """Run jobs until none runs or waits.

        Raises:
            FextError: the records cannot be used for minutes, and no worker is left to look after.

        """
        good = time.monotonic()
        goes_on = True
        while goes_on:
            try:
                goes_on = self._look()
                good = time.monotonic()
            except FextError as error:
                _log.warning("%s", error.cause)
                if not self._children and time.monotonic() - good > _GIVE_UP_SECONDS:
                    raise
            if goes_on:
                time.sleep(_LOOK_SECONDS)

    def _look(self) -> bool:
        self._bury_the_dead()
        running = self._records.jobs("running")
        self._pass_on_stops(running)
        end_lost(self._records, running, mine={child.job for child in self._children})
        self._unfinished |= {job.id for job in running if is_ours(job)}
        self._start_next({job.lane for job in running if is_ours(job)})
        self._finish({job.id for job in running})
        return bool(self._children) or has_work(self._records)

    # --- Starting -----------------------------------------------------------------------------------------------

    def _start_next(self, busy: set[str]) -> None:
        busy |= {child.lane for child in self._children}
        while (job := self._first_in_line(blocked_by(busy))) is not None:
            busy.add(job.lane)
            self._start(job)

    def _first_in_line(self, blocked: frozenset[str]) -> JobRow | None:
        """Return the job to start next; one that waits for all GPUs is not overtaken by those that want one."""
        first = self._records.next_queued(blocked)
        if first is None or ALL_GPUS not in blocked or first.lane not in GPU_LANES:
            return first
        order = [job.id for job in self._records.queue() if not job.held and job.lane in {first.lane, ALL_GPUS}]
        return first if order[0] == first.id else self._records.next_queued(blocked | GPU_LANES)

    def _start(self, job: JobRow) -> None:
        """Start a worker, which claims the job itself: killed in between, the runner leaves no job half started."""
        self._unfinished.add(job.id)
        arguments = ["--resources", str(self._workspace.root), "--job", str(job.id)]
        kills = count_out_of_memory_kills()
        try:
            process = spawn("engine.jobs.worker", arguments, self._workspace.log_of_job(job.id))
        except OSError as error:
            reason = f"The process of job {job.id} cannot be started: {error.strerror or error}."
            remedy = "Make room (memory, processes, disk), then start the job again."
            told = {"cause": reason, "remedy": remedy, "exit_code": EXIT_FAILED}
            self._records.change_job(job.id, only_if=("queued",), state="failed", ended=time.time(), error=told)
            return
        _log.info("job %d (%s) is process %d", job.id, job.kind, process.pid)
        self._children.append(Child(job.id, job.lane, process, kills))

    # --- Stopping -----------------------------------------------------------------------------------------------

    def _pass_on_stops(self, running: list[JobRow]) -> None:
        for job in running:
            if job.stop > self._asked.get(job.id, 0) and is_ours(job) and is_alive(job):
                assert job.pid is not None
                self._asked[job.id] = job.stop
                _log.info("job %d is %s", job.id, "asked to stop" if job.stop == 1 else "killed on request")
                try:
                    (ask_to_stop if job.stop == 1 else kill_with_children)(job.pid)
                except PermissionError:
                    _log.warning("job %d belongs to another user", job.id)

    # --- Ending -------------------------------------------------------------------------------------------------

    def _bury_the_dead(self) -> None:
        for child in list(self._children):
            if child.code is None and _has_ended(child.process):
                kill_with_children(child.process.pid)
                child.code = child.process.wait()
                _log.info("job %d: process %d ended with %d", child.job, child.process.pid, child.code)
            if child.code is not None:
                self._tell_end(child, child.code)
                self._children.remove(child)

    def _finish(self, running: set[int]) -> None:
        """Run the command that the user wants run after each job that has ended."""
        self._commands = [command for command in self._commands if command.poll() is None]
        if not self._unfinished - running:
            return
        known = self._records.jobs_numbered(self._unfinished)
        self._unfinished = {job.id for job in known if not job.has_ended}
        for job in known:
            if job.has_ended:
                self._run_command(job)

    def _run_command(self, job: JobRow) -> None:
        try:
            command = take_command(self._workspace, job.id)
            if command:
                run = str(self._records.run(job.run)["name"]) if job.run is not None else ""
                self._commands.append(start(command, self._workspace, job, run))
                _log.info("job %d: %s is process %d", job.id, command[0], self._commands[-1].pid)
        except (FextError, OSError, ValueError) as error:
            _log.warning("job %d: its on_finish: %s", job.id, error)

    def _tell_end(self, child: Child, code: int) -> None:
        """Record how a job ended whose worker did not: one that was never claimed, or died without a word."""
        try:
            job = self._records.job(child.job)
        except UsageError:
            return
        died = job.state == "running" and (job.host, job.boot, job.pid) == (host_name(), boot_id(), child.process.pid)
        if not died and job.state != "queued":
            return
        if died and job.stop > 1:
            self._records.change_job(job.id, only_if=("running",), **killed_on_request())
            return
        out_of_memory = count_out_of_memory_kills() > child.out_of_memory_kills
        log = self._workspace.log_of_job(job.id)
        state, error = explain_exit(code, log, way_on(self._records, job), out_of_memory=out_of_memory)
        self._records.change_job(job.id, only_if=(job.state,), state=state, ended=time.time(), error=error)


def _has_ended(process: Popen[bytes]) -> bool:
    """Return whether a child has ended, and leave it unreaped: its number stands for its process group until then."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def run(workspace: Workspace, lock: RunnerLock) -> None:
    """Run the jobs of a workspace as the holder of its lock; at the end, the lock is released.

    After the release the queue is looked at once more: who submitted in the meantime found the lock taken, and
    relies on this.
    """
    with Records(workspace) as records:
        while True:
            Runner(workspace, records).serve()
            lock.release()
            if not has_work(records) or not lock.take():
                return


def main() -> int:
    """Run jobs, as the holder of the lock that came by inheritance or is free; return the exit status."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parser = argparse.ArgumentParser(prog="engine.jobs.runner")
    parser.add_argument("--resources", type=Path, required=True)
    parser.add_argument("--lock", type=int, help="the open file that holds the lock")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    workspace = Workspace(options.resources)
    try:
        with RunnerLock(workspace, options.lock) as lock:
            if options.lock is not None or lock.take():
                run(workspace, lock)
    except FextError as error:
        _log.error("%s", error)
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
