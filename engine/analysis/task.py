"""The analysis of a dataset."""

import time
from dataclasses import dataclass
from pathlib import Path

from engine.analysis.comparison import Comparison, Subset, all_images, compare_by_split, compare_folders
from engine.analysis.counts_file import CountsFile, counts_file
from engine.analysis.distribution import Distances
from engine.analysis.drawing import draw
from engine.analysis.measuring import Measured, Measurer, Plan
from engine.analysis.table import Table, no_table, table_at
from engine.images.parallel import worker_count
from engine.images.scan import Manifest, none_readable, scan
from engine.records import Records
from engine.report import Report
from engine.settings import METRIC_GROUPS, Settings
from engine.workspace import Workspace

_NO_COMPARISON = "Training and validation images are not compared: there are none of one kind."


@dataclass(frozen=True)
class AnalysisResult:
    """What an analysis found.

    Attributes:
        images: images of the folder that were measured.
        skipped: files of the folder that could not be read.
        seconds: how long it took.
        folder: the folder.
        plots: paths of the figures.
        csv: path of the table; empty where none was asked for.
        train_images: images that training would learn from; 0 where there is nothing to compare.
        validation_images: images that it would hold out; 0 likewise.
        distances: how far the gray levels of the two lie apart; None likewise.
        summary: what the distances mean, in words; empty likewise.

    """

    images: int
    skipped: int
    seconds: float
    folder: str
    plots: list[str]
    csv: str
    train_images: int
    validation_images: int
    distances: Distances | None
    summary: str


def analyze(
    settings: Settings, workspace: Workspace, records: Records, report: Report, *, folder: str = "", csv: str = ""
) -> AnalysisResult:
    """Measure the images of a folder, and compare those that training learns from with those it holds out.

    The folder is ``folder``, else ``analysis.folder``, else that of the training images; it and ``csv`` are absolute
    or relative to the workspace. Held out are the images of ``data.validation_folder``, else what the split of
    training takes away. What is measured replaces what the records held of it; images that are gone from the folder
    are deleted from the records where the whole folder was measured.

    Raises:
        UsageError: there is no such folder.
        FextError: it holds no readable image, or a file or the records cannot be written.
        Stopped: the report says stop; what was measured until then stays in the records.

    """
    began = time.monotonic()
    chosen = scan(_folder(settings, workspace, folder), report)
    held_out = _held_out(settings, workspace, chosen, report)
    table_path = workspace.actual_path(csv) if csv else None
    task = _Task(settings, records, Measurer(_plan(settings), records, report))
    with counts_file(workspace.metadata) as counts, counts_file(workspace.metadata) as held_out_counts:
        with table_at(table_path, task.groups) as table:
            measured = task.measure(chosen, counts, table)
            _need_images(measured)
        whole = all_images(measured)
        comparison = task.compare(measured, chosen, held_out, held_out_counts)
    task.remember(measured, chosen, whole, comparison)
    plots = draw(workspace.dataset_plots, measured, task.groups, whole, comparison)
    for kind, path in (*(("plot", plot) for plot in plots), *([("table", table_path)] if table_path else [])):
        report.artifact(kind, path)
    seconds = time.monotonic() - began
    report.log(_summary(measured, seconds))
    report.log(comparison.sentence if comparison else _NO_COMPARISON)
    return AnalysisResult(
        images=whole.images,
        skipped=len(measured.skipped),
        seconds=round(seconds, 3),
        folder=str(chosen.folder),
        plots=[str(plot) for plot in plots],
        csv=str(table_path or ""),
        train_images=comparison.train.images if comparison else 0,
        validation_images=comparison.validation.images if comparison else 0,
        distances=comparison.distances if comparison else None,
        summary=comparison.sentence if comparison else "",
    )


@dataclass(frozen=True)
class _Task:
    """What all steps of one analysis have in common."""

    settings: Settings
    records: Records
    measurer: Measurer

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of metrics."""
        return self.measurer.plan.groups

    def measure(self, folder: Manifest, counts: CountsFile, table: Table) -> Measured:
        """Measure the share of the files that the settings ask for."""
        analysis = self.settings.analysis
        return self.measurer.measure(folder.sample(analysis.sample_fraction, analysis.sample_seed), counts, table)

    def compare(
        self, measured: Measured, folder: Manifest, held_out: Manifest | None, counts: CountsFile
    ) -> Comparison | None:
        """Compare training with validation images; those of a validation folder are measured for it."""
        data = self.settings.data
        if not data.validation_folder:
            return compare_by_split(measured, folder, data, self.measurer.plan.workers)
        if held_out is None:
            return None
        other = self.measure(held_out, counts, no_table())
        self.remember(other, held_out, all_images(other), None)
        return compare_folders(measured, folder, other, held_out, data)

    def remember(self, measured: Measured, folder: Manifest, whole: Subset, comparison: Comparison | None) -> None:
        """Put histograms and subsets into the records, and take out images that are gone from the folder."""
        records, dataset = self.records, measured.dataset
        sides = (comparison.train, comparison.validation) if comparison else ()
        with records.transaction():
            records.delete_histograms(dataset)
            for subset in (whole, *sides):
                records.put_histogram(dataset, subset.name, "gray", subset.images, subset.counts.tolist())
            for side in sides:
                records.put_subset(side.name, side.numbers)
            if measured.manifest.files == folder.files:
                records.delete_images_but(dataset, measured.numbers)


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
        report.log("The validation folder lies in the image folder: its images count on both sides.", "warning")
    return scan(folder, report)


def _plan(settings: Settings) -> Plan:
    data = settings.data
    is_split = data.validation_fraction and not data.validation_folder
    return Plan(
        groups=tuple(group for group in METRIC_GROUPS if group in settings.analysis.metrics),
        workers=worker_count(settings.device.workers),
        hashed=(data.image_height, data.image_width, data.grayscale) if is_split else None,
    )


def _need_images(measured: Measured) -> None:
    if not measured.files:
        raise none_readable(measured.manifest.folder, measured.skipped)


def _summary(measured: Measured, seconds: float) -> str:
    skipped = len(measured.skipped)
    unreadable = f", {skipped:,} could not be read" if skipped else ""
    return f"{len(measured.files):,} images measured in {seconds:.1f} s{unreadable}."
