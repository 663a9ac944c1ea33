"""How a task ended, as the records keep it."""

import contextlib
import dataclasses
import errno
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import EXIT_FAILED, FextError, Stopped
from engine.jobs.death import LESS_MEMORY
from engine.records import JobState

_TRACEBACK_LINES = 20
_MOST_CHARACTERS = 1_000
_NO_MEMORY = ("allocate memory", "could not create a primitive", "Insufficient memory", "failed to map segment")
"""What torch, oneDNN, OpenCV and the loader of libraries say where memory ran out; they raise no class of its own."""
_NO_THREAD = ("can't start new thread", "Resource temporarily unavailable")
"""What Python and torch say."""


@dataclass(frozen=True)
class Outcome:
    """The state a job ends in, with its result or its error (``cause remedy exit_code``, perhaps ``traceback``)."""

    state: JobState
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None


def outcome_of(task: Callable[[], Any], log: Path) -> Outcome:
    """Run a task, whose result is a dataclass or an outcome, and return how it ended, whatever it raises.

    What is no plain refusal is also printed in full, to the job's ``log``.
    """
    try:
        done = task()
        if isinstance(done, Outcome):
            return done
        result = dataclasses.asdict(done)
    except Stopped:
        return Outcome("stopped")
    except FextError as error:
        return Outcome("failed", error=_error(error.cause, error.remedy, error.exit_code))
    except BaseException as error:  # noqa: BLE001 - whatever a task raises is how it ended
        with contextlib.suppress(OSError):  # a log that cannot be written
            traceback.print_exception(error)
        told = "".join(traceback.format_exception(error)).splitlines()[-_TRACEBACK_LINES:]
        return Outcome("failed", error={**_explain(error, log), "traceback": "\n".join(told)})
    return Outcome("stopped" if result.get("state") == "stopped" else "done", result)


def _error(cause: str, remedy: str, exit_code: int = EXIT_FAILED) -> dict[str, Any]:
    return {"cause": cause, "remedy": remedy, "exit_code": exit_code}


def _explain(error: BaseException, log: Path) -> dict[str, Any]:
    text = str(error)[:_MOST_CHARACTERS]
    if is_out_of_memory(error):
        return _error(f"Out of memory. {text}".strip(), LESS_MEMORY)
    if isinstance(error, RuntimeError) and any(sign in text for sign in _NO_THREAD):
        remedy = "Make room for it (memory, processes, or the limits of this user: `ulimit -a`), then start it again."
        return _error(f"The system refused the job another thread: {text}.", remedy)
    if isinstance(error, OSError) and error.strerror:
        return _error(f"{_place(error)}: {error.strerror}.", _remedy(error, log))
    return _error(f"{type(error).__name__}: {text}", f"The whole report is in {log}.")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, on the processor or a GPU; classes of torch and OpenCV are known by name."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (_comes_from_native_code(error) and any(sign in str(error) for sign in _NO_MEMORY))
    )


def _comes_from_native_code(error: BaseException) -> bool:
    return isinstance(error, RuntimeError | OSError | ImportError) or type(error).__module__ == "cv2"


def _place(error: OSError) -> str:
    return str(error.filename) if error.filename is not None else type(error).__name__


def _remedy(error: OSError, log: Path) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "Make space on that disk, then try again; what was saved before is untouched."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return "Mend its permissions, or choose another folder."
    return f"The whole report is in {log}."
