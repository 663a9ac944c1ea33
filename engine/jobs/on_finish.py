"""The command that a user wants run when a job has ended.

It comes from the command line or from the user's own configuration, never from a workspace, which may be another's:
what a call of ``fext`` asked for is kept in the user's own state folder.
"""

import hashlib
import json
import os
import subprocess
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs

from engine.errors import FextError
from engine.files import replace_file
from engine.records import JobRow
from engine.workspace import Workspace

_PREFIX = "FEXTJOB_"
_ADD_OR_REMOVE = 'Write, for instance, on_finish = ["notify-send", "FeXT"], or remove the file.'


def user_configuration() -> Path:
    """Return the user's own configuration: ``on_finish``, a list of words, is the command of every job."""
    return platformdirs.user_config_path("fext") / "config.toml"


def remember(workspace: Workspace, job: int, command: Sequence[str]) -> None:
    """Keep the command of one job, in place of the one of the configuration, where only this user can write.

    Raises:
        FextError: it cannot be kept.

    """
    path = _kept(workspace, job)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(path, json.dumps(list(command)).encode(errors="surrogateescape"))
    except OSError as error:
        raise FextError(
            f"{path} cannot be written: {error.strerror or error}.", "Make it writable, or leave --on-finish out."
        ) from error


def take_command(workspace: Workspace, job: int) -> list[str]:
    """Return the command of a job that has ended, and forget it; empty where there is none.

    Raises:
        FextError: the file that holds it can be written by others, or does not hold a list of words.

    """
    kept = _kept(workspace, job)
    if kept.exists():
        command = _words(kept, json.loads)
        kept.unlink(missing_ok=True)
        return command
    configuration = user_configuration()
    if not configuration.exists():
        return []
    return _words(configuration, lambda text: tomllib.loads(text).get("on_finish", []))


def start(command: Sequence[str], workspace: Workspace, job: JobRow, run: str) -> subprocess.Popen[bytes]:
    """Start a command without a shell, in the workspace, with the facts of a job in its environment.

    These are ``FEXTJOB_ID``, ``_KIND``, ``_STATE``, ``_RUN``, ``_PSNR``, ``_SECONDS``, ``_CAUSE`` and ``_RESOURCES``;
    what is not known is empty.

    Raises:
        OSError: it cannot be started.

    """
    result, error, took = job.result or {}, job.error or {}, job.seconds(time.time())
    facts = {
        "ID": job.id, "KIND": job.kind, "STATE": job.state, "RUN": run,
        "PSNR": result.get("val_psnr", result.get("psnr", "")), "CAUSE": error.get("cause", ""),
        "SECONDS": "" if took is None else round(took, 1), "RESOURCES": workspace.root,
    }  # fmt: skip
    told = {_PREFIX + name: str("" if value is None else value).replace("\0", "") for name, value in facts.items()}
    return subprocess.Popen(  # noqa: S603 - the user's own command
        command, cwd=workspace.root, env=os.environ | told, stdin=subprocess.DEVNULL, start_new_session=True
    )


def _kept(workspace: Workspace, job: int) -> Path:
    digest = hashlib.sha256(os.fsencode(workspace.root.resolve())).hexdigest()[:16]
    return platformdirs.user_state_path("fext") / "on_finish" / f"{digest}-{job}.json"


def _words(path: Path, parse: Callable[[str], object]) -> list[str]:
    try:
        facts = path.stat()
        if facts.st_uid not in {os.getuid(), 0} or facts.st_mode & 0o022:
            raise FextError(f"{path} can be written by others: its command is not run.", f"Mend it: chmod go-w {path}")
        words = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FextError(f"{path} cannot be read: {error}.", _ADD_OR_REMOVE) from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise FextError(f"on_finish in {path} is no list of words.", _ADD_OR_REMOVE)
    return words
