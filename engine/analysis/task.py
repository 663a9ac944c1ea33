"""The analysis of a dataset."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.analysis.colors import CHANNELS
from engine.analysis.comparison import Comparison, Subset, all_images, compare_by_split, compare_folders
from engine.analysis.distribution import Distances, LevelDistances, level_sentence, metrics_sentence
from engine.analysis.drawing import draw
from engine.analysis.findings import judge
from engine.analysis.measuring import Measured
from engine.analysis.reading import Plan
from engine.analysis.sharing import SharedMeasurer, help_to_measure, take_up
from engine.analysis.table import columns_in, replaced, write_csv, write_parquet
from engine.distributed.ranks import ALONE, Ranks
from engine.images.layout import Layout
from engine.images.parallel import worker_count
from engine.images.scan import Manifest, none_readable, scan
from engine.images.shares import leading
from engine.records import Records
from engine.report import Report
from engine.settings import METRIC_GROUPS, Settings
from engine.workspace import Workspace

_NO_COMPARISON = "Training and validation images are not compared: there are none of one kind."


@dataclass(frozen=True)
class AnalysisResult:
    """What an analysis found.

    Attributes:
        images: images of the folder that are measured.
        unchanged: how many of them had been measured before, and had not changed since.
        skipped: files of the folder that could not be read.
        seconds: how long it took.
        folder: the folder.
        plots: paths of the figures.
        csv: path of the table; empty where none was asked for.
        parquet: path of the table as Parquet; empty likewise.
        findings: numbers of findings by kind.
        train_images: images that training would learn from; 0 where there is nothing to compare.
        validation_images: images that it would hold out; 0 likewise.
        distances: how far the gray levels of the two lie apart; None likewise.
        channels: the same for gray, red, green and blue; empty likewise.
        metrics: how far each metric of the two lies apart; empty likewise.
        summary: what the distances mean, in words; empty likewise.

    """

    images: int = 0
    unchanged: int = 0
    skipped: int = 0
    seconds: float = 0.0
    folder: str = ""
    plots: list[str] = field(default_factory=list)
    csv: str = ""
    parquet: str = ""
    findings: dict[str, int] = field(default_factory=dict)
    train_images: int = 0
    validation_images: int = 0
    distances: LevelDistances | None = None
    channels: Mapping[str, LevelDistances] = field(default_factory=dict)
    metrics: Mapping[str, Distances] = field(default_factory=dict)
    summary: str = ""


def analyze(
    settings: Settings,
    workspace: Workspace,
    records: Records,
    report: Report,
    *,
    folder: str = "",
    csv: str = "",
    parquet: str = "",
    again: bool = False,
    ranks: Ranks = ALONE,
) -> AnalysisResult:
    """Measure the images of a folder, judge them, and compare those that training learns from with those held out.

    The folder is ``folder``, else ``analysis.folder``, else that of the training images; it, ``csv`` and ``parquet``
    are absolute or relative to the workspace. Held out are the images of ``data.validation_folder``, else what the
    split of training takes away. Files that did not change since they were measured are measured only where ``again``
    is set. What is measured replaces what the records held of it; images that are gone from the folder are deleted
    from the records where the whole folder was measured.

    Where several processes measure together, each calls this with its place in ``ranks``; the first does all but the
    measuring of the others' shares, and they return an empty result.

    Raises:
        UsageError: there is no such folder.
        FextError: it holds no readable image, or a file or the records cannot be written.
        Stopped: the report says stop; what was measured until then stays in the records.

    """
    plan = _plan(settings, ranks)
    if not ranks.is_first:
        help_to_measure(ranks, workspace, plan)
        return AnalysisResult()
    tables = [workspace.actual_path(path) if path else None for path in (csv, parquet)]
    with leading(ranks):
        task = _Task(settings, records, SharedMeasurer(plan, records, report, again, ranks=ranks))
        return _analyze(task, workspace, report, folder, tables)


def _analyze(
    task: "_Task", workspace: Workspace, report: Report, folder: str, paths: Sequence[Path | None]
) -> AnalysisResult:
    """Analyze a folder, as the first rank; ``paths`` are those of the tables as CSV and as Parquet."""
    began, settings, records = time.monotonic(), task.settings, task.records
    chosen = scan(_folder(settings, workspace, folder), report)
    held_out = _held_out(settings, workspace, chosen, report)
    with ExitStack() as stack:
        tables = [stack.enter_context(replaced(path)) for path in paths]
        measured = task.measure(chosen)
        if not measured.numbers:
            raise none_readable(chosen.folder, measured.skipped)
        for table, write in zip(tables, (write_csv, write_parquet), strict=True):
            if table is not None:
                write(table, columns_in(task.groups), task.rows(measured))
    other = task.measure(held_out) if held_out else None
    report.progress("comparing", 0, 0, "images")
    whole = all_images(records, measured)
    comparison = task.compare(measured, chosen, other, held_out)
    if other and held_out:
        task.remember(other, held_out, all_images(records, other), None)
        judge(records, other.dataset, settings)
    task.remember(measured, chosen, whole, comparison)
    findings = judge(records, measured.dataset, settings, other.dataset if other else None)
    plots = draw(workspace.dataset_plots, records, measured, whole, comparison, settings=settings.analysis)
    kinds = (*(("plot", plot) for plot in plots), *(("table", path) for path in paths if path))
    for kind, path in kinds:
        report.artifact(kind, path)
    seconds = time.monotonic() - began
    summary = _sentences(comparison)
    for line in (_summary(measured, seconds), summary or _NO_COMPARISON):
        report.log(line)
    return AnalysisResult(
        images=whole.images,
        unchanged=measured.unchanged,
        skipped=len(measured.skipped),
        seconds=round(seconds, 3),
        folder=str(chosen.folder),
        plots=[str(plot) for plot in plots],
        csv=str(paths[0] or ""),
        parquet=str(paths[1] or ""),
        findings=findings,
        train_images=comparison.one.images if comparison else 0,
        validation_images=comparison.other.images if comparison else 0,
        distances=comparison.levels["gray"] if comparison else None,
        channels=comparison.levels if comparison else {},
        metrics=comparison.metrics if comparison else {},
        summary=summary,
    )


@dataclass(frozen=True)
class _Task:
    """What all steps of one analysis have in common."""

    settings: Settings
    records: Records
    measurer: SharedMeasurer

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of metrics."""
        return self.measurer.plan.groups

    def measure(self, folder: Manifest) -> Measured:
        """Measure the share of the files that the settings ask for."""
        analysis = self.settings.analysis
        sample = folder.sample(analysis.sample_fraction, analysis.sample_seed)
        take_up(self.measurer, folder.folder)
        return self.measurer.measure(sample, whole=sample is folder)

    def rows(self, measured: Measured) -> Iterator[Mapping[str, Any]]:
        """Yield the metrics of the measured images."""
        numbers = set(measured.numbers)
        return (row for row in self.records.metric_rows(measured.dataset, self.groups) if row["id"] in numbers)

    def compare(
        self, measured: Measured, folder: Manifest, other: Measured | None, held_out: Manifest | None
    ) -> Comparison | None:
        """Compare training with validation images."""
        data = self.settings.data
        if not data.validation_folder:
            return compare_by_split(self.records, measured, folder, data, self.groups)
        if other is None or held_out is None or not other.numbers:
            return None
        return compare_folders(self.records, (measured, other), (folder, held_out), data, self.groups)

    def remember(self, measured: Measured, folder: Manifest, whole: Subset, comparison: Comparison | None) -> None:
        """Put histograms and subsets into the records, and take out images that are gone from the folder."""
        records, dataset = self.records, measured.dataset
        sides = (comparison.one, comparison.other) if comparison else ()
        with records.transaction():
            records.delete_histograms(dataset)
            for subset in (whole, *sides):
                for channel, counts in zip(CHANNELS, subset.counts.tolist(), strict=True):
                    records.put_histogram(dataset, subset.name, channel, subset.images, counts)
            own = {side.name: side.numbers.tolist() for side in sides}
            records.put_subsets(dataset, own)
            if measured.manifest.files == folder.files:
                records.delete_images_but(dataset, measured.numbers)
            records.index_metrics(self.groups)


