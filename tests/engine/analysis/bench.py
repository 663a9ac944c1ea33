"""What an analysis needs, and what it left."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.analysis import AnalysisResult, analyze
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings, from_layers
from engine.workspace import Workspace

Draw = Callable[..., Path]
SMALL = {"data.image_height": 32, "data.image_width": 32, "device.workers": 2}
QUICK = {"analysis__metrics": "exposure"}
STRANGE = os.fsdecode(b'b/odd \xff $x$\n,".png')
BAD = {"cut.jpg", "b/empty.png", "b/words.webp", "mislabeled.jpg"}


def settings_with(**values: Any) -> Settings:
    return from_layers(("", SMALL | {name.replace("__", "."): value for name, value in values.items()}))


@dataclass
class Bench:
    """A folder, and the workspace and records that analyses of it go into."""

    workspace: Workspace
    records: Records
    folder: Path
    report: CollectedReport = field(default_factory=CollectedReport)

    def analyze(self, *, csv: str = "", parquet: str = "", again: bool = False, **values: Any) -> AnalysisResult:
        return analyze(
            settings_with(**values),
            self.workspace,
            self.records,
            self.report,
            folder=str(self.folder),
            csv=csv,
            parquet=parquet,
            again=again,
        )

    @property
    def dataset(self) -> int:
        found = self.records.find_dataset(self.folder)
        assert found is not None
        return found

    def rows(self, *groups: str) -> dict[str, Mapping[str, Any]]:
        return {row["path"]: row for row in self.records.image_metrics(self.dataset, groups)}

    def histograms(self, channel: str = "gray") -> dict[str, tuple[int, list[int]]]:
        rows = self.records.histograms(self.dataset)
        return {row["subset"]: (row["images"], row["counts"]) for row in rows if row["channel"] == channel}
