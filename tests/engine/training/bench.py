"""Training runs in one workspace, and what they leave behind."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from engine.checkpoints import find_checkpoint
from engine.records import Records
from engine.report import CollectedReport, Report
from engine.settings import Settings
from engine.training import resume, train
from engine.workspace import Workspace

Small = Callable[..., Settings]


class StoppingReport(CollectedReport):
    """A report that asks to stop once training has told ``after`` steps' progress."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        super().progress(phase, done, total, unit)

    def metrics(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        super().metrics(step, epoch, values)
        self.stop = self.stop or step >= self.after


class Bench:
    """Runs training in one workspace, and keeps what the report told."""

    def __init__(self, workspace: Workspace, records: Records) -> None:
        self.workspace = workspace
        self.records = records

    def train(self, name: str, settings: Settings, report: CollectedReport | None = None) -> Any:
        run = self.records.add_run(name, settings.model.variant)
        return train(settings, self.workspace, self.records, report or CollectedReport(), run=run)

    def resume(
        self,
        name: str,
        settings: Settings,
        report: Report | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> Any:
        told = report or CollectedReport()
        return resume(settings, self.workspace, self.records, told, checkpoint=name, changes=changes)

    def weights(self, reference: str) -> dict[str, np.ndarray]:
        return load_file(find_checkpoint(self.workspace, reference) / "model.safetensors")

    def training_tensors(self, reference: str) -> dict[str, np.ndarray]:
        return load_file(find_checkpoint(self.workspace, reference) / "training_state.safetensors")

    def standing(self, reference: str) -> dict[str, Any]:
        """Return where training stood, without times."""
        text = (find_checkpoint(self.workspace, reference) / "training_state.json").read_text()
        return {name: value for name, value in json.loads(text).items() if not name.endswith("seconds")}

    def assert_equal(self, first: str, second: str) -> None:
        """Check that two runs left the same states, to the bit."""
        for reference in ("", "/last"):
            expected, got = self.weights(first + reference), self.weights(second + reference)
            assert expected.keys() == got.keys()
            assert all(np.array_equal(expected[name], got[name]) for name in expected)
        expected, got = self.training_tensors(f"{first}/last"), self.training_tensors(f"{second}/last")
        assert expected.keys() == got.keys()
        assert all(np.array_equal(expected[name], got[name]) for name in expected)
        assert self.standing(f"{first}/last") == self.standing(f"{second}/last")


def history_of(*reports: CollectedReport) -> dict[tuple[int, str], float]:
    """Return the metrics by step and name, without rates; a later report stands over an earlier one."""
    return {
        (step, name): value
        for report in reports
        for step, _, values in report.metric_rows
        for name, value in values.items()
        if name not in ("img_s", "memory_gb")
    }
