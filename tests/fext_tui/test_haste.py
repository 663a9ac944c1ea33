"""Keys that come together, as over a link that stalls: each acts on what those before it have opened."""

import random
from typing import Any

import pytest
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot

from fext_tui.screens.palette import Palette

NAMED = ("escape", "enter", "down", "up", "left", "right", "tab", "space", "backspace", "pageup", "pagedown")
CHORDS = ("ctrl+o", "ctrl+g", "ctrl+p")
LETTERS = tuple("aomidxvfcbepnwTUMRs?:/1234jkhlgGryuzt+-0[]!")
SIZES = ((80, 24), (120, 36), (200, 60), (60, 20))


def press_together(pilot: Pilot[None], *keys: str) -> None:
    """Press keys without waiting for what they do."""
    for key in keys:
        named = len(key) > 1
        character = " " if key == "space" else None if named else key
        pilot.app.post_message(Key(key if named else _character_to_key(key), character))


@pytest.mark.parametrize("keys", [("o", "escape"), ("U", "escape"), ("T", "escape"), ("M", "q"), ("ctrl+p", "escape")])
async def test_a_dialog_is_left_before_it_is_there(keys: tuple[str, ...], opened: Any, settle: Any) -> None:
    async with opened() as pilot:
        press_together(pilot, *keys)
        await settle(pilot)
        assert pilot.app.current_mode == "data"
        assert len(pilot.app.screen_stack) == 1


@pytest.mark.usefixtures("analyzed")
async def test_a_dialog_answers_once(opened: Any, settle: Any) -> None:
    async with opened(keys="3 r") as pilot:
        await pilot.press("down")
        press_together(pilot, "enter", "enter", "enter")
        await settle(pilot)
        assert len(pilot.app.screen_stack) == 1
        assert pilot.app.screen.browser.order is not None


@pytest.mark.parametrize("keys", ["colon", "ctrl+p", "ctrl+g"])
async def test_pages_are_turned_before_there_are_any(keys: str, opened: Any, settle: Any) -> None:
    async with opened(keys=keys) as pilot:
        press_together(pilot, *"zzzz", "pagedown", "pageup", *["backspace"] * 4, "pagedown", "pagedown")
        await settle(pilot)
        assert len(pilot.app.screen_stack) == 2
        assert isinstance(pilot.app.screen, Palette) == (keys == "ctrl+p")


async def test_keys_after_the_last_one_do_nothing(opened: Any, until: Any) -> None:
    async with opened() as pilot:
        press_together(pilot, "q", "4", "o", "U")
        await until(pilot, lambda: not pilot.app.is_running)
    assert pilot.app.return_code == 0


@pytest.mark.usefixtures("analyzed", "no_runner")
@pytest.mark.parametrize("seed", range(6))
async def test_keys_at_random(seed: int, opened: Any, settle: Any) -> None:
    chance = random.Random(seed)
    async with opened(size=chance.choice(SIZES)) as pilot:
        for _ in range(25):
            kinds = chance.choices((NAMED, CHORDS, LETTERS), (5, 1, 12), k=chance.choice((1, 1, 2, 3, 4, 6)))
            press_together(pilot, *map(chance.choice, kinds))
            await pilot.pause(chance.choice((0, 0, 0.01, 0.05)))
            if chance.random() < 0.1:
                await pilot.resize_terminal(*chance.choice(SIZES))
        await settle(pilot)
        assert pilot.app.is_running
