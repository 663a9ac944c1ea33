"""Pictures as character cells."""

import base64
import io
import re

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console
from textual.strip import Strip

from fext_tui.drawing import Pixels, draw, half_blocks, pixels_of, quadrant_blocks, sixel_segments
from fext_tui.graphics import Cell, Kind, import_renderables

CELL = Cell(10, 20)
SHAPES = {"▘": 0b1000, "▝": 0b0100, "▖": 0b0010, "▗": 0b0001, "▀": 0b1100, "▌": 0b1010, "▚": 0b1001, " ": 0}


@pytest.fixture(scope="module", autouse=True)
def _renderables() -> None:
    import_renderables()


def seen(strips: tuple[Strip, ...]) -> Pixels:
    """Return the pixels (2 × rows, 2 × columns, 3) that a person sees in lines of blocks."""
    picture = np.zeros((2 * len(strips), 2 * strips[0].cell_length, 3), np.uint8)
    for row, strip in enumerate(strips):
        column = 0
        for text, style, _ in strip:
            assert style is not None
            assert style.color is not None
            assert style.bgcolor is not None
            colors = (style.bgcolor.get_truecolor(), style.color.get_truecolor())
            for block in text:
                for place in range(4):
                    y, x = divmod(place, 2)
                    picture[2 * row + y, 2 * column + x] = colors[SHAPES[block] >> (3 - place) & 1]
                column += 1
    return picture


@given(arrays(np.uint8, st.tuples(st.integers(1, 4).map(lambda n: 2 * n), st.integers(1, 6), st.just(3))))
def test_half_blocks_show_every_pixel(pixels: Pixels) -> None:
    assert (seen(half_blocks(pixels))[:, ::2] == pixels).all()


@given(arrays(np.uint8, st.tuples(*[st.integers(1, 3).map(lambda n: 2 * n)] * 2, st.just(3))))
def test_quadrant_blocks_are_as_near_as_two_colors_can_be(pixels: Pixels) -> None:
    shown = seen(quadrant_blocks(pixels)).astype(float)
    for y in range(0, pixels.shape[0], 2):
        for x in range(0, pixels.shape[1], 2):
            four = pixels[y : y + 2, x : x + 2].reshape(4, 3).astype(float)
            error = np.square(four - shown[y : y + 2, x : x + 2].reshape(4, 3)).sum()
            assert error <= least_error(four) + 1 + 12 * 0.5**2, "one for plain areas, and rounding"


def least_error(four: np.ndarray) -> float:
    """Return the least squared error of four colors shown in two, by trying all ways to part them."""
    errors = []
    for part in range(16):
        inside = np.array([part >> place & 1 for place in range(4)], bool)
        groups = [four[chosen] for chosen in (inside, ~inside) if chosen.any()]
        errors.append(sum(np.square(group - group.mean(axis=0)).sum() for group in groups))
    return min(errors)


def test_a_plain_area_is_one_segment() -> None:
    for strips in (
        half_blocks(np.full((4, 30, 3), 200, np.uint8)),
        quadrant_blocks(np.full((4, 60, 3), 200, np.uint8)),
    ):
        assert [len(list(strip)) for strip in strips] == [1, 1]
        assert [strip.cell_length for strip in strips] == [30, 30]


@pytest.mark.parametrize("kind", ["quadrants", "halves", "shades", "sixel", "kitty"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_fills_its_cells(kind: Kind, channels: int) -> None:
    height, width = pixels_of(kind, 12, 5, CELL)
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)
    drawing = draw(pixels, kind, 12, 5)
    assert [strip.cell_length for strip in drawing.strips] == [12] * 5
    assert [len(strip.text) >= 12 for strip in drawing.strips] == [True] * 5


def test_shades_use_no_color_and_more_ink_where_it_is_brighter() -> None:
    ramp = np.repeat(np.linspace(0, 255, 10, dtype=np.uint8)[None, :, None], 2, axis=0)
    drawing = draw(ramp, "shades", 10, 2)
    assert drawing.strips[0].text == "  ░░▒▒▓▓██"
    assert all(style is None or style.color is None for _, style, _ in drawing.strips[0])


def test_kitty_is_sent_the_picture_and_its_placement_in_one() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (100, 120, 3), np.uint8)
    drawing = draw(pixels, "kitty", 12, 5)
    messages = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", drawing.upload)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in messages) == drawing.upload
    first = dict(pair.split("=") for pair in messages[0][0].split(","))
    assert (first["a"], first["U"], first["f"], first["c"], first["r"]) == ("T", "1", "100", "12", "5")
    assert [dict(pair.split("=") for pair in keys.split(","))["m"] for keys, _ in messages] == ["1"] * (
        len(messages) - 1
    ) + ["0"]
    png = base64.b64decode("".join(data for _, data in messages))
    assert (np.asarray(PIL.Image.open(io.BytesIO(png))) == pixels).all()
    colors = {style.color.get_truecolor() for strip in drawing.strips for _, style, _ in strip if style and style.color}
    assert colors == {tuple(int(first["i"]).to_bytes(3, "big"))}
    assert f"i={first['i']}," in drawing.removal


def test_two_kitty_pictures_have_two_numbers() -> None:
    pixels = np.zeros((20, 20, 3), np.uint8)
    assert draw(pixels, "kitty", 2, 1).removal != draw(pixels, "kitty", 2, 1).removal


def test_sixels_are_drawn_at_their_place_and_leave_the_cursor() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (40, 30, 3), np.uint8)
    drawing = draw(pixels, "sixel", 3, 2)
    assert drawing.sixels.startswith("\x1bP")
    assert '"1;1;30;40' in drawing.sixels
    strip = Strip([*drawing.strips[-1], *sixel_segments(drawing.sixels, 7, 4)], 3)
    written = strip.render(Console(color_system="truecolor"))
    assert written.endswith(f"\x1b7\x1b[5;8H{drawing.sixels}\x1b8")
    assert sum(segment.cell_length for segment in strip) == 3
