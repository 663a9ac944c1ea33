"""Curves of several runs over one another: how they are laid, and the Runs screen by keys."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from engine.records import Records
from fext_tui.comparison import LOOKS, Axis, laid, read_comparison, smoothed
from fext_tui.plotting import logarithmic_ticks
from fext_tui.widgets.job_table import JobTable
from fext_tui.widgets.overlay import Overlay, comparison_facts

Shown = Callable[[Pilot[None]], str]
ROWS = [
    {"step": 10, "value": 0.5, "epoch": 0.5, "time": 1000.0},
    {"step": 20, "value": None, "epoch": 1.0, "time": 1030.0},
    {"step": 30, "value": 0.0, "epoch": 1.5, "time": 1060.0},
    {"step": 40, "value": 0.25, "epoch": 2.0, "time": 1120.0},
]


@pytest.mark.parametrize(
    ("axis", "along"), [("step", [10, 30, 40]), ("epoch", [0.5, 1.5, 2.0]), ("time", [0.0, 1.0, 2.0])]
)
def test_a_curve_is_laid_over_steps_epochs_or_minutes(axis: Axis, along: list[float]) -> None:
    series = laid(ROWS, axis, logarithmic=False, smooth=False)
    assert series.steps == along
    assert series.values == [0.5, 0.0, 0.25]


def test_what_a_logarithmic_scale_cannot_show_is_left_out() -> None:
    assert laid(ROWS, "step", logarithmic=True, smooth=False).steps == [10, 40]
    assert laid([], "time", logarithmic=True, smooth=True).steps == []


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_a_smoothed_value_is_the_weighted_mean_of_all_up_to_it(values: list[float]) -> None:
    for index, smooth in enumerate(smoothed(values)):
        weights = 0.85 ** np.arange(index, -1, -1)
        assert smooth == pytest.approx(np.average(values[: index + 1], weights=weights), rel=1e-6, abs=1e-6)


def test_the_best_run_comes_first_with_what_made_the_difference(furniture: Any, records: Records) -> None:
    furniture.training("redux-a", 1.0, "done", best=25.0)
    furniture.training("medium-b", 2.0, "done", best=27.0)
    records.change_run(records.runs()[0]["id"], note="[b]wide[/b]", tags="night")
    comparison = read_comparison(records, ["redux-a", "gone", "medium-b"], now=3.0)
    assert [run.name for run in comparison.runs] == ["redux-a", "medium-b"]
    lines = comparison_facts(comparison, 3.0).plain.splitlines()
    assert lines[0] == "2 runs compared, best first"
    named = [line.split()[:2] for line in lines if line.startswith(("o ", "x "))]
    assert named == [["x", "medium-b"], ["o", "redux-a"]]
    assert "#night [b]wide[/b]" in "\n".join(lines)
    assert lines[lines.index("model.variant") :][:3] == ["model.variant", "  x medium", "  o redux"]
    assert "training.epochs" not in lines


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-2.1, 0.1, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]), (-1.35, -0.6, [0.05, 0.1, 0.2]), (0.0, 0.0432, [1, 1.02])],
)
def test_logarithmic_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    found = [10**tick for tick in logarithmic_ticks(low, high, 4)]
    assert found[: len(expected)] == pytest.approx(expected, rel=0.01)


async def test_marked_runs_are_laid_over_one_another(furnished: Any, opened: Any, settle: Any, shown: Shown) -> None:
    async with opened(size=(160, 48), keys="4 space") as pilot:
        table = pilot.app.screen.query_one(JobTable)
        assert table.cursor_row == 1, "the cursor goes on, so that space after space marks a range"
        await settle(pilot)
        assert "Mark another run" in shown(pilot)
        await pilot.press("down", "down", "down", "space")
        await settle(pilot)
        await settle(pilot)
        text = shown(pilot)
        assert "2 runs compared" in text
        assert "model.variant" in text
        assert "PSNR over steps" in text
        for mark in "ox":
            assert f"─{mark}─" in text, "in the legend"
            assert f"{mark} " in text, "in the table and with the settings"
        await pilot.press("t", "l", "w", "m")
        await pilot.pause()
        assert "validation loss over epochs, logarithmic, smoothed" in shown(pilot)
        await pilot.press("t")
        await pilot.pause()
        assert "over minutes" in shown(pilot)
        await pilot.press("u")
        await settle(pilot)
        await settle(pilot)
        assert "compared" not in shown(pilot)
        assert "Settings that differ from the defaults" in shown(pilot)
        assert not pilot.app.screen.query_one(Overlay).display


async def test_the_plot_is_drawn_also_where_its_pane_was_hidden(
    furnished: Any, opened: Any, settle: Any, shown: Shown
) -> None:
    async with opened(keys="4 space") as pilot:
        await settle(pilot)
        await pilot.press("v")
        await settle(pilot)
        assert any(0x2800 < ord(character) <= 0x28FF for character in shown(pilot))


async def test_only_as_many_runs_are_marked_as_can_be_told_apart(
    furniture: Any, no_runner: None, opened: Any, settle: Any, shown: Shown
) -> None:
    for number in range(len(LOOKS) + 1):
        furniture.training(f"redux-{number}", float(number), "done", steps=20)
    async with opened(size=(160, 48), keys="4") as pilot:
        for _ in range(len(LOOKS) + 1):
            await pilot.press("space")
        await settle(pilot)
        assert f"No more than {len(LOOKS)} runs" in shown(pilot)


async def test_a_job_without_a_run_cannot_be_marked(furniture: Any, opened: Any, shown: Shown) -> None:
    furniture.job("encode", 5.0, "done", {"checkpoint": "x"})
    async with opened(size=(160, 48), keys="4") as pilot:
        assert "Mark" not in shown(pilot).splitlines()[-1]
        await pilot.press("space")
        await pilot.pause()
        assert "compared" not in shown(pilot)
