"""The lock that lets a workspace have one runner."""

import fcntl
import os
from typing import Self

from engine.errors import FextError
from engine.workspace import Workspace


class RunnerLock:
    """The right to run a workspace's jobs: one process has it, and the system takes it back when that process dies.

    Whoever finds it free takes it and starts a runner that inherits it, so that there is no moment in which another
    could start a second one, and none in which a runner that starts is turned away by somebody who only looked.

    Raises:
        FextError: the lock's file cannot be opened.

    """

    def __init__(self, workspace: Workspace, inherited: int | None = None) -> None:
        self.workspace = workspace
        path = workspace.database.parent / "runner.lock"
        try:
            self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666) if inherited is None else inherited
        except OSError as error:
            raise FextError(
                f"{path} cannot be opened: {error.strerror or error}.",
                "Mend the permissions of the workspace or make space there, or choose another one with --resources.",
            ) from error
        os.set_inheritable(self.descriptor, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def take(self) -> bool:
        """Take the lock if it is free; return whether it was."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Give the lock back, for every process that inherited it."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
