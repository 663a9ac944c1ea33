"""What the app and its inference child say to one another, in pipes.

A request is a line of JSON. An answer is a line of JSON, and behind it the bytes of the arrays that the line tells of.
JSON escapes whatever is no ASCII, so that line breaks and broken UTF-8 in names of files pass.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from engine.errors import FextError
from engine.settings import DeviceSettings, Pooling

if TYPE_CHECKING:
    from numpy.typing import NDArray

LESS_MEMORY = "Try again when less runs on this machine, or choose a lighter checkpoint."


@dataclass(frozen=True)
class Request:
    """What is to be done with one picture.

    Attributes:
        task: what is wanted of it.
        checkpoint: ``NAME`` or ``NAME/TAG``.
        path: the picture's file.
        device: where to compute.
        is_beside_job: a job runs on this machine, and is not to be starved of processors.
        pooling: how the latent becomes a vector, where that is the task.

    """

    task: Literal["reconstruct", "vector"]
    checkpoint: str
    path: str
    device: DeviceSettings
    is_beside_job: bool
    pooling: Pooling = "auto"

    def to_line(self) -> bytes:
        """Return the line that stands for it."""
        return _line(vars(self) | {"device": self.device.model_dump()})

    @classmethod
    def of_line(cls, line: bytes) -> Self:
        """Return what a line of `to_line` stands for."""
        values = json.loads(line)
        return cls(**values | {"device": DeviceSettings(**values["device"])})


@dataclass(frozen=True)
class Answer:
    """What came of a request: some facts, and arrays."""

    facts: Mapping[str, Any]
    arrays: "tuple[NDArray[Any], ...]"


def on_cpu(settings: DeviceSettings) -> DeviceSettings:
    """Return the settings that compute the same on the CPU, which knows no float16."""
    precision = "auto" if settings.precision == "float16" else settings.precision
    return settings.model_copy(update={"kind": "cpu", "precision": precision})


def write_answer(stream: IO[bytes], answer: Answer) -> None:
    """Write an answer to the stream."""
    import numpy as np

    arrays = [(array.dtype.str, array.shape) for array in answer.arrays]
    stream.write(_line({"facts": answer.facts, "arrays": arrays}))
    for array in answer.arrays:
        stream.write(np.ascontiguousarray(array).data)
    stream.flush()


def write_error(stream: IO[bytes], error: FextError) -> None:
    """Write an error with its notes to the stream, in place of an answer."""
    notes = getattr(error, "__notes__", [])
    stream.write(_line({"error": {"cause": error.cause, "remedy": error.remedy, "notes": notes}}))
    stream.flush()


def read_answer(stream: IO[bytes]) -> Answer | FextError | None:
    """Return the next answer, or the error in its place; None where the stream ends before it is whole."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    if "error" in head:
        return _error(**head["error"])
    arrays = tuple(_read_array(stream, *kind) for kind in head["arrays"])
    whole = tuple(array for array in arrays if array is not None)
    return Answer(head["facts"], whole) if len(whole) == len(arrays) else None


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode("ascii") + b"\n"


def _error(cause: str, remedy: str, notes: list[str]) -> FextError:
    error = FextError(cause, remedy)
    for note in notes:
        error.add_note(note)
    return error


def _read_array(stream: IO[bytes], kind: str, shape: list[int]) -> "NDArray[Any] | None":
    """Return an array whose bytes come next, which cannot be changed; None where the stream ends within."""
    import math

    import numpy as np

    dtype: np.dtype[Any] = np.dtype(kind)
    size = math.prod(shape) * dtype.itemsize
    content = stream.read(size)
    return np.frombuffer(content, dtype).reshape(shape) if len(content) == size else None
