"""The user's own keys: read, checked against all actions, and in force in the app."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.errors import UsageError
from engine.workspace import Workspace
from fext_tui.bindings import Action, all_actions
from fext_tui.key_file import checked, key_name, keys_file, read_keys, shown_name, template

Shown = Callable[[Pilot[None]], str]


@pytest.fixture(scope="module")
def actions() -> list[Action]:
    return all_actions()


def written(text: str, path: Path | None = None) -> Path:
    """Write the user's file, or another."""
    target = path or keys_file()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


@pytest.fixture
def own_keys() -> Any:
    yield written
    keys_file().unlink(missing_ok=True)


def test_a_file_is_read_in_every_way_of_writing_it(tmp_path: Path) -> None:
    path = written(
        '[keys]\n"viewer.next" = "j,down"\nruns.stop = ["S", "ctrl+x"]\nquit = "Q"\n', tmp_path / "keys.toml"
    )
    assert read_keys(path) == {"viewer.next": "j,down", "runs.stop": "S,ctrl+x", "quit": "Q"}
    assert read_keys(tmp_path / "none.toml") == {}


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[keys\n", "cannot be read"),
        ('quit = "Q"\n', "quit is not the table"),
        ("keys = 3\n", "keys is not the table"),
        ("[keys]\nquit = 3\n", "quit has no keys"),
        ('[keys]\nquit = ["", "x"]\n', "quit has no keys"),
    ],
)
def test_a_file_that_says_nothing_is_told(tmp_path: Path, text: str, cause: str) -> None:
    with pytest.raises(UsageError, match=cause):
        read_keys(written(text, tmp_path / "keys.toml"))


@pytest.mark.parametrize(
    ("key", "name"),
    [("x", "x"), ("X", "X"), ("!", "exclamation_mark"), ("/", "slash"), ("slash", "slash"), ("é", "é"), ("f5", "f5"),
     ("ctrl+r", "ctrl+r"), (" space ", "space"), ("comma", "comma"), ("shift+tab", "shift+tab"), ("-", "minus")],
)  # fmt: skip
def test_keys_have_textuals_names(key: str, name: str) -> None:
    assert key_name(key) == name
    assert key_name(shown_name(name)) == name


@pytest.mark.parametrize(("key", "hint"), [("esc", "escape"), ("pgup", "pageup"), ("spce", "space"), ("cmd+x", "")])
def test_a_key_that_there_is_not_is_told_with_the_likely_one(key: str, hint: str) -> None:
    with pytest.raises(UsageError, match="no key") as caught:
        key_name(key)
    assert hint in caught.value.remedy


def test_an_unknown_action_is_told_with_near_ones(actions: list[Action]) -> None:
    keys, [problem] = checked({"viewer.nexxt": "j", "quit": "Q"}, actions)
    assert keys == {"quit": "Q"}
    assert "'viewer.nexxt'" in problem.cause
    assert "viewer.next" in problem.remedy


def test_a_clash_in_a_screen_keeps_the_usual_key_and_is_told(actions: list[Action]) -> None:
    keys, [problem] = checked({"runs.note": "a", "runs.mark": "M"}, actions)[0], checked({"runs.note": "a"}, actions)[1]
    assert keys == {}, "a is Attach of the same screen, M is Machine everywhere"
    assert "a for runs.note is the key of runs.attach (Attach)" in problem.cause
    assert "it keeps n meanwhile" in problem.remedy


def test_keys_may_be_exchanged_and_be_the_same_on_two_screens(actions: list[Action]) -> None:
    wanted = {"model.train": "e", "model.evaluate": "t", "data.analyze": "t", "runs.attach": "e"}
    assert checked(wanted, actions) == (wanted, [])


def test_a_key_of_a_part_clashes_with_its_screen_but_not_with_another_part(actions: list[Action]) -> None:
    assert len(checked({"images.sort": "a"}, actions)[1]) == 1
    assert checked({"images.sort": "p"}, actions)[1] == [], "p chooses in the distribution, which is another pane"


def test_the_same_movement_may_have_a_key_twice(actions: list[Action]) -> None:
    assert checked({"table.down": "j,down"}, actions)[1] == []


