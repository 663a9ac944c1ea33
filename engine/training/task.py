"""The tasks of training: a new run, and a run that goes on."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from engine.architecture import fitted_count
from engine.checkpoints import (
    CONFIG_FILE,
    IMAGES_FILE,
    TRAIN,
    TRAINING_TENSORS_FILE,
    find_resumable,
    read_config,
    read_json,
    read_listing,
)
from engine.device import Device, choose_device
from engine.errors import FextError, UsageError
from engine.files import remove_unfinished
from engine.images.dataset import TrainingData, as_before, prepare
from engine.models import Autoencoder
from engine.models.loading import load_tensors, load_weights
from engine.records import Records
from engine.report import Report, go_on
from engine.resuming import settings_of_resume
from engine.settings import Settings
from engine.tensors import to_float
from engine.training.batch_probe import find_batch_size
from engine.training.checkpoint import Standing, load_standing, states_beyond
from engine.training.compiling import Ledger, TrainingStep, stored_ledger
from engine.training.loss import step_loss
from engine.training.order import steps_of_epoch
from engine.training.probes import Probes
from engine.training.room import need_room
from engine.training.tensorboard import with_tensorboard
from engine.training.trainer import Session, Trainer, TrainingResult
from engine.workspace import Workspace


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
    model = Autoencoder(settings.model, 1 if settings.data.grayscale else 3, settings.training.seed)
    need_room(folder, model, settings.training, report)
    data = prepare(settings, workspace, records, report)
    _need_images(data)
    _fit_shortcut(model, data, settings, report)
    if settings.training.find_batch:
        settings = _with_found_batch(settings, model, data, device, report)
    standing = Standing(validation_due=len(data.validation) > 0)
    _begin_stretch(standing, settings, data)
    session = Session(name, run, folder, settings, device, data, model, standing, {})
    return _run(session, workspace, records, report)


def resume(
    settings: Settings,
    workspace: Workspace,
    records: Records,
    report: Report,
    *,
    checkpoint: str,
    changes: Mapping[str, Any] | None = None,
) -> TrainingResult:
    """Go on with a run from a saved state (``NAME``: the last, or ``NAME/TAG``) to the end of its plan.

    What lies beyond that state stands until the first new one is saved. Settings come from the run, see
    `settings_of_resume`; ``changes``, by dotted key, are what the user named for this resume. ``training.epochs`` among
    them is the new total of the run; ``training.minutes`` are counted from here. A finished run gets these, or the
    additional epochs or minutes of ``settings``.

    Raises:
        UsageError: there is no such checkpoint, a change cannot be, or the images changed.
        FextError: the checkpoint is damaged, or training fails as in `train`.

    """
    state = find_resumable(workspace, checkpoint)
    name, folder, changes = state.parent.name, state.parent, changes or {}
    stored = read_config(state).settings
    run = records.run_of(name, stored.model.variant)
    standing = load_standing(state)
    finished = standing.plan.share(standing.step, standing.seconds) >= 1
    settings = settings_of_resume(stored, settings, changes, workspace, finished=finished)
    device = choose_device(settings.device)
    model, _ = load_weights(state)
    need_room(folder, model, settings.training, report)
    data = prepare(settings, workspace, records, report)
    listing = read_listing(folder / IMAGES_FILE)
    data = as_before(data, listing, report, accept=settings.training.accept_changed_images)
    _need_images(data)
    before = steps_of_epoch(sum(subset == TRAIN for subset, _, _ in listing), stored.training.batch_size)
    _keep_epochs(standing, before, steps_of_epoch(len(data.train), settings.training.batch_size))
    if "training.micro_batch" in changes:
        standing.micro_batch = 0
    if "training.epochs" in changes and not settings.training.minutes:
        _plan_total(standing, settings, data)
    elif finished or ("training.minutes" in changes and settings.training.minutes):
        _begin_stretch(standing, settings, data)
    abandoned = states_beyond(folder, standing)
    records.delete_metrics_after(run, standing.step)
    report.log(f"{name} goes on from step {standing.step:,}.")
    tensors = load_tensors(state / TRAINING_TENSORS_FILE)
    session = Session(name, run, folder, settings, device, data, model, standing, tensors, abandoned)
    return _run(session, workspace, records, report, stored_ledger(read_json(state / CONFIG_FILE)))


def _need_images(data: TrainingData) -> None:
    if not len(data.train):
        raise FextError(
            "No image is left to train on.",
            "Add images, lower data.validation_fraction, raise data.sample_fraction, or include what is excluded "
            "(`fext include`).",
        )


def _fit_shortcut(model: Autoencoder, data: TrainingData, settings: Settings, report: Report) -> None:
    """Fit the shortcut to as many training images, drawn by the seed, as 1,024 of 128 × 128 pixels come to."""
    began = time.perf_counter()
    count = fitted_count(len(data.train), settings.data.image_height, settings.data.image_width)
    drawn = np.random.default_rng(settings.training.seed).choice(len(data.train), count, replace=False)
    images = to_float(torch.from_numpy(data.train.batch(np.sort(drawn))))

    def tell(done: int, total: int) -> None:
        go_on(report)
        report.progress("finding components", done, total, "rounds")

    model.fit_shortcut(images, tell)
    report.log(f"Principal components of {count:,} images found in {time.perf_counter() - began:.1f} s.")


def _with_found_batch(
    settings: Settings, model: Autoencoder, data: TrainingData, device: Device, report: Report
) -> Settings:
    loss = step_loss(model.to(device.handle).train(), settings, device)
    size = find_batch_size(loss, model.parameters(), images=data.train, settings=settings, device=device, report=report)
    return settings.with_values({"training.batch_size": size, "training.find_batch": False})


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


def _plan_total(standing: Standing, settings: Settings, data: TrainingData) -> None:
    """Move the end of an unfinished stretch to the epochs that the settings ask for; else begin one that ends there.

    Raises:
        UsageError: the run has them already.

    """
    training = settings.training
    an_epoch = steps_of_epoch(len(data.train), training.batch_size)
    left = (training.epochs - standing.epoch) * an_epoch - standing.step_in_epoch
    if left < 1:
        done = round(standing.epoch + standing.step_in_epoch / an_epoch, 2)
        raise UsageError(
            f"The run has {done:g} epochs already: a total of {training.epochs} leaves nothing to train.",
            "Give a larger total or additional epochs, or go on from an earlier checkpoint (`fext resume NAME/TAG`).",
        )
    if standing.stretch_unit == "s" or standing.stretch_end <= standing.step:
        standing.stretch_unit, standing.stretch_start = "steps", standing.step
        standing.stretch_start_step = standing.step
    standing.stretch_end = standing.step + left


def _keep_epochs(standing: Standing, before: int, now: int) -> None:
    """Where an epoch has another number of steps than before, keep the plan's epochs and the place in this one."""
    if before == now:
        return
    standing.step_in_epoch = round(standing.step_in_epoch * now / before)
    if standing.stretch_unit == "steps":
        standing.stretch_start = standing.step + round((standing.stretch_start - standing.step) * now / before)
        standing.stretch_end = standing.step + round((standing.stretch_end - standing.step) * now / before)


