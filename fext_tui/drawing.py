"""Pictures as strips of character cells, made off the thread of the screen."""

import base64
import functools
import io
import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.segment import ControlType, Segment
from rich.style import Style
from textual.strip import Strip

from fext_tui.graphics import Cell, Kind

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]

_QUADRANTS = " ▘▝▖▗▀▌▚"
_PARTITIONS = np.array(
    [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]],
    dtype=np.float32,
)
"""Which of the pixels upper left, upper right, lower left and lower right each block shows in the front color."""
_NO_CONTROL = ((ControlType.CURSOR_FORWARD, 0),)
_KITTY_CHUNK = 4096
_KITTY_NUMBERS = itertools.count(random.randrange(1, 2**24 - 2**20))


@dataclass(frozen=True)
class Drawing:
    """A picture ready to be put on the screen.

    ``strips`` are its lines. ``sixels`` is what draws the picture over them, at their place, each time they are
    painted; ``upload`` is what the terminal must be sent once before, and ``removal`` what it is sent when the
    drawing is no longer needed. All but the strips are empty where they are not needed.
    """

    columns: int
    rows: int
    strips: tuple[Strip, ...]
    sixels: str = ""
    upload: str = ""
    removal: str = ""


def pixels_of(kind: Kind, columns: int, rows: int, cell: Cell) -> tuple[int, int]:
    """Return the height and width in pixels that a drawing of ``columns`` × ``rows`` cells can show."""
    match kind:
        case "quadrants":
            return 2 * rows, 2 * columns
        case "halves":
            return 2 * rows, columns
        case "shades":
            return rows, columns
        case _:
            return rows * cell.height, columns * cell.width


def draw(pixels: Pixels, kind: Kind, columns: int, rows: int) -> Drawing:
    """Return the drawing of a picture (H, W, 1 or 3), whose size is that of `pixels_of`."""
    color = pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
    match kind:
        case "quadrants":
            return Drawing(columns, rows, quadrant_blocks(color))
        case "halves":
            return Drawing(columns, rows, half_blocks(color))
        case "shades":
            return Drawing(columns, rows, _shades(color, columns, rows))
        case "sixel":
            return _sixel(color, columns, rows)
        case "kitty":
            return _kitty(color, columns, rows)


def half_blocks(pixels: Pixels) -> tuple[Strip, ...]:
    """Return a picture (2 × rows, columns, 3) as half blocks: two pixels a cell, one above the other."""
    code = _codes(pixels)
    upper, lower = code[0::2], code[1::2]
    return _block_strips(np.full(upper.shape, _QUADRANTS.index("▀")), upper, lower)


def quadrant_blocks(pixels: Pixels) -> tuple[Strip, ...]:
    """Return a picture (2 × rows, 2 × columns, 3) as quadrant blocks: four pixels a cell, in two colors.

    Of the ways to part four pixels in two groups, each cell takes the one whose two mean colors leave the least
    squared error; equal groups are told apart by nothing, so that a plain area stays one segment.
    """
    rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
    cells = pixels.reshape(rows, 2, columns, 2, 3).transpose(0, 2, 1, 3, 4).reshape(rows, columns, 4, 3)
    four = cells.astype(np.float32)
    inside = np.einsum("pi,rcik->prck", _PARTITIONS, four)
    outside = four.sum(axis=2) - inside
    many = _PARTITIONS.sum(axis=1)[:, None, None, None]
    explained = (inside**2 / np.maximum(many, 1) + outside**2 / (4 - many)).sum(axis=3)
    explained[0] += 1.0
    best = explained.argmax(axis=0)
    front = np.take_along_axis(inside / np.maximum(many, 1), best[None, ..., None], axis=0)[0]
    back = np.take_along_axis(outside / (4 - many), best[None, ..., None], axis=0)[0]
    return _block_strips(best, _codes(front.round()), _codes(back.round()))


def _codes(colors: NDArray[Any]) -> NDArray[np.int64]:
    """Return colors (..., 3) as one number each."""
    codes: NDArray[np.int64] = colors.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1], dtype=np.int64)
    return codes


