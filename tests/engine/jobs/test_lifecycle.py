"""Jobs from submission to their end, in real processes."""

import json
import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import FextError
from engine.jobs.care import reconcile
from engine.jobs.process import boot_id, host_name, start_time
from engine.jobs.stop import request_stop
from engine.jobs.submit import submit
from engine.settings import Settings

if TYPE_CHECKING:
    from tests.engine.jobs.conftest import Jobs

ENDLESS = 10_000_000


class TestDone:
    def test_a_job_runs_to_its_end_in_a_process_of_its_own(self, jobs: "Jobs") -> None:
        job = jobs.ended(jobs.sample(3, "drawn"))
        assert (job.state, job.error) == ("done", None)
        assert job.result
        assert len(list((jobs.workspace.root / "drawn").rglob("*.*"))) >= 3
        assert (job.host, job.boot) == (host_name(), boot_id())
        assert job.pid not in (None, os.getpid())
        assert job.created <= (job.started or 0) <= (job.ended or 0)
        assert job.done == job.total > 0

    def test_the_runner_ends_and_the_next_submission_starts_another(self, jobs: "Jobs") -> None:
        for _ in range(2):
            assert jobs.ended(jobs.sample()).state == "done"
            jobs.wait_for(lambda: not jobs.runner_is_there(), what="the end of the runner")

    def test_jobs_of_a_lane_run_one_after_another_in_order(self, jobs: "Jobs") -> None:
        numbers = [jobs.sample() for _ in range(3)]
        rows = [jobs.ended(number) for number in numbers]
        for earlier, later in pairwise(rows):
            assert earlier.ended is not None
            assert later.started is not None
            assert earlier.ended <= later.started

    def test_lanes_run_side_by_side(self, jobs: "Jobs") -> None:
        lanes = [jobs.enqueue("cpu"), jobs.enqueue("gpu:0"), jobs.enqueue("gpu:1"), jobs.enqueue("gpu:1")]
        reconcile(jobs.workspace, jobs.records)
        for job in lanes[:3]:
            jobs.started(job)
        assert {job.id for job in jobs.records.jobs("running")} == set(lanes[:3])
        assert jobs.records.job(lanes[3]).state == "queued"

    def test_a_job_for_all_gpus_waits_for_each_and_is_not_overtaken(self, jobs: "Jobs") -> None:
        first, every, later, elsewhere = (jobs.enqueue(lane) for lane in ("gpu:1", "gpu:all", "gpu:0", "cpu"))
        reconcile(jobs.workspace, jobs.records)
        jobs.started(first)
        jobs.started(elsewhere)
        assert [jobs.records.job(job).state for job in (every, later)] == ["queued", "queued"]
        request_stop(jobs.records, first)
        jobs.started(every)
        assert jobs.records.job(later).state == "queued"
        request_stop(jobs.records, every)
        jobs.started(later)

    def test_a_worker_has_no_terminal_and_goes_first_when_memory_runs_out(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(ENDLESS))
        process = Path(f"/proc/{job.pid}")
        log = str(jobs.workspace.log_of_job(job.id))
        assert [str((process / "fd" / str(number)).readlink()) for number in range(3)] == ["/dev/null", log, log]
        assert int((process / "oom_score_adj").read_text()) > int(Path("/proc/self/oom_score_adj").read_text())

    def test_no_module_is_taken_from_where_it_was_started_nor_from_the_workspace(
        self, jobs: "Jobs", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for folder in (tmp_path, jobs.workspace.root):
            for module in ("engine", "csv", "PIL", "sqlite3"):
                (folder / f"{module}.py").write_text("raise SystemExit('taken from the wrong place')")
        monkeypatch.chdir(tmp_path)
        assert jobs.ended(jobs.sample()).state == "done"

    def test_names_are_data(self, jobs: "Jobs") -> None:
        folder = jobs.workspace.root / os.fsdecode(b"caf\xe9 \n\x1b[2J")
        arguments = {"folder": str(folder), "count": 2, "seed": 1}
        job = jobs.ended(submit(jobs.workspace, jobs.records, "sample", Settings(), arguments).id)
        assert job.state == "done", job.error
        assert json.loads(json.dumps(job.result)) == job.result
        assert b"\x1b" not in jobs.workspace.log_of_job(job.id).read_bytes()


class TestFailures:
    def test_a_defect_is_a_failure_with_its_traceback(self, jobs: "Jobs") -> None:
        arguments = {"folder": str(jobs.workspace.root / "x"), "count": "many", "seed": 1}
        job = jobs.ended(submit(jobs.workspace, jobs.records, "sample", Settings(), arguments).id)
        assert job.state == "failed"
        assert job.error
        assert job.error["cause"].startswith("TypeError")
        assert str(jobs.workspace.log_of_job(job.id)) in job.error["remedy"]
        assert job.error["exit_code"] == 1
        assert "TypeError" in job.error["traceback"]
        assert "Traceback" in jobs.workspace.log_of_job(job.id).read_text()

    def test_a_refusal_keeps_cause_remedy_and_exit_code(self, jobs: "Jobs") -> None:
        arguments = {"folder": str(jobs.workspace.root / "nowhere")}
        job = jobs.ended(submit(jobs.workspace, jobs.records, "analyze", Settings(), arguments).id)
        assert job.state == "failed"
        assert job.error
        assert "nowhere" in job.error["cause"]
        assert job.error["exit_code"] == 2
        assert "traceback" not in job.error
        assert [line["level"] for line in jobs.records.log_lines(job.id)] == ["error"]

    def test_settings_of_another_version_are_refused(self, jobs: "Jobs") -> None:
        number = jobs.records.add_job("sample", "cpu", {"training": {"gone": 1}}, {})
        reconcile(jobs.workspace, jobs.records)
        job = jobs.ended(number)
        assert job.error
        assert "training.gone" in job.error["cause"]

    def test_a_job_whose_process_cannot_begin_fails_and_does_not_hold_up_the_queue(
        self, jobs: "Jobs", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The child's interpreter breaks before it claims the job, as it would for want of memory."""
        broken = jobs.workspace.root / "broken"
        broken.mkdir()
        (broken / "sitecustomize.py").write_text(
            "import os, sys\nif '--job' in sys.orig_argv and sys.orig_argv[-1] == '1': os._exit(7)\n"
        )
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(broken), os.environ.get("PYTHONPATH", "")]))
        first, second = jobs.sample(), jobs.sample()
        job = jobs.ended(first)
        assert job.state == "failed"
        assert job.error
        assert "exit status 7" in job.error["cause"]
        assert jobs.ended(second).state == "done"

    def test_no_room_for_a_log_fails_the_job_with_the_reason(self, jobs: "Jobs") -> None:
        number = jobs.enqueue("cpu", 1)
        jobs.workspace.log_of_job(number).mkdir()
        reconcile(jobs.workspace, jobs.records)
        job = jobs.ended(number)
        assert job.state == "failed"
        assert job.error
        assert "cannot be started" in job.error["cause"]

    def test_a_runner_that_cannot_be_started_is_told_and_the_job_waits(self, jobs: "Jobs") -> None:
        (jobs.workspace.logs / "runner.log").mkdir()
        with pytest.raises(FextError, match="cannot be started"):
            jobs.sample()
        [job] = jobs.records.jobs("queued")
        (jobs.workspace.logs / "runner.log").rmdir()
        reconcile(jobs.workspace, jobs.records)
        assert jobs.ended(job.id).state == "done"


