"""The schema: values, errors, variables, and the descriptions that forms and options are made from."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.settings import (
    FIELDS,
    METRIC_GROUPS,
    PRESETS,
    SettingField,
    Settings,
    environment_template,
    flatten,
    from_environment,
    from_layers,
    text_of,
)

DEFAULTS = Settings().values()


def another_value(field: SettingField) -> Any:
    """Return an allowed value that is not the default."""
    if field.kind == "bool":
        return not field.default
    if field.kind == "choice":
        return next(choice for choice in field.choices if choice != str(field.default))
    if field.kind == "choices":
        return field.choices[:1]
    if field.kind == "text":
        return f"{field.default}x"
    low = field.minimum if field.minimum is not None else 0
    high = field.maximum if field.maximum is not None else low + 1000
    middle = (low + high) / 2
    value: float = math.ceil(middle) if field.kind == "int" else middle
    return value if value != field.default else value + (1 if field.kind == "int" else (high - low) / 8)


def test_later_layers_win_over_earlier_ones() -> None:
    settings = from_layers(
        ("preset", {"training.epochs": 1, "training.batch_size": 1, "model.variant": "medium"}),
        ("file", {"training.epochs": 2, "training.batch_size": 2}),
        ("environment", {"training.epochs": "3"}),
    )
    assert settings.training.epochs == 3
    assert settings.training.batch_size == 2
    assert settings.model.variant == "medium"
    assert settings.training.seed == Settings().training.seed


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_every_setting_can_be_set_as_value_and_as_typed_text(field: SettingField) -> None:
    value = another_value(field)
    other = {"training.learning_rate": 1.0} if field.key == "training.final_learning_rate" else {}
    other |= {"training.final_learning_rate": 0.0} if field.key == "training.learning_rate" else {}
    direct = from_layers(("test", other), ("test", {field.key: value}))
    typed = from_layers(("test", other), ("test", from_environment({field.variable: text_of(value)})))
    assert direct == typed
    assert str(direct.values()[field.key]) == str(value)
    assert {key for key, now in direct.values().items() if now != DEFAULTS[key]} - other.keys() == {field.key}


@pytest.mark.parametrize("field", [one for one in FIELDS.values() if one.kind in {"int", "float"}], ids=lambda f: f.key)
def test_numbers_keep_to_their_limits(field: SettingField) -> None:
    beyond: list[float] = [math.nan, math.inf]
    if field.minimum is not None:
        beyond.append(field.minimum - 1 if field.minimum_is_allowed else field.minimum)
    if field.maximum is not None:
        beyond.append(field.maximum + 1 if field.maximum_is_allowed else field.maximum)
    for value in beyond:
        with pytest.raises(UsageError) as caught:
            from_layers(("test", {field.key: value}))
        assert field.key in caught.value.cause
        assert field.allowed in caught.value.remedy


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("training.epochs", "0", "a whole number at least 1 and at most 1,000,000"),
        ("training.epochs", 3.5, "a whole number at least 1 and at most 1,000,000"),
        ("training.dropout_typo", "1", ""),
        ("model.variant", "huge", "one of redux, medium, large"),
        ("model.downsampling", "12", "one of 8, 16, 32"),
        ("model.downsampling", "²", "one of 8, 16, 32"),
        ("data.grayscale", "maybe", "on or off"),
        ("data.sample_fraction", "0", "a number above 0 and at most 1"),
        ("analysis.metrics", "statistics,nonsense", "any of statistics, exposure"),
        ("analysis.metrics", "", "any of statistics, exposure"),
        ("data.folder", "caf\udce9", "Any text in UTF-8"),
    ],
)
def test_a_bad_value_names_source_field_value_and_what_is_allowed(key: str, value: object, allowed: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_layers(("the command line", {key: value}))
    assert key in caught.value.cause
    assert "the command line" in caught.value.cause
    assert allowed in caught.value.remedy
    assert caught.value.exit_code == 2


def test_the_error_names_the_layer_that_set_the_value() -> None:
    with pytest.raises(UsageError, match="from the environment"):
        from_layers(("configuration a", {"training.epochs": 5}), ("the environment", {"training.epochs": "x"}))


def test_an_unknown_setting_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(UsageError) as caught:
        from_layers(("", {"training.epoch": 3}))
    assert "'training.epochs'" in caught.value.remedy


def test_two_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match=r"training\.final_learning_rate must not be above"):
        from_layers(("", {"training.final_learning_rate": 0.5, "training.learning_rate": 0.1}))


def test_variables_of_the_environment_set_fields_and_unknown_ones_are_refused() -> None:
    environ = {"FEXT_TRAINING_EPOCHS": "7", "FEXT_DATA_GRAYSCALE": "on", "FEXT_RESOURCES": "/x", "HOME": "/root"}
    assert from_environment(environ) == {"training.epochs": "7", "data.grayscale": "on"}
    with pytest.raises(UsageError) as caught:
        from_environment({"FEXT_TRAINING_EPOCH": "7"})
    assert "FEXT_TRAINING_EPOCHS" in caught.value.remedy


def test_variables_are_unique() -> None:
    assert len({field.variable for field in FIELDS.values()}) == len(FIELDS)


def test_the_template_sets_nothing_as_it_is_and_the_defaults_when_uncommented() -> None:
    lines = environment_template().splitlines()
    assert not [line for line in lines if line and not line.startswith("#")]
    assignments = [line.removeprefix("# ") for line in lines if line.startswith("# FEXT_")]
    environ = dict(line.split("=", 1) for line in assignments)
    given_values = {name: text for name, text in environ.items() if text}
    assert from_layers(("template", from_environment(given_values))) == Settings()
    assert set(environ) == {field.variable for field in FIELDS.values()} | {"FEXT_RESOURCES"}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid(preset: str) -> None:
    assert from_layers((preset, PRESETS[preset])) != Settings()


def test_settings_come_back_from_json_as_they_went() -> None:
    settings = from_layers(("", {"analysis.metrics": ("edges", "color"), "data.folder": "ü\n\x1b"}))
    assert Settings.model_validate(json.loads(json.dumps(settings.model_dump()))) == settings


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().training.epochs = 3


def test_metrics_are_split_at_commas() -> None:
    assert from_layers(("", {"analysis.metrics": "edges, color"})).analysis.metrics == ("edges", "color")
    assert Settings().analysis.metrics == METRIC_GROUPS


def test_a_configuration_without_groups_is_refused() -> None:
    assert flatten({"training": {"epochs": 3}}) == {"training.epochs": 3}
    with pytest.raises(UsageError, match="Unknown setting 'epochs'"):
        flatten({"epochs": 3})


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_every_setting_describes_itself(field: SettingField) -> None:
    assert field.title
    assert field.help.endswith(".")
    if field.kind in {"choice", "choices"}:
        assert field.choices


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_utf8_text_can_be_a_folder(text: str) -> None:
    assert from_layers(("", {"data.folder": text})).data.folder == text


@given(st.sampled_from(sorted(FIELDS)), st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.binary()))
def test_any_value_is_taken_or_refused_in_words(key: str, value: object) -> None:
    try:
        settings = from_layers(("test", {key: value}))
    except UsageError as error:
        assert "training.final_learning_rate" in error.cause or key in error.cause
        assert error.remedy
    else:
        assert key in settings.values()


def test_with_values_puts_values_over_the_settings() -> None:
    settings = Settings().with_values({"training.epochs": 5}).with_values({"model.variant": "large"})
    assert (settings.training.epochs, settings.model.variant) == (5, "large")
