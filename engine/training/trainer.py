"""The training loop."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints import IMAGES_FILE
from engine.device import Device
from engine.errors import FextError
from engine.feeder import Feeder
from engine.files import replace_file
from engine.images.dataset import Indices, TrainingData, listing_text
from engine.metrics import mean_squared_error, psnr_of
from engine.models import Autoencoder
from engine.records import Records
from engine.report import Report
from engine.settings import Settings
from engine.tensors import to_float, to_uint8
from engine.training.checkpoint import (
    Snapshot,
    Standing,
    copied,
    describe,
    point,
    put_tensors,
    remove_states_without_tag,
    save_state,
    tensors_of,
)
from engine.training.compiling import CompiledStep, EagerStep
from engine.training.loss import image_keys, reconstruction_loss
from engine.training.order import batch_of, epoch_order, steps_of_epoch
from engine.training.schedule import learning_rate

_REPORTS_AN_EPOCH = 50
_PROGRESS_SECONDS = 0.25
_SAVE_SECONDS = 30
_SHORTCUT_SHARE = 0.03


@dataclass(frozen=True)
class TrainingResult:
    """How a run stands when its job ends; ``val_psnr`` in dB is that of the weights that NAME stands for."""

    run: str
    state: Literal["done", "stopped"]
    checkpoint: str
    epochs: int
    steps: int
    img_s: float
    val_psnr: float | None


@dataclass(frozen=True)
class Session:
    """What a run is made of: its name and number in the records, its folder, and all that it trains with.

    ``tensors`` are those of the optimizer in a saved state, empty for a new run.
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


