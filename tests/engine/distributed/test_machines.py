"""Jobs on two machines, which are two groups of processes here: how they meet, work, and end."""

import dataclasses
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from engine.checkpoints import step_of, tags_of
from engine.distributed.endpoint import DEFAULT_PORT, Endpoint, endpoint_of, interface_to, own_address
from engine.distributed.launch import Ending, launch
from engine.distributed.meeting import Guest, Machine, Meeting, Place
from engine.errors import FextError, Stopped, UsageError
from engine.jobs.machines import join_job, run_on_machines
from engine.jobs.outcome import Outcome
from engine.jobs.ranks import Explanation, Result, Told, conclude, merged
from engine.jobs.worker import claim
from engine.records import JobRow, Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.workspace import Workspace
from tests.engine.training.bench import Small

Wait = Callable[..., Any]

INVITATION = {"key": "0123"}
GUEST = """
import sys, time
from engine.distributed.endpoint import endpoint_of
from engine.distributed.meeting import Guest, Machine
with Guest(endpoint_of(sys.argv[1]), 60, lambda: False) as guest:
    guest.arrive(Machine("other", 2))
    time.sleep(1000)
"""
FIRST = """
import sys, time
from engine.distributed.endpoint import endpoint_of
from engine.distributed.meeting import Machine, Meeting
with Meeting(endpoint_of(sys.argv[1]), {"key": "0123"}) as meeting:
    while not (guests := meeting.guests()):
        time.sleep(0.05)
    meeting.begin(Machine("first", 1), guests)
    time.sleep(1000)
"""


@pytest.fixture
def endpoint() -> Endpoint:
    """Return a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return Endpoint("127.0.0.1", server.getsockname()[1])


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts Python with these arguments; what is left of it is killed after the test."""
    started = []

    def begin(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


# --- Real jobs --------------------------------------------------------------------------------------------------


def _claimed(records: Records, settings: Settings, endpoint: Endpoint, name: str) -> JobRow:
    settings = settings.with_values({"device.nodes": 2, "device.rendezvous": str(endpoint)})
    run = records.add_run(name, "redux")
    job = claim(records, records.add_job("train", "cpu", settings.model_dump(mode="json"), {"name": name}, run))
    assert job is not None
    return job


def test_two_machines_train_one_network(
    workspace: Workspace, records: Records, small: Small, endpoint: Endpoint, start: Any
) -> None:
    settings, report = small(training__epochs=1), CollectedReport()
    folder = Path(settings.data.folder)
    records.exclude(records.dataset(folder), ["picture_003.png"])
    guest = start("-m", "fext_tui", "join", endpoint, "--json")
    outcome = run_on_machines(workspace, records, _claimed(records, settings, endpoint, "both"), report)
    assert outcome.result is not None, outcome.error
    assert (outcome.state, outcome.result["steps"]) == ("done", 4)
    out, err = guest.communicate()
    assert guest.returncode == 0, err
    here = socket.gethostname()
    assert json.loads(out) == {"job": 1, "kind": "train", "state": "done", "host": here, "ranks": [1]}
    assert f"2 machines: {here} (1 process), {here} (1 process). Here is rank 1." in err
    assert ("info", f"Waiting for 1 other machine. Run there: fext join {endpoint}") in report.lines
    assert any("1 images are excluded" in line["text"] for line in records.log_lines(1))
    assert not list(workspace.logs.glob(".meeting-*"))


def test_a_rank_that_is_killed_ends_the_job_on_both(
    workspace: Workspace, records: Records, small: Small, endpoint: Endpoint, start: Any, wait_for: Wait
) -> None:
    guest = start("-m", "fext_tui", "join", endpoint)

    def kill_its_rank() -> None:
        folder = workspace.checkpoints / "endless"
        wait_for(lambda: "last" in (tags := tags_of(folder)) and step_of(tags["last"]) >= 2, what="a checkpoint")
        [rank] = psutil.Process(guest.pid).children()
        rank.kill()

    killer = threading.Thread(target=kill_its_rank)
    killer.start()
    settings = small(training__epochs=10_000, training__checkpoint_steps=1)
    outcome = run_on_machines(workspace, records, _claimed(records, settings, endpoint, "endless"), CollectedReport())
    killer.join()
    cause = f"The process of rank 1 on {socket.gethostname()} was killed from outside (signal SIGKILL)."
    assert outcome.state == "killed"
    assert outcome.error is not None
    assert outcome.error["cause"].startswith(cause)
    assert "fext resume endless" in outcome.error["remedy"]
    assert not psutil.Process().children(recursive=True)[1:], "only the guest is left"
    _, err = guest.communicate()
    assert guest.returncode == 1
    assert cause in err
    assert "Traceback" not in err


# --- Who is gone ------------------------------------------------------------------------------------------------


def test_a_machine_that_is_gone_is_told(endpoint: Endpoint, start: Any, wait_for: Wait) -> None:
    with Meeting(endpoint, INVITATION) as meeting:
        guest = start("-c", GUEST, endpoint)
        guests = wait_for(meeting.guests)
        place = meeting.begin(Machine("first", 1), guests)
        guest.kill()
        assert meeting.endings(60) == {}
    assert [list(place.ranks_of(number)) for number in (0, 1)] == [[0], [1, 2]]


def test_ranks_end_where_the_first_machine_is_gone(
    tmp_path: Path, endpoint: Endpoint, start: Any, wait_for: Wait
) -> None:
    first = start("-c", FIRST, endpoint)
    with Guest(endpoint, 60, lambda: False) as guest:
        guest.arrive(Machine("other", 1))
        place = wait_for(guest.place)
        assert place == Place(1, [Machine("first", 1), Machine("other", 1)], endpoint, "0123")
        first.kill()
        nothing = [sys.executable, "-c", "pass"]
        ending = launch(
            nothing, 1, tmp_path, stopping=lambda: False, has_ended=lambda: False, grace=0.1, place=place,
            broken_off=lambda: guest.is_lost,
        )  # fmt: skip
        assert ending == Ending({}, set())
        with pytest.raises(FextError, match=r"connection to .* is lost"):
            guest.tell_ending({})


# --- Meeting ----------------------------------------------------------------------------------------------------


def _join(endpoint: Endpoint, requests: Callable[[], int] = lambda: 0, **given: Any) -> Any:
    return join_job(endpoint, patience=0.2, tell=lambda _: None, requests=requests, **given)


def test_nobody_answers(endpoint: Endpoint) -> None:
    with pytest.raises(FextError, match=rf"Nothing answers at {endpoint}: Connection refused\. .* tried for 0\.2 s"):
        _join(endpoint)
    with pytest.raises(UsageError, match=r"no machine named 'nowhere\.invalid'"):
        _join(Endpoint("nowhere.invalid", 1))
    with pytest.raises(Stopped):
        _join(endpoint, lambda: 1)


def test_what_listens_may_be_something_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(FextError, match="is no job of FeXT"):
        _join(Endpoint("127.0.0.1", silent.getsockname()[1]))


def _meeting_in_the_workspace(
    workspace: Workspace, records: Records, settings: Settings, endpoint: Endpoint, attempt: Callable[[], object]
) -> tuple[Outcome, CollectedReport]:
    """Let a job wait for another machine until an attempt to join it is over."""
    report, errors = CollectedReport(), list[BaseException]()

    def make() -> None:
        try:
            attempt()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)
        report.stop = True

    job = _claimed(records, settings, endpoint, "waiting")
    attempting = threading.Thread(target=make)
    attempting.start()
    outcome = run_on_machines(workspace, records, job, report)
    attempting.join()
    if errors:
        raise errors[0]
    return outcome, report


