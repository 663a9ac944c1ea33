"""All that is known of checkpoints without loading weights: of one in full, of several side by side."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.checkpoints import (
    CONFIG_FILE,
    IMAGES_FILE,
    TRAIN,
    TRAINING_FILE,
    VALIDATION,
    CheckpointFacts,
    bytes_of,
    checkpoint_facts,
    find_checkpoint,
    is_whole,
    not_understood,
    read_config,
    read_json,
    read_listing,
    states_of,
    step_of,
    tags_of,
)
from engine.errors import FextError
from engine.foreign import field, finite, text, whole
from engine.records import Records, Row
from engine.settings import FIELDS
from engine.upkeep import sizes_of_belongings
from engine.workspace import Workspace

SETTINGS_COLUMNS = {
    "sample_fraction": "data.sample_fraction",
    "validation_fraction": "data.validation_fraction",
    "split_seed": "data.split_seed",
    "seed": "training.seed",
    "image_height": "data.image_height",
    "image_width": "data.image_width",
    "augmentation": "augmentation.enabled",
    "batch_size": "training.batch_size",
    "loss": "training.loss",
    "schedule": "training.schedule",
    "learning_rate": "training.learning_rate",
    "hold_steps": "training.hold_steps",
    "decay_steps": "training.decay_steps",
    "final_learning_rate": "training.final_learning_rate",
    "dropout": "model.dropout",
    "compile": "device.compile",
    "tensorboard": "training.tensorboard",
}
"""Columns of `summary_of` that are settings, and their keys."""

_HOLD_DECAY = {"hold_steps", "decay_steps"}


@dataclass(frozen=True)
class StateFacts:
    """One saved state of a run: its folder's name, what stands for it, and how good it is; ``val_psnr`` in dB."""

    state: str
    tags: tuple[str, ...]
    step: int
    epoch: float
    val_psnr: float | None
    created: float
    bytes: int


@dataclass(frozen=True)
class CheckpointDetails:
    """What is known of a checkpoint; figures are of the state that its name stands for.

    Attributes:
        facts: what the list of checkpoints tells.
        folder: the training images, as the workspace stores it; empty for its own.
        train_images: images that were trained on.
        validation_images: images held out.
        seconds: training time, without scan, packing and validation.
        seen_images: images of all steps.
        precision: that of training.
        device: what it was trained on.
        versions: of Python, PyTorch and this program.
        revision: of this program, where known.
        settings: all of them by dotted key.
        states: the saved ones, by step; those that are damaged are left out.
        evaluations: as the records have them, newest first.
        embeddings: the same, of each place the newest: it took that of those before.
        others: bytes of what was made of it, as `sizes_of_belongings` has them.

    """

    facts: CheckpointFacts
    folder: str
    train_images: int
    validation_images: int
    seconds: float
    seen_images: int
    precision: str
    device: str
    versions: Mapping[str, str]
    revision: str | None
    settings: Mapping[str, Any]
    states: tuple[StateFacts, ...]
    evaluations: tuple[Row, ...]
    embeddings: tuple[Row, ...]
    others: Mapping[str, int]

    @property
    def changed(self) -> dict[str, Any]:
        """The settings that differ from the defaults."""
        return {key: value for key, value in self.settings.items() if value != FIELDS[key].default}


def checkpoint_details(workspace: Workspace, records: Records, name: str) -> CheckpointDetails:
    """Return what is known of the checkpoint of a run.

    Raises:
        UsageError: there is none of that name.
        FextError: it is damaged.

    """
    facts = checkpoint_facts(workspace, name)
    run, state = workspace.checkpoints / name, find_checkpoint(workspace, name)
    settings = read_config(state).settings
    train, validation = _sides(run / IMAGES_FILE)
    return CheckpointDetails(
        facts=facts,
        folder=settings.data.folder,
        train_images=train,
        validation_images=validation,
        **_circumstances(state),
        settings=settings.values(),
        states=tuple(_states(run)),
        evaluations=tuple(_of(name, records.evaluations())),
        embeddings=tuple(_newest_of_each_place(_of(name, records.embeddings()))),
        others=sizes_of_belongings(workspace, name),
    )


