"""Whether there is a newer release: asked of the repository that this program was fetched from, and only on request."""

import os
import re
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from engine.errors import FextError

SECONDS = 15.0
"""How long the answer is waited for."""

_TAG = re.compile(r"refs/tags/v?(\d+(?:\.\d+)+)$")
_CHECKOUT = Path(__file__).resolve().parents[1]
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=8",
    "LC_ALL": "C",
}
"""What keeps git from asking for a name or a word."""


@dataclass(frozen=True)
class Releases:
    """This version, and the newest that was released where this program comes from; None where none has a number."""

    here: str
    newest: str | None
    source: str

    @property
    def is_newer(self) -> bool:
        """Whether the newest one is newer than this."""
        return self.newest is not None and _number(self.newest) > _number(self.here)

    @property
    def told(self) -> str:
        """The same as a sentence, with what to do about it."""
        if self.newest is None:
            return f"{self.source} has no release yet; this is {self.here}."
        if not self.is_newer:
            return f"This is {self.here}; the newest release at {self.source} is {self.newest}."
        return f"{self.newest} is released; this is {self.here}. Fetch it with git pull, then start FeXT again."


def look_for_release(checkout: Path = _CHECKOUT) -> Releases:
    """Ask the remote of the checkout for its tags.

    Raises:
        FextError: this is no checkout, it has no remote, or that does not answer in `SECONDS`.

    """
    if not (checkout / ".git").exists():
        raise FextError(f"{checkout} is no git checkout: nobody can be asked.", "Update as FeXT was installed.")
    remotes = _git(checkout, "remote").split()
    if not remotes:
        raise FextError("The checkout has no remote: nobody can be asked.", "Add one: git remote add origin URL")
    remote = "origin" if "origin" in remotes else remotes[0]
    listed = _git(checkout, "ls-remote", "--tags", "--refs", remote)
    found = [match[1] for line in listed.splitlines() if (match := _TAG.search(line))]
    return Releases(version("fext-tui"), max(found, key=_number, default=None), remote)


def _git(checkout: Path, *words: str) -> str:
    command = ["git", "-C", str(checkout), *words]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words and the name of a remote, no shell
            command, env=os.environ | _QUIET, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise FextError("git is not installed: nobody can be asked.", "Install git.") from error
    except subprocess.TimeoutExpired as error:
        raise FextError(f"There was no answer in {SECONDS:g} s.", "Try again with a connection.") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"git ended with {done.returncode}"])[-1]
        raise FextError(f"The repository does not answer: {last}", "Try again with a connection to it.")
    return done.stdout


def _number(release: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", release)))
