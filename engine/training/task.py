"""The tasks of training: a new run, and a run that goes on."""

import time
from typing import Any

import numpy as np
import torch

from engine.checkpoints import IMAGES_FILE, TRAINING_TENSORS_FILE, find_checkpoint, read_config
from engine.device import choose_device, compile_choice
from engine.errors import FextError, UsageError
from engine.files import remove_unfinished
from engine.images.dataset import TrainingData, as_before, prepare, read_listing
from engine.models import Autoencoder
from engine.models.loading import load_tensors, load_weights
from engine.records import Records
from engine.report import Report
from engine.settings import Settings
from engine.tensors import to_float
from engine.training.checkpoint import Standing, load_standing
from engine.training.compiling import CompiledStep, EagerStep
from engine.training.loss import step_loss
from engine.training.order import steps_of_epoch
from engine.training.tensorboard import with_tensorboard
from engine.training.trainer import Session, Trainer, TrainingResult
from engine.workspace import Workspace

_FITTED_PIXELS = 512 * 128 * 128
_FITTED_IMAGES = 2, 512


def train(settings: Settings, workspace: Workspace, records: Records, report: Report, *, run: int) -> TrainingResult:
    """Train a new autoencoder for the run of that number, and save it as ``checkpoints/NAME``.

    Raises:
        FextError: images, device or disk are not what the settings need, or training diverges.

    """
    name = str(records.run(run)["name"])
    folder = workspace.checkpoints / name
    if folder.exists():
        raise UsageError(f"There is a checkpoint named {name!r} already.", "Choose another name, or resume it.")
    device = choose_device(settings.device)
    data = prepare(settings, workspace, records, report)
    _need_images(data)
    model = Autoencoder(settings.model, 1 if settings.data.grayscale else 3, settings.training.seed)
    _fit_shortcut(model, data, settings, report)
    standing = Standing(validation_due=len(data.validation) > 0)
    _begin_stretch(standing, settings, data)
    session = Session(name, run, folder, settings, device, data, model, standing, {})
    return _run(session, workspace, records, report)


def resume(
    settings: Settings, workspace: Workspace, records: Records, report: Report, *, checkpoint: str
) -> TrainingResult:
    """Go on with a run from its last saved state, to the end of its plan; a finished one gets additional epochs.

    Settings come from the run; of those given, only the device, the saving and TensorBoard settings count,
    ``training.accept_changed_images``, and for a finished run the additional epochs or the time budget.

    Raises:
        UsageError: there is no such checkpoint, another state than the last is asked for, or the images changed.
        FextError: the checkpoint is damaged, or training fails as in `train`.

    """
    name, _, tag = checkpoint.partition("/")
    if tag not in ("", "last"):
        raise UsageError(f"A run goes on from its last state, not from {tag!r}.", f"Resume {name}.")
    state = find_checkpoint(workspace, f"{name}/last")
    stored = read_config(state).settings
    run = records.run_of(name, stored.model.variant)
    settings = _settings_of_resume(stored, settings, workspace)
    device = choose_device(settings.device)
    data = prepare(settings, workspace, records, report)
    listing = read_listing(state.parent / IMAGES_FILE)
    data = as_before(data, listing, report, accept=settings.training.accept_changed_images)
    _need_images(data)
    model, _ = load_weights(state)
    standing = load_standing(state)
    if standing.plan.share(standing.step, standing.seconds) >= 1:
        _begin_stretch(standing, settings, data)
    records.delete_metrics_after(run, standing.step)
    report.log(f"{name} goes on from step {standing.step:,}.")
    tensors = load_tensors(state / TRAINING_TENSORS_FILE)
    session = Session(name, run, state.parent, settings, device, data, model, standing, tensors)
    return _run(session, workspace, records, report)


def _settings_of_resume(stored: Settings, given: Settings, workspace: Workspace) -> Settings:
    values: dict[str, Any] = {f"device.{name}": getattr(given.device, name) for name in ("kind", "id", "workers")}
    kept = ("additional_epochs", "minutes", "checkpoint_every", "checkpoint_minutes", "tensorboard", "live_plot")
    values |= {f"training.{name}": getattr(given.training, name) for name in (*kept, "accept_changed_images")}
    if stored.data.folder and not workspace.actual_path(stored.data.folder).is_dir() and given.data.folder:
        values["data.folder"] = given.data.folder
    return stored.with_values(values)


def _need_images(data: TrainingData) -> None:
    if not len(data.train):
        raise FextError(
            "No image is left to train on.",
            "Add images, or lower data.validation_fraction or raise data.sample_fraction.",
        )


def _fit_shortcut(model: Autoencoder, data: TrainingData, settings: Settings, report: Report) -> None:
    """Fit the shortcut to as many training images, drawn by the seed, as make some ten thousand patches."""
    began = time.perf_counter()
    fewest, most = _FITTED_IMAGES
    enough = _FITTED_PIXELS // (settings.data.image_height * settings.data.image_width)
    count = min(len(data.train), max(fewest, min(most, enough)))
    drawn = np.random.default_rng(settings.training.seed).choice(len(data.train), count, replace=False)
    model.fit_shortcut(to_float(torch.from_numpy(data.train.batch(np.sort(drawn)))))
    report.log(f"Principal components of {count:,} images found in {time.perf_counter() - began:.1f} s.")


def _begin_stretch(standing: Standing, settings: Settings, data: TrainingData) -> None:
    """Plan a new stretch from where training stands: the epochs or the minutes that the settings ask for."""
    training = settings.training
    standing.stretch_start_step = standing.step
    if training.minutes:
        standing.stretch_unit, standing.stretch_start = "s", standing.seconds
        standing.stretch_end = standing.seconds + training.minutes * 60
        return
    epochs = training.additional_epochs if standing.step else training.epochs
    steps = epochs * steps_of_epoch(len(data.train), training.batch_size) - standing.step_in_epoch
    standing.stretch_unit, standing.stretch_start = "steps", standing.step
    standing.stretch_end = standing.step + max(1, steps)


def _run(session: Session, workspace: Workspace, records: Records, report: Report) -> TrainingResult:
    settings, device, data, plan = session.settings, session.device, session.data, session.standing.plan
    model = session.model.to(device.handle).train()
    remove_unfinished(session.folder)
    planned_steps = int(plan.end - plan.start) if plan.unit == "steps" else None
    compiled, why = compile_choice(settings.device, device, planned_steps)
    loss = step_loss(model, settings, device)
    step = CompiledStep(loss, settings.device.compile_backend, report) if compiled else EagerStep(loss)
    report.log(
        f"FextAE {settings.model.variant.capitalize()} on {device.name}, {device.precision_name}; "
        f"{'compiled' if compiled else 'not compiled'}: {why}."
    )
    report.log(f"{len(data.train):,} images to train on, {len(data.validation):,} held out, {data.skipped:,} skipped.")
    with with_tensorboard(report, settings, workspace, session.name) as told:
        return Trainer(session, step, records, told).train()