def _sentences(comparison: Comparison | None) -> str:
    """Return what the comparison means, in words."""
    if comparison is None:
        return ""
    levels = level_sentence(comparison.levels["gray"], comparison.one.images, comparison.other.images)
    return f"{levels} {metrics_sentence(comparison.metrics)}".strip()


def _folder(settings: Settings, workspace: Workspace, folder: str) -> Path:
    named = folder or settings.analysis.folder or settings.data.folder
    return workspace.actual_path(named) if named else workspace.images


def _held_out(settings: Settings, workspace: Workspace, chosen: Manifest, report: Report) -> Manifest | None:
    """Return the files of the validation folder, where there is one to compare with."""
    if not settings.data.validation_folder:
        return None
    folder = workspace.actual_path(settings.data.validation_folder)
    if folder.resolve() == chosen.folder.resolve():
        return None
    if folder.resolve().is_relative_to(chosen.folder.resolve()):
        report.log("The validation folder lies in the image folder: its images are told as held out too.", "warning")
    return scan(folder, report)


def _plan(settings: Settings, ranks: Ranks) -> Plan:
    data = settings.data
    return Plan(
        groups=tuple(group for group in METRIC_GROUPS if group in settings.analysis.metrics),
        layout=Layout(data.image_height, data.image_width, data.grayscale),
        workers=worker_count(ranks.own_device(settings.device).workers),
    )


def _summary(measured: Measured, seconds: float) -> str:
    skipped = len(measured.skipped)
    unreadable = f", {skipped:,} could not be read" if skipped else ""
    before = f", {measured.unchanged:,} of them before" if measured.unchanged else ""
    return f"{len(measured.numbers):,} images measured{before} in {seconds:.1f} s{unreadable}."
