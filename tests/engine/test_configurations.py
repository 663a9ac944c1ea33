"""Settings saved and loaded by name, and the order of their sources."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.configurations import configuration_names, load_settings, read_configuration, save_configuration
from engine.errors import FextError, UsageError
from engine.settings import Settings, from_layers
from engine.workspace import Workspace


def test_command_line_over_environment_over_env_file_over_configuration_over_preset_over_default(
    workspace: Workspace,
) -> None:
    sources = {
        "command_line": {"training.seed": 1},
        "environment": {"FEXT_TRAINING_SEED": "2", "FEXT_TRAINING_EPOCHS": "2"},
        "file": "FEXT_TRAINING_SEED=3\nFEXT_TRAINING_EPOCHS=3\nFEXT_TRAINING_BATCH_SIZE=3\n",
        "configuration": "[training]\nseed = 4\nepochs = 4\nbatch_size = 4\nminutes = 4.0\n",
    }
    workspace.environment_file.write_text(str(sources["file"]))
    (workspace.configurations / "mine.toml").write_text(str(sources["configuration"]))
    settings = load_settings(
        workspace,
        {"FEXT_TRAINING_SEED": "2", "FEXT_TRAINING_EPOCHS": "2", "FEXT_RESOURCES": "/elsewhere"},
        preset="quick",
        configuration="mine",
        command_line={"training.seed": 1},
    )
    training = settings.training
    assert (training.seed, training.epochs, training.batch_size, training.minutes) == (1, 2, 3, 4.0)
    assert settings.data.image_height == 64
    assert settings.data.sample_fraction == 1.0


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    folder=st.text(st.characters(exclude_categories=["Cs"])),
    rate=st.floats(1e-300, 1),
    epochs=st.integers(1, 1_000_000),
    grayscale=st.booleans(),
    metrics=st.lists(st.sampled_from(["edges", "color", "texture"]), min_size=1),
)
def test_a_configuration_comes_back_as_it_was_saved(
    workspace: Workspace, folder: str, rate: float, epochs: int, grayscale: bool, metrics: list[str]
) -> None:
    values = {
        "data.folder": folder,
        "training.learning_rate": rate,
        "training.final_learning_rate": 0.0,
        "training.epochs": epochs,
        "data.grayscale": grayscale,
        "analysis.metrics": tuple(metrics),
    }
    settings = from_layers(("", values))
    save_configuration(workspace, "mine", settings)
    assert load_settings(workspace, {}, configuration="mine") == settings


def test_a_configuration_holds_every_setting_so_that_new_defaults_do_not_change_it(workspace: Workspace) -> None:
    save_configuration(workspace, "a", Settings())
    assert set(read_configuration(workspace, "a")) == set(Settings().values())


def test_names_are_listed_sorted_and_saving_replaces(workspace: Workspace) -> None:
    for name in ("b", "a", "b"):
        path = save_configuration(workspace, name, Settings())
    assert configuration_names(workspace) == ["a", "b"]
    assert path == workspace.configurations / "b.toml"
    assert not list(workspace.configurations.glob(".new-*"))


@pytest.mark.parametrize("name", ["../escape", "", "a/b", ".x"])
def test_a_configuration_cannot_leave_its_folder(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError):
        save_configuration(workspace, name, Settings())
    with pytest.raises(UsageError):
        read_configuration(workspace, name)


def test_an_unknown_configuration_or_preset_names_those_there_are(workspace: Workspace) -> None:
    save_configuration(workspace, "portraits", Settings())
    with pytest.raises(UsageError) as caught:
        load_settings(workspace, {}, configuration="portrait")
    assert "portraits" in caught.value.remedy
    with pytest.raises(UsageError) as caught:
        load_settings(workspace, {}, preset="nonsense")
    assert "quick" in caught.value.remedy


@pytest.mark.parametrize(
    "content",
    [b"[training\n", b"\xff\xfe", b"epochs = 3\n", b"[training]\nepoch = 3\n", b"[training]\nepochs = 'x'\n",
     b"[training.epochs]\nx = 1\n", b"[nonsense]\nx = 1\n", b"training = 3\n", b"[training]\nepochs = 2020-01-01\n"],
)  # fmt: skip
def test_a_broken_configuration_is_refused_by_name(workspace: Workspace, content: bytes) -> None:
    (workspace.configurations / "bad.toml").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_settings(workspace, {}, configuration="bad")
    assert "bad" in caught.value.cause


def test_a_configuration_that_is_a_folder_is_refused(workspace: Workspace) -> None:
    (workspace.configurations / "bad.toml").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(workspace, {}, configuration="bad")
    with pytest.raises(FextError, match="cannot be written"):
        save_configuration(workspace, "bad", Settings())


def test_an_environment_file_that_is_no_text_is_refused(workspace: Workspace) -> None:
    workspace.environment_file.write_bytes(b"FEXT_TRAINING_EPOCHS=\xff\n")
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(workspace, {})


def test_an_unknown_variable_in_the_environment_file_is_refused(workspace: Workspace) -> None:
    workspace.environment_file.write_text("FEXT_TRAINING_EPOCH=1\nOTHER=2\n")
    with pytest.raises(UsageError, match="FEXT_TRAINING_EPOCH"):
        load_settings(workspace, {})


def test_a_value_with_a_dollar_sign_stays_as_it_is(workspace: Workspace) -> None:
    workspace.environment_file.write_text("FEXT_DATA_FOLDER='/photos/$HOME ${HOME}'\n")
    assert load_settings(workspace, {}).data.folder == "/photos/$HOME ${HOME}"
