"""Settings saved and loaded by name, and the layers they are built from."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from dotenv import dotenv_values

from engine.errors import UsageError
from engine.files import replace_file
from engine.settings import GROUPS, PRESETS, Settings, fields_of, flatten, from_environment, from_layers
from engine.workspace import Workspace, check_name


def load_settings(
    workspace: Workspace,
    environ: Mapping[str, str],
    *,
    preset: str | None = None,
    configuration: str | None = None,
    command_line: Mapping[str, Any] | None = None,
) -> Settings:
    """Build settings: command line over environment over configuration over preset over defaults.

    Raises:
        UsageError: an unknown preset, configuration, setting or variable, or a bad value.

    """
    if preset is not None and preset not in PRESETS:
        raise UsageError(f"Unknown preset {preset!r}.", f"There are {', '.join(PRESETS)}.")
    return from_layers(
        (f"preset {preset}", PRESETS[preset] if preset else {}),
        (
            f"configuration {configuration}",
            read_configuration(workspace, configuration) if configuration else {},
        ),
        (str(workspace.environment_file), from_environment(_environment_file(workspace))),
        ("the environment", from_environment(environ)),
        ("the command line", command_line or {}),
    )


def _environment_file(workspace: Workspace) -> dict[str, str]:
    file = workspace.environment_file
    if not file.is_file():
        return {}
    try:
        return {name: text for name, text in dotenv_values(file, interpolate=False).items() if text}
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{file} cannot be read: {error}.", "Mend or remove it.") from error


def configuration_names(workspace: Workspace) -> list[str]:
    """Return the names of the saved configurations, sorted."""
    return sorted(path.stem for path in workspace.configurations.glob("*.toml"))


def save_configuration(workspace: Workspace, name: str, settings: Settings) -> Path:
    """Write ``configurations/NAME.toml`` in one piece, over an older one of that name, and return its path."""
    path = workspace.configurations / f"{check_name(name, 'configuration')}.toml"
    content = {
        group: {field.name: _plain(getattr(getattr(settings, group), field.name)) for field in fields_of(group)}
        for group in GROUPS
    }
    replace_file(path, tomli_w.dumps(content).encode())
    return path


def read_configuration(workspace: Workspace, name: str) -> dict[str, Any]:
    """Return the values of ``configurations/NAME.toml`` by dotted key.

    Raises:
        UsageError: there is none of that name, or it cannot be read as TOML.

    """
    path = workspace.configurations / f"{check_name(name, 'configuration')}.toml"
    try:
        with path.open("rb") as file:
            return flatten(tomllib.load(file), f"configuration {name}")
    except FileNotFoundError:
        known = ", ".join(configuration_names(workspace)) or "none yet"
        raise UsageError(f"There is no configuration {name!r}.", f"Saved are: {known}.") from None
    except (ValueError, RecursionError, OSError) as error:
        raise UsageError(f"Configuration {name!r} cannot be read: {error}.", f"Mend or remove {path}.") from error


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
