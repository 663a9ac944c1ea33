"""Pictures read from disk and brought to the size of their place on the screen; few of them are kept."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.images.decode import UnreadableImage, decode
from engine.images.resizing import resize
from fext_tui.drawing import Drawing, draw, pixels_of
from fext_tui.view import WHOLE, Place, View, Window

KEPT_BYTES = 48_000_000


@dataclass(frozen=True)
class Facts:
    """What reading told of a picture: width and height in pixels as it is seen, channels, size of the file."""

    width: int
    height: int
    channels: int
    bytes: int


@dataclass(frozen=True)
class _Reduced:
    facts: Facts
    pixels: NDArray[np.uint8]
    window: Window


class _Decoded(NamedTuple):
    file: tuple[object, ...]
    pixels: NDArray[np.uint8]


class Pictures:
    """Reads and draws pictures for any thread, one at a time; those read last are kept reduced, up to `KEPT_BYTES`.

    Of many wishes that come while one picture is read, those that are outdated by then cost nothing. A picture that is
    looked at in parts is kept whole, as long as it is the last.
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept: OrderedDict[tuple[object, ...], _Reduced] = OrderedDict()
        self._room = kept_bytes
        self._last: _Decoded | None = None
        self._reading = threading.Lock()

    def draw(
        self, path: Path, place: Place, wanted: Callable[[], bool], view: View = WHOLE, *, small: bool = False
    ) -> tuple[Facts, Drawing] | None:
        """Return facts and drawing of a picture; None where ``wanted`` says meanwhile that nobody wants it.

        A ``small`` one may be decoded at a part of its size, which is then what its facts tell.

        Raises:
            UnreadableImage: it cannot be read; with the reason.

        """
        try:
            status = path.stat()
        except OSError as error:
            raise UnreadableImage(error.strerror or str(error)) from error
        file = (path, status.st_mtime_ns, status.st_size)
        key = (file, place, view)
        with self._reading:
            if not wanted():
                return None
            try:
                reduced = self._recall(key) or self._keep(key, self._read(file, place, view, small=small))
            except MemoryError as error:
                raise UnreadableImage("too large for the memory that is free") from error
        window = reduced.window
        drawn = draw(reduced.pixels, place.kind, window.columns, window.rows) if wanted() else None
        return (reduced.facts, drawn) if drawn else None

    def _read(self, file: tuple[Path, int, int], place: Place, view: View, *, small: bool) -> _Reduced:
        path, _, size = file
        if self._last is None or self._last.file != file:
            box = pixels_of(place.kind, place.columns, place.rows, place.cell)
            self._last = _Decoded(file, decode(path, gray=False, wanted=box if small else None))
        pixels = self._last.pixels
        if view == WHOLE:
            self._last = None
        height, width, channels = pixels.shape
        window = view.window(width, height, place)
        part = pixels[window.top : window.top + window.height, window.left : window.left + window.width]
        reduced = resize(part, *pixels_of(place.kind, window.columns, window.rows, place.cell))
        return _Reduced(Facts(width, height, channels, size), reduced, window)

    def _recall(self, key: tuple[object, ...]) -> _Reduced | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def _keep(self, key: tuple[object, ...], reduced: _Reduced) -> _Reduced:
        self._kept[key] = reduced
        used = sum(kept.pixels.nbytes for kept in self._kept.values())
        while used > self._room and len(self._kept) > 1:
            used -= self._kept.popitem(last=False)[1].pixels.nbytes
        return reduced


def draw_pixels(pixels: NDArray[np.uint8], place: Place) -> Drawing:
    """Return the drawing of a picture (H, W, C) as large as fits into a place."""
    height, width, _ = pixels.shape
    window = WHOLE.window(width, height, place)
    reduced = resize(pixels, *pixels_of(place.kind, window.columns, window.rows, place.cell))
    return draw(reduced, place.kind, window.columns, window.rows)
