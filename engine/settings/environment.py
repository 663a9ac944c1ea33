"""Settings as variables of the environment."""

import difflib
from collections.abc import Mapping

from engine.errors import UsageError
from engine.settings.fields import ENVIRONMENT_PREFIX, text_of
from engine.settings.schema import FIELDS, GROUPS, fields_of

RESERVED_VARIABLES = frozenset({"FEXT_RESOURCES"})


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values that ``FEXT_…`` variables set, by dotted key.

    Raises:
        UsageError: a variable with this prefix that stands for no setting.

    """
    by_variable = {field.variable: key for key, field in FIELDS.items()}
    values = {}
    for variable, text in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in RESERVED_VARIABLES:
            continue
        if variable not in by_variable:
            near = difflib.get_close_matches(variable, by_variable, n=1)
            raise UsageError(
                f"Unknown environment variable {variable}.",
                f"Did you mean {near[0]}?" if near else "templates/.env in the workspace lists those that are read.",
            )
        values[by_variable[variable]] = text
    return values


def environment_template() -> str:
    """Return the text of ``templates/.env``: every variable that is read, commented out, with its help."""
    lines = [
        "# Environment of FeXT TUI. Copy this file to the workspace's root folder (the parent of templates/)",
        "# as .env and take the # away where you want another value. Variables of the shell win over this file.",
        "",
        "# Where the workspace lies; read from the shell only.",
        "# FEXT_RESOURCES=",
    ]
    for group, title in GROUPS.items():
        lines += ["", f"# --- {title} ---"]
        for field in fields_of(group):
            allowed = f" ({field.allowed})" if field.allowed else ""
            lines += [f"# {field.help}{allowed}", f"# {field.variable}={text_of(field.default)}"]
    return "\n".join(lines) + "\n"
