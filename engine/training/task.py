"""The tasks of training: a new run, and a run that goes on."""

import time
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from engine.architecture import fitted_count
from engine.checkpoints import (
    CONFIG_FILE,
    IMAGES_FILE,
    TRAIN,
    find_resumable,
    read_config,
    read_json,
    read_listing,
)
from engine.device import Device, choose_device
from engine.distributed.ranks import ALONE, Ranks
from engine.errors import FextError, UsageError
from engine.files import remove_unfinished
from engine.images.dataset import TrainingData, as_before, listing_text, prepare
from engine.models import Autoencoder
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import Report, go_on
from engine.resuming import settings_of_resume
from engine.settings import Settings
from engine.tensors import to_float
from engine.training.batch_probe import find_batch_size
from engine.training.checkpoint import Standing, load_standing, load_training_tensors, states_beyond
from engine.training.compiling import Ledger, TrainingStep, stored_ledger
from engine.training.loss import RECONSTRUCTED, step_loss
from engine.training.order import steps_of_epoch
from engine.training.probes import Probes
from engine.training.room import need_room
from engine.training.tensorboard import with_tensorboard
from engine.training.trainer import Session, Trainer, TrainingResult
from engine.workspace import Workspace


def train(
    settings: Settings, workspace: Workspace, records: Records, report: Report, *, run: int, ranks: Ranks = ALONE
) -> TrainingResult:
    """Train a new autoencoder for the run of that number, and save it as ``checkpoints/NAME``.

    Where several processes train together, each calls this with its place in ``ranks``, and a report that keeps nothing
    in all but the first. The batch is divided among them.

    Raises:
        FextError: images, device or disk are not what the settings need, or training diverges.

    """
    name = str(records.run(run)["name"])
    folder = workspace.checkpoints / name
    if folder.exists():
        raise UsageError(f"There is a checkpoint named {name!r} already.", "Choose another name, or resume it.")
    if not settings.training.find_batch:
        need_equal_shares(settings, ranks)
    device = choose_device(ranks.own_device(settings.device))
    model = Autoencoder(settings.model, 1 if settings.data.grayscale else 3, settings.training.seed)
    need_room(folder, model, settings.training, report)
    data = _prepare(settings, workspace, records, report, ranks)
    with ranks.first_works() as works:
        if works:
            _fit_shortcut(model, data, settings, report)
    if settings.training.find_batch:
        settings = _with_found_batch(settings, model, data, device=device, report=report, ranks=ranks)
    standing = Standing(validation_due=len(data.validation) > 0)
    _begin_stretch(standing, settings, data)
    session = Session(name, run, folder, settings, device, data, model, standing, {}, ranks)
    return _run(session, workspace, records, report)


