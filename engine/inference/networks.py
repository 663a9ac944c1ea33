"""The network that was asked for last, and what it makes of single pictures.

It stays loaded; another checkpoint, newer weights or another device take its place.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from engine.checkpoints import fingerprint
from engine.errors import FextError
from engine.files import printable
from engine.images.decode import UnreadableImage, load_image
from engine.inference.protocol import Answer, Request, on_cpu
from engine.metrics import image_errors
from engine.models.loading import LoadedModel, load_for_use
from engine.settings import DeviceSettings


class _Origin(NamedTuple):
    """What a loaded network depends on: the state and its weights, the device, and the threads of a CPU."""

    state: Path
    fingerprint: str
    device: DeviceSettings
    threads: int


class Networks:
    """Answers requests with the network of a state, one at a time."""

    def __init__(self) -> None:
        self._all_threads = torch.get_num_threads()
        self._loaded: tuple[_Origin, LoadedModel] | None = None

    def answer(self, request: Request, state: Path) -> Answer:
        """Return what a request asks for; where the memory of a GPU does not hold it, the CPU computes it.

        Args:
            request: what is asked for.
            state: that of its checkpoint.

        Raises:
            FextError: there is no such device, the checkpoint is damaged, or the picture cannot be read.

        """
        try:
            return self._answer(request, state, request.device)
        except torch.OutOfMemoryError:
            self._loaded = None
        torch.cuda.empty_cache()
        return self._answer(request, state, on_cpu(request.device))

    def _answer(self, request: Request, state: Path, device: DeviceSettings) -> Answer:
        model = self._load(state, device, is_beside_job=request.is_beside_job)
        picture = _load_picture(Path(request.path), model)
        if request.task == "vector":
            vector = model.sound(model.embed(picture[None], request.pooling))[0]
            return Answer({}, (vector.cpu().numpy(),))
        return _reconstruct(model, picture, request.checkpoint)

    def _load(self, state: Path, device: DeviceSettings, *, is_beside_job: bool) -> LoadedModel:
        threads = max(1, self._all_threads // 2) if is_beside_job else self._all_threads
        origin = _Origin(state, fingerprint(state), device, threads)
        if self._loaded is None or self._loaded[0] != origin:
            self._loaded = None
            torch.set_num_threads(threads)
            self._loaded = origin, load_for_use(state, device)
        return self._loaded[1]


def _load_picture(path: Path, model: LoadedModel) -> NDArray[np.uint8]:
    """Return a picture (H, W, C) as the network sees it."""
    data = model.config.settings.data
    try:
        return load_image(path, data.image_height, data.image_width, data.grayscale)
    except UnreadableImage as error:
        raise FextError(f"{printable(path.name)} cannot be read: {error.cause}.", "Choose another picture.") from error


def _reconstruct(model: LoadedModel, picture: NDArray[np.uint8], checkpoint: str) -> Answer:
    restored = model.reconstruct(picture[None])
    errors = image_errors(torch.from_numpy(picture[None]).to(restored.device), restored)
    facts: dict[str, Any] = {name: float(errors[name]) for name in ("mae", "psnr", "ssim")}
    facts |= {"checkpoint": checkpoint, "device": model.device.name}
    return Answer(facts, (picture, restored[0].cpu().numpy()))
