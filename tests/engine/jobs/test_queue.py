"""No job is stranded and none is started twice, however many submit at once and whatever is killed."""

import os
import re
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, ClassVar

import pytest

from engine.jobs import care
from engine.jobs.care import reconcile
from engine.jobs.lock import RunnerLock
from engine.jobs.process import host_name, spawn
from engine.jobs.runner import run
from engine.jobs.stop import request_stop
from engine.jobs.submit import submit
from engine.jobs.worker import claim
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace

if TYPE_CHECKING:
    from tests.engine.jobs.conftest import Jobs

SUBMIT = """
import sys
from pathlib import Path
from engine.jobs.submit import submit
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    with Records(workspace) as records:
        folder = str(workspace.root / f"{sys.argv[2]}-{number}")
        print(submit(workspace, records, "sample", Settings(), {"folder": folder, "count": 1, "seed": 1}).id)
"""


class TestRacing:
    def test_racing_submitters_share_one_runner_and_every_job_runs_once(self, jobs: "Jobs") -> None:
        each, several = 2, 4
        submitters = [
            subprocess.Popen([sys.executable, "-c", SUBMIT, jobs.workspace.root, str(number), str(each)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for number in range(several)
        ]  # fmt: skip
        for submitter in submitters:
            assert submitter.stdout
            assert submitter.stdout.readline() == "ready\n"
        told = [submitter.communicate("go\n")[0].split() for submitter in submitters]
        numbers = {int(number) for numbers in told for number in numbers}
        assert len(numbers) == each * several
        assert {jobs.ended(number).state for number in numbers} == {"done"}
        starts = Counter(map(int, re.findall(r"job (\d+) \(sample\)", jobs.runner_log())))
        assert starts == Counter(numbers)

    def test_a_job_submitted_while_the_runner_ends_is_run(self, jobs: "Jobs") -> None:
        """Each is submitted the moment the one before has ended: the runner is at the end of its queue."""
        for _ in range(4):
            assert jobs.ended(jobs.sample(1)).state == "done"
        assert len(re.findall(r"job \d+ \(sample\)", jobs.runner_log())) == 4

    def test_lookers_do_not_keep_a_runner_from_starting(self, jobs: "Jobs") -> None:
        look = (
            "import sys; from pathlib import Path; from engine.jobs.care import reconcile\n"
            "from engine.records import Records; from engine.workspace import Workspace\n"
            "workspace = Workspace(Path(sys.argv[1]))\n"
            "with Records(workspace) as records:\n"
            "    print('ready', flush=True)\n"
            "    while not records.jobs('done'): reconcile(workspace, records)"
        )
        command = [sys.executable, "-c", look, jobs.workspace.root]
        lookers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for looker in lookers:
            assert looker.stdout
            looker.stdout.readline()
        job = jobs.ended(jobs.sample(1))
        assert [looker.wait() for looker in lookers] == [0, 0]
        assert job.state == "done"
        assert len(re.findall(r"job \d+ \(sample\)", jobs.runner_log())) == 1

    def test_killing_the_runner_again_and_again_neither_loses_nor_repeats_a_job(self, jobs: "Jobs") -> None:
        numbers = [jobs.sample(1) for _ in range(4)]
        for _ in range(3):
            for pid in _runners(jobs.workspace):
                jobs.kill(pid)
            reconcile(jobs.workspace, jobs.records)
        assert {jobs.ended(number).state for number in numbers} == {"done"}
        assert [len(jobs.records.artifacts(number)) for number in numbers] == [1] * len(numbers)


def _runners(workspace: Workspace) -> list[int]:
    found = []
    for process in os.listdir("/proc"):  # noqa: PTH208 - names of processes
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:  # noqa: PTH123 - a file of the kernel
                words = file.read().split(b"\0")
        except (OSError, ValueError):
            continue
        if b"engine.jobs.runner" in words and os.fsencode(workspace.root) in words:
            found.append(int(process))
    return found


class SubmittedInTheLastMoment(RunnerLock):
    """A lock in whose last moment somebody submits a job, and finds it taken."""

    submitted: ClassVar[list[int]] = []

    def release(self) -> None:
        if not self.submitted:
            with Records(self.workspace) as records:
                arguments = {"folder": str(self.workspace.root / "late"), "count": 1, "seed": 1}
                self.submitted.append(submit(self.workspace, records, "sample", Settings(), arguments).id)
        super().release()


class TestLastMoment:
    @pytest.fixture(autouse=True)
    def _nothing_submitted(self) -> None:
        SubmittedInTheLastMoment.submitted.clear()

    def test_a_job_submitted_when_the_runner_lets_go_is_run(self, jobs: "Jobs") -> None:
        first = jobs.enqueue("cpu", 1)
        with SubmittedInTheLastMoment(jobs.workspace) as lock:
            assert lock.take()
            run(jobs.workspace, lock)
        [late] = SubmittedInTheLastMoment.submitted
        assert [jobs.records.job(job).state for job in (first, late)] == ["done", "done"]

    def test_a_job_submitted_when_a_looker_lets_go_is_run(self, jobs: "Jobs", monkeypatch: pytest.MonkeyPatch) -> None:
        lost = jobs.enqueue("cpu", 1)
        jobs.records.change_job(lost, state="running", host=host_name(), boot="another")
        monkeypatch.setattr(care, "RunnerLock", SubmittedInTheLastMoment)
        reconcile(jobs.workspace, jobs.records)
        monkeypatch.undo()
        [late] = SubmittedInTheLastMoment.submitted
        assert jobs.records.job(lost).state == "lost"
        assert jobs.ended(late).state == "done"


class TestLock:
    def test_one_holds_it_until_it_is_released(self, workspace: Workspace) -> None:
        with RunnerLock(workspace) as one, RunnerLock(workspace) as two:
            assert one.take()
            assert not two.take()
            one.release()
            assert two.take()

    def test_the_system_takes_it_back_from_the_dead(self, workspace: Workspace) -> None:
        code = (
            "import sys, time; from pathlib import Path; from engine.jobs.lock import RunnerLock\n"
            "from engine.workspace import Workspace\n"
            "print(RunnerLock(Workspace(Path(sys.argv[1]))).take(), flush=True); time.sleep(1000)"
        )
        holder = subprocess.Popen([sys.executable, "-c", code, workspace.root], stdout=subprocess.PIPE, text=True)
        assert holder.stdout
        assert holder.stdout.readline() == "True\n"
        with RunnerLock(workspace) as lock:
            assert not lock.take()
            holder.kill()
            holder.wait()
            assert lock.take()

    def test_a_second_runner_goes_away(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(10_000_000))
        second = spawn("engine.jobs.runner", ["--resources", str(jobs.workspace.root)], jobs.workspace.logs / "second")
        assert second.wait(240) == 0
        assert jobs.records.job(job.id).state == "running"

    def test_a_runner_started_by_hand_runs_what_waits(self, jobs: "Jobs") -> None:
        job = jobs.enqueue("cpu", 1)
        runner = spawn("engine.jobs.runner", ["--resources", str(jobs.workspace.root)], jobs.workspace.logs / "mine")
        assert runner.wait(240) == 0
        assert jobs.records.job(job).state == "done"


class TestClaim:
    def test_of_two_workers_one_gets_the_job(self, jobs: "Jobs") -> None:
        job = jobs.enqueue("cpu", 1)
        arguments = ["--resources", str(jobs.workspace.root), "--job", str(job)]
        logs = [jobs.workspace.logs / "one", jobs.workspace.logs / "two"]
        workers = [spawn("engine.jobs.worker", arguments, log) for log in logs]
        assert [worker.wait(240) for worker in workers] == [0, 0]
        assert jobs.records.job(job).state == "done"
        assert sum(bool(log.read_text()) for log in logs) == 1

    def test_a_stop_or_a_worker_gets_a_waiting_job_never_both(self, jobs: "Jobs") -> None:
        job = jobs.enqueue("cpu", 1)
        request_stop(jobs.records, job)
        assert claim(jobs.records, job) is None
        assert jobs.records.job(job).state == "stopped"
        assert jobs.records.job(job).pid is None

    def test_a_claim_says_who_and_when(self, jobs: "Jobs") -> None:
        claimed = claim(jobs.records, jobs.enqueue("cpu", 1))
        assert claimed
        assert (claimed.state, claimed.pid) == ("running", os.getpid())
        assert claimed.started == claimed.heartbeat
        jobs.records.change_job(claimed.id, state="done")


class TestReadOnly:
    def test_a_look_at_records_that_cannot_be_written_leaves_them_alone(self, workspace: Workspace) -> None:
        """As a user without the rights of root, who may write everywhere."""
        with Records(workspace) as records:
            records.add_job("sample", "cpu", {}, {})
        code = (
            "import os, sys; from pathlib import Path; from engine.records import Records\n"
            "from engine.jobs.care import reconcile; from engine.workspace import Workspace\n"
            "if os.getuid() == 0: os.setuid(65534)\n"
            "workspace = Workspace(Path(sys.argv[1]))\n"
            "with Records(workspace) as records: reconcile(workspace, records); print(records.jobs()[0].state)"
        )
        for folder in [workspace.root.parent, *workspace.root.parents[:-2]]:
            if folder.owner() == workspace.root.owner():
                folder.chmod(0o755)
        workspace.database.parent.chmod(0o555)
        done = subprocess.run([sys.executable, "-c", code, workspace.root], capture_output=True, text=True, check=False)
        workspace.database.parent.chmod(0o755)
        assert (done.stdout, done.stderr) == ("queued\n", "")


def test_nothing_to_do_starts_nothing(workspace: Workspace, records: Records) -> None:
    reconcile(workspace, records)
    assert not (workspace.logs / "runner.log").exists()


@pytest.mark.parametrize("state", ["done", "stopped", "failed", "killed", "lost"])
def test_jobs_that_have_ended_start_nothing(workspace: Workspace, records: Records, state: str) -> None:
    records.change_job(records.add_job("sample", "cpu", {}, {}), state=state)
    reconcile(workspace, records)
    assert not (workspace.logs / "runner.log").exists()
