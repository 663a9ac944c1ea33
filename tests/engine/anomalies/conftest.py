"""A small network, trained once for all tests of anomalies."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.records import Records
from engine.report import CollectedReport
from engine.settings import from_layers
from engine.training import train
from engine.workspace import Workspace


@pytest.fixture(scope="session")
def trained_once(
    tmp_path_factory: pytest.TempPathFactory, draw_pictures: Callable[..., Path], small_values: dict[str, Any]
) -> Path:
    """Return a workspace with a run ``many``, which held out 60 images, and ``few``, the same with but 12 of them."""
    root = tmp_path_factory.mktemp("anomalies") / "workspace"
    draw_pictures(root / "pictures", 60)
    draw_pictures(root / "held_out", 60, seed=1)
    workspace = Workspace(root).create()
    own = {"data.folder": "pictures", "data.validation_folder": "held_out", "training.epochs": 3}
    with Records(workspace) as records:
        run = records.add_run("many", "redux")
        train(from_layers(("", small_values | own)), workspace, records, CollectedReport(), run=run)
    shutil.copytree(workspace.checkpoints / "many", workspace.checkpoints / "few", symlinks=True)
    listing = workspace.checkpoints / "few" / "images.csv"
    listing.write_text("".join(listing.read_text().splitlines(keepends=True)[: 1 + 60 + 12]))
    return root


@pytest.fixture
def trained(trained_once: Path, workspace: Workspace) -> Workspace:
    """Return `workspace` with a copy of what was trained."""
    shutil.copytree(trained_once, workspace.root, symlinks=True, dirs_exist_ok=True)
    return workspace
