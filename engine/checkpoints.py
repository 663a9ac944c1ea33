"""The checkpoints of a workspace: finding and listing them, without loading weights.

A run has the folder ``checkpoints/NAME`` with one folder a saved state, ``step-00000120``, and links to them:
``best``, ``last``, and those kept, ``epoch-0005`` and ``kept-00000120``. A state is a folder with ``complete.json``,
which lists the size and the BLAKE2 digest of its files; without it, or with other sizes, there is no state. Nothing
in it is a pickle.
"""

import csv
import difflib
import hashlib
import json
import math
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from engine.architecture import latent_shape
from engine.errors import FextError, UsageError
from engine.files import measure_folder, printable
from engine.foreign import field, finite, read_object, text, whole
from engine.settings import Settings
from engine.workspace import Workspace, check_name

MODEL_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
TRAINING_TENSORS_FILE = "training_state.safetensors"
TRAINING_FILE = "training_state.json"
COMPLETE_FILE = "complete.json"
IMAGES_FILE = "images.csv"

ALWAYS_KEPT = ("best", "last")
"""The tags that a run's name stands for, the first that is there; their states are never pruned."""

TRAIN, VALIDATION = "train", "validation"
"""The subsets that `read_listing` names."""

LISTING_COLUMNS = ("subset", "path", "content_hash")

T = TypeVar("T")

_STATE = re.compile(r"step-(\d+)(?:-\d+)?")
_RETRAIN = "Choose another checkpoint (`fext checkpoints` lists them), or train again."


@dataclass(frozen=True)
class CheckpointFacts:
    """What is known of a run's checkpoint without loading its weights; ``bytes`` of the whole folder.

    ``flops`` are the floating point operations of one image there and back; None where an older version saved it.
    """

    name: str
    variant: str
    created: float
    epoch: float
    step: int
    val_psnr: float | None
    image: str
    latent: str
    parameters: int
    flops: int | None
    bytes: int
    tags: tuple[str, ...]


@dataclass(frozen=True)
class CheckpointConfig:
    """What a saved state says of itself (``config.json``); ``flops`` as `CheckpointFacts` has them."""

    name: str
    settings: Settings
    image_channels: int
    latent: tuple[int, int, int]
    parameters: int
    flops: int | None
    step: int
    epoch: float
    val_psnr: float | None
    created: float


def find_checkpoint(workspace: Workspace, reference: str) -> Path:
    """Return the folder of a state, from ``NAME`` (its best, else its last), ``NAME/last`` or ``NAME/epoch-0005``.

    Raises:
        UsageError: there is none of that name.
        FextError: it is there, but incomplete or damaged.

    """
    name, _, tag = reference.partition("/")
    run = workspace.checkpoints / check_name(name, "checkpoint")
    tags = tags_of(run)
    wanted = check_name(tag, "checkpoint") if tag else _default(tags)
    if wanted not in tags:
        raise _unknown(workspace, name, tag, tags)
    state = tags[wanted]
    verify(state)
    return state


def _default(tags: Mapping[str, Path]) -> str:
    """Return the tag that a run's name alone stands for."""
    return next((tag for tag in ALWAYS_KEPT if tag in tags), ALWAYS_KEPT[0])


def _unknown(workspace: Workspace, name: str, tag: str, tags: Mapping[str, Path]) -> UsageError:
    if tags:
        return UsageError(f"Checkpoint {name!r} has no {tag!r}.", f"It has {', '.join(map(printable, tags))}.")
    names = [printable(path.name) for path in workspace.checkpoints.glob("[!.]*") if tags_of(path)]
    near = difflib.get_close_matches(name, names, n=1)
    known = ", ".join(sorted(names)[:8]) if names else "none yet: `fext train FOLDER` makes one"
    remedy = f"Did you mean {near[0]!r}?" if near else f"There are: {known}."
    return UsageError(f"There is no checkpoint {name!r} in {workspace.checkpoints}.", remedy)


def tags_of(run: Path) -> dict[str, Path]:
    """Return the tags of a run's folder and the states they stand for; links that lead elsewhere do not count."""
    tags = {}
    for name in _names_in(run):
        try:
            target = str((run / name).readlink())
        except OSError:  # no link, or one that has just gone
            continue
        if _STATE.fullmatch(target):
            tags[name] = run / target
    return tags


