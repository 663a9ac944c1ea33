"""Fixtures that every part's tests share."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

from engine.records import Records
from engine.workspace import Workspace

SHARED = Path(__file__).parents[2] / "shared"

T = TypeVar("T")

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Take away what the person's shell sets: variables of the product, terminal hints, and folders of their own."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:  # compiled once for all tests
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(Path(cache) / "fext" / "inductor"))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path_factory.getbasetemp() / "home" / name))
    for name in list(os.environ):
        if name.startswith("FEXT_") or name in {"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"}:
            monkeypatch.delenv(name)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace of its own, with its folders."""
    return Workspace(tmp_path / "workspace").create()


@pytest.fixture
def records(workspace: Workspace) -> Iterator[Records]:
    """Give the records of `workspace`, open."""
    with Records(workspace) as opened:
        yield opened


@pytest.fixture(scope="session")
def photos() -> Path:
    """Return the folder of photographs (``train`` and ``val``); skip where it is absent."""
    return _shared("data/photos")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return the folder of images with reference values; skip where it is absent."""
    return _shared("golden")


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    return folder


@pytest.fixture
def wait_for() -> Callable[..., T]:
    """Return a function that polls until what it is given is true, and returns it; fails after ``seconds``."""

    def wait(condition: Callable[[], T], seconds: float = 240.0, what: str = "the condition") -> T:
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not come true in {seconds:g} s", pytrace=True)
            time.sleep(0.02)
        return value

    return wait
