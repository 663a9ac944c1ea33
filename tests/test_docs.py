"""The documentation is what the code is: settings, keys, links."""

import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from textual.keys import format_key

from fext_tui.bindings import all_bindings, prefix_of

CHECKOUT = Path(__file__).parents[1]
PAGES = sorted(CHECKOUT.glob("*.md")) + sorted((CHECKOUT / "docs").glob("*.md"))
GENERATED = runpy.run_path(str(CHECKOUT / "scripts/lib/write_docs.py"))["PAGES"]

GUIDES = {
    "guide-app": {"", "mode", "dialog", "folder", "filter"},
    "guide-data": {"data", "images", "distribution", "findings", "finding"},
    "guide-model": {"model", "settings", "form", "value", "checkpoints", "checkpoint", "latent", "forecast"},
    "guide-viewer": {"viewer"},
    "guide-runs": {"runs", "jobs"},
}
"""The guides with tables of keys, and the first parts of the ids of the bindings that each tells."""

_ROW = re.compile(r"^\| (`[^|]+`) \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|^    .*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


class Key(NamedTuple):
    """A key, by its character or its name, and what it is called."""

    key: str
    name: str


def keys_told(guide: str) -> set[Key]:
    """Return the keys of a guide's tables."""
    text = (CHECKOUT / "docs" / f"{guide}.md").read_text(encoding="utf-8")
    rows = ((re.findall(r"`([^`]+)`", keys), name.strip()) for keys, name in _ROW.findall(text))
    return {Key(key, name) for keys, name in rows for key in keys}


def keys_bound(prefixes: set[str], *, with_help: bool) -> Iterator[tuple[Key, str]]:
    """Yield keys with the ids of their bindings; with help, those alone that do something rather than move."""
    for binding in (bound.binding for bound in all_bindings()):
        if prefix_of(binding.id or "") in prefixes and (binding.tooltip or not with_help):
            yield Key(shown(binding.key), binding.description), str(binding.id)


def shown(key: str) -> str:
    """Return a key as the guides write it: its character, else its name."""
    character = format_key(key)
    return character if len(character) == 1 and character.isascii() and key != "space" else key


@pytest.mark.parametrize("path", GENERATED)
def test_what_is_made_from_the_code_is_as_the_code_has_it(path: str) -> None:
    text = (CHECKOUT / path).read_text(encoding="utf-8")
    assert text == GENERATED[path](), f"{path} is outdated: run ./scripts/docs"


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_names_only_keys_that_are_bound(guide: str) -> None:
    told = keys_told(guide)
    assert told
    bound = {key for key, _ in keys_bound(GUIDES[guide], with_help=False)}
    assert sorted(told - bound) == []


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_tells_every_action_that_has_a_help(guide: str) -> None:
    told = keys_told(guide)
    bound: dict[str, list[Key]] = {}
    for key, binding in keys_bound(GUIDES[guide], with_help=True):
        bound.setdefault(binding, []).append(key)
    missing = [f"| `{keys[0].key}` | {keys[0].name} | … |" for keys in bound.values() if told.isdisjoint(keys)]
    assert missing == [], f"docs/{guide}.md lacks rows"


def test_every_place_with_keys_is_in_a_guide() -> None:
    told = set().union(*GUIDES.values())
    placed = {prefix_of(binding.id or "") for binding in (bound.binding for bound in all_bindings()) if binding.tooltip}
    assert sorted(placed - told) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    wrong = [link for link in _LINK.findall(text) if not leads_somewhere(page, link)]
    assert wrong == []


def leads_somewhere(page: Path, link: str) -> bool:
    """Return whether a relative link names a file that is there, and a heading in it where it names one."""
    if link.startswith(("https://", "http://")):
        return True
    name, _, anchor = unquote(link).partition("#")
    target = page.parent / name if name else page
    return target.is_file() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_newest_changes_are_those_of_this_version() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = re.findall(r"^## \[([^\]]+)\]", (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == project["version"]