class Trainer:
    """Takes a session from where it stands to the end of its plan, or to a stop.

    Before the first step, after each epoch and at the end, it validates and saves. Values leave the device only
    on steps that report.
    """

    def __init__(self, session: Session, step: CompiledStep | EagerStep, records: Records, report: Report) -> None:
        self.session = session
        self.settings = session.settings
        self.device = session.device
        self.data = session.data
        self.model = session.model
        self.standing = session.standing
        self.plan = session.standing.plan
        self.step = step
        self.records = records
        self.report = report
        training = self.settings.training
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.model), lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
        )
        put_tensors(self.optimizer, self.model, session.tensors)
        self.scaler = _scaler(self.device, session.tensors)
        self.loss_sum = session.tensors.get("extra.loss_sum", torch.zeros(())).to(self.device.handle, copy=True)
        self.steps_of_epoch = steps_of_epoch(len(self.data.train), training.batch_size)
        self.report_every = max(1, self.steps_of_epoch // _REPORTS_AN_EPOCH)
        self._feeder = Feeder(self.data.train, self.device)
        self._validation = Feeder(self.data.validation, self.device) if len(self.data.validation) else None
        self._clock = math.inf
        self._best: Snapshot | None = None
        self._saved = -math.inf
        self._saved_step = -1
        self._began = time.monotonic()
        self._told = 0.0
        self._interval = (0.0, 0)

    def train(self) -> TrainingResult:
        """Train to the plan's end or to a stop, save, and tell how it went."""
        self.session.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.session.folder / IMAGES_FILE, listing_text(self.data.listing))
        if self.standing.validation_due:
            self._end_epoch()
        self._start_clock()
        while self._share() < 1 and not self.report.stopping():
            self._train_epoch()
        self._stop_clock()
        finished = self._share() >= 1
        if self._saved_step != self.standing.step:
            self._save(self._validate() if finished else None, now=True)
        return TrainingResult(
            run=self.session.name,
            state="done" if finished else "stopped",
            checkpoint=self.session.name,
            epochs=self.standing.epoch,
            steps=self.standing.step,
            img_s=self.standing.images / max(self.standing.seconds, 1e-9),
            val_psnr=self.standing.best_psnr,
        )

    # --- Steps ----------------------------------------------------------------------------------------------

    def _train_epoch(self) -> None:
        standing, training = self.standing, self.settings.training
        epoch = standing.epoch
        for numbers, images in self._feeder.batches(self._rest_of_epoch(epoch)):
            self._take_step(images, image_keys(self.settings, epoch, numbers))
            if standing.step_in_epoch % self.report_every == 0 or standing.step_in_epoch == self.steps_of_epoch:
                self._tell_metrics()
            self._tell_progress()
            if self._share() >= 1 or self.report.stopping():
                break
            if time.monotonic() - max(self._saved, self._began) > training.checkpoint_minutes * 60:
                self._stop_clock()
                self._save(None, now=True)
                self._start_clock()
        if standing.step_in_epoch == self.steps_of_epoch:
            standing.epoch, standing.step_in_epoch = epoch + 1, 0
            standing.validation_due = self._validation is not None
            self._stop_clock()
            self._end_epoch()
            self._start_clock()

    def _rest_of_epoch(self, epoch: int) -> Iterator[Indices]:
        data, training = self.settings.data, self.settings.training
        order = epoch_order(
            len(self.data.train), training.seed, epoch, shuffle=data.shuffle, buffer=data.shuffle_buffer
        )
        for step in range(self.standing.step_in_epoch, self.steps_of_epoch):
            yield batch_of(order, step, training.batch_size)

    def _take_step(self, images: Tensor, keys: Tensor) -> None:
        standing, training = self.standing, self.settings.training
        rate = learning_rate(training, standing.step - standing.stretch_start_step, self._share())
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        loss = self.step.loss_and_gradients(images, keys, self.scaler)
        if training.gradient_clip:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), training.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.loss_sum += loss
        standing.interval_steps += 1
        standing.step += 1
        standing.step_in_epoch += 1
        standing.images += len(images)

    def _end_epoch(self) -> None:
        psnr = self._validate()
        if not self.report.stopping():
            self._save(psnr, now=False)

    # --- Time -----------------------------------------------------------------------------------------------

    def _start_clock(self) -> None:
        self._clock = time.perf_counter()
        self._interval = (self._clock, self.standing.images)

    def _stop_clock(self) -> None:
        self.standing.seconds = self._seconds()
        self._clock = math.inf

    def _seconds(self) -> float:
        return self.standing.seconds + max(0.0, time.perf_counter() - self._clock)

    def _share(self) -> float:
        return self.plan.share(self.standing.step, self._seconds())

    def _epoch_now(self) -> float:
        return self.standing.epoch + self.standing.step_in_epoch / self.steps_of_epoch

    # --- Telling --------------------------------------------------------------------------------------------

    def _tell_progress(self) -> None:
        now = time.monotonic()
        if now - self._told < _PROGRESS_SECONDS and self._share() < 1:
            return
        self._told = now
        done = self.standing.step if self.plan.unit == "steps" else self._seconds()
        self.report.progress("training", done - self.plan.start, self.plan.end - self.plan.start, self.plan.unit)

    def _tell_metrics(self) -> None:
        standing = self.standing
        loss = (self.loss_sum / standing.interval_steps).item()
        if not math.isfinite(loss):
            raise FextError(
                f"Training diverged: the loss is not a finite number at step {standing.step:,}.",
                "Lower training.learning_rate, or turn mixed precision off; the last checkpoint is untouched.",
            )
        began, images = self._interval
        now = time.perf_counter()
        values = {"train/loss": loss, "learning_rate": float(self.optimizer.param_groups[0]["lr"])}
        if standing.images > images:
            values["img_s"] = (standing.images - images) / (now - began)
        self.report.metrics(standing.step, self._epoch_now(), values)
        self._interval = (now, standing.images)
        self.loss_sum.zero_()
        standing.interval_steps = 0

    # --- Validation -----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _validate(self) -> float | None:
        """Return the mean PSNR in dB over the validation images, or None without them or when stopped."""
        if self._validation is None:
            return None
        count, size = len(self.data.validation), self.settings.evaluation.batch_size
        everything = np.arange(count, dtype=np.int64)
        parts = [everything[start : start + size] for start in range(0, count, size)]
        self.model.eval()
        sums = torch.zeros(2, dtype=torch.float64)
        for number, (_, stored) in enumerate(self._validation.batches(iter(parts))):
            if self.report.stopping():
                break
            sums += self._validate_batch(stored)
            self.report.progress("validating", min(count, (number + 1) * size), count, "images")
        self.model.train()
        if self.report.stopping():
            return None
        self.standing.validation_due = False
        loss, psnr = (sums / count).tolist()
        self.report.metrics(self.standing.step, self._epoch_now(), {"validation/loss": loss, "validation/psnr": psnr})
        return float(psnr)

    def _validate_batch(self, stored: Tensor) -> Tensor:
        images = to_float(stored)
        with self.device.autocast():
            reconstruction = self.model(images).float()
        loss = reconstruction_loss(self.settings.training.loss, reconstruction, images) * len(stored)
        psnr = psnr_of(mean_squared_error(to_float(to_uint8(reconstruction)), images)).sum()
        return torch.stack([loss, psnr]).cpu().double()

    # --- Saving ---------------------------------------------------------------------------------------------

    def _save(self, psnr: float | None, *, now: bool) -> None:
        """Save the present state as last, and as best or kept epoch where it is one.

        Without ``now``, a state that follows soon on another is held in memory and written with the next, so that
        short epochs do not wait for the disk.
        """
        standing = self.standing
        is_best = psnr is not None and (standing.best_psnr is None or psnr > standing.best_psnr)
        if is_best:
            standing.best_psnr = psnr
        every = self.settings.training.checkpoint_every
        keep_epoch = bool(every and standing.epoch and not standing.step_in_epoch and standing.epoch % every == 0)
        is_due = now or keep_epoch or time.monotonic() - self._saved > _SAVE_SECONDS
        if not (is_due or is_best):
            return
        snapshot = self._snapshot(psnr)
        if is_best or self._validation is None:
            self._best = snapshot
        if is_due:
            self._write(snapshot, [f"epoch-{standing.epoch:04d}"] if keep_epoch else [])

    def _write(self, snapshot: Snapshot, tags: list[str]) -> None:
        if self._best is not None and self._best is not snapshot:
            self._write_state(self._best, ["best"])
        self._write_state(snapshot, [*(["best"] if self._best is snapshot else []), *tags, "last"])
        self._best = None
        remove_states_without_tag(self.session.folder)
        self._saved = time.monotonic()
        self._saved_step = self.standing.step

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

    def _snapshot(self, psnr: float | None) -> Snapshot:
        facts = {**self._facts(), "epoch": self._epoch_now(), "val_psnr": psnr}
        return Snapshot(
            weights=copied(self.model.state_dict()),
            training_tensors=copied(self._tensors()),
            standing=replace(self.standing),
            config=describe(self.settings, self.model, self.standing, self.session.name, facts),
        )

    def _facts(self) -> dict[str, Any]:
        return {
            "device": self.device.name,
            "precision": self.device.precision_name,
            "compiled": self.step.is_compiled,
            "compile_seconds": self.step.seconds,
        }

    def _tensors(self) -> dict[str, Tensor]:
        extra = {"loss_sum": self.loss_sum}
        if self.scaler.is_enabled():
            state = self.scaler.state_dict()
            extra["scale"] = torch.tensor(float(state["scale"]))
            extra["growth_tracker"] = torch.tensor(int(state["_growth_tracker"]))
        return tensors_of(self.optimizer, self.model, extra)


def parameter_groups(model: Autoencoder) -> list[dict[str, Any]]:
    """Return the network's parameters at the full learning rate, and the shortcut's at a small share of it.

    The shortcut is nearly right from the start; at the full rate it would be undone before the network has learned.
    """
    shortcut = list(model.shortcut.parameters())
    own = {id(parameter) for parameter in shortcut}
    network = [parameter for parameter in model.parameters() if id(parameter) not in own]
    return [{"params": network, "share": 1.0}, {"params": shortcut, "share": _SHORTCUT_SHARE}]


def _scaler(device: Device, tensors: Mapping[str, Tensor]) -> torch.amp.GradScaler:
    scaler = torch.amp.GradScaler(device.handle.type, enabled=device.precision == torch.float16)
    if scaler.is_enabled() and "extra.scale" in tensors:
        state = scaler.state_dict()
        state["scale"] = float(tensors["extra.scale"])
        state["_growth_tracker"] = int(tensors["extra.growth_tracker"])
        scaler.load_state_dict(state)
    return scaler
