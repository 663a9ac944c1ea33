"""Writing and reading the saved states of a run: weights, optimizer, and where training stands."""

import itertools
import json
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from engine.checkpoints import (
    CONFIG_FILE,
    MODEL_FILE,
    TRAINING_FILE,
    TRAINING_TENSORS_FILE,
    is_whole,
    mark_complete,
    read_config,
    read_json,
    states_of,
    step_of,
    tags_of,
)
from engine.errors import FextError
from engine.files import new_folder, printable, sync_folder, write_error
from engine.foreign import field, finite, text, whole
from engine.models import Autoencoder
from engine.models.loading import load_tensors
from engine.settings import Settings
from engine.training.schedule import Plan

_MOST_EXTRA = 100
_AGAIN = "Resume from another checkpoint (`fext checkpoints` lists them), or train again."


@dataclass
class Standing:
    """Where training stands; all that a resume needs beside the tensors.

    ``seconds`` is training time, without scan, packing and validation; ``kept_seconds`` is that at which the last
    checkpoint was kept by ``training.keep_every_minutes``. ``micro_batch`` is what memory allowed, 0 where
    it never ran out; ``patience_psnr`` in dB is what the next validation must beat, ``stale_validations`` did not.
    """

    step: int = 0
    epoch: int = 0
    step_in_epoch: int = 0
    seconds: float = 0.0
    images: int = 0
    stretch_unit: str = "steps"
    stretch_start: float = 0.0
    stretch_end: float = 0.0
    stretch_start_step: int = 0
    best_psnr: float | None = None
    interval_steps: int = 0
    validation_due: bool = False
    validated_seconds: float = 0.0
    micro_batch: int = 0
    patience_psnr: float | None = None
    stale_validations: int = 0
    kept_seconds: float = 0.0

    @property
    def plan(self) -> Plan:
        """The stretch that training is on."""
        return Plan("s" if self.stretch_unit == "s" else "steps", self.stretch_start, self.stretch_end)