def _circumstances(state: Path) -> dict[str, Any]:
    """Return what a state tells of its training beside the settings; what older versions did not write is empty."""
    config = {"precision": "", "device": "", "versions": {}, "revision": None} | read_json(state / CONFIG_FILE)
    standing = {"seconds": 0.0, "images": 0} | read_json(state / TRAINING_FILE)
    try:
        return {
            "seconds": field(standing, "seconds", finite),
            "seen_images": field(standing, "images", whole),
            "precision": field(config, "precision", text),
            "device": field(config, "device", text),
            "versions": field(config, "versions", _versions),
            "revision": field(config, "revision", lambda value: None if value is None else text(value)),
        }
    except ValueError as error:
        raise not_understood(state, error) from error


def _versions(values: Any) -> dict[str, str]:
    if not isinstance(values, dict):
        raise ValueError(f"{values!r:.40} lists none")
    return {name: text(version) for name, version in values.items()}


def _sides(path: Path) -> tuple[int, int]:
    """Return how many images were trained on, and how many held out."""
    sides = [subset for subset, _, _ in read_listing(path)]
    return sides.count(TRAIN), sides.count(VALIDATION)


def _states(run: Path) -> Iterable[StateFacts]:
    tags = tags_of(run)
    for state in sorted(states_of(run), key=lambda one: (step_of(one), one.name)):
        names = tuple(tag for tag, path in tags.items() if path == state)
        if not is_whole(state, contents=False):
            continue
        try:
            config = read_config(state)
        except FextError:
            continue
        facts = (config.step, config.epoch, config.val_psnr, config.created, bytes_of(state))
        yield StateFacts(state.name, names, *facts)


def _of(name: str, rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["checkpoint"].partition("/")[0] == name]


def _newest_of_each_place(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of different paths, each the first of its path."""
    places: dict[str, Row] = {}
    for row in rows:
        places.setdefault(row["path"], row)
    return list(places.values())


def summary_of(records: Records, details: CheckpointDetails) -> dict[str, Any]:
    """Return a checkpoint as one row of a table: what it is, what it was trained with, and how well it does.

    Losses, SSIM and PSNR are those told last up to its step; ``cosine`` is that of its newest evaluation on the images
    held out. What is not known is None, and so are the steps of a schedule that was not used.
    """
    facts = details.facts
    settings = {
        column: None
        if column in _HOLD_DECAY and details.settings["training.schedule"] != "hold_decay"
        else details.settings[key]
        for column, key in SETTINGS_COLUMNS.items()
    }
    told = _told(records, facts.name, facts.step)
    held_out = (row for row in details.evaluations if row["subset"] == "validation" and row["checkpoint"] == facts.name)
    return {
        "checkpoint": facts.name,
        "variant": facts.variant,
        "val_psnr": facts.val_psnr,
        "train_loss": told["train/loss"],
        "val_loss": told["validation/loss"],
        "val_ssim": told["validation/ssim"],
        "cosine": next((row["cosine"] for row in held_out), None),
        "epochs": facts.epoch,
        "steps": facts.step,
        "seconds": details.seconds,
        "train_images": details.train_images,
        "validation_images": details.validation_images,
        "parameters": facts.parameters,
        "flops": facts.flops,
        "latent": facts.latent,
        "image_channels": 1 if details.settings["data.grayscale"] else 3,
        "precision": details.precision,
        "bytes": facts.bytes,
        "created": facts.created,
        **settings,
    }


def _told(records: Records, name: str, step: int) -> dict[str, float | None]:
    run = records.run_named(name)
    metrics = ("train/loss", "validation/loss", "validation/ssim")
    return {metric: records.value_at(run["id"], metric, step) if run else None for metric in metrics}


def summary_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows of `summary_of` as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
