"""What is known of a dataset: its folder, what analysis recorded, how training and validation compare."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.records import JobRow, Records, Row
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.listing import count_pictures
from fext_tui.sources import training_folder

MOST_FINDINGS = 1000
_COUNT_S = 2.0


@dataclass(frozen=True)
class Histogram:
    """Pixels a gray level, 256 of them, summed over a number of images."""

    images: int
    counts: tuple[int, ...]


@dataclass(frozen=True)
class DatasetFacts:
    """A dataset at one moment; ``dataset`` is None where nothing was recorded of it.

    Attributes:
        folder: the images' folder.
        found: pictures in the folder, by their extension, where none is recorded; ``counted``: whether that is all.
        problem: why the folder cannot be read; empty where it can.
        summary: as `Records.dataset_summary` gives it.
        findings: the first of them; ``finding_count`` is the number of all.
        histograms: by subset: all, train, validation.
        analyzed: the newest analysis of this folder that ended well.

    """

    folder: Path
    found: int = 0
    counted: bool = True
    problem: str = ""
    dataset: int | None = None
    summary: Row = field(default_factory=dict)
    findings: tuple[Row, ...] = ()
    finding_count: int = 0
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    analyzed: JobRow | None = None

    @property
    def images(self) -> int:
        """The number of images in the records."""
        return int(self.summary.get("images", 0))

    @property
    def comparison(self) -> str:
        """What the distance of training and validation images means, in words; empty where it is not known."""
        return str(self.analyzed.result.get("summary", "")) if self.analyzed and self.analyzed.result else ""

    @property
    def is_analyzed(self) -> bool:
        """Whether an analysis ended, or left something to see."""
        return self.analyzed is not None or bool(self.histograms)


def analyzed_folder(workspace: Workspace, settings: Settings) -> Path:
    """Return the folder that an analysis with these settings looks at."""
    if settings.analysis.folder:
        return workspace.actual_path(settings.analysis.folder)
    return training_folder(workspace, settings)


def read_facts(workspace: Workspace, folder: Path, wanted: Callable[[], bool]) -> DatasetFacts:
    """Return what is known of the images in ``folder``; for a thread, whose records are its own.

    The folder is looked through only where the records know no image of it.

    Raises:
        FextError: the records cannot be read.

    """
    with Records(workspace) as records:
        recorded = _recorded(workspace, records, folder)
    if recorded.images:
        return recorded
    found, counted, problem = count_pictures(folder, wanted, _COUNT_S)
    return replace(recorded, found=found, counted=counted, problem=problem)


def _recorded(workspace: Workspace, records: Records, folder: Path) -> DatasetFacts:
    dataset = records.find_dataset(folder)
    if dataset is None:
        return DatasetFacts(folder)
    histograms = {
        row["subset"]: Histogram(row["images"], tuple(row["counts"]))
        for row in records.histograms(dataset)
        if row["channel"] == "gray" and sum(row["counts"])
    }
    return DatasetFacts(
        folder,
        dataset=dataset,
        summary=records.dataset_summary(dataset),
        findings=tuple(records.findings(dataset, MOST_FINDINGS)),
        finding_count=records.count_findings(dataset),
        histograms=histograms,
        analyzed=_last_analysis(workspace, records, folder),
    )


def _last_analysis(workspace: Workspace, records: Records, folder: Path) -> JobRow | None:
    analyses = ((job, job.result) for job in records.jobs("done") if job.kind == "analyze")
    of_this = (job for job, result in analyses if result and workspace.actual_path(str(result["folder"])) == folder)
    return next(of_this, None)
