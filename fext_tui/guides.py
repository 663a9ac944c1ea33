"""The documentation as the terminal shows it: its pages are the files of `docs`, installed with the package."""

import difflib
import re
from pathlib import Path

from engine.errors import FextError, UsageError

PAGES = Path(__file__).parent / "docs"
"""In a checkout a link to the folder of that name, in an installed package the folder itself."""

_PICTURE = re.compile(r"^!\[.*\n\n?", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\((?:[\w./-]+/)?([\w-]+)\.md(?:#[\w.-]+)?\)")


def topics() -> dict[str, str]:
    """Return the title of each page by its topic: those of the screens first, then by name.

    Raises:
        FextError: the pages are not installed.

    """
    pages = sorted(PAGES.glob("*.md"), key=lambda page: (not page.stem.startswith("guide"), page.stem))
    if not pages:
        raise FextError(f"The guides are missing: {PAGES}.", "Install fext-tui again.")
    return {page.stem: _title(page) for page in pages}


def _title(page: Path) -> str:
    with page.open(encoding="utf-8") as lines:
        return next(lines).removeprefix("#").strip()


def guide(topic: str) -> str:
    """Return a page as Markdown for a terminal: without pictures, links to other pages as the command that shows them.

    Raises:
        UsageError: there is no such topic.
        FextError: the pages are not installed.

    """
    known = topics()
    if topic not in known:
        near = difflib.get_close_matches(topic, known, n=1)
        raise UsageError(
            f"There is no guide {topic!r}.", f"Did you mean {near[0]!r}?" if near else "`fext help` lists all."
        )
    text = (PAGES / f"{topic}.md").read_text(encoding="utf-8")
    return _LINK.sub(_command, _PICTURE.sub("", text))


def _command(link: re.Match[str]) -> str:
    words, topic = link[1], link[2]
    named = words.removesuffix(".md").rpartition("/")[2] == topic
    return f"`fext help {topic}`" if named else f"{words} (`fext help {topic}`)"
