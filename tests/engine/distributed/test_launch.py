"""Ranks are started, asked to stop, and ended; and their ends tell how the job ended."""

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.distributed.group import lost_because
from engine.distributed.launch import Ending, launch, processes_of
from engine.errors import UsageError
from engine.jobs.outcome import Outcome
from engine.jobs.ranks import Explanation, Told, conclude, has_told, tell
from engine.records import Records
from engine.settings import DeviceSettings
from engine.workspace import Workspace

RANK = """
import json, os, signal, sys, time
from pathlib import Path
folder, how, rank = Path(sys.argv[1]), sys.argv[2], os.environ["RANK"]
asked = []
signal.signal(signal.SIGUSR1, lambda *_: asked.append(1))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
(folder / f"here-{rank}").touch()
if rank == "0":
    while how == "stop" and not asked:
        time.sleep(0.01)
    (folder / "ended").write_text(json.dumps(len(asked) > 0))
elif how == "deaf":
    time.sleep(1000)
elif how == "exit":
    sys.exit(7)
elif how == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.mark.parametrize(
    ("how", "ending"),
    [("stop", Ending({}, set())), ("deaf", Ending({}, {1})), ("exit", Ending({1: 7}, set())),
     ("crash", Ending({1: -signal.SIGSEGV}, set()))],
)  # fmt: skip
def test_how_ranks_end(tmp_path: Path, how: str, ending: Ending) -> None:
    command = [sys.executable, "-c", RANK, str(tmp_path), how]
    ended = tmp_path / "ended"
    assert launch(command, 2, tmp_path, stopping=lambda: how == "stop", has_ended=ended.exists, grace=0.3) == ending
    assert json.loads(ended.read_text()) == (how == "stop")
    assert (tmp_path / "here-1").exists()


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        launch([str(tmp_path / "nothing")], 2, tmp_path, stopping=lambda: False, has_ended=lambda: False)


DONE, STOPPED = Outcome("done", {"steps": 1}), Outcome("stopped")
FAILED = Outcome("failed", error={"cause": "The disk is full."})
LOST = Outcome("failed", error={"cause": "Rank 0 waited 10 minutes for the others in vain.", "lost": True})


@pytest.mark.parametrize(
    ("told", "ending", "state", "cause"),
    [
        ({0: DONE, 1: DONE}, Ending({}, set()), "done", ""),
        ({0: STOPPED}, Ending({1: -15}, {1}), "stopped", ""),
        ({1: FAILED, 0: LOST}, Ending({0: 1, 1: 1}, set()), "failed", "The disk is full."),
        ({0: LOST, 1: FAILED}, Ending({0: 1, 1: 1}, set()), "failed", "The disk is full."),
        ({0: LOST}, Ending({0: 1, 1: -9}, set()), "killed", "The process of rank 1 was killed from outside"),
        ({0: LOST}, Ending({0: 1, 1: -11}, set()), "killed", "The process of rank 1 crashed in native code"),
        ({0: LOST}, Ending({0: 1}, {1}), "failed", "for the others in vain. Rank 1 gave no sign."),
        ({}, Ending({0: -6, 1: -9}, set()), "killed", "The process of rank 1 was killed from outside"),
        ({0: FAILED}, Ending({0: 1, 1: -6}, set()), "failed", "The disk is full."),
        ({}, Ending({1: 7}, set()), "failed", "Rank 1 ended with exit status 7"),
        ({}, Ending({}, set()), "failed", "without a word"),
    ],
)  # fmt: skip
def test_how_a_job_ended(
    workspace: Workspace, records: Records, told: dict[int, Outcome], ending: Ending, state: str, cause: str
) -> None:
    job = records.job(records.add_job("train", "cpu", {}, {}, records.add_run("run", "redux")))
    in_order = {rank: Told(outcome, float(place)) for place, (rank, outcome) in enumerate(told.items())}
    outcome = conclude(in_order, ending, Explanation(workspace, records, job, out_of_memory=False))
    assert outcome.state == state
    assert cause in (outcome.error or {"cause": ""})["cause"]


def test_any_rank_leaves_word(tmp_path: Path) -> None:
    assert not has_told(tmp_path)
    tell(tmp_path, 0, DONE)
    assert has_told(tmp_path)


def test_a_kill_for_memory_says_so(workspace: Workspace, records: Records) -> None:
    job = records.job(records.add_job("train", "cpu", {}, {}, records.add_run("run", "redux")))
    ran_out = Explanation(workspace, records, job, out_of_memory=True)
    error = conclude({}, Ending({1: -9}, set()), ran_out).error
    assert error is not None
    assert error["cause"].startswith("Memory ran out")
    assert "smaller training.batch_size" in error["remedy"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            RuntimeError("[a/gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:1"),
            "lost the connect",
        ),
        (RuntimeError("[gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting 600000ms"), "10 minutes .* in vain"),
        (torch.distributed.DistNetworkError("The client socket has timed out"), "in vain"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "^$"),
    ],
)
def test_errors_of_the_connection_are_told_apart(error: Exception, told: str) -> None:
    import re

    assert re.search(told, lost_because(error, 0))


def test_how_many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(**values: Any) -> int:
        return processes_of(DeviceSettings(**values))

    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert (count(kind="cpu", processes=7), count(kind="cpu", processes="all")) == (7, 3)
    assert (count(processes="all"), count(processes=0, id=1), count(processes=3, id=1)) == (4, 3, 3)
    with pytest.raises(UsageError, match="there are 3"):
        count(processes=4, id=1)
