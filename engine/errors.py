"""Errors that a person can mend, and the exit codes that stand for them."""

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_STOPPED = 3


class FextError(Exception):
    """Something went wrong that a person can mend: what it was, and what to do about it."""

    exit_code = EXIT_FAILED

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        """Return cause and remedy as one text."""
        return f"{self.cause}\n{self.remedy}" if self.remedy else self.cause


class UsageError(FextError):
    """A wrong or unknown setting, option, name or folder."""

    exit_code = EXIT_USAGE


class Stopped(FextError):
    """The task was asked to stop and did so, between two pieces of its work."""

    exit_code = EXIT_STOPPED

    def __init__(self, cause: str = "Stopped on request.") -> None:
        super().__init__(cause)


class Interrupted(BaseException):
    """The task was asked to stop amid work that cannot ask for it, and `Report.interruptible` lets it be broken off.

    No `Exception`, so that no library takes it for a failure of its own.
    """
