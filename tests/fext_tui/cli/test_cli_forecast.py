"""``fext train --forecast``: told, and nothing started."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.forecast.measured import Measured, keep_probe, probe_file
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
from tests.fext_tui.cli.conftest import Ended

Fext = Callable[..., Ended]
CPU = ("--device", "cpu")


def test_a_forecast_is_told_and_nothing_started(
    fext: Fext, idle: Records, pictures: Path, workspace: Workspace
) -> None:
    told = fext("train", pictures, "--forecast", "--epochs", "3", *CPU)
    assert told.code == 0
    assert "not measured yet" in told.out
    assert "--measure runs a few steps" in told.out
    settings = Settings().with_values({"device.kind": "cpu"})
    keep_probe(probe_file(settings, "cpu", workspace), Measured("probe", "", 1.0, 0.5, 0.01, 5.0, 0.01, 1.2e9))
    values = fext("train", pictures, "--forecast", "--epochs", "3", *CPU, "--json").json
    assert (values["images"]["train"], values["steps"], values["lane"]) == (19, 6, "cpu")
    assert values["seconds"] == pytest.approx(6 * 0.5 + 4 * 5 * 0.01 + 5 + 24 * 0.01)
    assert {part["name"]: part["source"] for part in values["memory"]}["training"] == "measured"
    assert not idle.jobs()


def test_what_cannot_be_forecast_is_refused(fext: Fext, idle: Records, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    none = fext("train", tmp_path / "empty", "--forecast", *CPU)
    assert none.code == 1
    assert "There is no image in" in none.err
    grid = fext("train", tmp_path, "--forecast", "--grid", "training.seed=1,2")
    assert grid.code == 2
    assert "one run at a time" in grid.err