def _try_until_it_listens(endpoint: Endpoint, **given: Any) -> Any:
    return join_job(endpoint, patience=60, tell=lambda _: None, requests=lambda: 0, **given)


def test_another_workspace_is_refused(
    workspace: Workspace, records: Records, small: Small, endpoint: Endpoint, tmp_path: Path
) -> None:
    other = Workspace(tmp_path / "other").create().root
    with pytest.raises(UsageError, match=f"{other} is not the workspace of the job at {endpoint}") as caught:
        _meeting_in_the_workspace(
            workspace, records, small(), endpoint, lambda: _try_until_it_listens(endpoint, resources=other)
        )
    assert "--resources" in caught.value.remedy


@pytest.mark.parametrize(
    ("given", "cause"),
    [({"versions": {"FeXT": "0.0.1", "PyTorch": "1"}}, r"has FeXT .*, that at .* 0\.0\.1\."),
     ({"gpus": True}, "on GPUs on 127.*, and on the CPU on this machine")],
)  # fmt: skip
def test_a_machine_that_is_another_is_refused(
    workspace: Workspace, records: Records, small: Small, endpoint: Endpoint, given: dict[str, Any], cause: str
) -> None:
    job = dataclasses.asdict(_claimed(records, small(), endpoint, "waiting"))
    (workspace.logs / ".meeting-0123").write_text("0123", encoding="ascii")
    versions = {"FeXT": version("fext-tui"), "PyTorch": torch.__version__}
    facts = {"versions": versions, "gpus": False, "resources": str(workspace.root), "job": job}
    with Meeting(endpoint, INVITATION | facts | given), pytest.raises(UsageError, match=cause):
        _join(endpoint)


def test_a_stop_ends_the_wait(workspace: Workspace, records: Records, small: Small, endpoint: Endpoint) -> None:
    outcome, report = _meeting_in_the_workspace(workspace, records, small(), endpoint, lambda: None)
    assert outcome == Outcome("stopped")
    assert any(f"fext join {endpoint}" in text for _, text in report.lines)


def test_the_wait_has_an_end(workspace: Workspace, records: Records, small: Small, endpoint: Endpoint) -> None:
    job = _claimed(records, small(), endpoint, "waiting")
    outcome = run_on_machines(workspace, records, job, CollectedReport(), patience=0.1)
    assert outcome.state == "failed"
    assert outcome.error is not None
    assert outcome.error["cause"] == "Of 1 other machine, 0 came in 0.1 seconds."
    assert f"fext join {endpoint}" in outcome.error["remedy"]


