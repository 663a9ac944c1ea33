"""The settings form, by keys alone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from engine.settings import FIELDS, PRESETS, PURPOSES, Settings, text_of
from engine.settings import GROUPS as ALL_GROUPS
from fext_tui.screens.model import GROUPS
from fext_tui.widgets.setting_rows import SettingRow
from fext_tui.widgets.settings_form import SettingList, SettingsForm


def form_of(pilot: Pilot[None]) -> SettingsForm:
    return pilot.app.screen.query_one(SettingsForm)


async def stand_on(pilot: Pilot[None], key: str) -> SettingRow:
    form_of(pilot).reveal(key)
    await pilot.pause()
    return next(row for row in form_of(pilot).query(SettingRow) if row.field.key == key)


async def type_value(pilot: Pilot[None], text: str) -> None:
    await pilot.press("enter")
    await pilot.pause()
    field = pilot.app.screen.query_one("SettingRow Input", Input)
    field.value = ""
    await pilot.press(*text)


def value_of(pilot: Pilot[None], key: str) -> Any:
    settings: Settings = pilot.app.settings  # type: ignore[attr-defined]  # it is the app of this product
    return settings.values()[key]


async def test_a_number_is_typed_and_taken(opened: Any, shown: Callable[..., str]) -> None:
    async with opened(keys="2") as pilot:
        await stand_on(pilot, "training.epochs")
        await type_value(pilot, "12")
        await pilot.press("enter")
        await pilot.pause()
        assert value_of(pilot, "training.epochs") == 12
        assert "• Epochs" in shown(pilot)
        assert "Training  1 changed" in shown(pilot)
        await pilot.press("backspace")
        assert value_of(pilot, "training.epochs") == FIELDS["training.epochs"].default
        assert "• Epochs" not in shown(pilot)


async def test_what_is_not_allowed_is_said_in_place_and_not_taken(opened: Any, shown: Callable[..., str]) -> None:
    async with opened(keys="2") as pilot:
        await stand_on(pilot, "training.batch_size")
        await type_value(pilot, "0")
        await pilot.pause()
        assert "Allowed is a whole number at least 1 and at most 65,536." in shown(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert value_of(pilot, "training.batch_size") == FIELDS["training.batch_size"].default
        assert pilot.app.screen.query("SettingRow Input"), "the field stays open"
        await pilot.press("escape")
        await pilot.pause()
        assert "Allowed is a whole number" not in shown(pilot)
        assert pilot.app.screen.query_one(SettingList).has_focus


async def test_two_values_that_contradict_are_named(opened: Any, shown: Callable[..., str]) -> None:
    async with opened(size=(120, 40), keys="2") as pilot:
        await stand_on(pilot, "training.final_learning_rate")
        await type_value(pilot, "0.5")
        await pilot.press("enter")
        await pilot.pause()
        assert "training.learning_rate" in shown(pilot).replace("│", "")
        assert value_of(pilot, "training.final_learning_rate") == FIELDS["training.final_learning_rate"].default


async def test_digits_belong_to_the_field_while_it_is_edited(opened: Any) -> None:
    async with opened(keys="2") as pilot:
        await stand_on(pilot, "training.seed")
        await type_value(pilot, "1234")
        assert pilot.app.current_mode == "model"
        await pilot.press("escape", "4")
        await pilot.pause()
        assert pilot.app.current_mode == "runs"
        assert value_of(pilot, "training.seed") == FIELDS["training.seed"].default


async def test_letters_belong_to_the_field_while_it_is_edited(opened: Any) -> None:
    async with opened(keys="2") as pilot:
        await stand_on(pilot, "data.folder")
        await type_value(pilot, "trqs")
        await pilot.press("enter")
        await pilot.pause()
        assert value_of(pilot, "data.folder") == "trqs"
        assert pilot.app.is_running


async def test_up_and_down_take_a_value_and_move_on(opened: Any) -> None:
    async with opened(keys="2") as pilot:
        await stand_on(pilot, "training.seed")
        await type_value(pilot, "7")
        await pilot.press("down")
        await pilot.pause()
        assert value_of(pilot, "training.seed") == 7
        await type_value(pilot, "3")
        await pilot.press("enter")
        await pilot.pause()
        assert value_of(pilot, "training.epochs") == 3


async def test_choices_go_around(opened: Any) -> None:
    async with opened(keys="2") as pilot:
        await stand_on(pilot, "model.variant")
        for expected in ("medium", "large", "redux"):
            await pilot.press("right")
            assert value_of(pilot, "model.variant") == expected
        await pilot.press("left")
        assert value_of(pilot, "model.variant") == "large"
        await stand_on(pilot, "model.downsampling")
        await pilot.press("space")
        assert value_of(pilot, "model.downsampling") == 32
        await stand_on(pilot, "data.grayscale")
        await pilot.press("enter")
        assert value_of(pilot, "data.grayscale") is True


async def test_a_setting_is_found_by_a_word(opened: Any, shown: Callable[..., str]) -> None:
    async with opened(keys="2") as pilot:
        await pilot.press("slash", *"gradient")
        await pilot.pause()
        assert "Gradient clipping" in shown(pilot)
        assert "Latent channels" not in shown(pilot)
        await pilot.press("enter")
        await type_value(pilot, "2.5")
        await pilot.press("enter")
        await pilot.pause()
        assert value_of(pilot, "training.gradient_clip") == 2.5
        await pilot.press("escape")
        await pilot.pause()
        assert "Latent channels" in shown(pilot)


async def test_help_names_range_and_default(opened: Any, shown: Callable[..., str]) -> None:
    async with opened(keys="2") as pilot:
        await stand_on(pilot, "model.latent_channels")
        text = shown(pilot)
        assert "model.latent_channels" in text
        assert "A whole number at least 1 and at most 4,096. Default: 64." in text


def test_a_screen_has_each_group() -> None:
    assert {*GROUPS, "analysis"} == ALL_GROUPS.keys(), "those of the Model screen, and that of the Data screen"


async def test_a_search_stands_on_what_is_named_so(opened: Any, shown: Callable[..., str]) -> None:
    async with opened(keys="2") as pilot:
        await pilot.press("slash", *"CLIPPING grad")
        await pilot.pause()
        assert "training.gradient_clip" in shown(pilot), "not the first whose help has the words"
        for _ in "CLIPPING grad":
            await pilot.press("backspace")
        await pilot.press(*"memory")
        await pilot.pause()
        assert "training.micro_batch" in shown(pilot), "where no title has them, the first whose help does"


@pytest.mark.parametrize("key", FIELDS)
def test_every_field_takes_its_own_text(key: str) -> None:
    """What a row shows, it takes back; and each of the choices it offers is taken."""
    field, settings = FIELDS[key], Settings()
    row = SettingRow(field, settings)
    assert settings.with_values({key: text_of(field.default)}) == settings
    options = row.options
    assert bool(options) == (field.kind in {"bool", "choice"})
    for _ in options:
        settings = settings.with_values({key: row.neighbor(1)})
        row.show(settings)
    assert settings == Settings(), "the choices go around"


async def test_every_field_has_a_row_and_each_kind_is_edited_in_place(opened: Any) -> None:
    async with opened(keys="2") as pilot:
        rows = {row.field.key for row in form_of(pilot).query(SettingRow)}
        assert rows == {key for key, field in FIELDS.items() if field.group in GROUPS}
        kinds = {
            field.kind: key for key, field in FIELDS.items() if key in rows and field.kind not in {"bool", "choice"}
        }
        assert kinds.keys() == {"int", "float", "text"}
        for key in kinds.values():
            await stand_on(pilot, key)
            await pilot.press("enter")
            await pilot.pause()
            assert pilot.app.screen.query("SettingRow Input"), key
            await pilot.press("enter")
            await pilot.pause()
            assert not pilot.app.screen.query("SettingRow Input"), key
            assert value_of(pilot, key) == FIELDS[key].default


async def test_a_changed_value_tells_its_default(opened: Any, shown: Callable[..., str]) -> None:
    async with opened(keys="2", values={"training.epochs": 12, "model.variant": "large"}) as pilot:
        await stand_on(pilot, "training.epochs")
        assert "12 epochs  default 100" in shown(pilot)
        assert "training.epochs  • changed" in shown(pilot)
        await pilot.press("backspace")
        await pilot.pause()
        assert "default 100" not in shown(pilot)
        assert "• changed" not in shown(pilot)
        await stand_on(pilot, "model.variant")
        assert "[large]  default redux" in shown(pilot)


async def test_only_what_is_changed_is_shown(opened: Any, shown: Callable[..., str]) -> None:
    values = {"training.epochs": 12, "encoding.batch_size": 4}
    async with opened(keys="2 x", values=values) as pilot:
        text = shown(pilot)
        assert "Only what is not the default" in text
        assert "• Epochs" in text
        assert "• Batch size" in text
        assert "Latent channels" not in text
        assert "Model" not in [line.strip(" ▾▸") for line in text.splitlines()], "a group without changes"
        await pilot.press("backspace")
        await pilot.pause()
        assert value_of(pilot, "training.epochs") == 100
        assert "Epochs" not in shown(pilot), "it is the default now"
        await pilot.press("escape")
        await pilot.pause()
        assert "Latent channels" in shown(pilot)
        assert "Only what is not" not in shown(pilot)


async def test_without_changes_everything_stays(opened: Any, shown: Callable[..., str]) -> None:
    async with opened(keys="2 x") as pilot:
        assert "Every setting has its default." in shown(pilot)
        assert "Latent channels" in shown(pilot)


async def test_the_last_change_taken_back_shows_everything(opened: Any, shown: Callable[..., str]) -> None:
    async with opened(keys="2 x backspace", values={"model.dropout": 0.5}) as pilot:
        await pilot.pause()
        assert value_of(pilot, "model.dropout") == 0
        assert "Latent channels" in shown(pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 48)])
async def test_no_help_is_cut(size: tuple[int, int], opened: Any, until: Any) -> None:
    longest = sorted(
        (key for key, field in FIELDS.items() if field.group in GROUPS), key=lambda key: -len(FIELDS[key].help)
    )[:4]
    async with opened(size=size, keys="2") as pilot:
        for key in longest:
            row = await stand_on(pilot, key)
            help_text, rows = (
                pilot.app.screen.query_one("#setting-help", Static),
                pilot.app.screen.query_one(SettingList),
            )
            await until(pilot, lambda row=row, rows=rows: rows.region.contains_region(row.region))
            wanted = help_text.visual.get_height(help_text.styles, help_text.size.width)
            assert help_text.size.height >= wanted, key


async def test_a_preset_tells_what_it_changes_before_and_after(opened: Any, shown: Callable[..., str]) -> None:
    async with opened(keys="2 p", values={"training.epochs": 7}) as pilot:
        for purpose in PURPOSES.values():
            assert purpose in shown(pilot)
        await pilot.press("j", "j")
        await pilot.pause()
        assert re.search(r"training: Epochs +7 → 300", shown(pilot))
        assert re.search(r"model: Variant +redux → large", shown(pilot))
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.settings == Settings().with_values(PRESETS["fidelity"])
        assert "fidelity: 3 settings changed." in shown(pilot)
        await pilot.press("p", "j", "j")
        await pilot.pause()
        assert "Changes nothing" in shown(pilot)


def test_the_dialog_has_room_for_what_presets_change() -> None:
    assert PURPOSES.keys() == PRESETS.keys()
    assert max(map(len, PRESETS.values())) <= 10
