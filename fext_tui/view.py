"""Which part of a picture is shown, and how many cells it fills."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from fext_tui.graphics import Cell, Kind

MOST_CELLS = 297
"""kitty's placeholders tell their row and column by one of so many diacritics."""

_STEP = 1.5
_CLOSEST = 8
"""Columns that a pixel of a picture fills at most."""
_PAN = 0.25
"""The share of the part in view that a key moves it by."""
_ACROSS = {"quadrants": 2, "halves": 1, "shades": 1}
"""Pixels that a column of cells shows; with terminal graphics, all that it has."""


@dataclass(frozen=True)
class Place:
    """Where a picture goes: the cells it may fill, how it is drawn, and the size of a cell in pixels."""

    columns: int
    rows: int
    kind: Kind
    cell: Cell

    def scale(self, width: int, height: int) -> float:
        """Return how many pixels of the screen a pixel of a picture fills where all of the picture is shown."""
        return min(self.columns * self.cell.width / width, self.rows * self.cell.height / height)


class Window(NamedTuple):
    """A part of a picture, in its pixels, and the columns and rows of cells that it fills."""

    left: int
    top: int
    width: int
    height: int
    columns: int
    rows: int


@dataclass(frozen=True)
class View:
    """How a picture is looked at: how many times larger than where it fits, and which point of it, 0 to 1, is amid."""

    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5

    def window(self, width: int, height: int, place: Place) -> Window:
        """Return the part of a picture of this size in pixels that is seen in a place."""
        scale = place.scale(width, height) * self.zoom
        across, down = width * scale / place.cell.width, height * scale / place.cell.height
        columns, left, seen_width = _seen(across, min(place.columns, MOST_CELLS), width, self.x)
        rows, top, seen_height = _seen(down, min(place.rows, MOST_CELLS), height, self.y)
        return Window(left, top, seen_width, seen_height, columns, rows)

    def zoomed(self, steps: int, width: int, height: int, place: Place) -> "View":
        """Return it nearer by so many steps, or farther: from where all of the picture fits to the single pixels."""
        nearest = max(_CLOSEST * place.cell.width / place.scale(width, height), 1.0)
        return replace(self, zoom=min(max(self.zoom * _STEP**steps, 1.0), nearest))

    def actual(self, width: int, height: int, place: Place) -> "View":
        """Return it so that a pixel of the picture is one of those that the screen can show."""
        pixel = place.cell.width / _ACROSS.get(place.kind, place.cell.width)
        return replace(self, zoom=pixel / place.scale(width, height))

    def panned(self, right: int, down: int, width: int, height: int, place: Place) -> "View":
        """Return it moved by so many steps, not beyond the edges."""
        window = self.window(width, height, place)
        shares = window.width / width, window.height / height
        x, y = (
            min(max(at + _PAN * steps * share, share / 2), 1 - share / 2)
            for at, steps, share in zip((self.x, self.y), (right, down), shares, strict=True)
        )
        return replace(self, x=x, y=y)


WHOLE = View()


def _seen(cells: float, most: int, pixels: int, amid: float) -> tuple[int, int, int]:
    """Return along one side the cells that are filled, the first pixel that is seen, and the number of pixels."""
    filled = min(max(round(cells), 1), most)
    seen = pixels if cells <= filled + 0.5 else max(round(pixels * filled / cells), 1)
    return filled, min(max(round(amid * pixels - seen / 2), 0), pixels - seen), seen
