"""The app's side of the inference: starts the child when it is needed, asks it, and ends it."""

import io
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from engine.errors import FextError
from engine.inference.protocol import LESS_MEMORY, Answer, Request, on_cpu, read_answer
from engine.jobs.care import is_alive
from engine.jobs.death import cause_of_exit, count_out_of_memory_kills, last_lines
from engine.jobs.process import command_of
from engine.jobs.tasks import blocked_by
from engine.records import Records
from engine.settings import DeviceSettings, Pooling
from engine.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ANSWER_SECONDS = 120.0
"""How long an answer is waited for; the first one loads libraries and network."""

IDLE_SECONDS = 600.0
"""A child that is asked nothing for so long ends, and gives its memory back."""

_AGAIN = "Try again: it is started anew."

_LOOK_SECONDS = 0.1
"""How often it is asked, while waiting, whether the answer is still wanted."""


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What a network makes of one picture, at the network's size.

    Attributes:
        original: the picture as the network sees it, (H, W, C).
        restored: its reconstruction as a person sees it, (H, W, C): clamped and rounded to 8 bits.
        mae: mean absolute error on the scale [0, 1].
        psnr: peak signal-to-noise ratio in dB.
        ssim: structural similarity.
        checkpoint: whose network it is.
        device: what computed it.

    """

    original: "NDArray[np.uint8]"
    restored: "NDArray[np.uint8]"
    mae: float
    psnr: float
    ssim: float
    checkpoint: str
    device: str

    @property
    def error_limit(self) -> float:
        """The error of a pixel, in [0, 1], that has the last color of the `error_map`; larger ones have it too."""
        from engine.error_colors import MOST_ERROR

        return MOST_ERROR


def error_map(found: Reconstruction) -> "NDArray[np.uint8]":
    """Return colors (H, W, 3) of the error of each pixel, the same as in the figures of an evaluation."""
    from engine.error_colors import error_map as colored

    return colored(found.original, found.restored)


def always() -> bool:
    """Return that the answer is wanted."""
    return True


class Inference:
    """What single pictures are asked for, from any thread; the child is asked one thing at a time.

    It computes where ``device`` says, but leaves a GPU that a job runs on alone, and beside a job takes half the cores.
    Where nobody wants an answer any more, nobody is kept waiting for it.

    Args:
        workspace: whose checkpoints are used.
        device: tells where to compute; asked anew for each picture.

    """

    def __init__(self, workspace: Workspace, device: Callable[[], DeviceSettings] = DeviceSettings) -> None:
        self._workspace = workspace
        self._device = device
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._is_closed = False

    def reconstruct(self, checkpoint: str, path: Path, wanted: Callable[[], bool] = always) -> Reconstruction | None:
        """Return what the network of a checkpoint makes of a picture; None where ``wanted`` says no meanwhile.

        Raises:
            FextError: there is no such checkpoint or device, the checkpoint is damaged, the picture cannot be read,
                memory runs out, or the child crashes, is killed or does not answer in time.

        """
        answer = self._ask(self._request("reconstruct", checkpoint, path), wanted)
        if answer is None:
            return None
        original, restored = answer.arrays
        return Reconstruction(original, restored, **answer.facts)

    def vector(
        self, checkpoint: str, path: Path, wanted: Callable[[], bool] = always, *, pooling: Pooling = "auto"
    ) -> "NDArray[np.float32] | None":
        """Return the vector (D,) of a picture, the same as an encoding's; None where ``wanted`` says no meanwhile.

        Raises:
            FextError: as `reconstruct`; or whitened vectors are asked of a network without the statistics.

        """
        answer = self._ask(replace(self._request("vector", checkpoint, path), pooling=pooling), wanted)
        return None if answer is None else answer.arrays[0]

    def close(self) -> None:
        """End the child; from now on nobody wants anything."""
        self._is_closed = True
        if (child := self._child) is not None:
            child.kill()
        with self._lock:
            if self._child is not None:
                self._child.end()

    def _request(self, task: Literal["reconstruct", "vector"], checkpoint: str, path: Path) -> Request:
        device = self._device()
        with Records(self._workspace) as records:
            lanes = {job.lane for job in records.jobs("running") if is_alive(job)}
        if f"gpu:{device.id}" in blocked_by(lanes):
            device = on_cpu(device)
        return Request(task, checkpoint, str(path.absolute()), device, is_beside_job=bool(lanes))

    def _ask(self, request: Request, wanted: Callable[[], bool]) -> Answer | None:
        """Return the answer to a request; None where it is not wanted any more.

        Raises:
            FextError: that is what came of it.

        """

        def still_wanted() -> bool:
            return not self._is_closed and wanted()

        while not self._lock.acquire(timeout=_LOOK_SECONDS):
            if not still_wanted():
                return None
        try:
            return self._ask_child(request, still_wanted)
        finally:
            self._lock.release()

    def _ask_child(self, request: Request, wanted: Callable[[], bool]) -> Answer | None:
        while wanted():
            child = self._child_for(request.device)
            if child.is_asked:  # by somebody who did not wait for the answer
                child.receive(wanted)
                continue
            if not child.ask(request):
                continue
            answer = child.receive(wanted)
            if isinstance(answer, Answer):
                return answer
            if answer is not None and not child.has_rested and wanted():
                raise answer
        return None

    def _child_for(self, device: DeviceSettings) -> "_Child":
        """Return the child, another one where it has ended, or may hold memory of a GPU that it is not to use."""
        if self._child is not None and (self._child.is_over or (self._child.may_hold_gpu and device.kind == "cpu")):
            self._child.end()
            self._child = None
        if self._child is None:
            self._child = _start(self._workspace)
        return self._child


def _start(workspace: Workspace) -> "_Child":
    try:
        return _Child(workspace)
    except OSError as error:
        raise FextError(
            f"The process that looks at pictures cannot be started: {error.strerror or error}.",
            "Make room (memory, processes, temporary files), then try again.",
        ) from error


class _Child:
    """The child process. One thread at a time asks and ends it; a thread of its own takes its answers.

    Attributes:
        is_asked: an answer is still to come.
        is_over: it has ended, or was ended.
        has_rested: it ended of itself, because nobody had asked it anything for long.
        may_hold_gpu: it was asked to compute where a GPU may be.

    Raises:
        OSError: it cannot be started.

    """

    def __init__(self, workspace: Workspace) -> None:
        self.is_asked = self.is_over = self.has_rested = self.may_hold_gpu = False
        self._due = 0.0
        self._answers: queue.SimpleQueue[Answer | FextError] = queue.SimpleQueue()
        self._kills = count_out_of_memory_kills()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed when its end is told
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, without a shell
            command_of("engine.inference.child", ["--idle", str(IDLE_SECONDS), str(workspace.root)]),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd="/",
            start_new_session=True,
        )
        threading.Thread(target=self._take_answers, name="inference answers", daemon=True).start()

    def ask(self, request: Request) -> bool:
        """Send a request, whose answer is then to be received; return False where the child has ended before."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(request.to_line())
        except BrokenPipeError:
            self.is_over = True
            return False
        self.is_asked = True
        self.may_hold_gpu |= request.device.kind != "cpu"
        self._due = time.monotonic() + ANSWER_SECONDS
        return True

    def receive(self, wanted: Callable[[], bool]) -> Answer | FextError | None:
        """Return what came of the request; None where nobody wants it any more, and it is still to come.

        A child that does not answer in time is ended.
        """
        while wanted():
            try:
                answer = self._answers.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                if time.monotonic() < self._due:
                    continue
                self.end()
                answer = FextError(f"There was no answer about the picture in {ANSWER_SECONDS:g} s.", _AGAIN)
            self.is_asked = False
            return answer
        return None

    def end(self) -> None:
        """End it, without waiting until it is gone."""
        self.is_over = True
        self.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill(self) -> None:
        """Kill it, from any thread; whoever waits for an answer hears of it."""
        self._process.kill()

    def _take_answers(self) -> None:
        """Take answers until it ends, and then the reason."""
        assert self._process.stdout is not None
        with io.BufferedReader(cast("io.FileIO", self._process.stdout)) as stream:
            while (answer := read_answer(stream)) is not None:
                self._answers.put(answer)
        code = self._process.wait()
        self.has_rested = code == 0
        self.is_over = True
        self._answers.put(self._reason(code))

    def _reason(self, code: int) -> FextError:
        ran_out = count_out_of_memory_kills() > self._kills
        error = FextError(cause_of_exit("inference", code, out_of_memory=ran_out), LESS_MEMORY if ran_out else _AGAIN)
        with self._errors:
            if printed := last_lines(self._errors):
                error.add_note(printed)
        return error
