"""Listing, following and stopping jobs; this process plays the worker."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyte
import pytest

from engine.jobs.process import this_process
from engine.jobs.submit import submit
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
from tests.fext_tui.cli.conftest import Ended

Fext = Callable[..., Ended]
Call = Callable[..., list[str]]
TRAINED = {
    "run": "mine", "state": "done", "checkpoint": "mine", "epochs": 2, "steps": 60, "img_s": 61.5, "val_psnr": 23.25,
}  # fmt: skip


def train_job(records: Records, name: str = "mine") -> int:
    return submit(records.workspace, records, "train", Settings(), {"name": name}).id


def begin(records: Records, job: int, phase: str = "training", done: float = 120, total: float = 600) -> None:
    me, now = this_process(), time.time()
    records.change_job(
        job, state="running", host=me.host, boot=me.boot, pid=me.pid, pid_started=me.started, started=now - 5,
        heartbeat=now, phase=phase, done=done, total=total, unit="steps", phase_started=now - 4,
    )  # fmt: skip


def end(records: Records, job: int, state: str, **values: Any) -> None:
    records.change_job(job, state=state, ended=time.time(), **values)


@contextmanager
def followed(command: list[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Give a call that runs, in a session of its own as a terminal's foreground process would be."""
    streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | more
    child = subprocess.Popen(command, text=True, start_new_session=True, **streams)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def test_jobs_are_listed_newest_first(fext: Fext, idle: Records) -> None:
    assert fext("jobs", "--json").json == {"jobs": []}
    assert "No job yet" in fext("jobs").out
    first, second = train_job(idle), train_job(idle, "other")
    begin(idle, first)
    listed = fext("jobs", "--json").json["jobs"]
    assert [(one["job"], one["kind"], one["state"], one["run"]) for one in listed] == [
        (second, "train", "queued", "other"),
        (first, "train", "running", "mine"),
    ]
    assert "training 120/600 steps" in fext("jobs").out
    assert len(fext("jobs", "--limit", "1", "--json").json["jobs"]) == 1


@pytest.mark.parametrize(
    ("state", "values", "code", "said"),
    [
        ("done", {"result": TRAINED}, 0, "mine"),
        ("stopped", {"result": TRAINED | {"state": "stopped"}}, 3, "fext resume mine"),
        ("stopped", {}, 3, "Stopped on request."),
        ("failed", {"error": {"cause": "No image.", "remedy": "Add some.", "exit_code": 1}}, 1, "Error: No image."),
        ("failed", {"error": {"cause": "Bad value.", "remedy": "Mend it.", "exit_code": 2}}, 2, "Mend it."),
        ("failed", {}, 1, "job-1.log"),
        ("killed", {"error": {"cause": "Killed by signal 9.", "remedy": "", "exit_code": 1}}, 1, "Killed by signal 9."),
        ("killed", {"stop": 2}, 3, "was killed"),
        ("lost", {"error": {"cause": "Lost.", "remedy": "Resume.", "exit_code": 1}}, 1, "Resume."),
    ],
)
def test_the_exit_code_and_the_json_say_how_a_job_ended(
    fext: Fext, idle: Records, state: str, values: dict[str, Any], code: int, said: str
) -> None:
    job = train_job(idle)
    end(idle, job, state, **values)
    ended = fext("attach", job, "--json")
    assert (ended.code, ended.json["job"], ended.json["state"]) == (code, job, state)
    for key, value in (values.get("result") or {}).items():
        assert ended.json[key] == value
    if "result" not in values:
        assert set(ended.json["error"]) == {"cause", "remedy"}
    person = fext("attach", job)
    assert person.code == code
    assert said in person.out + person.err


def test_numbers_that_are_not_finite_are_null_in_json(fext: Fext, idle: Records) -> None:
    job = train_job(idle)
    end(idle, job, "done", result=TRAINED | {"val_psnr": float("inf")})
    assert fext("attach", job, "--json").json["val_psnr"] is None


def test_following_ends_with_the_job(call: Call, idle: Records) -> None:
    job = train_job(idle)
    with followed(call("attach", job, "--json")) as child:
        assert child.stderr
        assert child.stderr.readline() == "starting\n"
        begin(idle, job)
        assert child.stderr.readline().startswith("training, 120/600 steps")
        idle.add_log_lines(job, [(time.time(), "info", "Packed 24 images.")])
        assert child.stderr.readline() == "Packed 24 images.\n"
        end(idle, job, "done", result=TRAINED)
        out, _ = child.communicate(timeout=30)
    assert child.returncode == 0
    assert out.count("\n") == 1
    assert '"val_psnr": 23.25' in out


def test_a_queued_job_says_what_it_waits_for(call: Call, idle: Records) -> None:
    first, second = train_job(idle), train_job(idle, "other")
    begin(idle, first)
    with followed(call("attach", second)) as child:
        assert child.stderr
        assert child.stderr.readline() == f"waiting for job {first} (train)\n"


