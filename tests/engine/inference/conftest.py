"""A workspace with two small networks, trained once, and an inference that asks them in a child of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.inference import Inference
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings, from_layers
from engine.training import train
from engine.workspace import Workspace


@pytest.fixture(scope="session")
def settings_of(small_values: dict[str, Any]) -> Callable[..., Settings]:
    """Return a function that gives the settings of the small networks, with values by dotted key put over them."""
    own = {"data.folder": "pictures", "training.epochs": 1, "evaluation.baseline_images": 0, "evaluation.batch_size": 1}

    def build(**values: Any) -> Settings:
        named = {name.replace("__", "."): value for name, value in values.items()}
        return from_layers(("", small_values | own), ("", named))

    return build


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, draw_pictures: Callable[..., Path], settings_of: Callable[..., Settings]
) -> Workspace:
    """Return a workspace with the runs ``color`` and ``gray`` and the folder ``pictures``."""
    workspace = Workspace(tmp_path_factory.mktemp("inference") / "workspace").create()
    draw_pictures(workspace.root / "pictures", 16)
    with Records(workspace) as records:
        for name in ("color", "gray"):
            settings = settings_of(data__grayscale=name == "gray")
            train(settings, workspace, records, CollectedReport(), run=records.add_run(name, "redux"))
    return workspace


@pytest.fixture
def picture(trained: Workspace) -> Path:
    """Return a picture of 40 × 40 pixels."""
    return trained.root / "pictures" / "picture_003.png"


@pytest.fixture(scope="session")
def inference(trained: Workspace) -> Iterator[Inference]:
    """Give an inference whose child is started once, but for tests that end it."""
    shared = Inference(trained)
    yield shared
    shared.close()


@pytest.fixture(scope="session")
def children_of() -> Callable[[Workspace], list[psutil.Process]]:
    """Return a function that gives the children that look at pictures for a workspace."""
    return lambda workspace: [one for one in psutil.Process().children() if _serves(one, workspace)]


@pytest.fixture
def child_of(children_of: Callable[[Workspace], list[psutil.Process]]) -> Callable[[Workspace], psutil.Process]:
    """Return a function that gives the one child that looks at pictures for a workspace."""

    def find(workspace: Workspace) -> psutil.Process:
        [found] = children_of(workspace)
        return found

    return find


def _serves(process: psutil.Process, workspace: Workspace) -> bool:
    try:
        return {"engine.inference.child", str(workspace.root)} <= set(process.cmdline())
    except psutil.NoSuchProcess:
        return False
