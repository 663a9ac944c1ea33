"""The findings of one kind: read from the records, judged anew with another cut-off, excluded from training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.records import Records, Row
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.dataset_facts import Histogram
from fext_tui.measured import read_values

PAGE = 200
_STEPS = {
    "analysis.dark_below": 1.0,
    "analysis.light_above": 1.0,
    "analysis.information_below": 0.1,
    "analysis.blur_below": 0.01,
    "analysis.aspect_above": 0.1,
    "analysis.size_factor": 1.0,
    "analysis.outlier_above": 1.0,
    "data.near_distance": 1.0,
}
"""How far a key moves each cut-off."""


@dataclass(frozen=True)
class CutOff:
    """The setting that decides a kind: its dotted key and value, and the values of ``column`` at which it cuts."""

    key: str
    value: float
    column: str = ""
    marks: tuple[float, ...] = ()


@dataclass(frozen=True)
class FindingsPage:
    """Some findings of a kind; how many there are, how many files have them, and how many of these are excluded."""

    rows: tuple[Row, ...]
    total: int
    files: int
    excluded: int
    offset: int = 0


def read_findings(workspace: Workspace, dataset: int, kind: str, offset: int = 0, rows: int = PAGE) -> FindingsPage:
    """Return findings of a kind from ``offset`` on; for a thread, whose records are its own.

    Raises:
        FextError: the records cannot be read.

    """
    with Records(workspace) as records:
        found = records.findings(dataset, kind, rows, offset)
        total = records.count_findings(dataset).get(kind, 0)
        files, excluded = records.count_finding_files(dataset, kind)
    return FindingsPage(tuple(found), total, files, excluded, offset)


def cut_off(settings: Settings, kind: str, median_size: float | None = None) -> CutOff | None:
    """Return what decides a kind; None where nothing can be set. Sizes are cut about the median, in megapixels."""
    from engine.analysis.findings import ADJUSTABLE, CUTS, ODD_SIZE

    if kind not in ADJUSTABLE:
        return None
    key = ADJUSTABLE[kind]
    value = float(settings.values()[key])
    if kind == ODD_SIZE and median_size is not None:
        return CutOff(key, value, "megapixels", (median_size / value, median_size * value))
    column = next((cut.column for cut in CUTS if cut.kind == kind), "")
    return CutOff(key, value, column, (value,) if column else ())


def read_cut_off(
    workspace: Workspace, settings: Settings, dataset: int, folder: Path, kind: str
) -> tuple[CutOff | None, Histogram | None]:
    """Return what decides a kind, and how the images are distributed over what it cuts; for a thread.

    Raises:
        FextError: the records cannot be read.

    """
    import numpy as np

    from engine.analysis.findings import ODD_SIZE

    median = None
    if kind == ODD_SIZE:
        with Records(workspace) as records:
            sizes = records.metric_values(dataset, "megapixels")[1]
        median = float(np.median(sizes)) if len(sizes) else None
    cut = cut_off(settings, kind, median)
    return cut, read_values(workspace, folder, cut.column, cut.marks) if cut and cut.column else None


def moved(settings: Settings, cut: CutOff, steps: int) -> Settings:
    """Return settings with a cut-off moved by so many steps.

    Raises:
        UsageError: it cannot go further.

    """
    value = round(cut.value + steps * _STEPS[cut.key], 6)
    return settings.with_values({cut.key: int(value) if cut.key == "data.near_distance" else value})


def judge_again(workspace: Workspace, settings: Settings, dataset: int, kind: str) -> None:
    """Judge a kind anew, as the settings are now; for a thread.

    Raises:
        FextError: the records cannot be written.

    """
    from engine.analysis.findings import judge_kind

    with Records(workspace) as records:
        judge_kind(records, dataset, settings, kind)


def toggle_excluded(workspace: Workspace, dataset: int, paths: Sequence[str], *, exclude: bool) -> None:
    """Let training leave files out, or use them again; for a thread.

    Raises:
        FextError: the records cannot be written.

    """
    with Records(workspace) as records:
        (records.exclude if exclude else records.include)(dataset, paths)


def toggle_kind(workspace: Workspace, dataset: int, kind: str, *, exclude: bool) -> None:
    """Let training leave out all files of a kind, or use them again; for a thread.

    Raises:
        FextError: the records cannot be written.

    """
    with Records(workspace) as records:
        paths = [row["path"] for row in records.findings(dataset, kind)]
        (records.exclude if exclude else records.include)(dataset, paths)
