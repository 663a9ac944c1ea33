"""How a setting is declared, and what forms, options and documentation need to know of it."""

import types
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, field_validator

ENVIRONMENT_PREFIX = "FEXT_"


class Group(BaseModel):
    """A group of settings: immutable, closed to unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _is_utf8(cls, value: Any) -> Any:
        if isinstance(value, str):
            value.encode()
        return value


def setting(default: Any, title: str, help_text: str, unit: str = "", **limits: Any) -> Any:
    """Return the declaration of a setting: default, what it is called, help, unit, and limits as pydantic has them."""
    return Field(default, title=title, description=help_text, json_schema_extra={"unit": unit}, **limits)


@dataclass(frozen=True)
class SettingField:
    """One setting as forms, options and documentation need it."""

    group: str
    name: str
    title: str
    help: str
    unit: str
    default: Any
    kind: Literal["bool", "int", "float", "text", "choice", "choices"]
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    minimum_is_allowed: bool
    maximum_is_allowed: bool

    @property
    def key(self) -> str:
        """The dotted key, for instance ``training.epochs``."""
        return f"{self.group}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable, for instance ``FEXT_TRAINING_EPOCHS``."""
        return f"{ENVIRONMENT_PREFIX}{self.group}_{self.name}".upper()

    @property
    def allowed(self) -> str:
        """What values are allowed, in words; empty where any text is."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "choices":
            return "any of " + ", ".join(self.choices) + ", separated by commas"
        if self.kind == "bool":
            return "on or off"
        if self.kind == "text":
            return ""
        whole = "a whole number" if self.kind == "int" else "a number"
        limits = []
        if self.minimum is not None:
            limits.append(f"{'at least' if self.minimum_is_allowed else 'above'} {self.minimum:,}")
        if self.maximum is not None:
            limits.append(f"{'at most' if self.maximum_is_allowed else 'below'} {self.maximum:,}")
        return " ".join([whole, " and ".join(limits)]).strip()


def describe(model: type[Group], group: str, name: str) -> SettingField:
    """Return the description of a setting, by the model of its group."""
    info = model.model_fields[name]
    kind, choices = _kind(info.annotation)
    limits = {
        attribute: getattr(constraint, attribute)
        for constraint in info.metadata
        for attribute in ("ge", "gt", "le", "lt")
        if hasattr(constraint, attribute)
    }
    extra = info.json_schema_extra
    assert isinstance(extra, dict)
    return SettingField(
        group=group,
        name=name,
        title=info.title or name,
        help=info.description or "",
        unit=str(extra["unit"]),
        default=info.default,
        kind=kind,
        choices=choices,
        minimum=limits.get("ge", limits.get("gt")),
        maximum=limits.get("le", limits.get("lt")),
        minimum_is_allowed="ge" in limits,
        maximum_is_allowed="le" in limits,
    )


def _kind(annotation: Any) -> tuple[Any, tuple[str, ...]]:
    origin = get_origin(annotation)
    if origin is Literal:
        return "choice", tuple(str(choice) for choice in get_args(annotation))
    if origin is tuple:
        return "choices", tuple(str(choice) for choice in get_args(get_args(annotation)[0]))
    assert origin not in (Union, types.UnionType), "optional settings have no form"
    return {bool: "bool", int: "int", float: "float", str: "text"}[annotation], ()


def text_of(value: Any) -> str:
    """Return a setting's value as a person would type it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:.15g}" if isinstance(value, float) else str(value)
