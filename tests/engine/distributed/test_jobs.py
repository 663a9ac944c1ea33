"""Jobs in two processes: what one began another number goes on with, and what becomes of a job whose rank dies."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from engine.checkpoints import step_of, tags_of
from engine.distributed.ranks import Ranks
from engine.errors import UsageError
from engine.records import Records
from engine.report import CollectedReport
from engine.training import train
from engine.workspace import Workspace
from tests.engine.distributed.running import ranks_of, run_in_two, submit
from tests.engine.training.bench import Bench, Small, StoppingReport, history_of

Wait = Callable[..., Any]


@pytest.fixture
def bench(workspace: Workspace, records: Records) -> Bench:
    return Bench(workspace, records)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Let this process compute as one rank does, which has half of the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _last_step(bench: Bench, name: str) -> int:
    tags = tags_of(bench.workspace.checkpoints / name)
    return step_of(tags["last"]) if "last" in tags else -1


SETTINGS: dict[str, Any] = {
    "augmentation__enabled": True,
    "model__dropout": 0.2,
    "training__epochs": 3,
    "training__ema": 0.5,
    "training__checkpoint_steps": 2,
    "training__validate_every_steps": 3,
}


def test_runs_go_on_in_another_number_of_processes(bench: Bench, small: Small) -> None:
    settings, whole, one = small(**SETTINGS), CollectedReport(), StoppingReport(5)
    bench.train("whole", settings, whole)
    bench.train("one", settings, one)
    run = bench.records.run_of("one", "redux")
    done = run_in_two(bench.records, "resume", settings, {"checkpoint": "one"}, run)
    assert done.result is not None, done.error
    assert (done.state, done.result["steps"]) == ("done", 12)
    _assert_alike(bench, "one", history_of(whole), history_of(one) | _recorded(bench, run))

    run = bench.records.add_run("two", "redux")
    stopped = run_in_two(
        bench.records, "train", settings, {"name": "two"}, run, stopping=lambda: _last_step(bench, "two") >= 2
    )
    assert stopped.result is not None, stopped.error
    assert (stopped.state, stopped.result["run"]) == ("stopped", "two")
    assert 2 <= stopped.result["steps"] < 12
    two = CollectedReport()
    assert bench.resume("two", settings, two).state == "done"
    _assert_alike(bench, "two", history_of(whole), _recorded(bench, run) | history_of(two))


def _recorded(bench: Bench, run: int) -> dict[tuple[int, str], float]:
    rows = bench.records.metrics_after(run)
    return {(row["step"], row["name"]): row["value"] for row in rows if row["name"] not in ("img_s", "memory_gb")}


def _assert_alike(
    bench: Bench, name: str, expected: dict[tuple[int, str], float], got: dict[tuple[int, str], float]
) -> None:
    """Check that a run gave the weights, the standing and the metrics of the run ``whole``, but for rounding."""
    assert got == pytest.approx(expected, rel=1e-3)
    for reference in ("", "/last"):
        weights, others = bench.weights(f"whole{reference}"), bench.weights(f"{name}{reference}")
        for key, values in weights.items():
            assert np.allclose(others[key], values, rtol=1e-3, atol=3e-4), key
    standing = bench.standing("whole/last")
    assert bench.standing(f"{name}/last") == {
        key: pytest.approx(value) if isinstance(value, float) else value for key, value in standing.items()
    }


def test_a_rank_that_is_killed_ends_the_job(bench: Bench, small: Small, wait_for: Wait) -> None:
    settings = small(training__epochs=10_000, training__checkpoint_steps=1)
    run = bench.records.add_run("endless", "redux")

    def kill_the_second() -> None:
        wait_for(lambda: _last_step(bench, "endless") >= 2, what="a checkpoint")
        ranks_of(os.getpid())[1].kill()

    killer = threading.Thread(target=kill_the_second)
    killer.start()
    outcome = run_in_two(bench.records, "train", settings, {"name": "endless"}, run)
    killer.join()
    assert outcome.state == "killed"
    assert outcome.error is not None
    assert outcome.error["cause"].startswith("The process of rank 1 was killed from outside (signal SIGKILL).")
    assert "fext resume endless" in outcome.error["remedy"]
    assert not ranks_of(os.getpid())
    assert bench.resume("endless", settings, StoppingReport(0)).steps >= 2


def test_no_rank_outlives_the_process_of_the_job(bench: Bench, small: Small, wait_for: Wait) -> None:
    run = bench.records.add_run("endless", "redux")
    settings = small(training__epochs=10_000, training__checkpoint_steps=1)
    job = submit(bench.records, "train", settings, {"name": "endless"}, run)
    command = [sys.executable, "-m", "engine.jobs.worker", "--resources", str(bench.workspace.root), "--job", str(job)]
    worker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for(lambda: _last_step(bench, "endless") >= 2, what="a checkpoint")
    assert bench.records.job(job).pid == worker.pid
    ranks = ranks_of(worker.pid)
    assert sorted(ranks) == [0, 1]
    worker.kill()
    assert worker.wait() == -signal.SIGKILL
    wait_for(lambda: not any(rank.is_running() for rank in ranks.values()), what="the end of the ranks")


def test_a_batch_that_cannot_be_shared_is_refused(bench: Bench, small: Small) -> None:
    class Three(Ranks):
        count = 3

    run = bench.records.add_run("three", "redux")
    with pytest.raises(UsageError, match=r"training\.batch_size = 8 .* 3 processes") as caught:
        train(small(), bench.workspace, bench.records, CollectedReport(), run=run, ranks=Three())
    assert "multiple of 3" in caught.value.remedy
    agreeing = small(objective__agreement=0.5, training__batch_size=6)
    with pytest.raises(UsageError, match=r"objective\.agreement") as caught:
        train(agreeing, bench.workspace, bench.records, CollectedReport(), run=run, ranks=Three())
    assert "multiple of 12" in caught.value.remedy
