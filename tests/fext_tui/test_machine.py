"""What is told of the machine: in the top bar while a job runs on it, and in its panel."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.machine import MachineUse
from engine.records import Records
from fext_tui.machine import machine_facts, machine_words, trend

Shown = Callable[[Any], str]


@pytest.fixture
def use(make_app: Any) -> MachineUse:
    reading: MachineUse = make_app().machine.read(1)
    return reading


@pytest.mark.parametrize(
    ("lane", "room", "expected"),
    [
        ("cpu", 60, "cpu 52 %  8.1/24 GB  69.0 GB free"),
        ("cpu", 22, "cpu 52 %  8.1/24 GB"),
        ("cpu", 5, ""),
        ("gpu:0", 60, "gpu 97 %  41.2/80 GB  64 °C  412 W"),
        ("gpu:0", 30, "gpu 97 %  41.2/80 GB  64 °C"),
        ("gpu:1", 60, "cpu 52 %  8.1/24 GB  69.0 GB free"),
    ],
)
def test_what_matters_most_comes_first_and_fits(use: MachineUse, lane: str, room: int, expected: str) -> None:
    assert machine_words(use, lane, room) == expected


def test_what_the_driver_does_not_tell_is_left_out(use: MachineUse) -> None:
    gpu = replace(use.gpus[0], busy=None, temperature=None, power=None, power_limit=None, job_memory=None)
    silent = replace(use, gpus=(gpu,))
    assert machine_words(silent, "gpu:0", 60) == "gpu –  41.2/80 GB"
    told = machine_facts([silent], None, 80).plain
    assert "°C" not in told
    assert " W" not in told


def test_a_trend_ends_with_the_newest() -> None:
    assert trend([]) == ""
    assert trend([0.0, 0.5, 1.0]) == "▁▅█"
    assert trend([0.0] * 100 + [2.0]) == "▁" * 15 + "█"


async def test_the_top_bar_tells_of_the_machine_while_a_job_runs_on_it(
    furniture: Any, no_runner: None, opened: Any, until: Any, records: Records, shown: Shown
) -> None:
    job = furniture.training("redux-now", 1_760_000_000.0 - 60, "running", steps=430)
    async with opened() as pilot:
        await until(pilot, lambda: "cpu 52 %  8.1/24 GB" in shown(pilot).splitlines()[0])
        records.change_job(job, state="done", ended=1_760_000_000.0)
        await until(pilot, lambda: "~/workspace" in shown(pilot).splitlines()[0])


async def test_a_job_of_another_host_tells_nothing_of_this_machine(
    furniture: Any, no_runner: None, opened: Any, until: Any, records: Records, shown: Shown
) -> None:
    job = furniture.training("redux-now", 1_760_000_000.0 - 60, "running", steps=430)
    records.change_job(job, host="elsewhere")
    async with opened() as pilot:
        await until(pilot, lambda: pilot.app.history.step == 430)
        assert "~/workspace" in shown(pilot).splitlines()[0]
        assert not pilot.app.machine_readings


async def test_the_panel_opens_and_closes(opened: Any, shown: Shown, until: Any) -> None:
    async with opened(size=(80, 24)) as pilot:
        await pilot.press("M")
        await until(pilot, lambda: "52 % of 2 cores" in shown(pilot))
        assert "NVIDIA H100 80GB HBM3  64 °C  412 W of 700 W" in shown(pilot)
        await pilot.press("escape")
        assert "52 % of 2 cores" not in shown(pilot)


async def test_a_folder_that_is_gone_is_told_and_nothing_breaks(
    make_app: Any, tmp_path: Path, until: Any, shown: Shown
) -> None:
    from engine.machine import Machine

    app = make_app()
    app.machine = Machine(tmp_path / "gone")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("M")
        await until(pilot, lambda: "gone" in shown(pilot))
