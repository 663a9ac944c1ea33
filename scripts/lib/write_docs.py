"""Write what of the documentation is made from the code."""

from collections.abc import Iterator
from pathlib import Path

from engine.settings import (
    GROUPS,
    PRESETS,
    RESERVED_VARIABLES,
    SettingField,
    Settings,
    environment_template,
    fields_of,
    text_of,
)

CHECKOUT = Path(__file__).parents[2]

_HEAD = """# Settings: every one, its default, and what is allowed

This page is made from the code by `./scripts/docs`. `fext settings` lists the same with the values of a call, and the
forms of the Data and Model screens tell it of the setting under the cursor.

A setting's value comes from the first of these that names it:

1. the command line: an option (`--epochs 20`), or `--set training.epochs=20` for any;
2. a variable of the environment: `FEXT_TRAINING_EPOCHS=20`;
3. the file `.env` in the workspace, of such variables; a commented template is in `templates/.env` of the workspace;
4. a saved configuration: `--config NAME`, made by `fext config save NAME` or with `w` in the app;
5. a preset: `--preset NAME`;
6. the default.

A value that is not allowed ends the call with exit code 2, and the message names where it came from. An unknown
variable that begins with `FEXT_` does too; {reserved} names the workspace and no setting.
"""


def settings_reference() -> str:
    """Return the page of all settings, as Markdown."""
    head = _HEAD.format(reserved=", ".join(f"`{name}`" for name in sorted(RESERVED_VARIABLES)))
    sections = [head, *_presets(), *(line for group in GROUPS for line in _group(group))]
    return "\n".join(sections)


def _presets() -> Iterator[str]:
    yield "## Presets\n"
    yield from ("| preset | sets |", "|---|---|")
    for name, values in PRESETS.items():
        yield f"| `{name}` | {', '.join(f'`{key}={text_of(value)}`' for key, value in values.items())} |"
    yield ""


def _group(group: str) -> Iterator[str]:
    model = Settings.model_fields[group].annotation
    assert model is not None
    assert model.__doc__
    yield f"## {GROUPS[group]}\n\n{model.__doc__}\n"
    for field in fields_of(group):
        yield f"### {field.key}\n\n{field.title}. {field.help}\n\n{_facts(field)}\n"


def _facts(field: SettingField) -> str:
    default = text_of(field.default)
    told = f"**{default}**{f' {field.unit}' if field.unit else ''}" if default else "empty"
    allowed = field.allowed or "any text"
    return f"Default {told}; {allowed}; `{field.variable}`."


PAGES = {"docs/settings.md": settings_reference, "resources/templates/.env": environment_template}
"""What is written, by the file's path in the checkout."""

if __name__ == "__main__":
    for name, text in PAGES.items():
        (CHECKOUT / name).write_text(text(), encoding="utf-8")
