"""Forecasts: images and steps, what is measured and what is calculated, and what does not fit."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import FextError, Stopped, UsageError
from engine.forecast import ImageCount, Measured, count_images, find_measured, forecast, probe
from engine.forecast.measured import keep_probe, probe_file
from engine.forecast.memory import training_bytes
from engine.forecast.network import network_size
from engine.images.dataset import prepare
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.workspace import Workspace

Small = Callable[..., Settings]
IMAGES = ImageCount(train=100, held_out=20, to_pack=120, pack_bytes=4_000_000, complete=True)
PROBE = Measured("probe", "", 5.0, step=0.5, held_out=0.1, start=7.0, decode=0.01, memory=1e9)


def trained(records: Records, settings: Settings, *, name: str = "redux-a", **result: Any) -> int:
    run = records.add_run(name, "redux")
    job = records.add_job("train", "cpu", settings.model_dump(mode="json"), {"name": name}, run)
    told = {"steps": 80, "epochs": 10, "img_s": 16.0, "state": "done"} | result
    records.change_job(job, state="done", started=100.0, ended=200.0, result=told)
    records.add_metrics(run, [(step, 1.0, 1.0, {"memory_gb": 1 + step / 10}) for step in (1, 2, 5, 3)])
    return job


def test_images_are_those_that_a_run_takes(small: Small, workspace: Workspace, records: Records) -> None:
    settings = small(data__validation_fraction=0.25)
    counted = count_images(settings.data, workspace, records)
    assert (counted.train, counted.held_out, counted.to_pack) == (30, 10, 40)
    assert counted.pack_bytes > 40 * 32 * 32 * 3
    data = prepare(settings, workspace, records, CollectedReport())
    assert (len(data.train), len(data.validation)) == (counted.train, counted.held_out)
    packs = sum(path.stat().st_size for path in workspace.packs.rglob("*") if path.is_file())
    assert packs == pytest.approx(counted.pack_bytes, rel=0.1)
    packed = count_images(settings.data, workspace, records)
    assert (packed.to_pack, packed.pack_bytes) == (0, 0), "the pack is there now"


def test_a_folder_held_out_a_sample_and_excluded_images_count(
    small: Small, workspace: Workspace, records: Records, draw_pictures: Callable[..., Path], tmp_path: Path
) -> None:
    other = draw_pictures(tmp_path / "other", 6)
    settings = small(data__validation_folder=str(other), data__sample_fraction=0.5, data__pack="off")
    counted = count_images(settings.data, workspace, records)
    assert (counted.train, counted.held_out, counted.pack_bytes) == (20, 3, 0)
    whole = small(data__validation_fraction=0.0)
    records.exclude(records.dataset(Path(whole.data.folder)), ["picture_000.png", "picture_001.png"])
    counted = count_images(whole.data, workspace, records)
    assert (counted.train, counted.held_out) == (38, 0)


def test_counting_ends_where_it_is_told_to(small: Small, workspace: Workspace, records: Records) -> None:
    folder = workspace.images / "many"
    folder.mkdir()
    for number in range(2100):
        (folder / f"{number}.png").touch()
    counted = count_images(small(data__folder=str(folder)).data, workspace, records, most=1000)
    assert not counted.complete
    assert counted.train + counted.held_out == 1000
    assert count_images(small(data__folder=str(folder)).data, workspace, records).complete
    with pytest.raises(UsageError, match="does not exist"):
        count_images(small(data__folder="none").data, workspace, records)


def test_a_run_of_the_same_work_is_what_is_known(small: Small, workspace: Workspace, records: Records) -> None:
    settings = small()
    assert find_measured(settings, "cpu", workspace, records) is None
    keep_probe(probe_file(settings, "cpu", workspace), PROBE)
    assert find_measured(settings, "cpu", workspace, records) == PROBE
    trained(records, settings)
    found = find_measured(settings.with_values({"training.epochs": 77}), "cpu", workspace, records)
    assert found is not None
    assert (found.source, found.name, found.step, found.memory) == ("run", "redux-a", 0.5, 1.5e9)
    validated = 11 * 64 * 0.25 * 0.5 / 8 / 3
    assert found.start == pytest.approx(100 - 80 * 0.5 - validated)


@pytest.mark.parametrize(
    "values",
    [
        {"model.variant": "medium"},
        {"data.image_width": 48},
        {"training.batch_size": 4},
        {"training.micro_batch": 2},
        {"device.precision": "bfloat16"},
        {"device.processes": 2},
        {"objective.agreement": 1.0},
        {"training.find_batch": True},
    ],
    ids=str,
)
def test_a_run_of_other_work_is_not(
    values: dict[str, Any], small: Small, workspace: Workspace, records: Records
) -> None:
    trained(records, small())
    assert find_measured(small(), "cpu", workspace, records) is not None
    assert find_measured(small().with_values(values), "cpu", workspace, records) is None
    assert find_measured(small(), "gpu:0", workspace, records) is None


def test_runs_that_tell_nothing_are_passed_over(small: Small, workspace: Workspace, records: Records) -> None:
    trained(records, small(), name="short", steps=4)
    trained(records, small(training__find_batch=True), name="found")
    for number, result in enumerate(({"steps": "80"}, {"steps": 80.0}, {"img_s": 0}, {"img_s": "x"}, {"epochs": None})):
        trained(records, small(), name=f"odd-{number}", **result)
    job = trained(records, small(), name="other-version")
    foreign = json.dumps({"training": {"a_setting_of_another_version": 1}})
    records.change_job(job, settings=foreign)
    assert find_measured(small(), "cpu", workspace, records) is None


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", "[" * 100_000, *(json.dumps(vars(PROBE) | values) for values in (
        {"step": 0}, {"step": -1}, {"step": "1"}, {"step": float("nan")}, {"at": None}, {"memory": []}))],
)  # fmt: skip
def test_a_damaged_probe_is_told(small: Small, workspace: Workspace, records: Records, content: str) -> None:
    path = probe_file(small(), "cpu", workspace)
    keep_probe(path, PROBE)
    path.write_text(content)
    with pytest.raises(FextError, match="cannot be understood") as caught:
        find_measured(small(), "cpu", workspace, records)
    assert "Delete it" in caught.value.remedy


def test_time_adds_up_of_what_was_measured(small: Small, workspace: Workspace) -> None:
    made = forecast(small(training__epochs=10), "cpu", IMAGES, PROBE, workspace)
    assert (made.steps_of_epoch, made.steps) == (13, 130)
    parts = {part.name: (part.value, part.source) for part in made.time}
    assert parts == {
        "training": (pytest.approx(65.0), "measured"),
        "validation": (pytest.approx(11 * 20 * 0.1), "measured"),
        "start and end": (7.0, "measured"),
        "packing": (pytest.approx(1.2), "measured"),
    }
    assert made.seconds == pytest.approx(65 + 22 + 7 + 1.2)
    packed = forecast(small(training__epochs=10), "cpu", replace(IMAGES, to_pack=0), PROBE, workspace)
    assert "packing" not in {part.name for part in packed.time}
    often = small(training__epochs=10, training__validate_every_steps=13, training__validate_every_seconds=5.0)
    asked = {part.name: part.value for part in forecast(often, "cpu", IMAGES, PROBE, workspace).time}
    assert asked["validation"] == pytest.approx((11 + 10 + 13) * 2)


def test_a_run_has_its_validation_calculated(small: Small, workspace: Workspace) -> None:
    of_run = replace(PROBE, source="run", name="a", start=None, decode=None)
    parts = {part.name: part.source for part in forecast(small(), "cpu", IMAGES, of_run, workspace).time}
    assert parts == {"training": "measured", "validation": "calculated"}


def test_a_time_budget_is_kept_and_tells_epochs_once_a_step_is_known(small: Small, workspace: Workspace) -> None:
    settings = small(training__minutes=2.0)
    unknown = forecast(settings, "cpu", IMAGES, None, workspace)
    assert (unknown.seconds, unknown.epochs, unknown.steps) == (None, None, None)
    assert [(part.name, part.value, part.source) for part in unknown.time] == [("training", 120.0, "set")]
    known = forecast(settings, "cpu", IMAGES, PROBE, workspace)
    assert known.steps == 240
    assert known.time[0].source == "set"
    assert known.seconds is not None
    assert known.seconds > 120


def test_nothing_known_is_told_as_such(small: Small, workspace: Workspace) -> None:
    made = forecast(small(), "cpu", IMAGES, None, workspace)
    assert (made.seconds, made.time) == (None, ())
    assert {part.source for part in (*made.memory, *made.disk)} == {"calculated"}
    assert json.loads(json.dumps(made.values()))["memory_bytes"] == made.peak.value


def test_memory_is_that_of_the_phase_that_takes_most(small: Small, workspace: Workspace) -> None:
    settings = small()
    made = forecast(settings, "cpu", IMAGES, PROBE, workspace)
    assert [(part.name, part.source) for part in made.memory] == [
        ("training", "measured"),
        ("finding components", "calculated"),
    ]
    many = forecast(
        settings.with_values({"data.image_height": 128, "data.image_width": 128}),
        "cpu", replace(IMAGES, train=5000), replace(PROBE, memory=0.9e9), workspace,
    )  # fmt: skip
    assert many.peak.name == "finding components"
    on_gpu = forecast(settings, "gpu:0", IMAGES, None, workspace)
    assert on_gpu.peak.name == "training"
    without = forecast(settings.with_values({"model.shortcut": False}), "cpu", IMAGES, None, workspace)
    assert [part.name for part in without.memory] == ["training"]


def test_the_disk_holds_pack_and_kept_checkpoints(small: Small, workspace: Workspace) -> None:
    few, more = (
        forecast(small(training__epochs=10, training__checkpoint_every=every), "cpu", IMAGES, None, workspace)
        for every in (0, 2)
    )
    assert [part.name for part in few.disk] == ["2 checkpoints", "pack of the images"]
    assert few.disk[1].value == IMAGES.pack_bytes
    assert more.disk[0].value == pytest.approx(few.disk[0].value * 7 / 2)
    unknown = small(training__minutes=5.0, training__checkpoint_every=2)
    assert forecast(unknown, "cpu", IMAGES, None, workspace).disk[0].name == "2 checkpoints, without those kept"


def test_what_does_not_fit_is_told(small: Small, workspace: Workspace) -> None:
    huge = forecast(small(), "cpu", replace(IMAGES, pack_bytes=10**18), None, workspace)
    assert "does not fit" in huge.problems[0]
    wide = small(training__batch_size=65_536, data__image_height=4096, data__image_width=4096)
    assert any("GB of memory" in problem for problem in forecast(wide, "cpu", IMAGES, None, workspace).problems)
    assert not forecast(small(), "cpu", IMAGES, None, workspace).problems


def test_a_probe_measures_and_the_memory_is_as_calculated(small: Small, workspace: Workspace, records: Records) -> None:
    """What is calculated lies within a fifth of what a process with such a step takes."""
    settings = small(
        data__image_height=64, data__image_width=64, training__batch_size=32, evaluation__batch_size=4,
        model__downsampling=16, model__latent_channels=64,
    )  # fmt: skip
    began = time.time()
    found = probe(settings, "cpu", workspace, lambda: False)
    assert found == find_measured(settings, "cpu", workspace, records)
    assert found.at >= began
    assert found.start is not None
    assert found.decode is not None
    assert min(found.step, found.held_out, found.start, found.decode) > 0
    assert found.memory is not None
    calculated = training_bytes(settings, network_size(settings.model, 64, 64, 3), 32, gpu=False)
    assert calculated == pytest.approx(found.memory, rel=0.2)


def test_a_probe_ends_when_it_is_told_to_and_tells_why_it_fails(
    small: Small, workspace: Workspace, records: Records
) -> None:
    with pytest.raises(Stopped):
        probe(small(), "cpu", workspace, lambda: True)
    with pytest.raises(FextError, match=r"The probe failed: .*float16 is not trained on a CPU"):
        probe(small(device__precision="float16"), "cpu", workspace, lambda: False)
    assert find_measured(small(), "cpu", workspace, records) is None