class TestStopping:
    def test_a_running_job_stops_in_its_own_time(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(ENDLESS))
        assert request_stop(jobs.records, job.id).state == "running"
        ended = jobs.ended(job.id)
        assert (ended.state, ended.stop, ended.result) == ("stopped", 1, None)
        jobs.wait_for(lambda: start_time(job.pid or 0) is None, what="the end of the process")

    def test_a_waiting_job_is_stopped_at_once_and_never_starts(self, jobs: "Jobs") -> None:
        first = jobs.started(jobs.sample(ENDLESS))
        waiting, third = jobs.sample(), jobs.sample()
        assert request_stop(jobs.records, waiting).state == "stopped"
        request_stop(jobs.records, first.id)
        assert jobs.ended(third).state == "done"
        assert jobs.records.job(waiting).started is None
        assert f"job {waiting} " not in jobs.runner_log()

    def test_a_second_stop_kills_what_does_not_listen(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(ENDLESS))
        assert job.pid
        os.kill(job.pid, signal.SIGSTOP)
        request_stop(jobs.records, job.id)
        jobs.wait_for(lambda: "asked to stop" in jobs.runner_log(), what="the first request")
        assert request_stop(jobs.records, job.id).stop == 2
        ended = jobs.ended(job.id)
        assert ended.state == "killed"
        assert ended.error
        assert ended.error["cause"] == "Killed on request."

    def test_a_killed_job_takes_its_child_processes_along(
        self, jobs: "Jobs", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        child = tmp_path / "child"
        (tmp_path / "sitecustomize.py").write_text(
            "import subprocess, sys\n"
            "if '--job' in sys.orig_argv:\n"
            "    started = subprocess.Popen(['sleep', '1000'])\n"
            f"    open({str(child)!r}, 'w').write(str(started.pid))\n"
        )
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
        job = jobs.started(jobs.sample(ENDLESS))
        pid = int(child.read_text())
        assert start_time(pid)
        assert job.pid
        os.kill(job.pid, signal.SIGKILL)
        assert jobs.ended(job.id).state == "killed"
        jobs.wait_for(lambda: start_time(pid) is None, what="the end of the worker's child")

    def test_stopping_what_has_ended_changes_nothing(self, jobs: "Jobs") -> None:
        before = jobs.ended(jobs.sample())
        assert request_stop(jobs.records, before.id) == before

    def test_a_signal_to_the_worker_from_outside_is_a_stop(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(ENDLESS))
        assert job.pid
        os.kill(job.pid, signal.SIGTERM)
        assert jobs.ended(job.id).state == "stopped"

    def test_a_hang_up_reaches_neither_worker_nor_runner(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(ENDLESS))
        assert job.pid
        runner = jobs.parent_of(job)
        os.kill(job.pid, signal.SIGHUP)
        os.kill(runner, signal.SIGHUP)
        done = jobs.records.job(job.id).done
        jobs.wait_for(lambda: jobs.records.job(job.id).done > done, what="more images")
        assert start_time(runner)


class TestDeath:
    @pytest.mark.parametrize(
        ("number", "cause"), [(signal.SIGKILL, "killed from outside"), (signal.SIGSEGV, "crashed in native code")]
    )
    def test_a_worker_that_dies_is_told_and_the_next_job_runs(
        self, jobs: "Jobs", number: signal.Signals, cause: str
    ) -> None:
        job, following = jobs.started(jobs.sample(ENDLESS)), jobs.sample()
        assert job.pid
        os.kill(job.pid, number)
        ended = jobs.ended(job.id)
        assert ended.state == "killed"
        assert ended.error
        assert cause in ended.error["cause"]
        assert number.name in ended.error["cause"]
        assert str(jobs.workspace.log_of_job(job.id)) in ended.error["remedy"]
        assert jobs.ended(following).state == "done"

    def test_a_native_crash_leaves_its_stack_in_the_log(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(ENDLESS))
        assert job.pid
        os.kill(job.pid, signal.SIGABRT)
        ended = jobs.ended(job.id)
        assert ended.error
        assert "Fatal Python error" in jobs.workspace.log_of_job(job.id).read_text()
        assert 'File "' in ended.error["traceback"]

    def test_a_job_outlives_its_runner_and_tells_its_own_end(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(ENDLESS))
        jobs.kill_runner()
        done = jobs.records.job(job.id).done
        jobs.wait_for(lambda: jobs.records.job(job.id).done > done, what="more images")
        assert job.pid
        os.kill(job.pid, signal.SIGTERM)
        assert jobs.ended(job.id).state == "stopped"

    def test_the_next_runner_takes_a_job_over_and_stops_it(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(ENDLESS))
        jobs.kill_runner()
        reconcile(jobs.workspace, jobs.records)
        assert jobs.runner_is_there()
        following, elsewhere = jobs.sample(), jobs.enqueue("gpu:0", 1)
        assert jobs.ended(elsewhere).state == "done"
        assert jobs.records.job(following).state == "queued", "the lane is taken"
        assert jobs.records.job(job.id).pid == job.pid
        request_stop(jobs.records, job.id)
        assert jobs.ended(job.id).state == "stopped"
        second = jobs.ended(following)
        assert second.state == "done"
        assert (second.started or 0) >= (jobs.records.job(job.id).ended or 0)

    def test_a_stop_is_enough_to_bring_a_runner_back(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(ENDLESS))
        jobs.kill_runner()
        request_stop(jobs.records, job.id)
        assert jobs.ended(job.id).state == "stopped"

    def test_a_taken_over_job_is_killed_by_a_second_stop(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(ENDLESS))
        jobs.kill_runner()
        assert job.pid
        os.kill(job.pid, signal.SIGSTOP)
        request_stop(jobs.records, job.id)
        request_stop(jobs.records, job.id)
        ended = jobs.ended(job.id)
        assert ended.state == "killed"
        assert start_time(job.pid) is None

    def test_a_taken_over_job_that_dies_is_lost(self, jobs: "Jobs") -> None:
        job = jobs.started(jobs.sample(ENDLESS))
        jobs.kill_runner()
        reconcile(jobs.workspace, jobs.records)
        assert job.pid
        os.kill(job.pid, signal.SIGKILL)
        assert jobs.ended(job.id).state == "lost"

    def test_runner_and_worker_both_gone_is_found_at_the_next_look(self, jobs: "Jobs") -> None:
        job, waiting = jobs.started(jobs.sample(ENDLESS)), jobs.sample()
        jobs.kill_runner()
        assert job.pid
        os.kill(job.pid, signal.SIGKILL)
        jobs.wait_for(lambda: start_time(job.pid or 0) is None, what="the end of the worker")
        assert jobs.records.job(job.id).state == "running"
        reconcile(jobs.workspace, jobs.records)
        lost = jobs.records.job(job.id)
        assert lost.state == "lost"
        assert lost.error
        assert "gone without a word" in lost.error["cause"]
        assert lost.error["remedy"]
        assert jobs.ended(waiting).state == "done"
