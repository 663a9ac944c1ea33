"""Fixtures of the command line's tests: the installed command, and jobs that nobody runs."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.jobs.lock import RunnerLock
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import from_layers
from engine.workspace import Workspace
from fext_tui.cli.entry import run

SMALL = {
    "data.image_height": 16, "data.image_width": 16, "model.latent_channels": 8, "model.downsampling": 8,
    "training.epochs": 1, "training.batch_size": 8, "training.probe_images": 2, "device.kind": "cpu",
    "model.shortcut": False,
}  # fmt: skip

COMMAND = Path(sys.executable).parent / "fext"


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one line of JSON that is last on standard output."""
        assert self.out.count("\n") == 1, self
        values = json.loads(self.out)
        assert isinstance(values, dict)
        return values


@pytest.fixture
def call(workspace: Workspace, tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that gives the command line of a call on `workspace`."""
    return lambda *arguments: [str(COMMAND), "--resources", str(workspace.root), *map(str, arguments)]


@pytest.fixture
def process(call: Callable[..., list[str]], tmp_path: Path) -> Callable[..., Ended]:
    """Return a function that runs the installed command on `workspace`, from `tmp_path`."""

    def start(*arguments: object, seconds: int = 120) -> Ended:
        command = call(*arguments)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=seconds, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    return start


@pytest.fixture
def fext(
    call: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:
    """Return a function that does the same in this process, in a tenth of the time."""
    monkeypatch.chdir(tmp_path)

    def start(*arguments: object, environ: Mapping[str, str] | None = None) -> Ended:
        for name, value in (environ or {}).items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = run(call(*arguments)[1:])
        for name in environ or {}:
            monkeypatch.delenv(name)
        return Ended(code, *capsys.readouterr())

    return start


@pytest.fixture
def idle(workspace: Workspace, records: Records) -> Iterator[Records]:
    """Give the records of `workspace`, whose jobs wait for ever: this process may run them, and does not."""
    with RunnerLock(workspace) as lock:
        assert lock.take()
        yield records


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder of 24 small pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(7)
    for number in range(24):
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((40, 32), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a workspace with the checkpoints ``first`` and ``second``."""
    from engine.training import train

    folder = tmp_path_factory.mktemp("trained")
    workspace, random = Workspace(folder / "workspace").create(), np.random.default_rng(3)
    for number in range(16):
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((24, 24), Image.Resampling.BICUBIC).save(workspace.images / f"{number}.png")
    with Records(workspace) as records:
        for name, rate in (("first", 0.001), ("second", 0.002)):
            settings = from_layers(("", SMALL | {"training.learning_rate": rate}))
            train(settings, workspace, records, CollectedReport(), run=records.add_run(name, "redux"))
    return workspace.root
