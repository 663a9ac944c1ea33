"""What may be set: the one schema behind forms, options, files, environment and checkpoints."""

from engine.settings.data import AugmentationSettings, DataSettings
from engine.settings.environment import RESERVED_VARIABLES, environment_template, from_environment
from engine.settings.fields import ENVIRONMENT_PREFIX, Group, SettingField, text_of
from engine.settings.model import ModelSettings, ObjectiveSettings, Variant
from engine.settings.presets import PRESETS, PURPOSES
from engine.settings.schema import FIELDS, GROUPS, Layer, Settings, fields_of, flatten, from_layers
from engine.settings.training import DeviceSettings, TrainingSettings
from engine.settings.uses import (
    METRIC_GROUPS,
    AnalysisSettings,
    AnomalySettings,
    EncodingSettings,
    EvaluationSettings,
    MetricGroup,
    Pooling,
)

__all__ = [
    "ENVIRONMENT_PREFIX",
    "FIELDS",
    "GROUPS",
    "METRIC_GROUPS",
    "PRESETS",
    "PURPOSES",
    "RESERVED_VARIABLES",
    "AnalysisSettings",
    "AnomalySettings",
    "AugmentationSettings",
    "DataSettings",
    "DeviceSettings",
    "EncodingSettings",
    "EvaluationSettings",
    "Group",
    "Layer",
    "MetricGroup",
    "ModelSettings",
    "ObjectiveSettings",
    "Pooling",
    "SettingField",
    "Settings",
    "TrainingSettings",
    "Variant",
    "environment_template",
    "fields_of",
    "flatten",
    "from_environment",
    "from_layers",
    "text_of",
]