def _names_in(run: Path) -> list[str]:
    """Return the names in a run's folder, sorted; nothing where it is none, or has just gone."""
    try:
        return sorted(path.name for path in run.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def step_of(state: Path) -> int:
    """Return the step that a state was saved at, as its folder's name has it."""
    found = _STATE.fullmatch(state.name)
    assert found
    return int(found[1])


def states_of(run: Path) -> list[Path]:
    """Return the folders of a run's states, whether a tag stands for them or not."""
    return [run / name for name in _names_in(run) if _STATE.fullmatch(name)]


def find_resumable(workspace: Workspace, reference: str) -> Path:
    """Return the folder of the state that a run goes on from: that of ``NAME/TAG``, the last one for ``NAME``.

    Raises:
        UsageError: there is none of that name.
        FextError: it is there, but incomplete or damaged.

    """
    name, _, tag = reference.partition("/")
    state = find_checkpoint(workspace, f"{name}/{tag or 'last'}")
    verify(state, contents=True)
    return state


def verify(state: Path, *, contents: bool = False) -> None:
    """Check that a state is whole: its mark is there, and its files have the sizes that the mark lists.

    With ``contents``, their digests are those of the mark as well.

    Raises:
        FextError: it is not; the remedy names the newest state of the run that is whole.

    """
    try:
        _check(state, contents=contents)
    except FextError as error:
        raise FextError(error.cause, _way_on(state)) from error


def is_whole(state: Path, *, contents: bool = True) -> bool:
    """Return whether a state is there with all that its mark lists: to the byte, or without ``contents`` by size."""
    try:
        _check(state, contents=contents)
    except FextError:
        return False
    return True


def _check(state: Path, *, contents: bool) -> None:
    for name, facts in _mark(state)["files"].items():
        size = _file_bytes(state / name)
        if size is None:
            raise _damaged(state, f"{name} is missing")
        if size != facts["bytes"]:
            raise _damaged(state, f"{name} has {size:,} bytes in place of {facts['bytes']:,}")
        if contents and digest(state / name) != facts["blake2b"]:
            raise _damaged(state, f"the contents of {name} are not those that were saved")


def _file_bytes(path: Path) -> int | None:
    """Return the size of a file; None where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _way_on(state: Path) -> str:
    newest_first = sorted(tags_of(state.parent).items(), key=lambda item: -step_of(item[1]))
    for tag, other in newest_first:
        if other != state and is_whole(other):
            reference = f"{state.parent.name}/{tag}"
            return f"{reference} is whole: `fext resume {reference}` goes on from its step {step_of(other):,}."
    return _RETRAIN


def _damaged(state: Path, reason: str) -> FextError:
    return FextError(f"Checkpoint {_label(state)} is damaged: {printable(reason)}.", _RETRAIN)


def fingerprint(state: Path) -> str:
    """Return the BLAKE2 digest of the weights, which ties embeddings to their encoder."""
    return str(_mark(state)["files"][MODEL_FILE]["blake2b"])


def _mark(state: Path) -> dict[str, Any]:
    mark = read_json(state / COMPLETE_FILE)
    try:
        for name, facts in mark["files"].items():
            assert Path(name).parts == (name,)
            field(facts, "bytes", whole)
            field(facts, "blake2b", text)
        assert MODEL_FILE in mark["files"]
    except (AssertionError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise _damaged(state, f"{COMPLETE_FILE} is not a list of files") from error
    return mark


def mark_complete(state: Path) -> None:
    """Write ``complete.json`` for the files that stand in ``state``."""
    files = {path.name: {"bytes": path.stat().st_size, "blake2b": digest(path)} for path in sorted(state.iterdir())}
    (state / COMPLETE_FILE).write_text(json.dumps({"files": files}, indent=2) + "\n", encoding="utf-8")


def digest(path: Path) -> str:
    """Return the BLAKE2 digest (16 bytes, hexadecimal) of a file.

    Raises:
        FextError: it cannot be read.

    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise FextError(f"{path} cannot be read: {error.strerror or error}.", _RETRAIN) from error


def read_listing(path: Path) -> list[tuple[str, str, str]]:
    """Return the images that a checkpoint's run was given, as (subset, relative path, content hash).

    Raises:
        FextError: the listing cannot be read.

    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            lines = csv.reader(file)
            if next(lines, []) != list(LISTING_COLUMNS):
                raise ValueError("its first line is another")
            return [(subset, name, content) for subset, name, content in lines]
    except (OSError, ValueError, csv.Error) as error:
        raise FextError(f"{path} cannot be read: {error}.", "Train again; the split of this run is lost.") from error


def bytes_of(run: Path) -> int:
    """Return the size of a run's folder with all its states."""
    return measure_folder(run)[1]


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of a state.

    Raises:
        FextError: it is missing, or no JSON object.

    """
    try:
        return read_object(path)
    except (OSError, ValueError) as error:
        raise _damaged(path.parent, f"{path.name}: {error}") from error


def read_config(state: Path) -> CheckpointConfig:
    """Return what a state says of itself.

    Raises:
        FextError: it is damaged, or was written by a version with other settings.

    """
    document = read_json(state / CONFIG_FILE)
    try:
        settings = field(document, "settings", _settings)
        data = settings.data
        latent = latent_shape(settings.model, data.image_height, data.image_width)
        return CheckpointConfig(
            name=field(document, "name", text),
            settings=settings,
            image_channels=field(document, "image_channels", partial(_equal, 1 if data.grayscale else 3)),
            latent=field(document, "latent", partial(_equal, latent)),
            parameters=field(document, "parameters", whole),
            flops=field(document, "flops", whole) if "flops" in document else None,
            step=field(document, "step", whole),
            epoch=field(document, "epoch", finite),
            val_psnr=field(document, "val_psnr", _psnr),
            created=field(document, "created", finite),
        )
    except ValueError as error:
        raise not_understood(state, error) from error


def not_understood(state: Path, error: ValueError) -> FextError:
    """Return the error for a state of which a file holds something else than it should."""
    return FextError(f"Checkpoint {_label(state)} cannot be understood: {printable(str(error))}.", _RETRAIN)


def _settings(values: Any) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))) from error


def _psnr(value: Any) -> float | None:
    """Return a PSNR in dB; None where there is none, or it was no number, as of a network that has diverged."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return finite(value)


def _equal(expected: T, value: Any) -> T:
    """Return what settings tell, where a file tells the same."""
    if value != (list(expected) if isinstance(expected, tuple) else expected):
        raise ValueError(f"{value!r:.40} is not {expected}, as its settings have it")
    return expected


def _label(state: Path) -> str:
    return f"{state.parent.name}/{state.name}"


def list_checkpoints(workspace: Workspace) -> list[CheckpointFacts]:
    """Return the facts of every run that has a whole checkpoint, newest first; damaged ones are left out.

    No contents are read but those of small files: a million states, or damaged ones of many gigabytes, hold up nobody.
    """
    facts = []
    for run in workspace.checkpoints.glob("[!.]*"):
        tags = tags_of(run)
        state = tags.get(_default(tags))
        if state is None or not is_whole(state, contents=False):
            continue
        try:
            facts.append(_facts(check_name(run.name, "checkpoint"), state, tags))
        except FextError:
            continue
    return sorted(facts, key=lambda one: -one.created)


def checkpoint_facts(workspace: Workspace, name: str) -> CheckpointFacts:
    """Return the facts of a run's checkpoint, those of a state being of the one that its name stands for.

    Raises:
        UsageError: there is none of that name.
        FextError: it is damaged.

    """
    state = find_checkpoint(workspace, name)
    return _facts(name, state, tags_of(state.parent))


def _facts(name: str, state: Path, tags: Mapping[str, Path]) -> CheckpointFacts:
    config = read_config(state)
    data = config.settings.data
    return CheckpointFacts(
        name=name,
        variant=config.settings.model.variant,
        created=config.created,
        epoch=config.epoch,
        step=config.step,
        val_psnr=config.val_psnr,
        image=" × ".join(map(str, (data.image_height, data.image_width, config.image_channels))),
        latent=" × ".join(map(str, config.latent)),
        parameters=config.parameters,
        flops=config.flops,
        bytes=bytes_of(state.parent),
        tags=tuple(tags),
    )


def existing_folder(workspace: Workspace, name: str) -> Path:
    """Return the folder of a run with all its states, whole or damaged.

    Raises:
        UsageError: there is none of that name.

    """
    run = workspace.checkpoints / check_name(name, "checkpoint")
    if not run.is_dir() or run.is_symlink():
        raise _unknown(workspace, name, "", {})
    return run
