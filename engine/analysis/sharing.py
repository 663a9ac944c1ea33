"""Measuring by several ranks: each measures its share into records of its own, and the first joins them in order."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from engine.analysis.measuring import Measured, Measurer
from engine.analysis.reading import Plan
from engine.distributed.ranks import Ranks
from engine.distributed.together import Work, work_together
from engine.errors import FextError, Stopped
from engine.files import make_folder
from engine.images.parallel import reported
from engine.images.shares import Division, call, called, incomplete, joined, new_division
from engine.records import Finding, MeasuredImage, Records
from engine.report import QuietReport, Report
from engine.workspace import Workspace

_RECORDS_FILE = "records.db"


@dataclass(frozen=True, kw_only=True)
class SharedMeasurer(Measurer):
    """Measures with the help of other ranks, where there are any; this is the first."""

    ranks: Ranks

    def _fill(self, measured: Measured) -> list[Finding]:
        """Measure what changed, and return the defects that were found."""
        if self.ranks.count == 1:
            return super()._fill(measured)
        workspace, folder, files = self.records.workspace, measured.manifest.folder, measured.manifest.files
        division = new_division(workspace, parts_of(workspace, folder))
        division.divide(folder, self._changed(measured), self.ranks.count)
        changed = len(files) - measured.unchanged
        defects: list[Finding] = []
        if changed:
            call(self.ranks, division)
            own = part_of(division, self.ranks, self.plan)
            if work_together(self.ranks, self.report, own, total=len(files), before=measured.unchanged):
                take_up(self, folder)
                raise Stopped
            defects = self._join(measured, division, changed)
        division.remove()
        return defects

    def _join(self, measured: Measured, division: Division, changed: int) -> list[Finding]:
        """Put what the ranks measured into the records, in the order of the files; return the defects they found."""
        with ExitStack() as opened:
            parts = [opened.enter_context(_records_of(part, self.records.workspace)) for part in division.parts()]
            made = joined(division.files(), [_rows(part, division.folder, self.plan) for part in parts])
            images = (image for _, image in reported(made, self.report, "joining", changed) if image is not None)
            numbers = self.store(measured.dataset, images)
            found = [row for part in parts for row in part.findings(part.dataset(division.folder))]
        defects = sorted((Finding(row["path"], row["kind"], row["detail"]) for row in found), key=_path)
        if len(numbers) + len(defects) != changed:
            raise incomplete()
        measured.numbers.extend(numbers)
        for defect in defects:
            self._skip(measured, defect)
        return defects


def help_to_measure(ranks: Ranks, workspace: Workspace, plan: Plan) -> None:
    """Measure the shares of what the first rank divides, until it lets this one go."""
    for division in called(ranks, workspace):
        work_together(ranks, QuietReport(), part_of(division, ranks, plan))


def take_up(measurer: Measurer, folder: Path) -> None:
    """Put into the records what ranks that were broken off have measured of a folder, and remove it.

    What cannot be read is measured anew.
    """
    parts = parts_of(measurer.records.workspace, folder)
    if not parts.is_dir():
        return
    dataset = measurer.records.dataset(folder)
    for part in sorted(parts.glob("*/part-*")):
        measurer.store(dataset, _readable(part, measurer.records.workspace, folder, measurer.plan))
    shutil.rmtree(parts, ignore_errors=True)


def part_of(division: Division, ranks: Ranks, plan: Plan) -> Work:
    """Return what measures this rank's share."""

    def measure(told: Report) -> None:
        with _records_of(make_folder(division.part(ranks.number)), division.workspace) as records:
            Measurer(plan, records, told, again=True).measure(division.share(ranks.number), whole=True)

    return measure


def parts_of(workspace: Workspace, folder: Path) -> Path:
    """Return where ranks leave what they measure of a folder."""
    return workspace.metadata / "analysis" / workspace.label_of(folder)


def _records_of(part: Path, workspace: Workspace) -> Records:
    return Records(workspace, part / _RECORDS_FILE)


def _rows(part: Records, folder: Path, plan: Plan) -> Iterator[tuple[str, MeasuredImage]]:
    """Yield path and measurements of the images of a part, in its order."""
    for image in part.measured_images(part.dataset(folder), plan.groups):
        yield image.columns["path"], image


def _readable(part: Path, workspace: Workspace, folder: Path, plan: Plan) -> Iterator[MeasuredImage]:
    """Yield what can be used of a part that was broken off."""
    try:
        with _records_of(part, workspace) as records:
            for _, image in _rows(records, folder, plan):
                if image.fingerprint["layout"] == plan.layout.name:
                    yield image
    except FextError:
        return


def _path(finding: Finding) -> str:
    return finding.path
