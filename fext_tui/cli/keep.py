"""``fext settings`` and ``config``."""

import click
from rich.text import Text

from engine.configurations import configuration_names, load_settings, save_configuration
from engine.settings import FIELDS, GROUPS, SettingField, Settings, fields_of, text_of
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.options import global_options, workspace_options
from fext_tui.text import safe


@click.command()
@global_options
@click.pass_obj
def settings(invocation: Invocation) -> int:
    """List every setting: its value in this call, its default, what is allowed, and its environment variable."""
    chosen = invocation.settings()
    invocation.answer(_settings_values(chosen), _settings_text(chosen))
    return 0


def _settings_values(chosen: Settings) -> dict[str, object]:
    values = chosen.values()
    rows = [
        {"key": key, "value": values[key], "default": field.default, "allowed": field.allowed, "unit": field.unit,
         "variable": field.variable, "help": field.help}
        for key, field in FIELDS.items()
    ]  # fmt: skip
    return {"settings": rows}


def _settings_text(chosen: Settings) -> Text:
    """Return the settings by group; a value that differs from its default is marked."""
    values = chosen.values()
    text = Text()
    for group, title in GROUPS.items():
        text.append(f"{title}\n", style="bold")
        for field in fields_of(group):
            text.append_text(_setting_text(field, values[field.key]))
    return text


def _setting_text(field: SettingField, value: object) -> Text:
    shown, default = safe(text_of(value)), text_of(field.default)
    text = Text.assemble(f"  {field.key} = ", (shown, "bold yellow" if value != field.default else "bold"))
    text.append(f" {field.unit}" if shown else "")
    text.append(f"   (default {default or 'empty'})" if value != field.default else "", style="dim")
    text.append(f"   {field.variable}\n", style="cyan")
    allowed = f" Allowed: {field.allowed}." if field.allowed else ""
    return text.append(f"      {field.help}{allowed}\n", style="dim")


@click.group()
@global_options
def config() -> None:
    """Save settings under a name, and list or show what is saved; `--config NAME` loads them."""


@config.command()
@click.argument("name")
@global_options
@click.pass_obj
def save(invocation: Invocation, name: str) -> int:
    """Save the settings of this call (presets, variables, `--set`) as NAME."""
    path = save_configuration(invocation.workspace().create(), name, invocation.settings())
    invocation.answer({"name": name, "file": str(path)}, f"Saved as {safe(path)}.")
    return 0


@config.command("list")
@workspace_options
@click.pass_obj
def list_(invocation: Invocation) -> int:
    """List the names of the saved configurations."""
    names = configuration_names(invocation.workspace())
    invocation.answer({"configurations": names}, "\n".join(map(safe, names)) or "None yet: `fext config save NAME`.")
    return 0


@config.command()
@click.argument("name")
@workspace_options
@click.pass_obj
def show(invocation: Invocation, name: str) -> int:
    """Show what the configuration NAME sets otherwise than the defaults."""
    chosen = load_settings(invocation.workspace(), {}, configuration=name)
    values = {key: value for key, value in chosen.values().items() if value != FIELDS[key].default}
    lines = [f"{key} = {safe(text_of(value))}" for key, value in values.items()]
    invocation.answer({"name": name, "settings": values}, "\n".join(lines) or "Every setting has its default.")
    return 0