def test_a_port_that_is_taken_is_told(endpoint: Endpoint) -> None:
    with (
        socket.create_server((endpoint.host, endpoint.port)),
        pytest.raises(UsageError, match=f"Port {endpoint.port} of this machine is taken") as caught,
    ):
        Meeting(endpoint, INVITATION)
    assert "--rdzv-endpoint" in caught.value.remedy


def test_who_leaves_is_not_waited_for(endpoint: Endpoint) -> None:
    with Meeting(endpoint, INVITATION) as meeting:
        with Guest(endpoint, 1, lambda: False) as leaving:
            leaving.arrive(Machine("leaving", 1))
            assert list(meeting.guests().values()) == [Machine("leaving", 1)]
        assert meeting.guests() == {}
        with Guest(endpoint, 1, lambda: False) as guest, Guest(endpoint, 1, lambda: False) as late:
            guest.arrive(Machine("other", 1))
            meeting.begin(Machine("first", 2), meeting.guests())
            late.arrive(Machine("late", 1))
            place = guest.place()
            assert place is not None
            assert (place.number, [machine.host for machine in place.machines]) == (1, ["first", "other"])
            with pytest.raises(UsageError, match="all of its machines already"):
                late.place()


def test_a_guest_is_heard(endpoint: Endpoint, wait_for: Wait) -> None:
    with Meeting(endpoint, INVITATION) as meeting, Guest(endpoint, 1, lambda: False) as guest:
        guest.arrive(Machine("other", 1))
        meeting.begin(Machine("first", 1), meeting.guests())
        assert not meeting.is_asked_to_stop
        assert not meeting.is_over
        guest.ask_to_stop()
        guest.call_over()
        wait_for(lambda: meeting.is_asked_to_stop and meeting.is_over and guest.is_over, 60)
        guest.tell_ending({"codes": {}})
        assert meeting.endings(60) == {1: {"codes": {}}}
        assert not meeting.missing()
        assert guest.end() is None
        threading.Thread(target=meeting.end, args=({"state": "done"},)).start()
        assert wait_for(guest.end, 60) == {"state": "done"}


# --- Endings ----------------------------------------------------------------------------------------------------

LOST = Outcome("failed", error={"cause": "Rank 0 lost the connection to the others.", "lost": True})
FAILED = Outcome("failed", error={"cause": "The disk is full."})
PLACE = Place(0, [Machine("gpu1", 1), Machine("gpu2", 2)], Endpoint("gpu1", DEFAULT_PORT), "0123")


@pytest.mark.parametrize(
    ("told", "ending", "absent", "state", "cause"),
    [
        ({1: FAILED}, Ending({1: 1}, set()), [], "failed", "Rank 1 on gpu2: The disk is full."),
        ({2: FAILED, 0: FAILED}, Ending({2: 1}, set()), [], "failed", "The disk is full."),
        ({}, Ending({2: -signal.SIGKILL}, set()), [], "killed", "The process of rank 2 on gpu2 was killed"),
        (None, None, [1], "failed", "The connection to gpu2 is lost (ranks 1, 2)"),
    ],
)
def test_how_a_job_of_machines_ended(
    workspace: Workspace, records: Records, told: Any, ending: Any, absent: list[int], state: str, cause: str
) -> None:
    job = records.job(records.add_job("train", "cpu", {}, {}, records.add_run("run", "redux")))
    own = Result({0: Told(LOST, 1.0)}, Ending({0: 1}, set()), out_of_memory=False)
    others = []
    if ending is not None:
        there = Result({rank: Told(one, 2.0) for rank, one in told.items()}, ending, out_of_memory=False)
        others = [json.loads(json.dumps(there.as_json()))]
    result = merged(own, others)
    explain = Explanation(workspace, records, job, result.out_of_memory, PLACE, absent)
    outcome = conclude(result.told, result.ending, explain)
    assert outcome.state == state
    assert outcome.error is not None
    assert outcome.error["cause"].startswith(cause)


# --- Endpoints --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [("gpu1:29500", Endpoint("gpu1", 29500)), (" gpu1 ", Endpoint("gpu1", DEFAULT_PORT)), ("a:", Endpoint("a", 29400)),
     ("10.0.0.5:1", Endpoint("10.0.0.5", 1)), ("", Endpoint(own_address(), DEFAULT_PORT))],
)  # fmt: skip
def test_endpoints(text: str, endpoint: Endpoint) -> None:
    assert endpoint_of(text) == endpoint


@pytest.mark.parametrize("text", [":29500", "gpu1:0", "gpu1:70000", "gpu1:x", "[::1]:29500", "::1"])
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(text))):
        endpoint_of(text)


def test_the_interface_that_leads_to_an_endpoint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        name = interface_to(Endpoint("127.0.0.1", server.getsockname()[1]))
    assert "127.0.0.1" in {address.address for address in psutil.net_if_addrs()[name]}
