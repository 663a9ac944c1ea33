"""What a workspace can do without: old states of runs, packs and splits that nothing needs, records of datasets."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints import ALWAYS_KEPT, bytes_of, is_whole, read_config, states_of, step_of, tags_of
from engine.embeddings import BUNDLE_FILE
from engine.errors import FextError, UsageError
from engine.images.layout import Layout, pack_key
from engine.images.scan import scan
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import DataSettings
from engine.upkeep import needed_by_job, remove_if_there
from engine.workspace import Workspace


@dataclass(frozen=True)
class Prunable:
    """What can be removed together: of which run, or what each is; files and folders, and their bytes."""

    name: str
    paths: tuple[Path, ...]
    bytes: int


# --- States of runs ---------------------------------------------------------------------------------------------------


def prunable_states(workspace: Workspace, records: Records, keep: int = 0, runs: Sequence[str] = ()) -> list[Prunable]:
    """Return what each run can do without: its states but for those needed and the ``keep`` newest of the others.

    Needed are *best* and *last*, and what embeddings that are there were made with, where they name it, such as
    ``NAME/epoch-0005``: pictures that they do not hold are encoded by it. Runs that a job needs are left out, and those
    whose best or last state is not whole: of these, an older one may be what is left. With ``runs``, only those of
    these names are looked at.
    """
    encoders = _encoders(workspace, records)
    found = [
        _states(run, keep, encoders)
        for run in sorted(workspace.checkpoints.glob("[!.]*"))
        if run.is_dir() and not run.is_symlink() and (not runs or run.name in runs)
        and needed_by_job(records, run.name) is None
    ]  # fmt: skip
    return [one for one in found if one.paths]


def _encoders(workspace: Workspace, records: Records) -> frozenset[str]:
    """Return the states, as ``NAME/TAG``, that name the embeddings which are there."""
    rows = records.embeddings()
    return frozenset(
        row["checkpoint"] for row in rows if (workspace.actual_path(row["path"]) / BUNDLE_FILE).is_file()
    )  # fmt: skip


def _states(run: Path, keep: int, encoders: frozenset[str]) -> Prunable:
    needed = _needed_states(run, encoders)
    if needed is None:
        return Prunable(run.name, (), 0)
    others = sorted(set(tags_of(run).values()) - needed, key=step_of)
    kept = needed | set(others[max(0, len(others) - keep) :])
    gone = tuple(sorted(state for state in states_of(run) if state not in kept))
    return Prunable(run.name, gone, sum(map(_bytes, gone)))


def _needed_states(run: Path, encoders: frozenset[str]) -> set[Path] | None:
    """Return the states of a run that must stay; None where all must, for best or last is not whole."""
    tags = tags_of(run)
    always = {tags[tag] for tag in ALWAYS_KEPT if tag in tags}
    if not always or not all(is_whole(state, contents=False) for state in always):
        return None
    return always | {state for tag, state in tags.items() if f"{run.name}/{tag}" in encoders}


def prune_states(workspace: Workspace, records: Records, found: Sequence[Prunable]) -> int:
    """Remove what `prunable_states` found, but for what has come to be needed since, and return its bytes.

    First the tags go, so that none stands for nothing, and no job can be submitted meanwhile.

    Raises:
        UsageError: a job has come to need one of the runs.
        FextError: something cannot be removed.

    """
    count = 0
    for one in found:
        run = workspace.checkpoints / one.name
        with records.transaction():
            if job := needed_by_job(records, one.name):
                raise UsageError(f"Job {job.id} ({job.kind}) needs {one.name!r}.", "Prune it when that has ended.")
            needed = _needed_states(run, _encoders(workspace, records))
            gone = [] if needed is None else [state for state in one.paths if state not in needed]
            tags = [tag for tag, state in tags_of(run).items() if state in gone]
            _remove_all(run / tag for tag in tags)
            if row := records.run_named(one.name):
                records.forget_checkpoints(row["id"], tags)
        count += sum(map(_bytes, gone))
        _remove_all(gone)
    return count


# --- Caches -----------------------------------------------------------------------------------------------------------


def unneeded_caches(workspace: Workspace, records: Records) -> list[Prunable]:
    """Return the packs that no run would open again, and the lists of splits that the records do not know.

    A pack is needed where a checkpoint was trained on images that are in their folder as they were when the pack was
    made. Packs are made anew where they are missing: what it costs is time. The folders of all checkpoints are read.
    What is half-written is left: whoever makes the next pack removes it, unless somebody is still at it.

    Raises:
        UsageError: a job is running or waiting: it may be making one.

    """
    _refuse_beside_jobs(records, "Remove caches when it has ended.")
    needed = set(_needed_packs(workspace))
    packs = [path for path in workspace.packs.glob("[!.]*") if path.is_dir() and path.name not in needed]
    known = records.split_files()
    splits = [path for path in workspace.metadata.glob("split-*.csv") if workspace.stored_path(path) not in known]
    return [
        Prunable("pack", tuple(sorted(packs)), sum(map(_bytes, packs))),
        Prunable("split", tuple(sorted(splits)), sum(map(_bytes, splits))),
    ]


def _needed_packs(workspace: Workspace) -> Iterator[str]:
    """Yield the names of the packs that resumes and evaluations of all checkpoints would open."""
    settings: dict[Path, set[DataSettings]] = defaultdict(set)
    for data in _data_settings(workspace):
        settings[workspace.training_folder(data.folder)].add(data)
        if data.validation_folder:
            settings[workspace.actual_path(data.validation_folder)].add(data)
    for folder, of_folder in settings.items():
        try:
            manifest = scan(folder, CollectedReport())
        except FextError:  # nothing there: a pack of it cannot be opened either
            continue
        for data in of_folder:
            layout = Layout(data.image_height, data.image_width, data.grayscale)
            sample = manifest.sample(data.sample_fraction, data.sample_seed)
            yield pack_key(sample, workspace.stored_path(folder), layout)


def _data_settings(workspace: Workspace) -> Iterator[DataSettings]:
    """Yield those of all states: a resume may have taken its images from another folder."""
    for run in workspace.checkpoints.glob("[!.]*"):
        for state in states_of(run):
            try:
                yield read_config(state).settings.data
            except FextError:  # it cannot be gone on with either
                continue


def remove_caches(records: Records, found: Iterable[Prunable]) -> int:
    """Remove what `unneeded_caches` found, and return its bytes; no job can be submitted meanwhile.

    Raises:
        UsageError: a job is running or waiting: it may have opened one.
        FextError: something cannot be removed.

    """
    count = 0
    with records.transaction():
        _refuse_beside_jobs(records, "Remove caches when it has ended.")
        for one in found:
            _remove_all(one.paths)
            count += one.bytes
    return count


def _refuse_beside_jobs(records: Records, remedy: str) -> None:
    if records.jobs("queued", "running", limit=1):
        raise UsageError("A job is running or waiting.", remedy)


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
    with records.transaction():
        _refuse_beside_jobs(records, "Delete the records of a folder when it has ended.")
        images = int(records.dataset_summary(number)["images"])
        records.delete_dataset(number)
    return images


def delete_plots(workspace: Workspace) -> tuple[int, int]:
    """Remove the figures that analyses drew, and return how many files and bytes they were.

    Raises:
        FextError: one cannot be removed.

    """
    files = [path for path in workspace.dataset_plots.glob("[!.]*") if path.is_file()]
    count = sum(map(_bytes, files))
    _remove_all(files)
    return len(files), count


def _bytes(path: Path) -> int:
    """Return what goes with a file, a folder or a link, of which what it leads to stays."""
    return bytes_of(path) if path.is_dir() and not path.is_symlink() else path.lstat().st_size


def _remove_all(paths: Iterable[Path]) -> None:
    for path in paths:
        remove_if_there(path)