def test_the_template_is_a_file_that_changes_nothing(tmp_path: Path, actions: list[Action]) -> None:
    text = template(actions, tmp_path / "keys.toml")
    assert tomllib.loads(text) == {"keys": {}}
    lines = [line.removeprefix("# ") if line.startswith('# "') else line for line in text.splitlines()]
    path = written("\n".join(lines), tmp_path / "keys.toml")
    keys, problems = checked(read_keys(path), actions)
    assert problems == []
    assert {name: tuple(one.split(",")) for name, one in keys.items()} == {one.id: one.keys for one in actions}


# --- In the app -------------------------------------------------------------------------------------------------------


async def test_the_users_keys_are_in_force_and_shown_everywhere(
    own_keys: Callable[..., Path], opened: Any, settle: Any, shown: Shown
) -> None:
    own_keys('[keys]\n"mode.model" = "f2"\n"data.make" = "S"\n"model.train" = "Z"\n"model.curves" = "V"\n')
    async with opened() as pilot:
        assert "f2 Model" in shown(pilot).splitlines()[0]
        assert "S Sample images" in shown(pilot)
        await pilot.press("2")
        assert pilot.app.current_mode == "data", "2 has lost its meaning"
        await pilot.press("f2")
        await settle(pilot)
        assert pilot.app.current_mode == "model"
        assert "V Curves" in shown(pilot)
        keys = shown(pilot).splitlines()[-2:]
        assert "Z Train" in "\n".join(keys)
        await pilot.press("question_mark")
        await settle(pilot)
        assert any("Train with these settings" in line and " Z " in line for line in shown(pilot).splitlines())


async def test_what_is_wrong_with_the_keys_is_told_and_the_rest_stands(
    own_keys: Callable[..., Path], opened: Any, until: Any, shown: Shown
) -> None:
    own_keys('[keys]\n"data.opne" = "O"\n"data.analyze" = "q"\n"data.make" = "S"\n')
    async with opened(size=(120, 40)) as pilot:
        await until(pilot, lambda: "no action is named 'data.opne'" in shown(pilot))
        await until(pilot, lambda: "q for data.analyze is the key of quit" in shown(pilot))
        assert "a Analyze" in shown(pilot)
        assert "S Sample images" in shown(pilot)


async def test_a_broken_file_does_not_keep_the_app_from_opening(
    own_keys: Callable[..., Path], opened: Any, until: Any, shown: Shown
) -> None:
    own_keys("[keys")
    async with opened(size=(120, 40)) as pilot:
        await until(pilot, lambda: "cannot be read" in shown(pilot))
        assert "a Analyze" in shown(pilot)


async def test_dialogs_show_and_take_the_users_keys(
    furnished: Workspace, own_keys: Callable[..., Path], opened: Any, settle: Any, shown: Shown
) -> None:
    own_keys('[keys]\n"dialog.yes" = "J"\n"dialog.cancel" = "X"\n')
    async with opened(keys="4 D") as pilot:
        assert "J  Delete all" in shown(pilot)
        for key in "nc":
            await pilot.press(key)
            await settle(pilot)
        assert "X cancel" in shown(pilot)
        await pilot.press("X")
        await settle(pilot)
        assert len(pilot.app.screen_stack) == 1


async def test_what_is_empty_names_the_users_keys(
    own_keys: Callable[..., Path], opened: Any, until: Any, settle: Any, shown: Shown
) -> None:
    own_keys('[keys]\n"mode.data" = "f6"\n"data.make" = "Z"\n"model.train" = "ctrl+t"\n')
    async with opened(keys="3") as pilot:
        await until(pilot, lambda: "Press f6 for Data" in shown(pilot))
        assert "or Z to make sample images" in " ".join(shown(pilot).split())
        await pilot.press("4")
        await settle(pilot)
        assert "2 then ctrl+t  trains a model.   f6 then a" in shown(pilot)


async def test_a_dialog_tells_its_keys_and_a_field_keeps_its_letters(opened: Any, settle: Any, shown: Shown) -> None:
    async with opened(keys="U question_mark") as pilot:
        assert "Maintenance" in shown(pilot)
        assert "esc q U   Close" in shown(pilot)
        await pilot.press("question_mark")
        await settle(pilot)
        assert "Look for a newer release" in shown(pilot), "the same key closes it"
        await pilot.press("escape", "colon", "question_mark", "exclamation_mark")
        assert pilot.app.screen.query_one(Input).value == "?!"
