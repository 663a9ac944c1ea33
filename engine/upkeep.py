"""The upkeep of a workspace: removing logs."""

import shutil
from pathlib import Path

from engine.errors import FextError
from engine.records import Records
from engine.workspace import Workspace


def remove_logs(workspace: Workspace, records: Records) -> tuple[int, int]:
    """Remove what lies in the logs folder, and return how many files and bytes that were.

    Logs of jobs that run or wait stay, and so does everything else while a job runs (a runner's log, the
    curves that TensorBoard reads), and hidden files.

    Raises:
        FextError: one of them cannot be removed.

    """
    busy = bool(records.jobs("queued", "running"))
    kept = {workspace.log_of_job(job.id) for job in records.jobs("queued", "running")}
    files = count = 0
    for path in sorted(workspace.logs.glob("[!.]*")):
        if path in kept or (busy and not path.match("job-*.log")):
            continue
        inside = [one for one in path.rglob("*") if not one.is_dir()] if _is_folder(path) else [path]
        files += len(inside)
        count += sum(one.lstat().st_size for one in inside)
        _remove(path)
    return files, count


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove(path: Path) -> None:
    try:
        if _is_folder(path):
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        raise FextError(f"{path} cannot be removed: {error.strerror or error}.", "Mend its permissions.") from error
