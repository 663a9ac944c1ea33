"""The inference child: answers requests about single pictures, one after another, until its standard input ends.

The network stays loaded; another checkpoint, newer weights or another device take its place.
"""

import argparse
import os
import select
import sys
import traceback
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from engine.checkpoints import find_checkpoint, fingerprint
from engine.errors import FextError
from engine.files import printable
from engine.images.decode import UnreadableImage, load_image
from engine.inference.protocol import LESS_MEMORY, Answer, Request, on_cpu, write_answer, write_error
from engine.jobs.outcome import is_out_of_memory
from engine.jobs.process import be_first_to_go
from engine.metrics import image_errors
from engine.models.loading import LoadedModel, load_for_use
from engine.settings import DeviceSettings
from engine.workspace import Workspace

_MOST_CHARACTERS = 1_000


def main() -> int:
    """Answer the requests on standard input, and return 0 where it ends, or where none came for so long."""
    be_first_to_go()
    answers = _standard_output_alone()
    parser = argparse.ArgumentParser(prog="engine.inference.child")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--idle", type=float, required=True, help="seconds without a request after which it ends")
    options = parser.parse_args()
    networks = Networks(Workspace(options.workspace))
    while select.select([sys.stdin], [], [], options.idle)[0] and (line := sys.stdin.buffer.readline()):
        try:
            _answer(networks, Request.of_line(line), answers)
        except BrokenPipeError:  # the app is gone
            break
    return 0


def _standard_output_alone() -> IO[bytes]:
    """Return standard output for answers alone: what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _answer(networks: "Networks", request: Request, answers: IO[bytes]) -> None:
    try:
        answer = networks.answer(request)
    except FextError as error:
        write_error(answers, error)
    except Exception as error:  # noqa: BLE001 - told to the app, in full
        write_error(answers, _told(error))
    else:
        write_answer(answers, answer)


def _told(error: Exception) -> FextError:
    text = str(error)[:_MOST_CHARACTERS]
    if is_out_of_memory(error):
        return FextError(f"Out of memory. {text}".strip(), LESS_MEMORY)
    told = FextError(f"{type(error).__name__}: {text}", "Choose another picture or another checkpoint.")
    told.add_note("".join(traceback.format_exception(error)))
    return told


class _Origin(NamedTuple):
    """What a loaded network depends on: the state and its weights, the device, and the threads of a CPU."""

    state: Path
    fingerprint: str
    device: DeviceSettings
    threads: int


class Networks:
    """The network that was asked for last, and what it makes of pictures.

    Args:
        workspace: whose checkpoints are used.

    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._all_threads = torch.get_num_threads()
        self._loaded: tuple[_Origin, LoadedModel] | None = None

    def answer(self, request: Request) -> Answer:
        """Return what a request asks for; where the memory of a GPU does not hold it, the CPU computes it.

        Raises:
            FextError: there is no such checkpoint or device, the checkpoint is damaged, or the picture cannot be read.

        """
        try:
            return self._answer(request, request.device)
        except torch.OutOfMemoryError:
            self._loaded = None
        torch.cuda.empty_cache()
        return self._answer(request, on_cpu(request.device))

    def _answer(self, request: Request, device: DeviceSettings) -> Answer:
        model = self._load(request, device)
        picture = _load_picture(Path(request.path), model)
        if request.task == "vector":
            vector = model.sound(model.embed(picture[None], request.pooling))[0]
            return Answer({}, (vector.cpu().numpy(),))
        return _reconstruct(model, picture, request.checkpoint)

    def _load(self, request: Request, device: DeviceSettings) -> LoadedModel:
        threads = max(1, self._all_threads // 2) if request.is_beside_job else self._all_threads
        state = find_checkpoint(self._workspace, request.checkpoint)
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


if __name__ == "__main__":
    sys.exit(main())
