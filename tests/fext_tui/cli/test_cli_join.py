"""`fext join`, and the scripts that start jobs on several machines."""

import os
import re
import shlex
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from fext_tui.cli.entry import fext as command_line
from tests.fext_tui.cli.conftest import Ended

SCALING = Path(__file__).parents[3] / "docs/scaling.md"
SCRIPTS = re.findall(r"^```bash\n(.*?)^```", SCALING.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

STUBS = {
    "fext": 'printf "%q " "$@" >>"$TOLD"; echo >>"$TOLD"',
    "ssh": 'bash -c "$3 wait"',
    "nohup": '"$@"',
    "scontrol": 'printf "node7\\nnode8\\n"',
    "srun": 'for SLURM_NODEID in 0 1; do export SLURM_NODEID; "$@"; done',
}


def test_a_job_that_is_not_there_is_told(fext: Callable[..., Ended]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    ended = fext("join", f"127.0.0.1:{port}", "--wait", "0.1", "--json")
    assert ended.code == 1
    assert ended.json["error"]["cause"].startswith(f"Nothing answers at 127.0.0.1:{port}: Connection refused.")
    assert f"Looking for the job at 127.0.0.1:{port} …" in ended.err


def test_what_is_no_endpoint_is_wrong_usage(fext: Callable[..., Ended]) -> None:
    assert fext("join", "gpu1:port").code == 2


@pytest.mark.parametrize(
    ("script", "first"), [(SCRIPTS[0], "gpu1:29400"), (SCRIPTS[1], "node7:29400")], ids=["ssh", "slurm"]
)
def test_the_scripts_of_the_guide_start_one_command_a_machine(script: str, first: str, tmp_path: Path) -> None:
    for name, body in STUBS.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TOLD": str(tmp_path / "told")}
    slurm = {"SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "node[7-8]"}
    subprocess.run(["bash", "-c", script], env={**os.environ, **variables, **slurm}, cwd=tmp_path, check=True)
    calls = [shlex.split(line) for line in (tmp_path / "told").read_text(encoding="utf-8").splitlines()]
    [train] = [call for call in calls if call[0] == "train"]
    joins = [call for call in calls if call[0] == "join"]
    assert train[train.index("--nodes") + 1] == str(len(joins) + 1)
    assert train[train.index("--rdzv-endpoint") + 1] == first
    assert all(call[1] == first for call in joins)
    assert all(set(_options(call)) <= set(_known(call[0])) for call in calls)


def _options(call: list[str]) -> list[str]:
    return [word for word in call if word.startswith("--")]


def _known(verb: str) -> list[str]:
    command = command_line.get_command(click.Context(command_line), verb)
    assert command is not None
    return [option for parameter in command.params for option in parameter.opts]