def tensors_of(
    optimizer: torch.optim.Optimizer, model: torch.nn.Module, extra: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the optimizer's state by parameter name, and ``extra``."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    tensors = {f"extra.{name}": tensor for name, tensor in extra.items()}
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            tensors[f"{key}.{names[id(parameter)]}"] = torch.as_tensor(value)
    return tensors


def put_tensors(optimizer: torch.optim.Optimizer, model: torch.nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give the optimizer the state that `tensors_of` returned, each in its parameter's memory order."""
    parameters = dict(model.named_parameters())
    for full_name, tensor in tensors.items():
        key, _, name = full_name.partition(".")
        if key in ("extra", "raw"):
            continue
        parameter = parameters[name]
        if tensor.dim() == 0:
            optimizer.state[parameter][key] = tensor.to(parameter.device)
        else:
            optimizer.state[parameter][key] = torch.empty_like(parameter).copy_(tensor)


def load_training_tensors(state: Path, model: torch.nn.Module) -> dict[str, Tensor]:
    """Return the tensors beside the weights of a saved state: of the optimizer, ``raw`` weights, and ``extra`` ones.

    Raises:
        FextError: they cannot be read, or are not those of this network.

    """
    tensors = load_tensors(state / TRAINING_TENSORS_FILE)
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    for full_name, tensor in tensors.items():
        key, _, name = full_name.partition(".")
        allowed = {shapes.get(name)} if key == "raw" else {shapes.get(name), torch.Size()}
        is_extra = key == "extra" and tensor.numel() <= _MOST_EXTRA and not tensor.is_complex()
        if not is_extra and (name not in shapes or tensor.shape not in allowed):
            raise misfit(full_name)
    return tensors


def misfit(name: str) -> FextError:
    """Return the error for a tensor of a training state that its network does not have."""
    return FextError(f"The training state does not fit its network: {printable(name)[:100]}.", _AGAIN)


@dataclass(frozen=True)
class Snapshot:
    """A state of a run in memory, apart from what trains on: ready to be written now or later."""

    weights: Mapping[str, Tensor]
    training_tensors: Mapping[str, Tensor]
    standing: Standing
    config: Mapping[str, Any]


def copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous copies on the CPU, as safetensors stores them."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


def save_state(run: Path, snapshot: Snapshot) -> Path:
    """Write ``run/step-N`` (``step-N-2`` where that stands already) whole or not at all, and return it.

    Raises:
        FextError: it cannot be written.

    """
    first = run / f"step-{snapshot.standing.step:08d}"
    others = (run / f"{first.name}-{number}" for number in itertools.count(2))
    state = next(path for path in itertools.chain([first], others) if not path.exists())
    with new_folder(state) as folder:
        _write_tensors(folder / MODEL_FILE, snapshot.weights)
        _write_tensors(folder / TRAINING_TENSORS_FILE, snapshot.training_tensors)
        (folder / CONFIG_FILE).write_text(json.dumps(snapshot.config, indent=2) + "\n", encoding="utf-8")
        standing = json.dumps(asdict(snapshot.standing), indent=2)
        (folder / TRAINING_FILE).write_text(standing + "\n", encoding="utf-8")
        mark_complete(folder)
    return state


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:  # which is how it tells of a full disk, with the system's words
        raise OSError(str(error)) from error


def point(run: Path, tag: str, state: Path) -> None:
    """Let ``run/TAG`` stand for a state, from one moment to the next.

    Raises:
        FextError: the link cannot be made.

    """
    link = run / f".new-{tag}"
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(state.name, target_is_directory=True)
        link.replace(run / tag)
        sync_folder(run)
    except OSError as error:
        raise write_error(run / tag, error) from error


@dataclass(frozen=True)
class Abandoned:
    """States beyond the one that a run goes on from: they stand until the first new one is saved.

    ``best`` is the best of those that stay, where that tag is among the abandoned ones.
    """

    states: frozenset[Path] = frozenset()
    best: Path | None = None


NOTHING_ABANDONED = Abandoned()


def states_beyond(run: Path, standing: Standing) -> Abandoned:
    """Return the states beyond a step; where *best* is one of them, ``standing`` gets the PSNR of the best before."""
    tags = tags_of(run)
    states = frozenset(state for state in tags.values() if step_of(state) > standing.step)
    if tags.get("best") not in states:
        return Abandoned(states)
    before = [state for state in states_of(run) if step_of(state) <= standing.step and is_whole(state)]
    measured = {state: psnr for state in before if (psnr := read_config(state).val_psnr) is not None}
    best = max(measured, key=lambda state: (measured[state], state.name), default=None)
    standing.best_psnr = measured[best] if best else None
    return Abandoned(states, best)


def leave(run: Path, abandoned: Abandoned) -> list[str]:
    """Take the tags from abandoned states, and return those that nothing bears any more."""
    gone = [tag for tag, state in tags_of(run).items() if state in abandoned.states]
    if "best" in gone and abandoned.best:
        point(run, "best", abandoned.best)
        gone.remove("best")
    _untag(run, gone)
    return gone


def drop_oldest(run: Path, keep: int) -> list[str]:
    """Take their tags from all kept states but the ``keep`` newest, and return those tags; best and last stay."""
    kept = sorted((step_of(state), tag) for tag, state in tags_of(run).items() if tag not in {"best", "last"})
    gone = [tag for _, tag in kept[:-keep]]
    _untag(run, gone)
    return gone


def _untag(run: Path, tags: Iterable[str]) -> None:
    try:
        for tag in tags:
            (run / tag).unlink()
    except OSError as error:
        raise write_error(run, error) from error


def remove_states_without_tag(run: Path) -> None:
    """Delete the states that no tag stands for."""
    used = set(tags_of(run).values())
    for state in states_of(run):
        if state not in used:
            shutil.rmtree(state, ignore_errors=True)


def describe(
    settings: Settings, model: Autoencoder, standing: Standing, name: str, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of ``config.json``."""
    data = settings.data
    return {
        "name": name,
        "settings": settings.model_dump(mode="json"),
        "image_channels": model.image_channels,
        "latent": model.latent_shape(data.image_height, data.image_width),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "step": standing.step,
        "epoch": standing.epoch,
        "val_psnr": None,
        "created": time.time(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "fext": _own_version()},
        "revision": _revision(),
        **facts,
    }


def _own_version() -> str:
    from importlib.metadata import version

    return version("fext-tui")


def _revision() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            command, capture_output=True, text=True, timeout=10, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def load_standing(state: Path) -> Standing:
    """Return where training stood when a state was saved.

    Raises:
        FextError: it cannot be read, or tells something that cannot be.

    """
    told = read_json(state / TRAINING_FILE)
    try:
        for one in fields(Standing):
            if one.name in told:
                field(told, one.name, partial(_like, one.default))
        return Standing(**told)
    except (TypeError, ValueError) as error:
        raise FextError(f"{state / TRAINING_FILE} cannot be understood: {printable(str(error))}.", _AGAIN) from error


def _like(default: Any, value: Any) -> None:
    """Check that a value is of the kind of a field's default; figures in dB may be missing, or no number."""
    if default is None:
        if value is not None and type(value) not in {int, float}:
            raise ValueError(f"{value!r:.40} is no number")
    elif isinstance(default, bool):
        if type(value) is not bool:
            raise ValueError(f"{value!r:.40} is neither true nor false")
    else:
        _CHECKS[type(default)](value)


_CHECKS: dict[type, Callable[[Any], object]] = {int: whole, float: finite, str: text}
