"""What a workspace can do without: old states of runs, packs and splits that nothing needs, records of datasets."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints import bytes_of, read_config, states_of, step_of, tags_of, verify
from engine.errors import FextError, UsageError
from engine.images.layout import Layout, pack_key
from engine.images.scan import scan
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import DataSettings
from engine.upkeep import needed_by_job, remove_if_there
from engine.workspace import Workspace

_ALWAYS_KEPT = ("best", "last")


@dataclass(frozen=True)
class Prunable:
    """What can be removed together: of which run, or what each is; files and folders, their bytes, tags of states."""

    name: str
    paths: tuple[Path, ...]
    bytes: int
    tags: tuple[str, ...] = ()


# --- States of runs ---------------------------------------------------------------------------------------------------


def prunable_states(workspace: Workspace, records: Records, keep: int = 0, runs: Sequence[str] = ()) -> list[Prunable]:
    """Return what each run can do without: its states but for *best*, *last* and the ``keep`` newest of the others.

    Runs that a job needs are left out, and those whose best or last state is not whole: of these, an older one may be
    what is left. With ``runs``, only those of these names are looked at.
    """
    found = [
        _states(run, keep)
        for run in sorted(workspace.checkpoints.glob("[!.]*"))
        if run.is_dir() and not run.is_symlink() and (not runs or run.name in runs)
        and needed_by_job(records, run.name) is None
    ]  # fmt: skip
    return [one for one in found if one.paths]


def _states(run: Path, keep: int) -> Prunable:
    tags = tags_of(run)
    always = {tags[tag] for tag in _ALWAYS_KEPT if tag in tags}
    if not always or not all(map(_is_there, always)):
        return Prunable(run.name, (), 0)
    others = sorted(set(tags.values()) - always, key=step_of)
    kept = always | set(others[len(others) - min(keep, len(others)) :])
    gone = tuple(sorted(state for state in states_of(run) if state not in kept))
    told = tuple(tag for tag, state in tags.items() if state in gone)
    return Prunable(run.name, gone, sum(map(bytes_of, gone)), told)


def _is_there(state: Path) -> bool:
    try:
        verify(state)
    except FextError:
        return False
    return True


def prune_states(workspace: Workspace, records: Records, found: Sequence[Prunable]) -> int:
    """Remove what `prunable_states` found, and return its bytes; first the tags, so that none stands for nothing.

    Raises:
        UsageError: a job has come to need one of the runs.
        FextError: something cannot be removed.

    """
    for one in found:
        if job := needed_by_job(records, one.name):
            raise UsageError(f"Job {job.id} ({job.kind}) needs {one.name!r}.", "Prune it when that has ended.")
        _remove_all(workspace.checkpoints / one.name / tag for tag in one.tags)
        if run := records.run_named(one.name):
            records.forget_checkpoints(run["id"], one.tags)
        _remove_all(one.paths)
    return sum(one.bytes for one in found)


# --- Caches -----------------------------------------------------------------------------------------------------------


def unneeded_caches(workspace: Workspace, records: Records) -> list[Prunable]:
    """Return the packs that no run would open again, and the lists of splits that the records do not know.

    A pack is needed where a checkpoint was trained on images that are in their folder as they were when the pack was
    made. Packs are made anew where they are missing: what it costs is time. The folders of all checkpoints are read.

    Raises:
        UsageError: a job is running or waiting: it may be making one.

    """
    if records.jobs("queued", "running", limit=1):
        raise UsageError("A job is running or waiting.", "Remove caches when it has ended.")
    needed = set(_needed_packs(workspace))
    packs = [path for path in workspace.packs.glob("*") if path.is_dir() and path.name not in needed]
    known = records.split_files()
    splits = [path for path in workspace.metadata.glob("split-*.csv") if workspace.stored_path(path) not in known]
    return [
        Prunable("pack", tuple(sorted(packs)), sum(map(bytes_of, packs))),
        Prunable("split", tuple(sorted(splits)), sum(path.stat().st_size for path in splits)),
    ]


def _needed_packs(workspace: Workspace) -> Iterator[str]:
    """Yield the names of the packs that resumes and evaluations of all checkpoints would open."""
    settings = list(_data_settings(workspace))
    for folder in {folder for data in settings for folder in (data.folder, data.validation_folder)}:
        path = workspace.actual_path(folder) if folder else workspace.images
        try:
            manifest = scan(path, CollectedReport())
        except FextError:  # nothing there: a pack of it cannot be opened either
            continue
        for data in settings:
            if folder in {data.folder, data.validation_folder}:
                layout = Layout(data.image_height, data.image_width, data.grayscale)
                sample = manifest.sample(data.sample_fraction, data.sample_seed)
                yield pack_key(sample, workspace.stored_path(path), layout)


def _data_settings(workspace: Workspace) -> Iterator[DataSettings]:
    for run in workspace.checkpoints.glob("[!.]*"):
        state = next(iter(tags_of(run).values()), None)
        if state is None:
            continue
        try:
            yield read_config(state).settings.data
        except FextError:  # it cannot be gone on with either
            continue


# --- Records ----------------------------------------------------------------------------------------------------------


def delete_dataset(records: Records, folder: Path) -> int:
    """Delete all that the records know of the images of a folder, and return how many images that were.

    With them go their metrics, findings, histograms and exclusions; the images themselves stay.

    Raises:
        UsageError: nothing is known of that folder, or a job is running or waiting.

    """
    number = records.find_dataset(folder)
    if number is None:
        known = ", ".join(row["folder"] for row in records.datasets()[:8]) or "none"
        raise UsageError(f"The records know nothing of {folder}.", f"They know: {known}.")
    if records.jobs("queued", "running", limit=1):
        raise UsageError("A job is running or waiting.", "Delete the records of a folder when it has ended.")
    images = int(records.dataset_summary(number)["images"])
    records.delete_dataset(number)
    return images


def delete_plots(workspace: Workspace) -> tuple[int, int]:
    """Remove the figures that analyses drew, and return how many files and bytes they were.

    Raises:
        FextError: one cannot be removed.

    """
    files = [path for path in workspace.dataset_plots.glob("[!.]*") if path.is_file()]
    count = sum(path.stat().st_size for path in files)
    _remove_all(files)
    return len(files), count


def _remove_all(paths: Iterable[Path]) -> None:
    for path in paths:
        remove_if_there(path)


def remove(found: Iterable[Prunable]) -> int:
    """Remove what `unneeded_caches` found, and return its bytes.

    Raises:
        FextError: something cannot be removed.

    """
    count = 0
    for one in found:
        _remove_all(one.paths)
        count += one.bytes
    return count
