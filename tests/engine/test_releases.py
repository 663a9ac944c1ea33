"""Looking for a newer release, in repositories of the test's own."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from engine.errors import FextError
from engine.releases import Releases, look_for_release


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout whose remote has no tag yet."""
    remote, here = tmp_path / "remote", tmp_path / "here"
    remote.mkdir()
    git(remote, "init", "-q")
    git(remote, "commit", "-q", "--allow-empty", "-m", "x")
    git(tmp_path, "clone", "-q", str(remote), str(here))
    return here


def test_the_newest_number_counts_and_other_tags_do_not(checkout: Path) -> None:
    found = look_for_release(checkout)
    assert (found.newest, found.is_newer) == (None, False)
    assert "no release yet" in found.told
    for tag in ("v0.9.0", "0.10.2", "v0.2", "nightly-99.9", "v9.9.9-rc1"):
        git(checkout.parent / "remote", "tag", tag)
    found = look_for_release(checkout)
    assert (found.here, found.newest, found.source) == (version("fext-tui"), "0.10.2", "origin")
    assert found.is_newer
    assert "0.10.2 is released" in found.told


def test_the_same_or_an_older_one_is_not_newer() -> None:
    assert not Releases("1.2.0", "1.2.0", "origin").is_newer
    assert not Releases("1.10", "1.9.9", "origin").is_newer


def test_nobody_is_asked_where_there_is_nobody(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "remote", "remove", "origin")
    with pytest.raises(FextError, match="no remote"):
        look_for_release(checkout)
    with pytest.raises(FextError, match="no git checkout"):
        look_for_release(tmp_path)


def test_a_repository_that_does_not_answer_is_told_so(checkout: Path) -> None:
    git(checkout, "remote", "set-url", "origin", str(checkout.parent / "gone"))
    with pytest.raises(FextError, match="does not answer") as caught:
        look_for_release(checkout)
    assert "connection" in caught.value.remedy
