"""All settings together: the schema, and how values from several sources become one set of them."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Self, cast

from pydantic import Field, ValidationError, model_validator

from engine.errors import UsageError
from engine.settings.data import AugmentationSettings, DataSettings
from engine.settings.fields import Group, SettingField, describe
from engine.settings.model import ModelSettings, ObjectiveSettings
from engine.settings.training import DeviceSettings, TrainingSettings
from engine.settings.uses import AnalysisSettings, AnomalySettings, EncodingSettings, EvaluationSettings


class Settings(Group):
    """All settings, by group."""

    data: DataSettings = Field(default_factory=DataSettings, title="Data")
    augmentation: AugmentationSettings = Field(default_factory=AugmentationSettings, title="Augmentation")
    model: ModelSettings = Field(default_factory=ModelSettings, title="Model")
    objective: ObjectiveSettings = Field(default_factory=ObjectiveSettings, title="Objective")
    training: TrainingSettings = Field(default_factory=TrainingSettings, title="Training")
    device: DeviceSettings = Field(default_factory=DeviceSettings, title="Device")
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings, title="Evaluation")
    encoding: EncodingSettings = Field(default_factory=EncodingSettings, title="Encoding")
    anomalies: AnomalySettings = Field(default_factory=AnomalySettings, title="Anomalies")
    analysis: AnalysisSettings = Field(default_factory=AnalysisSettings, title="Analysis")

    @model_validator(mode="after")
    def _rates_fall(self) -> Self:
        if self.training.final_learning_rate > self.training.learning_rate:
            raise ValueError("training.final_learning_rate must not be above training.learning_rate")
        return self

    @model_validator(mode="after")
    def _bases_can_be_told(self) -> Self:
        if self.model.bases > 1 and self.model.latent_channels == 1:
            raise ValueError("model.bases above 1 needs a second of model.latent_channels, to tell the basis")
        return self

    def values(self) -> dict[str, Any]:
        """Return every setting by dotted key, for instance ``{"training.epochs": 100}``."""
        return {field.key: getattr(getattr(self, field.group), field.name) for field in FIELDS.values()}

    def with_values(self, values: Mapping[str, Any], source: str = "") -> "Settings":
        """Return these settings with ``values`` (by dotted key) put over them.

        Raises:
            UsageError: an unknown key or a bad value; names the field, the value and what is allowed.

        """
        return from_layers((source, self.values()), (source, values))


def _group_model(group: str) -> type[Group]:
    annotation = Settings.model_fields[group].annotation
    return cast("type[Group]", annotation)


GROUPS: dict[str, str] = {name: info.title or name for name, info in Settings.model_fields.items()}
FIELDS: dict[str, SettingField] = {
    f"{group}.{name}": describe(_group_model(group), group, name)
    for group in GROUPS
    for name in _group_model(group).model_fields
}

Layer = tuple[str, Mapping[str, Any]]


def from_layers(*layers: Layer) -> Settings:
    """Build settings from layers of (source, values by dotted key), later ones over earlier ones.

    Raises:
        UsageError: an unknown key or a bad value; names the source, the field, the value and what is allowed.

    """
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, values in layers:
        for key, value in values.items():
            if key not in FIELDS:
                raise UsageError(f"Unknown setting {key!r}{_from(source)}.", _suggestion(key))
            merged[key] = value
            sources[key] = source
    nested: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for key, value in merged.items():
        field = FIELDS[key]
        nested[field.group][field.name] = _coerce_choice(field, value)
    try:
        return Settings.model_validate(nested)
    except ValidationError as error:
        raise UsageError(*_explain(error, sources)) from None


def _coerce_choice(field: SettingField, value: Any) -> Any:
    if field.kind == "choice" and isinstance(value, str) and value.isdecimal():
        return int(value)
    return value


def _explain(error: ValidationError, sources: Mapping[str, str]) -> tuple[str, str]:
    detail = error.errors()[0]
    key = ".".join(str(part) for part in detail["loc"][:2])
    if key not in FIELDS:
        return str(detail["ctx"]["error"]) + ".", "Change one of the two."
    allowed = FIELDS[key].allowed
    remedy = f"Allowed is {allowed}." if allowed else "Any text in UTF-8 is allowed."
    return f"{key} = {detail['input']!r} is not valid{_from(sources.get(key, ''))}.", remedy


def _from(source: str) -> str:
    return f" (from {source})" if source else ""


def _suggestion(key: str) -> str:
    near = difflib.get_close_matches(key, FIELDS, n=1)
    return f"Did you mean {near[0]!r}?" if near else "`fext settings` lists every setting."


def flatten(nested: Mapping[str, Any], source: str = "") -> dict[str, Any]:
    """Return a two-level mapping (a configuration file) as values by dotted key.

    Raises:
        UsageError: a top-level entry that is no group.

    """
    values: dict[str, Any] = {}
    for group, content in nested.items():
        if not isinstance(content, Mapping):
            raise UsageError(
                f"Unknown setting {group!r}{_from(source)}.",
                "Settings stand in groups, for instance [training].",
            )
        values.update({f"{group}.{name}": value for name, value in content.items()})
    return values


def fields_of(group: str) -> Iterator[SettingField]:
    """Yield the settings of one group, in the order of the schema."""
    return (field for field in FIELDS.values() if field.group == group)
