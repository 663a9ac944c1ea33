"""Pictures read from disk and brought to the size of their place on the screen; few of them are kept."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.images.decode import UnreadableImage, decode
from engine.images.resizing import resize
from fext_tui.drawing import Drawing, draw, fit, pixels_of
from fext_tui.graphics import Cell, Kind

KEPT_BYTES = 48_000_000


@dataclass(frozen=True)
class Place:
    """Where a picture goes: the cells it may fill, how it is drawn, and the size of a cell in pixels."""

    columns: int
    rows: int
    kind: Kind
    cell: Cell


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
    columns: int
    rows: int


class Pictures:
    """Reads and draws pictures for any thread, one at a time; those read last are kept reduced, up to `KEPT_BYTES`.

    Of many wishes that come while one picture is read, those that are outdated by then cost nothing.
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept: OrderedDict[tuple[object, ...], _Reduced] = OrderedDict()
        self._room = kept_bytes
        self._reading = threading.Lock()

    def draw(self, path: Path, place: Place, wanted: Callable[[], bool]) -> tuple[Facts, Drawing] | None:
        """Return facts and drawing of a picture; None where ``wanted`` says meanwhile that nobody wants it.

        Raises:
            UnreadableImage: it cannot be read; with the reason.

        """
        try:
            file = path.stat()
        except OSError as error:
            raise UnreadableImage(error.strerror or str(error)) from error
        key = (path, file.st_mtime_ns, file.st_size, place)
        with self._reading:
            if not wanted():
                return None
            reduced = self._recall(key) or self._keep(key, _read(path, file.st_size, place))
        return (reduced.facts, draw(reduced.pixels, place.kind, reduced.columns, reduced.rows)) if wanted() else None

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


def _read(path: Path, size: int, place: Place) -> _Reduced:
    pixels = decode(path, gray=False)
    height, width, channels = pixels.shape
    columns, rows = fit(width, height, place.columns, place.rows, place.cell)
    reduced = resize(pixels, *pixels_of(place.kind, columns, rows, place.cell))
    return _Reduced(Facts(width, height, channels, size), reduced, columns, rows)
