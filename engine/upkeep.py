"""The upkeep of a workspace: removing logs, describing runs, renaming and deleting them and their checkpoints."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from engine.checkpoints import bytes_of, checkpoint_facts, existing_folder
from engine.errors import FextError, UsageError
from engine.files import measure_folder, replace_file
from engine.foreign import read_object
from engine.records import JobRow, Records, Row
from engine.workspace import Workspace, check_name


def remove_logs(workspace: Workspace, records: Records) -> tuple[int, int]:
    """Remove what lies in the logs folder, and return how many files and bytes that were.

    Logs of jobs that run or wait stay, and so does everything else while a job runs (a runner's log, the
    curves that TensorBoard reads), and hidden files.

    Raises:
        FextError: one of them cannot be removed.

    """
    kept = {workspace.log_of_job(job.id) for job in records.jobs("queued", "running", limit=-1)}
    files = count = 0
    for path in sorted(workspace.logs.glob("[!.]*")):
        if path in kept or (kept and not path.match("job-*.log")):
            continue
        more, size = measure_folder(path) if _is_folder(path) else (1, path.lstat().st_size)
        files, count = files + more, count + size
        _remove(path)
    return files, count


def describe_run(records: Records, name: str, text: str) -> Row:
    """Let a text be the note of a run, its words that begin with # the tags, and return the run.

    Raises:
        UsageError: there is no run of that name.

    """
    words = text.split()
    tags = dict.fromkeys(word[1:] for word in words if word.startswith("#") and word[1:])
    note = " ".join(word for word in words if not word.startswith("#"))
    run = records.existing_run(name)
    records.change_run(run["id"], note=note, tags=" ".join(tags))
    return records.run(run["id"])


def description_of(note: str, tags: Iterable[str]) -> str:
    """Return note and tags of a run as one text, as `describe_run` takes it."""
    return " ".join((*(f"#{tag}" for tag in tags), note)).strip()


def rename_run(workspace: Workspace, records: Records, name: str, wanted: str) -> None:
    """Give a run another name: in the records, and to its checkpoints and all that was made of them.

    These are the folders of figures, embeddings, exported files and TensorBoard curves.

    Raises:
        UsageError: there is no run of that name; the wanted one is taken or cannot be one; a job that waits or runs
            needs the old one.
        FextError: a folder cannot be renamed; nothing is changed then.

    """
    run = records.existing_run(check_name(name, "run"))
    check_name(wanted, "run")
    folders = [workspace.checkpoints / name, workspace.validation / name, *belongings(workspace, name).values()]
    if records.run_named(wanted) or any(folder.with_name(wanted).exists() for folder in folders):
        raise UsageError(f"There is a run or a checkpoint named {wanted!r} already.", "Choose another name.")
    _refuse_in_use(records, name, "Rename it when that has ended.")
    moved: list[Path] = []
    try:
        for folder in folders:
            if folder.exists():
                folder.rename(folder.with_name(wanted))
                moved.append(folder)
        _tell_files(workspace, name, wanted)
        records.rename_run(run["id"], wanted, [(folder, folder.with_name(wanted)) for folder in folders])
    except BaseException as error:
        for folder in moved:
            folder.with_name(wanted).rename(folder)
        _tell_files(workspace, wanted, name)
        if isinstance(error, OSError):
            raise FextError(
                f"{error.filename} cannot be renamed: {error.strerror}.", "Mend its permissions."
            ) from error
        raise


def needed_by_job(records: Records, name: str) -> JobRow | None:
    """Return a job that runs or waits and needs a run or its checkpoint, if there is one."""
    run = (records.run_named(name) or {}).get("id")
    for job in records.jobs("queued", "running", limit=-1):
        of_run = job.run is not None and job.run == run
        if of_run or str(job.arguments.get("checkpoint", "")).partition("/")[0] == name:
            return job
    return None


def _refuse_in_use(records: Records, name: str, remedy: str) -> None:
    if job := needed_by_job(records, name):
        raise UsageError(f"Job {job.id} ({job.kind}) of {name!r} is {job.state}.", remedy)


def _tell_files(workspace: Workspace, name: str, wanted: str) -> None:
    """Let the files beside embeddings, exported networks and reports tell another name of their checkpoint.

    They lie where a checkpoint of one of the two names has them; those that are damaged stay as they are.
    """
    for folder in (workspace.inference, workspace.exports, workspace.validation):
        for path in (*folder.glob(f"{name}/**/*.json"), *folder.glob(f"{wanted}/**/*.json")):
            try:
                document = read_object(path)
            except ValueError:
                continue
            told, slash, tag = str(document.get("checkpoint", "")).partition("/")
            if told == name:
                content = {**document, "checkpoint": f"{wanted}{slash}{tag}"}
                replace_file(path, (json.dumps(content, indent=2) + "\n").encode())


def rename_checkpoint(workspace: Workspace, records: Records, name: str, wanted: str) -> None:
    """Give a checkpoint another name, and its run, as `rename_run` does; a run that the records lack is added to them.

    Raises:
        UsageError: there is no such checkpoint, or as `rename_run`.
        FextError: it is damaged, or as `rename_run`.

    """
    facts = checkpoint_facts(workspace, name)
    with records.transaction():
        records.run_of(name, facts.variant)
        rename_run(workspace, records, name, wanted)


def belongings(workspace: Workspace, name: str) -> dict[str, Path]:
    """Return the folders of what is made of a checkpoint and may outlive it, by what they hold; some may be missing."""
    return {
        "embeddings": workspace.inference / name,
        "exported files": workspace.exports / name,
        "TensorBoard curves": workspace.tensorboard / name,
    }


def sizes_of_belongings(workspace: Workspace, name: str) -> dict[str, int]:
    """Return the bytes of those `belongings` of a checkpoint that are there."""
    return {what: bytes_of(folder) for what, folder in belongings(workspace, name).items() if folder.is_dir()}


def remove_checkpoint(workspace: Workspace, records: Records, name: str, also: Iterable[str] = ()) -> None:
    """Delete a checkpoint with its states and figures, and those of its `belongings` that are wanted ``also``.

    Its run stays in the records, with its curve.

    Raises:
        UsageError: there is none of that name, or a job that waits or runs needs it.
        FextError: a file cannot be deleted.

    """
    existing_folder(workspace, name)
    _refuse_in_use(records, name, "Delete it when that has ended.")
    _remove_states_and_figures(workspace, name)
    if run := records.run_named(name):
        records.forget_checkpoints(run["id"], [row["tag"] for row in records.checkpoints(run["id"])])
    folders = belongings(workspace, name)
    for what in also:
        remove_if_there(folders[what])
        if what == "embeddings":
            records.forget_embeddings(workspace.stored_path(folders[what]))


def delete_run(workspace: Workspace, records: Records, name: str, *, checkpoints: bool) -> None:
    """Delete a run from the records, with its curve, its jobs and their logs; and, where wanted, its checkpoints.

    With the checkpoints go the figures and probe images of ``database/validation/NAME``.

    Raises:
        UsageError: there is no run of that name, one of its jobs runs or waits, or one that needs its checkpoints;
            or these are wanted of a name that can be none.
        FextError: a file cannot be deleted; the records of the run are then still there.

    """
    run = records.existing_run(name)
    jobs = records.jobs_of_run(run["id"])
    if active := next((job for job in jobs if not job.has_ended), None):
        raise UsageError(f"Job {active.id} of run {name!r} is {active.state}.", f"Stop it first: fext stop {active.id}")
    if checkpoints:
        _refuse_in_use(records, name, "Delete it when that has ended.")
        _remove_states_and_figures(workspace, name)
    for job in jobs:
        remove_if_there(workspace.log_of_job(job.id))
    with records.transaction():
        for job in jobs:
            records.delete_job(job.id)
        records.delete_run(run["id"])


def _remove_states_and_figures(workspace: Workspace, name: str) -> None:
    check_name(name, "checkpoint")
    for folder in (workspace.checkpoints / name, workspace.validation / name):
        remove_if_there(folder)


def remove_if_there(path: Path) -> None:
    """Remove a file, a link or a folder; of links, in a folder too, not what they lead to.

    Raises:
        FextError: it cannot be removed.

    """
    if path.exists() or path.is_symlink():
        _remove(path)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove(path: Path) -> None:
    try:
        if _is_folder(path):
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise FextError(f"{path} cannot be removed: {error.strerror or error}.", "Mend its permissions.") from error
