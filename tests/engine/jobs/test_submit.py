"""Submitting: what is refused, what is written."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from engine.checkpoints import mark_complete
from engine.errors import FextError, UsageError
from engine.jobs import tasks
from engine.jobs.submit import submit
from engine.jobs.tasks import TASKS, call_arguments, lane_of, settings_of
from engine.records import Records
from engine.settings import DeviceSettings, Settings, from_layers
from engine.workspace import Workspace

if TYPE_CHECKING:
    from tests.engine.jobs.conftest import Jobs


def save_checkpoint(workspace: Workspace, name: str, variant: str = "medium") -> None:
    """Write a checkpoint whose files are there but whose weights are none."""
    state = workspace.checkpoints / name / "step-00000003"
    state.mkdir(parents=True)
    settings = from_layers(("", {"model.variant": variant})).model_dump()
    config = {"name": name, "settings": settings, "image_channels": 3, "latent": [64, 8, 8], "parameters": 1,
              "step": 3, "epoch": 1.0, "val_psnr": None, "created": 0.0}  # fmt: skip
    (state / "config.json").write_text(json.dumps(config))
    (state / "model.safetensors").write_bytes(b"no weights")
    mark_complete(state)
    for tag in ("best", "last"):
        (state.parent / tag).symlink_to(state.name)


def refused(workspace: Workspace, records: Records, kind: str, arguments: Mapping[str, Any]) -> FextError:
    with pytest.raises(FextError) as caught:
        submit(workspace, records, kind, Settings(), arguments)
    assert records.jobs("queued") == []
    return caught.value


class TestRefusals:
    def test_an_unknown_kind_or_argument(self, workspace: Workspace, records: Records) -> None:
        assert "train, resume" in refused(workspace, records, "trane", {}).remedy
        error = refused(workspace, records, "encode", {"checkpoint": "a", "job": 3})
        assert "job" in error.cause
        assert "checkpoint, folder" in error.remedy

    @pytest.mark.parametrize("name", ["../x", "a b", "x" * 101, ".a"])
    def test_a_name_that_is_none(self, workspace: Workspace, records: Records, name: str) -> None:
        assert isinstance(refused(workspace, records, "train", {"name": name}), UsageError)
        assert records.runs() == []

    def test_a_name_whose_checkpoint_is_there(self, workspace: Workspace, records: Records) -> None:
        (workspace.checkpoints / "mine").mkdir()
        error = refused(workspace, records, "train", {"name": "mine"})
        assert isinstance(error, UsageError)
        assert "checkpoint named 'mine'" in error.cause

    def test_a_name_whose_run_has_a_curve(self, workspace: Workspace, records: Records) -> None:
        run = records.add_run("mine", "redux")
        records.add_metrics(run, [(1, 0.0, 0.0, {"train/loss": 1.0})])
        assert "run named 'mine'" in refused(workspace, records, "train", {"name": "mine"}).cause

    @pytest.mark.parametrize("kind", ["resume", "evaluate", "encode"])
    def test_an_unknown_or_damaged_checkpoint(self, workspace: Workspace, records: Records, kind: str) -> None:
        save_checkpoint(workspace, "mine")
        unknown = refused(workspace, records, kind, {"checkpoint": "mina"})
        assert isinstance(unknown, UsageError)
        assert "'mine'" in unknown.remedy
        assert isinstance(refused(workspace, records, kind, {}), UsageError)
        (workspace.checkpoints / "mine/last/model.safetensors").write_bytes(b"short")
        assert "damaged" in refused(workspace, records, kind, {"checkpoint": "mine"}).cause

    def test_a_resume_of_a_run_that_goes_on(self, workspace: Workspace, records: Records) -> None:
        save_checkpoint(workspace, "mine")
        job = records.add_job("train", "gpu:0", {}, {}, records.add_run("mine", "redux"))
        records.change_job(job, state="running")
        error = refused(workspace, records, "resume", {"checkpoint": "mine"})
        assert isinstance(error, UsageError)
        assert f"Job {job}" in error.cause


class TestRuns:
    """With jobs that fail in their first moments, which is not what is looked at."""

    def test_a_train_gets_a_run_of_its_name(self, jobs: "Jobs") -> None:
        settings = from_layers(("", {"model.variant": "large"}))
        job = submit(jobs.workspace, jobs.records, "train", settings, {"name": "mine"})
        assert job.run is not None
        run = jobs.records.run(job.run)
        assert (run["name"], run["variant"]) == ("mine", "large")
        assert job.arguments == {"name": "mine"}
        assert Settings.model_validate(job.settings) == settings

    def test_names_given_by_the_product_tell_variant_and_time_and_differ(self, jobs: "Jobs") -> None:
        rows = [submit(jobs.workspace, jobs.records, "train", Settings(), {}) for _ in range(4)]
        names = [jobs.records.run(job.run or 0)["name"] for job in rows]
        assert len(set(names)) == 4
        assert all(re.fullmatch(r"redux-\d{8}-\d{6}(-\d)?", name) for name in names)

    def test_a_name_is_free_again_after_a_run_that_never_began(self, jobs: "Jobs") -> None:
        first = submit(jobs.workspace, jobs.records, "train", Settings(), {"name": "mine"})
        with pytest.raises(UsageError, match="run named 'mine'"):
            submit(jobs.workspace, jobs.records, "train", Settings(), {"name": "mine"})
        assert jobs.ended(first.id).state == "failed"
        second = submit(jobs.workspace, jobs.records, "train", Settings(), {"name": "mine"})
        assert second.run != first.run
        assert [run["name"] for run in jobs.records.runs()] == ["mine"]
        assert jobs.records.job(first.id).arguments == {"name": "mine"}

    def test_a_resume_belongs_to_the_run_of_its_checkpoint(self, jobs: "Jobs") -> None:
        save_checkpoint(jobs.workspace, "mine")
        run = jobs.records.add_run("mine", "medium")
        job = submit(jobs.workspace, jobs.records, "resume", Settings(), {"checkpoint": "mine/last"})
        assert job.run == run

    def test_a_checkpoint_from_elsewhere_gets_a_run(self, jobs: "Jobs") -> None:
        save_checkpoint(jobs.workspace, "mine", variant="large")
        job = submit(jobs.workspace, jobs.records, "resume", Settings(), {"checkpoint": "mine"})
        named = jobs.records.run_named("mine")
        assert named
        assert (named["id"], named["variant"]) == (job.run, "large")

    def test_other_kinds_belong_to_no_run(self, jobs: "Jobs") -> None:
        save_checkpoint(jobs.workspace, "mine")
        job = submit(jobs.workspace, jobs.records, "encode", Settings(), {"checkpoint": "mine"})
        assert job.run is None


class TestLanes:
    @pytest.mark.parametrize("kind", TASKS)
    @pytest.mark.parametrize("gpu", [True, False])
    @pytest.mark.parametrize("device", ["auto", "cpu", "gpu"])
    def test_work_on_a_gpu_has_that_gpus_lane(
        self, monkeypatch: pytest.MonkeyPatch, kind: str, gpu: bool, device: Any
    ) -> None:
        monkeypatch.setattr(tasks, "_has_gpu", lambda: gpu)
        uses_gpu = kind not in {"analyze", "sample", "export"} and (device == "gpu" or (device == "auto" and gpu))
        assert lane_of(kind, DeviceSettings(kind=device, id=3)) == ("gpu:3" if uses_gpu else "cpu")
        lane = ("gpu:all" if kind in {"train", "resume", "encode"} else "gpu:3") if uses_gpu else "cpu"
        assert lane_of(kind, DeviceSettings(kind=device, id=3, processes=2)) == lane


@pytest.mark.parametrize(("kind", "device"), [("analyze", "cpu"), ("encode", "gpu")])
def test_ranks_of_an_analysis_leave_gpus_alone(records: Records, kind: str, device: str) -> None:
    settings = Settings().with_values({"device.kind": "gpu", "device.processes": 2})
    job = records.job(records.add_job(kind, "cpu", settings.model_dump(mode="json"), {}))
    assert settings_of(job) == settings.with_values({"device.kind": device})


def test_each_kind_is_called_with_what_its_function_takes() -> None:
    assert call_arguments("train", 5, 7, {"name": "a"}) == {"run": 7}
    assert call_arguments("resume", 5, 7, {"checkpoint": "a"}) == {"checkpoint": "a"}
    assert call_arguments("encode", 5, None, {"checkpoint": "a"}) == {"checkpoint": "a", "job": 5}
    assert call_arguments("evaluate", 5, None, {"checkpoint": "a", "folder": "f"}) == {
        "checkpoint": "a", "folder": "f", "job": 5,
    }  # fmt: skip
    assert call_arguments("sample", 5, None, {"folder": "f", "count": 3}) == {"folder": "f", "count": 3}


@pytest.mark.parametrize("kind", TASKS)
def test_each_kinds_function_takes_its_arguments(kind: str) -> None:
    """The table names functions that exist, and arguments that they take."""
    import inspect

    function = tasks.load_task(kind)
    parameters = inspect.signature(function).parameters
    assert list(parameters)[:4] == ["settings", "workspace", "records", "report"]
    given = call_arguments(kind, 1, 2, dict.fromkeys(TASKS[kind].arguments, "x"))
    assert given.keys() <= parameters.keys()
    required = {name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY and one.default is one.empty}
    assert required <= given.keys()