def _block_strips(blocks: NDArray[Any], front: NDArray[np.int64], back: NDArray[np.int64]) -> tuple[Strip, ...]:
    """Return lines of blocks (rows, columns), by their place in `_QUADRANTS`, in two colors.

    Equal neighbors share a segment, and equal pairs of colors a style, which takes a third of the time of a segment a
    cell, as textual-image makes them, and sends less to the terminal.
    """
    style = functools.cache(_two_colors)
    pairs = (front << 24 | back) * len(_QUADRANTS) + blocks
    return tuple(_block_line(row, style) for row in pairs)


def _block_line(cells: NDArray[np.int64], style: Any) -> Strip:
    starts = np.concatenate(([0], np.flatnonzero(np.diff(cells)) + 1))
    lengths = np.diff(np.append(starts, len(cells))).tolist()
    segments = []
    for length, cell in zip(lengths, cells[starts].tolist(), strict=True):
        pair, block = divmod(cell, len(_QUADRANTS))
        segments.append(Segment(_QUADRANTS[block] * length, style(pair)))
    return Strip(segments, len(cells))


def _two_colors(pair: int) -> Style:
    return Style.from_color(_color(pair >> 24), _color(pair & 0xFFFFFF))


def _color(code: int) -> Color:
    triplet = ColorTriplet(code >> 16, code >> 8 & 255, code & 255)
    return Color(triplet.hex, ColorType.TRUECOLOR, triplet=triplet)


def _image(pixels: Pixels) -> "Image":
    import PIL.Image

    return PIL.Image.fromarray(np.ascontiguousarray(pixels))


def _lines(renderable: Any, columns: int) -> tuple[Strip, ...]:
    """Return the lines of one of textual-image's renderables, whose segments each end a line."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=columns)
    segments = renderable.__rich_console__(console, console.options)
    return tuple(Strip([Segment(segment.text.rstrip("\n"), segment.style)], columns) for segment in segments)


def _shades(pixels: Pixels, columns: int, rows: int) -> tuple[Strip, ...]:
    from textual_image.renderable import UnicodeImage

    return _lines(UnicodeImage(_image(pixels), columns, rows), columns)


def _sixel(pixels: Pixels, columns: int, rows: int) -> Drawing:
    from textual_image._sixel import image_to_sixels

    blank = tuple(Strip.blank(columns) for _ in range(rows))
    return Drawing(columns, rows, blank, sixels=image_to_sixels(_image(pixels)))


def sixel_segments(sixels: str, column: int, row: int) -> list[Segment]:
    """Return what draws sixels at a place of the screen (counted from 0) and leaves the cursor where it was."""
    return [Segment(f"\x1b7\x1b[{row + 1};{column + 1}H{sixels}\x1b8", None, _NO_CONTROL)]


def _kitty(pixels: Pixels, columns: int, rows: int) -> Drawing:
    """Return a picture as kitty's Unicode placeholders.

    Its number is the color of the placeholders. It is sent by the app's own driver, in turn with everything else:
    textual-image writes past it, into the middle of what another thread may be writing.
    """
    from textual_image.renderable import TGPImage

    image = TGPImage(_image(pixels), columns, rows)
    image.terminal_image_id = number = next(_KITTY_NUMBERS) % 2**24 or 1
    strips = _lines(image, columns)
    return Drawing(
        columns,
        rows,
        strips,
        upload=_kitty_upload(pixels, number, columns, rows),
        removal=f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\",
    )


def _kitty_upload(pixels: Pixels, number: int, columns: int, rows: int) -> str:
    """Return the messages that send a picture as PNG and make a virtual placement of it.

    Source: https://sw.kovidgoyal.net/kitty/graphics-protocol/, "Unicode placeholders".
    """
    png = io.BytesIO()
    _image(pixels).save(png, format="png", compress_level=2)
    data = base64.b64encode(png.getvalue()).decode("ascii")
    chunks = [data[start : start + _KITTY_CHUNK] for start in range(0, len(data), _KITTY_CHUNK)]
    head = f"a=T,U=1,f=100,i={number},c={columns},r={rows},q=2,"
    messages = [
        f"\x1b_G{head if not index else ''}m={int(index < len(chunks) - 1)};{chunk}\x1b\\"
        for index, chunk in enumerate(chunks)
    ]
    return "".join(messages)
