"""The command that is run when a job has ended: whose it may be, what it is told, and that no shell sees it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest

from engine.errors import UsageError
from engine.jobs.on_finish import user_configuration
from engine.jobs.process import start_time
from engine.jobs.submit import submit
from engine.settings import Settings

if TYPE_CHECKING:
    from tests.engine.jobs.conftest import Jobs

TELL = (
    "import json, os, sys; told = {k: v for k, v in os.environ.items() if k.startswith('FEXTJOB_')}\n"
    "open(sys.argv[1] + '.part', 'w').write(json.dumps([told, sys.argv[2:], os.getcwd()]))\n"
    "os.replace(sys.argv[1] + '.part', sys.argv[1])"
)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the user of each test folders of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def _command(path: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", TELL, str(path), *words]


def _sample(jobs: "Jobs", folder: str, on_finish: list[str], count: int = 1) -> int:
    arguments = {"folder": folder, "count": count, "seed": 1}
    return submit(jobs.workspace, jobs.records, "sample", Settings(), arguments, on_finish=on_finish).id


def _told(jobs: "Jobs", path: Path) -> Any:
    jobs.wait_for(path.exists, what="the command's word")
    return json.loads(path.read_text())


def _configure(words: object, mode: int = 0o644) -> None:
    path = user_configuration()
    path.parent.mkdir(parents=True)
    path.write_text(f"on_finish = {json.dumps(words)}\n")
    path.chmod(mode)


def test_it_is_told_how_the_job_went_and_no_shell_sees_it(jobs: "Jobs", tmp_path: Path) -> None:
    path = tmp_path / "told"
    job = _sample(jobs, str(tmp_path / "drawn"), _command(path, "; touch x", "$HOME", "*"))
    told, words, folder = _told(jobs, path)
    row = jobs.ended(job)
    assert (told["FEXTJOB_ID"], told["FEXTJOB_KIND"], told["FEXTJOB_STATE"]) == (str(job), "sample", "done")
    assert float(told["FEXTJOB_SECONDS"]) == pytest.approx((row.ended or 0) - (row.started or 0), abs=0.1)
    assert told["FEXTJOB_RESOURCES"] == folder == str(jobs.workspace.root)
    assert words == ["; touch x", "$HOME", "*"]
    assert not list((platformdirs.user_state_path("fext") / "on_finish").iterdir()), "it is forgotten"


def test_the_command_of_the_configuration_is_that_of_every_job(jobs: "Jobs", tmp_path: Path) -> None:
    path = tmp_path / "told"
    _configure(_command(path))
    (tmp_path / "file").write_text("in the way")
    job = _sample(jobs, str(tmp_path / "file"), [])
    told, _, _ = _told(jobs, path)
    assert told["FEXTJOB_STATE"] == jobs.ended(job).state == "failed"
    assert told["FEXTJOB_CAUSE"]


def test_it_is_run_also_when_the_worker_was_killed(jobs: "Jobs", tmp_path: Path) -> None:
    path = tmp_path / "told"
    job = jobs.started(_sample(jobs, str(tmp_path / "drawn"), _command(path), count=10_000_000))
    assert job.pid is not None
    jobs.kill(job.pid)
    told, _, _ = _told(jobs, path)
    assert told["FEXTJOB_STATE"] == jobs.ended(job.id).state == "killed"


def test_it_is_run_by_a_runner_that_took_the_job_over(
    jobs: "Jobs", tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    path = tmp_path / "told"
    job = jobs.started(_sample(jobs, str(tmp_path / "drawn"), _command(path), count=10_000_000))
    jobs.kill_runner()
    second = jobs.sample(1)
    assert job.pid is not None
    jobs.kill(job.pid)
    assert start_time(job.pid) is None
    told, _, _ = _told(jobs, path)
    assert told["FEXTJOB_STATE"] == jobs.ended(job.id).state == "lost"
    assert jobs.ended(second).state == "done"


@pytest.mark.parametrize(
    ("words", "mode", "said"),
    [
        (["touch", "x"], 0o666, "can be written by others"),
        ("touch x", 0o644, "is no list of words"),
        (["/no/such/program"], 0o644, "/no/such/program"),
    ],
)
def test_what_cannot_be_run_is_told_in_the_log_and_harms_nothing(
    jobs: "Jobs", tmp_path: Path, words: object, mode: int, said: str
) -> None:
    _configure(words, mode)
    assert jobs.ended(_sample(jobs, str(tmp_path / "drawn"), [])).state == "done"
    jobs.wait_for(lambda: said in jobs.runner_log(), what="the warning")
    assert not (jobs.workspace.root / "x").exists()


def test_a_workspace_cannot_ask_for_a_command(jobs: "Jobs", tmp_path: Path) -> None:
    arguments = {"folder": str(tmp_path / "drawn"), "count": 1, "seed": 1, "on_finish": ["touch", "x"]}
    with pytest.raises(UsageError, match="takes no on_finish"):
        submit(jobs.workspace, jobs.records, "sample", Settings(), arguments)
