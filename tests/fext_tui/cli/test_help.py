"""``fext help``: the guides, found, listed and shown."""

import os
import pty
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import FextError, UsageError
from fext_tui import guides
from fext_tui.cli.verbs import VERBS
from fext_tui.guides import PAGES, guide, topics
from tests.fext_tui.cli.conftest import Ended

CHECKOUT = Path(__file__).parents[3]

Fext = Callable[..., Ended]


def test_the_pages_are_those_of_the_checkout_and_of_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = {page.stem for page in (CHECKOUT / "docs").glob("*.md")}
    assert topics().keys() == written
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    package = CHECKOUT / "fext_tui"
    for pattern in project["tool"]["setuptools"]["package-data"]["fext_tui"]:
        for file in package.glob(pattern):
            installed = tmp_path / file.relative_to(CHECKOUT)
            installed.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, installed)
    monkeypatch.setattr(guides, "PAGES", tmp_path / PAGES.relative_to(CHECKOUT))
    assert topics().keys() == written


def test_topics_begin_with_the_screens_and_have_a_title_each() -> None:
    known = topics()
    screens = [topic for topic in known if topic.startswith("guide-")]
    assert screens == list(known)[: len(screens)]
    assert screens
    assert known["guide-runs"] == "The Runs screen: what ran, what waits, and which settings made the difference"
    assert all(title and not title.startswith("#") for title in known.values())


def test_a_guide_is_made_for_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guides, "PAGES", tmp_path)
    page = (
        "# One\n\n![Picture](a.svg)\n\nSee [the other](other.md#part), [docs/other.md](other.md), [x](https://x.org).\n"
    )
    (tmp_path / "one.md").write_text(page, encoding="utf-8")
    assert guide("one") == "# One\n\nSee the other (`fext help other`), `fext help other`, [x](https://x.org).\n"


def test_an_unknown_topic_and_missing_pages_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="Did you mean 'troubleshooting'"):
        guide("trouble-shooting")
    monkeypatch.setattr(guides, "PAGES", tmp_path / "nowhere")
    with pytest.raises(FextError, match="Install fext-tui again"):
        topics()


def test_help_lists_the_topics(fext: Fext) -> None:
    assert fext("help", "--json").json == {"topics": topics()}
    listed = fext("help").out
    assert all(topic in listed and title in listed for topic, title in topics().items())


def test_away_from_a_terminal_a_guide_is_markdown(fext: Fext) -> None:
    assert fext("help", "settings").out == guide("settings")
    assert fext("help", "jobs", "--json").json == {"topic": "jobs", "text": guide("jobs")}


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in topics()])
def test_the_name_of_a_verb_shows_its_options(fext: Fext, verb: str) -> None:
    assert fext("help", verb).out == fext(verb, "--help").out


def test_what_is_neither_guide_nor_verb_is_refused(fext: Fext) -> None:
    ended = fext("help", "setings")
    assert (ended.code, ended.out) == (2, "")
    assert "There is no guide 'setings'." in ended.err
    assert "Did you mean 'settings'?" in ended.err


@pytest.mark.parametrize(("options", "paged"), [((), True), (("--no-pager",), False)])
def test_on_a_terminal_a_guide_is_drawn_and_paged(
    call: Callable[..., list[str]], options: tuple[str, ...], paged: bool
) -> None:
    leader, follower = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "LESS"}
    environ |= {"TERM": "xterm-256color", "COLUMNS": "70", "PAGER": "sed s/^/paged/"}
    streams = {"stdin": follower, "stdout": follower, "stderr": follower}
    with subprocess.Popen(call("help", "guide-runs", *options), env=environ, **streams) as child:
        os.close(follower)
        told = b"".join(iter(lambda: _read(leader), b"")).decode()
    os.close(leader)
    assert child.returncode == 0
    assert "## " not in told
    assert "The queue" in told
    lines = [line for line in told.splitlines() if line]
    assert all(line.startswith("paged") for line in lines) is paged


def _read(terminal: int) -> bytes:
    """Return what a program wrote to its terminal; nothing once it has left."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""
