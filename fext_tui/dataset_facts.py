"""What is known of a dataset: its folder, what analysis recorded, how training and validation compare."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.records import JobRow, Records, Row
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.listing import count_pictures

LEVELS = 256
_COUNT_S = 2.0


@dataclass(frozen=True)
class Histogram:
    """How often values occur in equal bins, over a number of images; ``low`` and ``high`` are the outermost centers.

    With the limits as they are by default, they are pixels a level, 256 of them. ``mean`` is that of the values
    themselves, where it is known.
    """

    images: int
    counts: tuple[int, ...]
    low: float = 0.0
    high: float = LEVELS - 1
    mean: float | None = None


@dataclass(frozen=True)
class Asked:
    """What facts depend on: the folder, and what training would make of it."""

    folder: Path
    variant: str
    shape: tuple[int, int, int]

    @property
    def image_bytes(self) -> int:
        """The size of one image in a pack."""
        height, width, channels = self.shape
        return height * width * channels


@dataclass(frozen=True)
class DatasetFacts:
    """A dataset at one moment; ``dataset`` is None where nothing was recorded of it.

    Attributes:
        asked: what was asked for.
        found: pictures in the folder, by their extension, where none is recorded; ``counted``: whether that is all.
        problem: why the folder cannot be read; empty where it can.
        summary: as `Records.dataset_summary` gives it.
        findings: numbers of findings by kind.
        excluded: number of files that training leaves out.
        histograms: gray levels by subset: all, train, validation.
        channels: levels of red, green and blue of all images.
        analyzed: the newest analysis of this folder that ended well.
        epoch_seconds: how long an epoch took a run of this variant and image size, for as many images; None where
            there was none.

    """

    asked: Asked
    found: int = 0
    counted: bool = True
    problem: str = ""
    dataset: int | None = None
    summary: Row = field(default_factory=dict)
    findings: Mapping[str, int] = field(default_factory=dict)
    excluded: int = 0
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    channels: Mapping[str, Histogram] = field(default_factory=dict)
    analyzed: JobRow | None = None
    epoch_seconds: float | None = None

    @property
    def folder(self) -> Path:
        """The images' folder."""
        return self.asked.folder

    @property
    def images(self) -> int:
        """The number of images in the records."""
        return int(self.summary.get("images", 0))

    @property
    def finding_count(self) -> int:
        """The number of findings."""
        return sum(self.findings.values())

    @property
    def training_images(self) -> int:
        """The number of images that an epoch goes through."""
        return self.histograms["train"].images if "train" in self.histograms else self.images

    @property
    def groups(self) -> tuple[str, ...]:
        """The metric groups that were measured."""
        return tuple(self.analyzed.settings["analysis"]["metrics"]) if self.analyzed else ()

    @property
    def comparison(self) -> str:
        """What the distance of training and validation images means, in words; empty where it is not known."""
        return str(self._result.get("summary", ""))

    @property
    def distances(self) -> Mapping[str, Mapping[str, Any]]:
        """How far each metric of training and validation images lies apart, as `AnalysisResult.metrics` tells."""
        return dict(self._result.get("metrics", {}))

    @property
    def _result(self) -> Mapping[str, Any]:
        return (self.analyzed.result if self.analyzed else None) or {}

    @property
    def is_analyzed(self) -> bool:
        """Whether an analysis ended, or left something to see."""
        return self.analyzed is not None or bool(self.histograms)


def analyzed_folder(workspace: Workspace, settings: Settings) -> Path:
    """Return the folder that an analysis with these settings looks at."""
    if settings.analysis.folder:
        return workspace.actual_path(settings.analysis.folder)
    return workspace.training_folder(settings.data.folder)


def asked_by(workspace: Workspace, settings: Settings) -> Asked:
    """Return what facts depend on with these settings."""
    data = settings.data
    shape = data.image_height, data.image_width, 1 if data.grayscale else 3
    return Asked(analyzed_folder(workspace, settings), settings.model.variant, shape)


def read_facts(workspace: Workspace, asked: Asked, wanted: Callable[[], bool]) -> DatasetFacts:
    """Return what is known of the images of a folder; for a thread, whose records are its own.

    The folder is looked through only where the records know no image of it.

    Raises:
        FextError: the records cannot be read.

    """
    with Records(workspace) as records:
        recorded = _recorded(workspace, records, asked)
    if recorded.images:
        return recorded
    found, counted, problem = count_pictures(asked.folder, wanted, _COUNT_S)
    return replace(recorded, found=found, counted=counted, problem=problem)


def _recorded(workspace: Workspace, records: Records, asked: Asked) -> DatasetFacts:
    dataset = records.find_dataset(asked.folder)
    if dataset is None:
        return DatasetFacts(asked)
    found = {
        (row["subset"], row["channel"]): Histogram(row["images"], tuple(row["counts"]))
        for row in records.histograms(dataset)
        if sum(row["counts"])
    }
    facts = DatasetFacts(
        asked,
        dataset=dataset,
        summary=records.dataset_summary(dataset),
        findings=records.count_findings(dataset),
        excluded=len(records.excluded(dataset)),
        histograms={subset: histogram for (subset, channel), histogram in found.items() if channel == "gray"},
        channels={channel: one for (subset, channel), one in found.items() if subset == "all" and channel != "gray"},
        analyzed=_last_analysis(workspace, records, asked.folder),
    )
    return replace(facts, epoch_seconds=_epoch_seconds(records, asked, facts.training_images))


def _last_analysis(workspace: Workspace, records: Records, folder: Path) -> JobRow | None:
    analyses = ((job, job.result) for job in records.jobs("done") if job.kind == "analyze")
    of_this = (job for job, result in analyses if result and workspace.actual_path(str(result["folder"])) == folder)
    return next(of_this, None)


def _epoch_seconds(records: Records, asked: Asked, images: int) -> float | None:
    """Return how long the newest run of this variant and image size would take for so many images."""
    for job in records.jobs("done", "stopped"):
        if job.kind in {"train", "resume"} and job.result and job.result.get("img_s"):
            data, model = job.settings["data"], job.settings["model"]
            shape = data["image_height"], data["image_width"], 1 if data["grayscale"] else 3
            if (model["variant"], shape) == (asked.variant, asked.shape):
                return images / float(job.result["img_s"])
    return None
