"""Every screen, dialog and widget, as their bindings have it: nothing without a name, a place and an action."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from textual.app import App
from textual.screen import ModalScreen, Screen

import fext_tui
from fext_tui.bindings import CHAINS, Bound, all_actions, all_bindings, all_classes, prefix_of
from fext_tui.key_file import shown_name
from fext_tui.keys import _NAMED, _acts
from fext_tui.screens.base import FextScreen

if TYPE_CHECKING:
    from textual.dom import DOMNode

BINDINGS = all_bindings()
SWALLOWED = {"ctrl+j", "ctrl+o", "ctrl+s", *(f"f{number}" for number in range(1, 25))}
"""Keys that tmux, editors and terminals keep to themselves."""
NAMES = [f"{one.owner.__name__}: {one.binding.key}" for one in BINDINGS]


def test_all_parts_of_the_app_are_looked_at() -> None:
    names = {owner.__name__ for owner in all_classes()}
    assert {"FextApp", "FextScreen", "DataScreen", "ModelScreen", "ViewerScreen", "RunsScreen"} <= names
    assert {"Confirm", "Choose", "Ask", "Reading", "Jump", "Maintenance", "MachinePanel", "FolderDialog"} <= names
    assert {"SettingList", "KeyTable", "JobList", "JobLog"} <= names
    assert len(BINDINGS) > 150


@pytest.mark.parametrize("bound", BINDINGS, ids=NAMES)
def test_a_binding_has_a_name_an_id_and_an_action(bound: Bound) -> None:
    binding = bound.binding
    assert binding.id
    assert binding.description
    target, _, call = binding.action.rpartition(".")
    name = f"action_{call.partition('(')[0]}"
    owner = {"app": App, "screen": FextScreen, "": bound.owner}[target]
    assert hasattr(owner, name), f"{owner.__name__} has no {name}"


def test_nothing_lies_only_on_keys_that_others_take() -> None:
    by_action: dict[tuple[type[DOMNode], str], set[str]] = {}
    for bound in BINDINGS:
        by_action.setdefault((bound.owner, bound.binding.action), set()).add(bound.binding.key)
    assert [action for action, keys in by_action.items() if keys <= SWALLOWED] == []


def test_a_key_is_given_once_in_a_class() -> None:
    counted = Counter((bound.owner, bound.binding.key) for bound in BINDINGS)
    assert [one for one, number in counted.items() if number > 1] == []


def test_one_id_stands_for_one_thing() -> None:
    titles: dict[str, set[str]] = {}
    for bound in BINDINGS:
        assert bound.binding.id
        titles.setdefault(bound.binding.id, set()).add(bound.binding.description)
    assert {name: told for name, told in titles.items() if len(told) > 1} == {}


def test_what_acts_in_a_screen_or_a_part_of_it_has_a_help() -> None:
    """Movements have none, and what a dialog says of itself in its last line."""
    for bound in BINDINGS:
        if issubclass(bound.owner, Screen) and not issubclass(bound.owner, ModalScreen):
            assert bound.binding.tooltip, bound


@pytest.mark.parametrize("key", "1234")
async def test_what_is_bound_is_in_the_footer_or_in_the_help(key: str, opened: Any, settle: Any) -> None:
    """The help tells every active binding; the footer those that are shown and have room."""
    async with opened(size=(200, 60), keys=key) as pilot:
        screen = pilot.app.screen
        chain = {id(node) for node in (screen, pilot.app)}
        bound = {one.binding.id for one in screen.active_bindings.values() if id(one.node) in chain and one.binding.id}
        acting = {
            one.binding.description: one.binding.id
            for one in screen.active_bindings.values()
            if one.enabled and _acts(one) and one.binding.id
        }
        await pilot.press("question_mark")
        await settle(pilot)
        told = pilot.app.screen._content.plain
        assert bound
        assert [name for title, name in acting.items() if title not in told] == []


@pytest.mark.parametrize("key", "1234")
async def test_widgets_stand_in_the_chains_in_which_clashes_are_looked_for(key: str, opened: Any) -> None:
    with_ids = {bound.owner for bound in BINDINGS}
    async with opened(keys=key) as pilot:
        screen = pilot.app.screen
        found = [
            {
                prefix_of(binding.id)
                for ancestor in node.ancestors_with_self
                if type(ancestor) in with_ids or isinstance(ancestor, Screen)
                for _, binding in ancestor._bindings
                if binding.id
            }
            for node in screen.walk_children(with_self=True)
        ]
    for prefixes in found:
        assert any(prefixes <= {"", "mode", *chain} for chain in CHAINS), prefixes


def test_actions_are_listed_once_and_by_place() -> None:
    actions = all_actions()
    assert len({action.id for action in actions}) == len(actions)
    places = [action.place for action in actions]
    assert places[0] == "Everywhere"
    assert len([1 for one, other in pairwise(places) if one != other]) == len(set(places)) - 1


def test_texts_name_the_keys_that_there_are() -> None:
    keys = {action.id: {shown_name(key) for key in action.keys} for action in all_actions()}
    sources = [path.read_text(encoding="utf-8") for path in Path(fext_tui.__file__).parent.rglob("*.py")]
    named = [found.groups() for source in sources for found in _NAMED.finditer(source) if found[1] in keys]
    assert len(named) > 20
    assert [one for one in named if one[1].replace("esc", "escape") not in keys[one[0]]] == []
