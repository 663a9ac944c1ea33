"""A process that reads image files in every way that the product does, and tells what each cost: time and memory.

``python -m tests.hostile.reader`` takes paths on standard input, one a line as JSON, and answers each with a line of
JSON. `Reader` is its other end: it kills a process that takes too long, and notices one that has died.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Told:
    """How reading a file ended in each of the ways, what it cost, and what was written to the terminal meanwhile.

    Attributes:
        endings: by way: ``read``, or why it was refused; one key, ``hang`` or ``crash``, where nothing was told.
        seconds: how long all ways took together.
        bytes: how much the most memory in use was above that in use before.
        written: what came to standard error.

    """

    endings: Mapping[str, str]
    seconds: float = 0.0
    bytes: int = 0
    written: str = ""


@dataclass
class Reader:
    """A process that reads files; another one takes its place when it was killed or has died."""

    errors: Path
    seconds: float = 120.0
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def read(self, path: Path) -> Told:
        """Return how reading a file ended."""
        process = self._process or self._begin()
        assert process.stdin
        assert process.stdout
        before = self.errors.stat().st_size
        process.stdin.write(json.dumps(os.fspath(path)).encode() + b"\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], self.seconds)[0]:
            self._end()
            return Told({"hang": f"no answer in {self.seconds:g} s"}, self.seconds)
        line = process.stdout.readline()
        if not line:
            code = self._end()
            return Told({"crash": signal.Signals(-code).name if code < 0 else f"exit status {code}"})
        written = self.errors.read_bytes()[before:].decode(errors="backslashreplace")
        return Told(**json.loads(line), written=written)

    def _begin(self) -> "subprocess.Popen[bytes]":
        with self.errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.hostile.reader"],
                cwd=CHECKOUT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        return self._process

    def _end(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout):
            assert stream
            stream.close()
        return process.wait()


def ways() -> dict[str, Callable[[Path], object]]:
    """Return how the product reads an image file: to analyze, to train on and to encode, and to show."""
    from engine.analysis.reading import Plan, read_image
    from engine.images.index import decode_all
    from engine.images.layout import Layout
    from engine.images.scan import ImageFile, Manifest
    from engine.report import QuietReport
    from engine.settings import METRIC_GROUPS
    from fext_tui.graphics import Cell
    from fext_tui.pictures import Pictures
    from fext_tui.view import Place

    plan = Plan(METRIC_GROUPS, Layout(32, 32, gray=False), 1)
    place = Place(40, 12, "quadrants", Cell(8, 16))

    def pack(path: Path) -> None:
        manifest = Manifest(path.parent, (ImageFile(path.name, 0, 0),))
        ((_, decoded),) = decode_all(manifest, plan.layout, 1, QuietReport(), "packing")
        if isinstance(decoded, Exception):
            raise decoded

    return {
        "analyzed": lambda path: read_image(path, plan),
        "packed": pack,
        "shown": lambda path: Pictures().draw(path, place, lambda: True),
    }


def _ending(way: Callable[[Path], object], path: Path) -> str:
    from engine.images.decode import UnreadableImage

    try:
        way(path)
    except UnreadableImage as error:
        return error.cause
    except Exception as error:  # noqa: BLE001  what else is raised is what is looked for
        return f"{type(error).__name__}: {error}"
    return "read"


def _peak() -> int:
    """Return the most memory in use since it was last asked, in bytes."""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main() -> None:
    """Answer every path."""
    every = ways()
    for line in sys.stdin.buffer:
        path = Path(json.loads(line))
        _peak()
        before, began = _peak(), time.monotonic()
        endings = {name: _ending(way, path) for name, way in every.items()}
        told: dict[str, Any] = {"endings": endings, "seconds": time.monotonic() - began, "bytes": _peak() - before}
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
