"""A short probe of what training takes: a child process that runs a few steps on noise, and writes what it measured."""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor

from engine.architecture import fitted_count
from engine.device import Device, choose_device
from engine.errors import FextError
from engine.forecast.measured import Measured, keep_probe
from engine.images.dataset import Indices, Subset
from engine.images.index import decode_all
from engine.images.layout import Layout
from engine.images.parallel import worker_count
from engine.images.scan import Manifest, scan
from engine.models import Autoencoder
from engine.models.local_components import ROUNDS
from engine.report import CollectedReport
from engine.settings import Settings
from engine.training.accumulation import largest_divisor
from engine.training.loss import image_keys, step_loss
from engine.training.memory import memory_gb
from engine.training.optimizer import Optimizer
from engine.training.validation import Validation
from engine.workspace import Workspace

_STEPS = 2, 10
"""Steps that are timed, at least and at most, after one that is not."""
_SECONDS = 4.0
"""Time that the steps may take together."""
_FITTED = 16, 64
"""Images, of 128 × 128 pixels or as many as have their pixels, with which a round of finding components is timed."""
_DECODED = 64
"""Files that are decoded."""


def measure(settings: Settings, workspace: Workspace, loading: float) -> Measured:
    """Measure steps, validation, start and packing of a run with these settings; ``loading`` is what loading took.

    Raises:
        FextError: device or images are not what the settings need.

    """
    device = choose_device(settings.device)
    channels = 1 if settings.data.grayscale else 3
    model = Autoencoder(settings.model, channels, settings.training.seed)
    noise = _Noise(settings, channels)
    step = _step_seconds(model.to(device.handle).train(), noise, settings, device)
    memory = memory_gb(device) * 1e9
    began = time.perf_counter()
    Validation(Subset(noise, np.arange(len(noise), dtype=np.int64)), device, settings).measure(model, CollectedReport())
    held_out = (time.perf_counter() - began) / len(noise)
    manifest, scanning = _timed(lambda: _files(settings, workspace))
    fitting = _fitting_seconds(model.cpu(), noise, settings, len(manifest.files))
    decode = _decode_seconds(manifest, settings)
    return Measured("probe", "", time.time(), step, held_out, loading + scanning + fitting, decode, memory)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


class _Noise:
    """A store of pictures of noise, as many as a batch of training and one of validation have."""

    folder = Path()
    files = skipped = content_hashes = ()
    perceptual_hashes = np.zeros(0, dtype=np.uint64)

    def __init__(self, settings: Settings, channels: int) -> None:
        self._count = max(settings.evaluation.batch_size, settings.training.batch_size)
        self.shape = settings.data.image_height, settings.data.image_width, channels

    def __len__(self) -> int:
        return self._count

    def batch(self, indices: Indices) -> Any:
        """Return pictures (n, H, W, C) uint8."""
        return np.random.default_rng(0).integers(0, 256, (len(indices), *self.shape), dtype=np.uint8)

    def thumbnails(self, numbers: Indices) -> Any:
        """Return nothing: these pictures are divided by nobody."""
        raise NotImplementedError


def _step_seconds(model: Autoencoder, noise: _Noise, settings: Settings, device: Device) -> float:
    """Return the median time of a training step: loss, gradients, and new weights."""
    training = settings.training
    loss, optimizer = step_loss(model, settings, device), Optimizer(model, training, device, {})
    numbers = torch.arange(training.batch_size)
    stored = torch.from_numpy(noise.batch(numbers.numpy())).to(device.handle)
    keys = image_keys(settings, 0, numbers.to(device.handle))
    parts = training.batch_size // largest_divisor(training.batch_size, training.micro_batch or training.batch_size)

    def take_step(number: int) -> None:
        total = torch.zeros((), device=device.handle)
        for some, their_keys in zip(stored.chunk(parts), keys.chunk(parts), strict=True):
            value: Tensor = loss(some, their_keys)
            torch.autograd.backward(optimizer.scaler.scale(value))
            total += value.detach()
        optimizer.step(total / parts, number, training.learning_rate)
        if device.is_gpu:
            torch.cuda.synchronize(device.handle)

    take_step(0)
    began, seconds = time.perf_counter(), list[float]()
    fewest, most = _STEPS
    while len(seconds) < fewest or (len(seconds) < most and time.perf_counter() - began < _SECONDS):
        seconds.append(_timed(lambda: take_step(1))[1])
    return statistics.median(seconds)


def _files(settings: Settings, workspace: Workspace) -> Manifest:
    data = settings.data
    folder = workspace.actual_path(data.folder) if data.folder else workspace.images
    return scan(folder, CollectedReport()).sample(data.sample_fraction, data.sample_seed)


class _Enough(Exception):
    """Enough rounds were timed."""


def _fitting_seconds(model: Autoencoder, noise: _Noise, settings: Settings, images: int) -> float:
    """Return what finding components takes, from a round with few images and one with more; 0 without a shortcut."""
    if not settings.model.shortcut:
        return 0.0
    height, width, _ = noise.shape
    wanted = fitted_count(max(1, round(images * (1 - settings.data.validation_fraction))), height, width)
    few, more = (min(wanted, max(1, count * 128 * 128 // (height * width))) for count in _FITTED)
    first, begin = _round_seconds(model, noise, few)
    if more == few:
        return begin + ROUNDS * first
    second, begin = _round_seconds(model, noise, more)
    an_image = max(second - first, 0.0) / (more - few)
    return begin + ROUNDS * (second + an_image * (wanted - more))


def _round_seconds(model: Autoencoder, noise: _Noise, count: int) -> tuple[float, float]:
    """Return the time of a round, and of what comes before the first."""
    pictures = torch.from_numpy(noise.batch(np.arange(count))).permute(0, 3, 1, 2).float() / 255
    times = [time.perf_counter()]

    def tell(done: int, total: int) -> None:
        times.append(time.perf_counter())
        if len(times) == 4:
            raise _Enough

    try:
        model.fit_shortcut(pictures, tell)
    except _Enough:
        return times[3] - times[2], times[1] - times[0]
    raise AssertionError("there are more rounds")


def _decode_seconds(manifest: Manifest, settings: Settings) -> float:
    """Return what packing an image takes, with all the threads that pack."""
    files = manifest.files[:: -(-len(manifest.files) // _DECODED)]
    data = settings.data
    layout = Layout(data.image_height, data.image_width, data.grayscale)
    some = Manifest(manifest.folder, files)
    results = decode_all(some, layout, worker_count(settings.device.workers), CollectedReport(), "packing")
    return _timed(lambda: sum(1 for _ in results))[1] / len(files)


def main(arguments: list[str]) -> int:
    """Measure for a workspace, into a file, with settings as JSON; return the exit code."""
    root, result, settings = arguments
    loading = time.time() - psutil.Process(os.getpid()).create_time()
    try:
        measured = measure(Settings.model_validate_json(settings), Workspace(Path(root)), loading)
    except FextError as error:
        sys.stderr.write(f"{error.cause} {error.remedy}\n")
        return error.exit_code
    keep_probe(Path(result), measured)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
