"""The findings of one kind: read from the records, judged anew with another cut-off, excluded from training."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.records import Records, Row
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.dataset_facts import Histogram
from fext_tui.measured import binned

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


def read_cut_off(
    workspace: Workspace, settings: Settings, dataset: int, kind: str
) -> tuple[CutOff | None, Histogram | None]:
    """Return what decides a kind, and how the images are distributed over what it cuts; None where there is nothing.

    Sizes are cut about their median. For a thread, whose records are its own.

    Raises:
        FextError: the records cannot be read.

    """
    import numpy as np

    from engine.analysis.findings import ADJUSTABLE, CUTS, ODD_SIZE

    if kind not in ADJUSTABLE:
        return None, None
    key = ADJUSTABLE[kind]
    limit = float(settings.values()[key])
    columns = {cut.kind: cut.column for cut in CUTS} | {ODD_SIZE: "megapixels"}
    if kind not in columns:
        return CutOff(key, limit), None
    with Records(workspace) as records:
        _, values = records.metric_values(dataset, columns[kind])
    if not len(values):
        return CutOff(key, limit), None
    middle = float(np.median(values))
    marks = (middle / limit, middle * limit) if kind == ODD_SIZE else (limit,)
    return CutOff(key, limit, columns[kind], marks), binned({"all": values}, marks)["all"]


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
    paths = [row["path"] for row in read_findings(workspace, dataset, kind, rows=-1).rows]
    toggle_excluded(workspace, dataset, paths, exclude=exclude)