def test_ctrl_c_asks_to_stop_and_a_second_one_kills(call: Call, idle: Records, wait_for: Callable[..., Any]) -> None:
    job = train_job(idle)
    begin(idle, job)
    with followed(call("attach", job)) as child:
        assert child.stderr
        child.stderr.readline()
        child.send_signal(signal.SIGINT)
        wait_for(lambda: idle.job(job).stop == 1)
        assert "saves a checkpoint and ends. Ctrl-C again kills it" in child.stderr.readline()
        assert child.poll() is None, "the command goes on to follow"
        child.send_signal(signal.SIGINT)
        wait_for(lambda: idle.job(job).stop == 2)
        end(idle, job, "killed", error={"cause": "Killed on request.", "remedy": "", "exit_code": 3})
        child.communicate(timeout=30)
    assert child.returncode == 3


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_hang_up_ends_the_command_and_leaves_the_job(call: Call, idle: Records, number: signal.Signals) -> None:
    job = train_job(idle)
    begin(idle, job)
    with followed(call("attach", job)) as child:
        assert child.stderr
        child.stderr.readline()
        child.send_signal(number)
        child.communicate(timeout=30)
    assert child.returncode == -number
    assert (idle.job(job).state, idle.job(job).stop) == ("running", 0)


def test_a_hang_up_that_is_ignored_ends_the_command_too(call: Call, idle: Records) -> None:
    job = train_job(idle)
    begin(idle, job)
    leader, follower = pty.openpty()
    streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), follower)
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    child = subprocess.Popen([sys.executable, "-c", ignoring, *call("attach", job)], start_new_session=True, **streams)
    os.close(follower)
    seen = b""
    while b"training" not in seen:
        seen += os.read(leader, 4096)
    os.close(leader)
    assert child.wait(timeout=240) == 128 + signal.SIGHUP
    assert (idle.job(job).state, idle.job(job).stop) == ("running", 0)


def test_stop_asks_and_then_kills(fext: Fext, idle: Records) -> None:
    waiting, running = train_job(idle), train_job(idle, "other")
    begin(idle, running)
    assert fext("stop", waiting, "--json").json["state"] == "stopped"
    assert fext("stop", running, "--json").json["state"] == "running"
    assert idle.job(running).stop == 1
    assert "is being killed" in fext("stop", running).out
    assert idle.job(running).stop == 2
    again = fext("stop", waiting)
    assert (again.code, again.out) == (0, f"Job {waiting} has ended already: stopped.\n")


def screen_of(
    command: list[str], act: Callable[[], None], rows: int = 24, columns: int = 80, **environ: str
) -> pyte.Screen:
    """Run a call in a terminal, act once it shows something, and return what the terminal shows at the end."""
    leader, follower = pty.openpty()
    os.set_blocking(leader, False)
    subprocess.run(["stty", "rows", str(rows), "cols", str(columns)], stdin=follower, check=True)
    streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), follower)
    child = subprocess.Popen(command, env=os.environ | {"TERM": "xterm-256color"} | environ, **streams)
    os.close(follower)
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    acted, deadline = False, time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            data = os.read(leader, 65536)
        except BlockingIOError:
            time.sleep(0.02)
            continue
        except OSError:
            break
        stream.feed(data)
        if not acted and "training" in "\n".join(screen.display):
            acted = True
            act()
    os.close(leader)
    assert child.wait(timeout=30) == 0
    return screen


def test_a_terminal_shows_bar_figures_curve_and_log(call: Call, idle: Records) -> None:
    job = train_job(idle)
    begin(idle, job)
    values = [(step, step / 10, time.time(), {"train/loss": 1 / step, "img_s": 61.5}) for step in range(1, 121)]
    values[-1][3].update({"validation/loss": 0.021, "validation/psnr": 24.5})
    run = idle.job(job).run
    assert run is not None
    idle.add_metrics(run, values)
    idle.add_log_lines(job, [(time.time(), "warning", "Skipped a\x1b[2J\x1b[1;1H\n\udcff.png: it is no image")])
    screen = screen_of(call("attach", job), lambda: end(idle, job, "done", result=TRAINED))
    shown = "\n".join(screen.display)
    assert "! Skipped a\\x1b[2J\\x1b[1;1H" in shown
    assert "120/600 steps" in shown
    assert "epoch 12.00 · loss 0.0083 · held out 0.0210 · 24.50 dB · 61.5 img/s" in shown
    assert any(0x2800 < ord(character) <= 0x28FF for character in shown), "there is a curve of braille dots"
    assert "Trained in" in shown
    assert not screen.cursor.hidden


def test_without_a_live_plot_there_is_no_curve(call: Call, idle: Records) -> None:
    job = train_job(idle)
    begin(idle, job)
    run = idle.job(job).run
    assert run is not None
    idle.add_metrics(run, [(step, 1.0, time.time(), {"train/loss": 1 / step}) for step in range(1, 50)])
    command = call("attach", job)
    screen = screen_of(command, lambda: end(idle, job, "done", result=TRAINED), FEXT_TRAINING_LIVE_PLOT="off")
    assert not any(0x2800 < ord(character) <= 0x28FF for line in screen.display for character in line)
    assert "loss 0.0204" in "\n".join(screen.display)


def test_a_lost_job_is_found_when_its_processes_are_gone(fext: Fext, workspace: Workspace, tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with Records(workspace) as records:
        job = records.add_job("analyze", "cpu", {}, {})
        me = this_process()
        records.change_job(job, state="running", host=me.host, boot=me.boot, pid=gone.pid, pid_started=1.0)
    assert fext("jobs", "--json").json["jobs"][0]["state"] == "lost"
    assert fext("attach", job).code == 1
