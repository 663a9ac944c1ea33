"""The Model screen, by keys: settings as a whole, checkpoints, a real training with its curve."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.configurations import read_configuration, save_configuration
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.plotting import limits, nice_ticks, thinned
from fext_tui.series import Series
from fext_tui.widgets.checkpoints import CheckpointTable

Shown = Callable[[Pilot[None]], str]


def settings_of(pilot: Pilot[None]) -> Settings:
    settings: Settings = pilot.app.settings  # type: ignore[attr-defined]  # it is the app of this product
    return settings


async def test_panes_take_turns_in_a_narrow_terminal(furnished: Workspace, opened: Any, shown: Shown) -> None:
    async with opened(keys="2") as pilot:
        assert "Latent channels" in shown(pilot)
        for key, told in (
            ("c", "medium-wide"),
            ("v", "best PSNR"),
            ("o", "963 for training"),
            ("f", "Latent channels"),
        ):
            await pilot.press(key)
            await pilot.pause()
            assert told in shown(pilot), key


async def test_a_wide_terminal_shows_all(furnished: Workspace, opened: Any, shown: Shown, until: Any) -> None:
    async with opened(size=(160, 48), keys="2") as pilot:
        await until(pilot, lambda: "best PSNR" in shown(pilot))
        for told in ("Latent channels", "redux-photos", "963 for training", "loss ─ train"):
            assert told in shown(pilot)


async def test_an_empty_workspace_says_what_fills_it(opened: Any, shown: Shown) -> None:
    async with opened(keys="2 v") as pilot:
        assert "No curve yet." in shown(pilot)
        await pilot.press("c")
        await pilot.pause()
        assert "No checkpoint yet." in shown(pilot)


async def test_the_curve_is_there_from_the_first_step(
    furniture: Any, no_runner: None, opened: Any, until: Any, shown: Shown, records: Records
) -> None:
    job = furniture.training("redux-now", 1.0, "running", steps=300)
    async with opened(keys="2 v") as pilot:
        await until(pilot, lambda: "step 300" in shown(pilot) or "epoch 20.00" in shown(pilot))
        assert pilot.app.history.series["train/loss"].steps[0] == 5
        records.add_metrics(1, [(310, 20.7, 5.0, {"train/loss": 0.01, "validation/psnr": 31.5})])
        records.change_job(job, done=310)
        await until(pilot, lambda: "31.50 dB" in shown(pilot))


async def test_settings_are_saved_and_loaded_by_name(opened: Any, workspace: Workspace, shown: Shown) -> None:
    async with opened(keys="2", values={"training.epochs": 7}) as pilot:
        await pilot.press("w", *"mine", "enter")
        await pilot.pause()
        assert read_configuration(workspace, "mine")["training.epochs"] == 7
        await pilot.press("p", "end", "enter")
        await pilot.pause()
        assert settings_of(pilot) == Settings()
        await pilot.press("l", "enter")
        await pilot.pause()
        assert settings_of(pilot).training.epochs == 7


async def test_a_name_that_cannot_be_is_refused_in_place(opened: Any, shown: Shown) -> None:
    async with opened(keys="2 w") as pilot:
        await pilot.press(*"a/b", "enter")
        await pilot.pause()
        assert "cannot name a" in shown(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert "cannot name a" not in shown(pilot)


async def test_writing_over_a_configuration_asks_first(opened: Any, workspace: Workspace, shown: Shown) -> None:
    save_configuration(workspace, "mine", Settings().with_values({"training.epochs": 3}))
    async with opened(keys="2") as pilot:
        await pilot.press("w", *"mine", "enter")
        await pilot.pause()
        assert "Write over the configuration mine?" in shown(pilot)
        await pilot.press("enter")
        await pilot.pause()
    assert read_configuration(workspace, "mine")["training.epochs"] == 3


async def test_a_damaged_configuration_is_told(opened: Any, workspace: Workspace, shown: Shown) -> None:
    (workspace.configurations / "bad.toml").write_text("[training\n", encoding="utf-8")
    async with opened(size=(120, 30), keys="2 l enter") as pilot:
        assert "cannot be read" in shown(pilot)
        assert settings_of(pilot) == Settings()


async def test_a_preset_is_taken(opened: Any) -> None:
    async with opened(keys="2 p enter") as pilot:
        assert settings_of(pilot).training.minutes == 1.0
        assert settings_of(pilot).data.image_height == 64


async def test_deleting_a_checkpoint_asks_with_no_first(
    furnished: Workspace, opened: Any, until: Any, settle: Any, shown: Shown
) -> None:
    folder = furnished.checkpoints / "medium-wide"
    async with opened(keys="2 c d") as pilot:
        assert "Delete the checkpoint medium-wide?" in shown(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert folder.is_dir()
        await pilot.press("d", "y")
        await until(pilot, lambda: pilot.app.screen.query_one(CheckpointTable).row_count == 1)
        assert not folder.exists()
        assert (furnished.checkpoints / "redux-photos").is_dir()


async def test_the_checkpoint_of_a_running_job_is_not_deleted(
    furniture: Any, no_runner: None, opened: Any, until: Any, shown: Shown
) -> None:
    furniture.training("redux-now", 1.0, "running")
    folder = furniture.checkpoint("redux-now", 1.0)
    async with opened(size=(120, 30), keys="2") as pilot:
        await until(pilot, lambda: pilot.app.job_lives)
        await pilot.press("d")
        await pilot.pause()
        assert "is writing redux-now" in shown(pilot)
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("key", "kind", "arguments"),
    [("r", "resume", {"checkpoint": "medium-wide"}), ("e", "evaluate", {"checkpoint": "medium-wide"})],
)
async def test_keys_submit_jobs_for_the_selected_checkpoint(
    key: str, kind: str, arguments: dict[str, str], furnished: Workspace, no_runner: None, opened: Any, until: Any,
    records: Records,
) -> None:  # fmt: skip
    async with opened(keys="2", values={"evaluation.batch_size": 5}) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: records.jobs("queued"))
    [job] = records.jobs("queued")
    assert (job.kind, job.arguments) == (kind, arguments)
    assert job.settings["evaluation"]["batch_size"] == 5


async def test_encoding_asks_for_a_folder_that_is_there(
    furnished: Workspace,
    no_runner: None,
    opened: Any,
    until: Any,
    records: Records,
    tmp_path: Path,
    shown: Shown,
) -> None:
    async with opened(keys="2 n") as pilot:
        field = pilot.app.screen.query_one("Input")
        assert field.value == str(furnished.inference_images)
        field.value = str(tmp_path / "nowhere")
        await pilot.press("enter")
        await pilot.pause()
        assert "There is no folder" in shown(pilot)
        field.value = str(tmp_path)
        await pilot.press("enter")
        await until(pilot, lambda: records.jobs("queued"))
    assert records.jobs("queued")[0].arguments == {"checkpoint": "medium-wide", "folder": str(tmp_path)}


async def test_a_second_training_waits_in_the_queue(
    no_runner: None, opened: Any, until: Any, records: Records, furniture: Any, shown: Shown
) -> None:
    furniture.training("redux-now", 1.0, "running")
    async with opened(size=(120, 30), keys="2") as pilot:
        await until(pilot, lambda: pilot.app.job_lives)
        await pilot.press("t")
        await until(pilot, lambda: "in the queue" in shown(pilot))
        assert pilot.app.current_job.id == 1
    assert [job.state for job in records.jobs()] == ["queued", "running"]


def test_ticks_are_round_and_inside() -> None:
    assert nice_ticks(0.03, 0.24, 4) == [0.05, 0.1, 0.15, 0.2]
    assert nice_ticks(1, 1200, 5) == [200, 400, 600, 800, 1000, 1200]
    for low, high in ((-3.0, 7.0), (0.001, 0.0011), (5.0, 5.00001), (1e6, 5e6)):
        ticks = nice_ticks(low, high, 4)
        assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
        assert 1 <= len(ticks) <= 7


def test_limits_cut_the_peak_of_the_first_steps() -> None:
    values = [9.0] + [1.0 / step for step in range(1, 100)]
    low, high = limits(values)
    assert high < 1.5
    assert low < 0.02
    assert limits([2.0, 2.0])[0] < 2.0 < limits([2.0, 2.0])[1]


def test_a_thinned_curve_keeps_its_mean_and_its_extremes() -> None:
    series = Series(list(range(1000)), [float(step % 10) for step in range(1000)])
    thin = thinned(series, 50)
    assert len(thin.steps) <= 100
    assert thin.steps == sorted(thin.steps)
    assert abs(sum(thin.values) / len(thin.values) - 4.5) < 0.01
    assert (min(thin.lows), max(thin.highs)) == (0.0, 9.0)


async def test_a_key_pressed_before_the_screen_is_there_is_not_typed(
    no_runner: None, make_app: Any, until: Any
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.current_mode == "data")
        app.simulate_key("2")
        app.simulate_key("p")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert app.current_mode == "model"


async def test_an_evaluation_leaves_the_curve_in_place(
    furnished: Workspace, furniture: Any, no_runner: None, opened: Any, until: Any, records: Records, shown: Shown
) -> None:
    async with opened(keys="2 v") as pilot:
        job = records.add_job("evaluate", "cpu", {}, {"checkpoint": "redux-photos"})
        furniture.run_here(job, 5.0, done=1)
        await until(pilot, lambda: pilot.app.history.name == "redux-photos")
        await pilot.press("v")
        await pilot.pause()
        assert "medium-wide" in shown(pilot)
        assert "loss ─ train" in shown(pilot)


async def test_without_live_plot_the_curve_comes_at_the_end(
    furniture: Any, no_runner: None, opened: Any, until: Any, records: Records, shown: Shown
) -> None:
    job = furniture.training("redux-now", 1.0, "running", steps=300)
    off = Settings().with_values({"training.live_plot": False}).model_dump(mode="json")
    records.change_job(job, settings=json.dumps(off))
    async with opened(keys="2 v") as pilot:
        await until(pilot, lambda: pilot.app.history.step == 300)
        await until(pilot, lambda: "The live plot is off" in shown(pilot))
        records.change_job(job, state="done", ended=5.0)
        await until(pilot, lambda: "loss ─ train" in shown(pilot))
