"""How a task ended, and what killed a worker that could not say so."""

import errno
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.errors import FextError, Stopped, UsageError
from engine.jobs.death import count_out_of_memory_kills, explain_exit, tail_of
from engine.jobs.outcome import Outcome, outcome_of

LOG = Path("/somewhere/job-1.log")


@dataclass(frozen=True)
class Result:
    state: str = "done"
    images: int = 3


def raising(error: BaseException) -> Callable[[], Any]:
    def task() -> Any:
        raise error

    return task


def told(error: BaseException) -> dict[str, Any]:
    outcome = outcome_of(raising(error), LOG)
    assert outcome.state == "failed"
    assert outcome.result is None
    assert outcome.error
    return dict(outcome.error)


class TestOutcome:
    def test_a_result_is_done_or_what_it_says_itself(self) -> None:
        assert outcome_of(Result, LOG) == Outcome("done", {"state": "done", "images": 3})
        assert outcome_of(lambda: Result("stopped"), LOG) == Outcome("stopped", {"state": "stopped", "images": 3})

    def test_a_stop_is_no_error(self) -> None:
        assert outcome_of(raising(Stopped()), LOG) == Outcome("stopped")

    def test_a_refusal_keeps_its_words(self) -> None:
        assert told(UsageError("cause", "remedy")) == {"cause": "cause", "remedy": "remedy", "exit_code": 2}
        assert told(FextError("cause")) == {"cause": "cause", "remedy": "", "exit_code": 1}

    def test_a_full_disk(self) -> None:
        error = told(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/pack.npy"))
        assert error["cause"] == "/data/pack.npy: No space left on device."
        assert "Make space" in error["remedy"]

    def test_missing_permission(self) -> None:
        error = told(PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data"))
        assert "permissions" in error["remedy"]

    @pytest.mark.parametrize(
        "error",
        [
            MemoryError(),
            type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate 2 GiB"),
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            OSError(errno.ENOMEM, "Cannot allocate memory"),
        ],
    )
    def test_too_little_memory_names_what_needs_less(self, error: Exception) -> None:
        outcome = told(error)
        assert "Out of memory" in outcome["cause"]
        for way in ("batch_size", "image_height", "variant"):
            assert way in outcome["remedy"]

    @pytest.mark.parametrize("error", [ZeroDivisionError("x"), SystemExit(3), KeyboardInterrupt(), OSError("odd")])
    def test_anything_else_is_a_failure_that_names_the_log(
        self, error: BaseException, capsys: pytest.CaptureFixture[str]
    ) -> None:
        outcome = told(error)
        assert outcome["cause"].startswith(type(error).__name__)
        assert str(LOG) in outcome["remedy"]
        assert type(error).__name__ in outcome["traceback"]
        assert "Traceback" in capsys.readouterr().err

    def test_long_reports_are_cut(self) -> None:
        outcome = told(ValueError("x" * 10_000))
        assert len(outcome["cause"]) < 1_100


class TestDeath:
    def explain(self, code: int, log: Path, *, out_of_memory: bool = False) -> tuple[str, dict[str, Any]]:
        return explain_exit(code, log, "way on", out_of_memory=out_of_memory)

    def test_a_kill_for_memory_is_told_apart_from_other_kills(self, tmp_path: Path) -> None:
        state, error = self.explain(-signal.SIGKILL, tmp_path, out_of_memory=True)
        assert (state, "Memory ran out" in error["cause"]) == ("killed", True)
        assert "batch_size" in error["remedy"]
        state, error = self.explain(-signal.SIGKILL, tmp_path)
        assert (state, "SIGKILL" in error["cause"]) == ("killed", True)
        _, error = self.explain(-signal.SIGSEGV, tmp_path, out_of_memory=True)
        assert "native code" in error["cause"]

    @pytest.mark.parametrize("code", [0, 1, 255])
    def test_an_exit_without_a_result_is_a_failure(self, tmp_path: Path, code: int) -> None:
        state, error = self.explain(code, tmp_path)
        assert (state, f"exit status {code}" in error["cause"], error["remedy"]) == ("failed", True, "way on")

    def test_every_signal_has_an_explanation(self, tmp_path: Path) -> None:
        for number in range(1, 65):
            state, error = self.explain(-number, tmp_path)
            assert state == "killed"
            assert error["cause"]

    def test_the_end_of_the_log_is_kept(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        assert tail_of(log) == ""
        log.write_bytes(b"\n".join(b"line %d \xff" % number for number in range(5000)))
        lines = tail_of(log).splitlines()
        assert len(lines) == 20
        assert lines[-1] == "line 4999 \\xff"
        assert "traceback" in self.explain(1, log)[1]


class TestCounting:
    def write(self, root: Path, files: dict[str, str]) -> Path:
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    def test_the_control_group_of_this_process_counts_before_the_machine(self, tmp_path: Path) -> None:
        two = self.write(tmp_path / "two", {
            "proc/self/cgroup": "0::/user.slice/session 1:2.scope\n",
            "sys/fs/cgroup/user.slice/session 1:2.scope/memory.events": "low 0\nhigh 0\noom 5\noom_kill 4\n",
            "proc/vmstat": "oom_kill 9\n",
        })  # fmt: skip
        assert count_out_of_memory_kills(two) == 4
        one = self.write(tmp_path / "one", {
            "proc/self/cgroup": "4:cpu,memory:/docker/a\n1:name=systemd:/\n0::/\n",
            "sys/fs/cgroup/memory/docker/a/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
        })  # fmt: skip
        assert count_out_of_memory_kills(one) == 3
        none = self.write(tmp_path / "none", {"proc/vmstat": "nr_free_pages 1\noom_kill 9\nnuma_hit 2\n"})
        assert count_out_of_memory_kills(none) == 9
        assert count_out_of_memory_kills(tmp_path / "nothing") == 0

    def test_this_machine_counts(self) -> None:
        assert count_out_of_memory_kills() >= 0
