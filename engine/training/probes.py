"""A few images whose reconstructions are kept as training goes on, so that learning can be watched."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from engine.device import Device
from engine.errors import FextError
from engine.files import make_folder, replacing, write_error
from engine.images.dataset import TrainingData
from engine.models import Autoencoder
from engine.plots import learning_figure
from engine.report import Report
from engine.settings import TrainingSettings
from engine.tensors import to_float, to_uint8
from engine.workspace import PROBES_FOLDER

Pixels = NDArray[np.uint8]

_COLUMNS = 8


class Probes:
    """Draws what becomes of some images, the first ones held out, else trained on, at chosen epochs.

    ``folder/probes/epoch-EPOCH.png`` has the originals above the reconstructions of that epoch, all of one size, so
    that a viewer can leaf through them; ``folder/learning.png`` shows some epochs side by side.

    Args:
        data: the images of the run.
        folder: where the pictures go; those of epochs after ``epoch`` are removed from it.
        training: how many images, and at which epochs.
        device: where the network computes.
        report: told of the figure.
        epoch: where the run stands.

    """

    def __init__(
        self,
        data: TrainingData,
        folder: Path,
        training: TrainingSettings,
        *,
        device: Device,
        report: Report,
        epoch: float,
    ) -> None:
        subset = data.validation if len(data.validation) else data.train
        count = min(training.probe_images, len(subset))
        self._originals = subset.batch(np.linspace(0, len(subset) - 1, count).round().astype(np.int64))
        self._folder = folder
        self._every = training.probe_every
        self._device = device
        self._report = report
        if count:
            self._forget_after(epoch)

    def is_due(self, epoch: int) -> bool:
        """Return whether the end of an epoch is one to keep: every so many, or in steps of 1, 2, 5, 10, 20, 50 …"""
        if self._every or not epoch:
            return not epoch or epoch % self._every == 0
        power = 10 ** int(math.log10(epoch))
        return epoch in (power, 2 * power, 5 * power)

    @torch.inference_mode()
    def look(self, model: Autoencoder, epoch: float) -> None:
        """Reconstruct the images, and draw them.

        Raises:
            FextError: the pictures cannot be written.

        """
        if not len(self._originals):
            return
        was_training = model.training
        model.eval()
        with self._device.autocast():
            shown = to_uint8(model(to_float(torch.from_numpy(self._originals).to(self._device.handle))))
        model.train(was_training)
        self._write(self._path(epoch), np.concatenate([_row(self._originals), _row(shown.cpu().numpy())]))
        figure = self._folder / "learning.png"
        columns = [("original", list(self._originals))]
        columns += [(f"epoch {_epoch_of(path):g}", self._read(path)) for path in _spread(self._kept())]
        learning_figure(columns, figure, f"{self._folder.name} · learning")
        self._report.artifact("figure", figure)

    def _path(self, epoch: float) -> Path:
        return self._folder / PROBES_FOLDER / f"epoch-{epoch:010.3f}.png"

    def _kept(self) -> list[Path]:
        return sorted((self._folder / PROBES_FOLDER).glob("epoch-*.png"))

    def _forget_after(self, epoch: float) -> None:
        try:
            for path in self._kept():
                if path.name > self._path(epoch).name:
                    path.unlink()
        except OSError as error:
            raise write_error(self._folder, error) from error

    def _write(self, path: Path, pixels: Pixels) -> None:
        make_folder(path.parent)
        with replacing(path) as file:
            Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(file, "PNG")

    def _read(self, path: Path) -> list[Pixels]:
        """Return the reconstructions (H, W, C) in a picture that `look` wrote.

        Raises:
            FextError: it cannot be read, or is of other images.

        """
        count, height, width, channels = self._originals.shape
        try:
            with Image.open(path) as picture:
                pixels = np.asarray(picture).reshape(2, height, count, width, channels)
        except (OSError, ValueError) as error:
            raise FextError(f"{path} cannot be read: {error}.", "Delete its folder; it is drawn anew.") from error
        return list(pixels[1].transpose(1, 0, 2, 3))


def _row(images: Pixels) -> Pixels:
    """Return images (N, H, W, C) side by side, (H, N · W, C)."""
    count, height, width, channels = images.shape
    return images.transpose(1, 0, 2, 3).reshape(height, count * width, channels)


def _epoch_of(path: Path) -> float:
    return float(path.stem.removeprefix("epoch-"))


def _spread(paths: list[Path]) -> Iterable[Path]:
    """Return at most so many of the paths as there are columns, evenly spread, the first and the last among them."""
    chosen = np.linspace(0, len(paths) - 1, min(_COLUMNS, len(paths))).round().astype(int)
    return (paths[number] for number in chosen)
