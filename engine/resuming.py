"""The settings of a run that goes on: those it began with, and what the user changes by name."""

from collections.abc import Mapping
from typing import Any

from engine.errors import UsageError
from engine.settings import Settings, fields_of
from engine.workspace import Workspace

FIXED = frozenset(field.key for field in fields_of("model")) | {
    "data.image_height", "data.image_width", "data.grayscale", "data.sample_fraction", "data.sample_seed",
    "data.validation_fraction", "data.split_seed", "training.seed",
}  # fmt: skip
"""What weights, split and draws of a run depend on, and no resume can change."""

_OF_THE_CALL = (
    "device.kind", "device.id", "device.processes", "device.nodes", "device.rendezvous", "device.workers",
    "training.accept_changed_images", "training.live_plot", "training.tensorboard",
)  # fmt: skip
_OF_A_NEW_STRETCH = "training.additional_epochs", "training.minutes"


def settings_of_resume(
    stored: Settings, given: Settings, changes: Mapping[str, Any], workspace: Workspace, *, finished: bool
) -> Settings:
    """Return the settings that a run goes on with.

    They are the ``stored`` ones. Of those ``given``, from whatever source, only the device and how the run is shown
    count, for a ``finished`` run the additional epochs or the time budget, and the image folder where the stored one
    is gone. Over them lie ``changes``, by dotted key, which the user named for this resume.

    Raises:
        UsageError: a change of what is fixed, an unknown setting, or a bad value.

    """
    refuse_fixed(stored, changes)
    before, now = stored.values(), given.values()
    values = {key: now[key] for key in _OF_THE_CALL + (_OF_A_NEW_STRETCH if finished else ())}
    folder = before["data.folder"]
    if folder and not workspace.actual_path(folder).is_dir() and now["data.folder"]:
        values["data.folder"] = now["data.folder"]
    if not changes.keys().isdisjoint({"training.epochs", "training.additional_epochs"}):
        values["training.minutes"] = 0.0
    return stored.with_values(values | dict(changes))


def refuse_fixed(stored: Settings, changes: Mapping[str, Any]) -> None:
    """Refuse changes of what a run cannot change; its own value may be named.

    Raises:
        UsageError: there is one, or a setting is unknown, or a value is bad.

    """
    before, after = stored.values(), stored.with_values(changes).values()
    for key in changes:
        if key in FIXED and before[key] != after[key]:
            raise UsageError(
                f"{key} of a run cannot change: it was trained with {before[key]}, not {after[key]}.",
                "Resume without it, or train a new run.",
            )
