"""The training loop."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints import IMAGES_FILE
from engine.device import Device
from engine.distributed.ranks import Ranks
from engine.errors import FextError, Interrupted
from engine.feeder import Feeder
from engine.files import make_folder, replace_file
from engine.images.dataset import Indices, TrainingData, listing_text
from engine.models import Autoencoder
from engine.models.flops import flops_of
from engine.records import Records
from engine.report import Report
from engine.settings import Settings
from engine.tensors import to_float
from engine.training.accumulation import Accumulation
from engine.training.averaging import WeightAverage, put_raw_tensors, raw_tensors
from engine.training.checkpoint import (
    NOTHING_ABANDONED,
    Abandoned,
    Snapshot,
    Standing,
    copied,
    describe,
    drop_oldest,
    leave,
    point,
    remove_states_without_tag,
    save_state,
)
from engine.training.clock import Clock
from engine.training.compiling import TrainingStep
from engine.training.loss import StepLoss, image_keys, step_loss
from engine.training.memory import memory_gb
from engine.training.optimizer import SKIPS_IN_A_ROW, Account, Optimizer
from engine.training.order import batch_of, epoch_order, steps_of_epoch
from engine.training.probes import Probes
from engine.training.schedule import learning_rate
from engine.training.validation import Validation

_REPORTS_AN_EPOCH = 50
_PROGRESS_SECONDS = 0.25
_SAVE_SECONDS = 30
_WHITENED_BY = 1024


@dataclass(frozen=True)
class TrainingResult:
    """How a run stands when its job ends; ``val_psnr`` in dB is that of the weights that NAME stands for.

    ``compiling`` says whether the training step was compiled, and what that cost and gave; empty while that is open.
    """

    run: str
    state: Literal["done", "stopped"]
    checkpoint: str
    epochs: int
    steps: int
    img_s: float
    val_psnr: float | None
    compiling: str


@dataclass(frozen=True)
class Session:
    """What a run is made of: its name and number in the records, its folder, and all that it trains with.

    ``tensors`` are those beside the weights in a saved state, empty for a new run; ``ranks`` are those that train
    together; ``abandoned`` are the states that this session leaves behind with its first save.
    """

    name: str
    run: int
    folder: Path
    settings: Settings
    device: Device
    data: TrainingData
    model: Autoencoder
    standing: Standing
    tensors: Mapping[str, Tensor]
    ranks: Ranks
    abandoned: Abandoned = NOTHING_ABANDONED


class Trainer:
    """Takes a session from where it stands to the end of its plan, or to a stop.

    Before the first step, after each epoch, at the end and in between as the settings ask, it validates and saves.
    Values leave the device only on steps that report. Of several ranks, each goes through the same steps with its part
    of every batch, and the first one tells, draws and saves; ``probes`` are its.
    """

    def __init__(
        self, session: Session, step: TrainingStep, probes: Probes | None, records: Records, report: Report
    ) -> None:
        self.session = session
        self.settings = session.settings
        self.device = session.device
        self.data = session.data
        self.model = session.model
        self.ranks = session.ranks
        self.standing = session.standing
        self.plan = session.standing.plan
        self.step = step
        self.probes = probes
        self.records = records
        self.report = report
        training = self.settings.training
        self.optimizer = Optimizer(self.model, training, self.device, session.tensors)
        self.average = WeightAverage(self.model, training.ema) if training.ema else None
        put_raw_tensors(self.model, session.tensors)
        self.accumulation = Accumulation(
            step,
            self.model.parameters(),
            training,
            self.standing,
            report,
            ranks=self.ranks,
            rehearsal=self._rehearsal(),
        )
        self.steps_of_epoch = steps_of_epoch(len(self.data.train), training.batch_size)
        self.report_every = max(1, self.steps_of_epoch // _REPORTS_AN_EPOCH)
        self._feeder = Feeder(self.data.train, self.device)
        held_out = self.data.validation
        self._validation = Validation(held_out, self.device, self.settings, self.ranks) if len(held_out) else None
        self._clock = Clock(self.standing.seconds, self.ranks, report)
        self._best: Snapshot | None = None
        self._abandoned = session.abandoned
        self._saved = -math.inf
        self._saved_step = -1
        self._began = self._clock.now
        self._told = 0.0
        self._interval = (0.0, 0)
        self._rate = 0.0

    def train(self) -> TrainingResult:
        """Train to the plan's end or to a stop, save, and tell how it went."""
        if self.ranks.is_first:
            make_folder(self.session.folder)
            replace_file(self.session.folder / IMAGES_FILE, listing_text(self.data.listing))
        if self.standing.validation_due:
            self._validate_and_save()
        self._start_clock()
        try:
            while self._share() < 1 and not self._clock.stopping:
                self._train_epoch()
        except Interrupted:  # broken off while it compiled: the step at hand is not taken
            self.ranks.part()
        self._stop_clock()
        finished = self._share() >= 1
        if finished and self._saved_step != self.standing.step:
            self._validate_and_save()
        if self._saved_step != self.standing.step:
            self._save(None, now=True)
        return TrainingResult(
            run=self.session.name,
            state="done" if finished else "stopped",
            checkpoint=self.session.name,
            epochs=self.standing.epoch,
            steps=self.standing.step,
            img_s=self.standing.images / max(self.standing.seconds, 1e-9),
            val_psnr=self.standing.best_psnr,
            compiling=str(self.step.ledger or ""),
        )

    # --- Steps ----------------------------------------------------------------------------------------------

    def _train_epoch(self) -> None:
        standing = self.standing
        epoch = standing.epoch
        for numbers, images in self._feeder.batches(self._rest_of_epoch(epoch)):
            self._take_step(images, image_keys(self.settings, epoch, numbers))
            if standing.step_in_epoch % self.report_every == 0 or standing.step_in_epoch == self.steps_of_epoch:
                self._tell_metrics()
            self._clock.look()
            self._tell_progress()
            if self._validates_between():
                self._stop_clock()
                self._validate_and_save()
                self._start_clock()
            if self._share() >= 1 or self._clock.stopping:
                break
            if self._saves_between():
                self._stop_clock()
                self._save(None, now=True)
                self._start_clock()
        if standing.step_in_epoch == self.steps_of_epoch:
            standing.epoch, standing.step_in_epoch = epoch + 1, 0
            self._stop_clock()
            self._validate_and_save()
            self._start_clock()

    def _rest_of_epoch(self, epoch: int) -> Iterator[Indices]:
        data, training = self.settings.data, self.settings.training
        order = epoch_order(
            len(self.data.train), training.seed, epoch, shuffle=data.shuffle, buffer=data.shuffle_buffer
        )
        for step in range(self.standing.step_in_epoch, self.steps_of_epoch):
            yield self.ranks.share_of(batch_of(order, step, training.batch_size))

    def _take_step(self, images: Tensor, keys: Tensor) -> None:
        standing, training = self.standing, self.settings.training
        self._rate = learning_rate(training, standing.step - standing.stretch_start_step, self._share())
        loss = self.accumulation.loss_and_gradients(images, keys, self.optimizer.scaler)
        standing.interval_steps += 1
        standing.step += 1
        standing.step_in_epoch += 1
        standing.images += training.batch_size
        self.optimizer.step(loss, standing.step, self._rate)
        if self.average:
            self.average.update(standing.step)

    # --- Time -----------------------------------------------------------------------------------------------

    def _start_clock(self) -> None:
        self._clock.start()
        self._interval = (time.perf_counter(), self.standing.images)

    def _stop_clock(self) -> None:
        self.standing.seconds = self._clock.stop()

    def _share(self) -> float:
        return self.plan.share(self.standing.step, self._clock.seconds)

    def _rehearsal(self) -> StepLoss | None:
        """Return the loss of a rank alone, where there are others and memory can run out without ending the process."""
        if self.ranks.count == 1 or not self.device.is_gpu:
            return None
        return step_loss(self.model, self.settings, self.device)

    def _epoch_now(self) -> float:
        return self.standing.epoch + self.standing.step_in_epoch / self.steps_of_epoch

    # --- Telling --------------------------------------------------------------------------------------------

    def _tell_progress(self) -> None:
        now = time.monotonic()
        if now - self._told < _PROGRESS_SECONDS and self._share() < 1:
            return
        self._told = now
        done = self.standing.step if self.plan.unit == "steps" else self._clock.seconds
        self.report.progress("training", done - self.plan.start, self.plan.end - self.plan.start, self.plan.unit)

    def _tell_metrics(self) -> None:
        standing = self.standing
        account = self.optimizer.account()
        steps, standing.interval_steps = standing.interval_steps, 0
        if account.skipped:
            self._tell_skips(account, steps)
        taken = steps - int(account.skipped)
        began, images = self._interval
        now = time.perf_counter()
        values = {"train/loss": account.loss_sum / taken} if taken else {}
        values |= {"learning_rate": self._rate, "memory_gb": memory_gb(self.device)}
        if standing.images > images:
            values["img_s"] = (standing.images - images) / (now - began)
        self.report.metrics(standing.step, self._epoch_now(), values)
        self._interval = (now, standing.images)

    def _tell_skips(self, account: Account, steps: int) -> None:
        """Tell of those skipped of the steps since the last report.

        Raises:
            FextError: too many were skipped in a row; the weights, which are those of the last good step, are saved.

        """
        epoch = self._epoch_now() - (self.standing.step - account.step) / self.steps_of_epoch
        facts = (
            f"step {account.step:,.0f}, epoch {epoch:.2f}, learning rate {account.rate:.3g}, "
            f"loss {account.loss:.4g}, gradient norm {account.norm:.4g}"
        )
        if account.in_a_row >= SKIPS_IN_A_ROW:
            self._stop_clock()
            self._save(None, now=True)
            raise FextError(
                f"Training diverged: loss or gradient were not finite for {account.in_a_row:,.0f} steps in a row, the "
                f"last time at {facts}.",
                "Lower training.learning_rate, or turn mixed precision off; the weights of the last good step are "
                "saved.",
            )
        self.report.log(
            f"{account.skipped:,.0f} of {steps:,} steps skipped: loss or gradient were not finite, the last time at "
            f"{facts}.",
            "info" if self.optimizer.scaler.is_enabled() else "warning",
        )

    # --- Validation -----------------------------------------------------------------------------------------

    def _validates_between(self) -> bool:
        """Return whether a validation is due within an epoch; its end has one of its own."""
        standing, training = self.standing, self.settings.training
        if standing.step_in_epoch == self.steps_of_epoch:
            return False
        steps, seconds = training.validate_every_steps, training.validate_every_seconds
        is_step = bool(steps) and standing.step % steps == 0
        return is_step or bool(seconds and self._clock.seconds - standing.validated_seconds >= seconds)

    def _validate_and_save(self) -> None:
        """Validate where images are held out, and save; asked to stop in between, leave both due."""
        standing = self.standing
        if self._validation is None:
            self._look_at_probes()
            self._clock.look()
            self._save(None, now=self._share() >= 1)
            return
        standing.validation_due = True
        measured = self._validation.measure(self._shown(), self.report)
        self._clock.look()
        if measured is None:
            return
        standing.validation_due = False
        standing.validated_seconds = standing.seconds
        values = {f"validation/{name}": value for name, value in measured.items()}
        self.report.metrics(standing.step, self._epoch_now(), values)
        self._spend_patience(measured["psnr"])
        self._look_at_probes()
        self._save(measured["psnr"], now=self._share() >= 1 or self._clock.stopping)

    def _look_at_probes(self) -> None:
        """Draw the probe images where this is an epoch to do so, or the end; a run does not end for want of them."""
        if self.probes is None:
            return
        at_end = not self.standing.step_in_epoch and self.probes.is_due(self.standing.epoch)
        if not (at_end or self._share() >= 1):
            return
        try:
            self.probes.look(self._shown(), self._epoch_now())
        except FextError as error:
            self.report.log(f"The probe images are not drawn. {error.cause}", "warning")

    def _spend_patience(self, psnr: float) -> None:
        """End the stretch here where too many validations in a row brought no gain."""
        standing, training = self.standing, self.settings.training
        before = standing.patience_psnr
        if math.isfinite(psnr) and (before is None or psnr > before + training.min_gain):
            standing.patience_psnr, standing.stale_validations = psnr, 0
            return
        standing.stale_validations += 1
        if not training.patience or standing.stale_validations < training.patience:
            return
        self.report.log(
            f"Training ends here: {standing.stale_validations:,} validations in a row brought no gain of "
            f"{training.min_gain:g} dB" + (f" over {before:.2f} dB." if before is not None else ".")
        )
        standing.stale_validations = 0
        standing.stretch_end = standing.step if self.plan.unit == "steps" else standing.seconds
        self.plan = standing.plan

    def _shown(self) -> Autoencoder:
        """Return the model that is validated and saved: the average where there is one."""
        return self.average.model if self.average else self.model

    # --- Saving ---------------------------------------------------------------------------------------------

    def _save(self, psnr: float | None, *, now: bool) -> None:
        """Save the present state as last, and as best or kept epoch where it is one.

        Without ``now``, a state that follows soon on another is held in memory and written with the next, so that
        short epochs do not wait for the disk.
        """
        standing = self.standing
        is_due = now or self._is_save_due() or self._clock.now - self._saved > _SAVE_SECONDS
        best = standing.best_psnr
        is_best = psnr is not None and math.isfinite(psnr) and (best is None or psnr > best)
        if is_best:
            standing.best_psnr = psnr
        tags = self._kept_tags()
        if not (is_due or is_best or tags):
            return
        with self.ranks.first_works() as works:
            if works:
                snapshot = self._snapshot(psnr)
                if is_best or self._validation is None:
                    self._best = snapshot
                if is_due or tags:
                    self._write(snapshot, tags)
        if is_due or tags:
            self._clock.look()
            self._saved, self._saved_step = self._clock.now, standing.step

    def _saves_between(self) -> bool:
        """Return whether a save is due within an epoch that has not just been made; its end has one of its own."""
        standing = self.standing
        at_end = standing.step_in_epoch == self.steps_of_epoch
        return not at_end and self._saved_step != standing.step and self._is_save_due()

    def _is_save_due(self) -> bool:
        standing, training = self.standing, self.settings.training
        steps, minutes = training.checkpoint_steps, training.keep_every_minutes
        is_step = bool(steps) and standing.step % steps == 0
        is_kept = bool(minutes) and self._clock.seconds - standing.kept_seconds >= minutes * 60
        unsaved = self._clock.now - max(self._saved, self._began)
        return is_step or is_kept or unsaved > training.checkpoint_minutes * 60

    def _kept_tags(self) -> list[str]:
        """Return the tags under which the present state is kept beside best and last."""
        standing, training = self.standing, self.settings.training
        every, minutes = training.checkpoint_every, training.keep_every_minutes
        tags = []
        if every and standing.epoch and not standing.step_in_epoch and standing.epoch % every == 0:
            tags.append(f"epoch-{standing.epoch:04d}")
        if minutes and standing.seconds - standing.kept_seconds >= minutes * 60:
            standing.kept_seconds = standing.seconds
            tags.append(f"kept-{standing.step:08d}")
        return tags

    def _write(self, snapshot: Snapshot, tags: list[str]) -> None:
        """Write what is due: metrics before the state that a resume goes on from, and that before others go."""
        self.report.flush()
        if self._best is not None and self._best is not snapshot:
            self._write_state(self._best, ["best"])
        self._write_state(snapshot, [*(["best"] if self._best is snapshot else []), *tags, "last"])
        self._best = None
        gone = leave(self.session.folder, self._abandoned)
        self._abandoned = NOTHING_ABANDONED
        if keep := self.settings.training.keep_checkpoints:
            gone += drop_oldest(self.session.folder, keep)
        self._forget(gone)
        remove_states_without_tag(self.session.folder)

    def _write_state(self, snapshot: Snapshot, tags: list[str]) -> None:
        state = save_state(self.session.folder, snapshot)
        for tag in tags:
            point(self.session.folder, tag, state)
            self._record(tag, snapshot.config)
            self.report.artifact("checkpoint", self.session.folder / tag)

    def _record(self, tag: str, facts: Mapping[str, Any]) -> None:
        """Remember a saved state; records that cannot be written do not end a run whose checkpoints are whole."""
        try:
            self.records.put_checkpoint(self.session.run, tag, facts["step"], facts["epoch"], facts["val_psnr"])
        except FextError as error:
            self.report.log(f"The checkpoint is saved, but not recorded. {error.cause}", "warning")

    def _forget(self, tags: list[str]) -> None:
        try:
            self.records.forget_checkpoints(self.session.run, tags)
        except FextError as error:
            self.report.log(f"Checkpoints that are gone are still recorded. {error.cause}", "warning")

    def _snapshot(self, psnr: float | None) -> Snapshot:
        self._shown().fit_whitening(self._whitened_by())
        facts = {**self._facts(), "epoch": self._epoch_now(), "val_psnr": psnr}
        return Snapshot(
            weights=copied(self._shown().state_dict()),
            training_tensors=copied(self._tensors()),
            standing=replace(self.standing),
            config=describe(self.settings, self.model, self.standing, self.session.name, facts),
        )

    def _whitened_by(self) -> Iterator[Tensor]:
        """Yield images to take statistics from, always the same, evenly from all that are trained on."""
        count = len(self.data.train)
        numbers = np.linspace(0, count - 1, min(count, _WHITENED_BY)).round().astype(np.int64)
        for part in np.array_split(numbers, -(-len(numbers) // self.settings.evaluation.batch_size)):
            yield to_float(torch.from_numpy(self.data.train.batch(part)).to(self.device.handle))

    def _facts(self) -> dict[str, Any]:
        return {
            "device": self.device.name,
            "precision": self.device.precision_name,
            "compile": self.step.facts(),
            "flops": self._flops,
        }

    @cached_property
    def _flops(self) -> int:
        return flops_of(self.model, self.settings.data.image_height, self.settings.data.image_width)

    def _tensors(self) -> dict[str, Tensor]:
        return self.optimizer.tensors() | (raw_tensors(self.model) if self.average else {})