def resume(
    settings: Settings,
    workspace: Workspace,
    records: Records,
    report: Report,
    *,
    checkpoint: str,
    changes: Mapping[str, Any] | None = None,
    ranks: Ranks = ALONE,
) -> TrainingResult:
    """Go on with a run from a saved state (``NAME``: the last, or ``NAME/TAG``) to the end of its plan.

    What lies beyond that state stands until the first new one is saved. Settings come from the run, see
    `settings_of_resume`; ``changes``, by dotted key, are what the user named for this resume. ``training.epochs`` among
    them is the new total of the run; ``training.minutes`` are counted from here. A finished run gets these, or the
    additional epochs or minutes of ``settings``. How many ``ranks`` trained before does not matter.

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
    need_equal_shares(settings, ranks)
    device = choose_device(ranks.own_device(settings.device))
    model, _ = load_weights(state)
    need_room(folder, model, settings.training, report)
    data = _prepare(settings, workspace, records, report, ranks)
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
    if ranks.is_first:
        records.delete_metrics_after(run, standing.step)
    report.log(f"{name} goes on from step {standing.step:,}.")
    tensors = load_training_tensors(state, model)
    session = Session(name, run, folder, settings, device, data, model, standing, tensors, ranks, abandoned)
    return _run(session, workspace, records, report, stored_ledger(read_json(state / CONFIG_FILE)))


def _prepare(settings: Settings, workspace: Workspace, records: Records, report: Report, ranks: Ranks) -> TrainingData:
    """Return the images of the run; the first rank packs them, and the others find the pack.

    Raises:
        FextError: they are not there, or not the same for all ranks.

    """
    with ranks.first_ahead():
        data = prepare(settings, workspace, records, report)
    _need_images(data)
    mine = float(zlib.crc32(listing_text(data.listing)))
    [first] = ranks.agree([mine])
    if ranks.most(mine != first):
        raise FextError("The images changed while the processes of the job looked at them.", "Start it again.")
    return data


def need_equal_shares(settings: Settings, ranks: Ranks) -> None:
    """See to it that every rank gets as many images of each batch as the others.

    Raises:
        UsageError: they cannot.

    """
    size, several = settings.training.batch_size, f"{ranks.count} processes"
    if size % ranks.count:
        raise UsageError(
            f"training.batch_size = {size} is that of all processes, and {several} cannot share it equally.",
            f"Choose a multiple of {ranks.count}, or another number of device.processes.",
        )
    if ranks.count > 1 and settings.objective.agreement and size // ranks.count % RECONSTRUCTED:
        raise UsageError(
            f"With objective.agreement one image in {RECONSTRUCTED} is reconstructed, and {several} cannot share those "
            f"of training.batch_size = {size} equally.",
            f"Choose a multiple of {RECONSTRUCTED * ranks.count}.",
        )


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
    settings: Settings, model: Autoencoder, data: TrainingData, *, device: Device, report: Report, ranks: Ranks
) -> Settings:
    """Return settings with the batch size that the first rank finds, as often as there are ranks."""
    size = 0
    with ranks.first_works() as works:
        if works:
            loss, weights = step_loss(model.to(device.handle).train(), settings, device), model.parameters()
            size = find_batch_size(loss, weights, images=data.train, settings=settings, device=device, report=report)
    [found] = ranks.agree([size])
    settings = settings.with_values({"training.batch_size": int(found) * ranks.count, "training.find_batch": False})
    need_equal_shares(settings, ranks)
    return settings


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


def _work_of(settings: Settings, device: Device, ranks: Ranks) -> dict[str, Any]:
    """Return what a training step is made of: what makes two of them the same to compile."""
    data, training = settings.data, settings.training
    return {
        "model": settings.model.model_dump(),
        "objective": settings.objective.model_dump(),
        "augmentation": settings.augmentation.model_dump(),
        "image": (data.image_height, data.image_width, data.grayscale),
        "batch": (training.batch_size // ranks.count, training.micro_batch, training.loss),
        "precision": device.precision_name,
    }


def _run(
    session: Session, workspace: Workspace, records: Records, report: Report, before: Ledger | None = None
) -> TrainingResult:
    settings, device, data, standing = session.settings, session.device, session.data, session.standing
    ranks, model = session.ranks, session.model.to(device.handle).train()
    ranks.spread(model.state_dict().values())
    if ranks.is_first:
        remove_unfinished(session.folder)
    report.log(f"FextAE {settings.model.variant.capitalize()} on {device.name}, {device.precision_name}.")
    if ranks.count > 1:
        size = settings.training.batch_size
        report.log(
            f"{ranks.count} processes: of each batch of {size:,} images, every one takes {size // ranks.count:,}."
        )
    report.log(f"{len(data.train):,} images to train on, {len(data.validation):,} held out, {data.skipped:,} skipped.")

    def seconds_left(step_seconds: float) -> float:
        plan = standing.plan
        return plan.end - standing.seconds if plan.unit == "s" else (plan.end - standing.step) * step_seconds

    loss = step_loss(model, settings, device, ranks)
    step = TrainingStep(
        loss,
        model.parameters(),
        settings=settings.device,
        device=device,
        work=_work_of(settings, device, ranks),
        seconds_left=seconds_left,
        before=before,
        report=report,
        ranks=ranks,
    )
    if not ranks.is_first:
        return Trainer(session, step, None, records, report).train()
    epoch = standing.epoch + standing.step_in_epoch / steps_of_epoch(len(data.train), settings.training.batch_size)
    folder = workspace.validation / session.name
    probes = Probes(data, folder, settings.training, device=device, report=report, epoch=epoch)
    with with_tensorboard(report, settings, workspace, session.name) as told:
        return Trainer(session, step, probes, records, told).train()