def _work_of(settings: Settings, device: Device) -> dict[str, Any]:
    """Return what a training step is made of: what makes two of them the same to compile."""
    data, training = settings.data, settings.training
    return {
        "model": settings.model.model_dump(),
        "objective": settings.objective.model_dump(),
        "augmentation": settings.augmentation.model_dump(),
        "image": (data.image_height, data.image_width, data.grayscale),
        "batch": (training.batch_size, training.micro_batch, training.loss),
        "precision": device.precision_name,
    }


def _run(
    session: Session, workspace: Workspace, records: Records, report: Report, before: Ledger | None = None
) -> TrainingResult:
    settings, device, data, standing = session.settings, session.device, session.data, session.standing
    model = session.model.to(device.handle).train()
    remove_unfinished(session.folder)
    report.log(f"FextAE {settings.model.variant.capitalize()} on {device.name}, {device.precision_name}.")
    report.log(f"{len(data.train):,} images to train on, {len(data.validation):,} held out, {data.skipped:,} skipped.")

    def seconds_left(step_seconds: float) -> float:
        plan = standing.plan
        return plan.end - standing.seconds if plan.unit == "s" else (plan.end - standing.step) * step_seconds

    loss = step_loss(model, settings, device)
    step = TrainingStep(
        loss,
        model.parameters(),
        settings=settings.device,
        device=device,
        work=_work_of(settings, device),
        seconds_left=seconds_left,
        before=before,
        report=report,
    )
    epoch = standing.epoch + standing.step_in_epoch / steps_of_epoch(len(data.train), settings.training.batch_size)
    folder = workspace.validation / session.name
    probes = Probes(data, folder, settings.training, device=device, report=report, epoch=epoch)
    with with_tensorboard(report, settings, workspace, session.name) as told:
        return Trainer(session, step, probes, records, told).train()
