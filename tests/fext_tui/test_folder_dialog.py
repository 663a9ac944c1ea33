"""Choosing a folder with keys alone."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from fext_tui.widgets.folder_dialog import FolderDialog, look_inside, typed_folder

Wait = Callable[..., Any]


class Asking(App[None]):
    """An app that only asks for a folder."""

    def __init__(self, start: Path) -> None:
        super().__init__()
        self.start = start
        self.answers: list[Path | None] = []

    def on_mount(self) -> None:
        self.push_screen(FolderDialog("Where?", self.start), self.answers.append)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b", "a/deep", ".hidden"):
        (tmp_path / "top" / name).mkdir(parents=True)
    for name in ("one.png", "a/two.jpg", "a/deep/three.png", "notes.txt"):
        (tmp_path / "top" / name).touch()
    return tmp_path / "top"


@asynccontextmanager
async def asking(start: Path, until: Wait) -> AsyncIterator[tuple[Pilot[None], Asking]]:
    app = Asking(start)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: counted(app))
        yield pilot, app


def counted(app: App[None]) -> str:
    return str(app.screen.query_one("#folder-count", Static).content)


def options(app: App[None]) -> list[str]:
    listed = app.screen.query_one(OptionList)
    return [str(listed.get_option_at_index(index).prompt) for index in range(listed.option_count)]


def here(app: App[None]) -> str:
    return str(app.screen.query_one("#folder-here", Static).content)


async def test_it_shows_folders_and_counts_pictures_below(tree: Path, until: Wait) -> None:
    async with asking(tree, until) as (_, app):
        assert options(app) == ["Use this folder", "..  parent folder", "a/", "b/", ".hidden/"]
        assert counted(app) == "3 pictures here and below"


async def test_walking_in_and_out_and_choosing(tree: Path, until: Wait) -> None:
    async with asking(tree, until) as (pilot, app):
        await pilot.press("down", "j", "right")
        await until(pilot, lambda: here(app).endswith("/top/a") and "deep/" in options(app))
        await until(pilot, lambda: counted(app) == "2 pictures here and below")
        await pilot.press("left")
        await until(pilot, lambda: here(app).endswith("/top") and "a/" in options(app))
        assert app.screen.query_one(OptionList).highlighted == 2, "the cursor is on the folder it came from"
        await pilot.press("enter")
        await until(pilot, lambda: "deep/" in options(app))
        await pilot.press("u")
        await until(pilot, lambda: app.answers)
    assert app.answers == [tree / "a"]


async def test_the_first_line_chooses_what_is_open(tree: Path, until: Wait) -> None:
    async with asking(tree, until) as (pilot, app):
        await pilot.press("enter")
        await until(pilot, lambda: app.answers)
    assert app.answers == [tree]


async def test_a_path_can_be_typed(tree: Path, until: Wait) -> None:
    async with asking(tree, until) as (pilot, app):
        await pilot.press("slash", *"nowhere", "enter")
        await until(pilot, lambda: "is not there" in str(app.screen.query_one(".dialog-error", Static).content))
        await pilot.press(*["backspace"] * len("nowhere"), *"a/deep", "enter")
        await until(pilot, lambda: app.answers)
    assert app.answers == [tree / "a" / "deep"]


async def test_letters_belong_to_the_line_while_it_is_edited(tree: Path, until: Wait) -> None:
    async with asking(tree, until) as (pilot, app):
        await pilot.press("slash", *"ujkl")
        assert app.screen.query_one(Input).value == f"{tree}/ujkl"
        await pilot.press("escape")
        assert isinstance(app.focused, OptionList)
        assert not app.answers
        await pilot.press("escape")
        await until(pilot, lambda: app.answers)
    assert app.answers == [None]


async def test_the_line_offers_the_folder_that_begins_so(tree: Path, until: Wait) -> None:
    async with asking(tree, until) as (pilot, app):
        await pilot.press("slash", "b")
        line = app.screen.query_one(Input)
        await until(pilot, lambda: line._suggestion == f"{tree}/b")
        await pilot.press("slash", "x")
        await until(pilot, lambda: not line._suggestion)


async def test_a_folder_that_is_gone_begins_at_what_is_left_of_it(tree: Path, until: Wait) -> None:
    async with asking(tree / "gone" / "deeper", until) as (_, app):
        assert here(app).endswith("/top")


async def test_hostile_names_are_text(tmp_path: Path, hostile: str, until: Wait, shown: Callable[..., str]) -> None:
    name = hostile.replace("/", "")
    (tmp_path / "top" / name).mkdir(parents=True)
    async with asking(tmp_path / "top", until) as (pilot, app):
        assert "[bold red]x[] \\x1b[31m\\u202egpj.\\n\\xff/" in shown(pilot)
        await pilot.press("down", "down", "right")
        await until(pilot, lambda: "\\xff" in here(app))
        await until(pilot, lambda: len(options(app)) == 2)
        await pilot.press("u")
        await until(pilot, lambda: app.answers)
    assert app.answers == [tmp_path / "top" / name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_it_tells_why_a_folder_cannot_be_read(tmp_path: Path) -> None:
    tmp_path.chmod(0)
    assert look_inside(tmp_path).problem == "Permission denied"
    tmp_path.chmod(0o700)


def test_typed_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    base = Path("/data/photos")
    assert typed_folder("", base) == base
    assert typed_folder("~/x", base) == Path("/home/someone/x")
    assert typed_folder("../y", base) == Path("/data/y")
    assert typed_folder("/z", base) == Path("/z")
    assert typed_folder("/data/x//other/y", base) == Path("/other/y")
    assert typed_folder("/data/x/~/y", base) == Path("/home/someone/y")
