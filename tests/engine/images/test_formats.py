"""What a file is and whether it is whole: every cut is noticed, and hostile headers end in a reason, not a crash."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.images.formats import DamagedError, check_jpeg, check_png, format_of, orientation_of


def encoded(kind: str, picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def noise(height: int = 24, width: int = 40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_formats_are_known_by_their_first_bytes(kind: str) -> None:
    assert format_of(encoded(kind, noise())[:16]) == kind


@pytest.mark.parametrize("head", [b"", b"\xff", b"hello, this is text", b"\x00" * 16, b"RIFF\x00\x00\x00\x00WAVEfmt "])
def test_other_bytes_are_no_image(head: bytes) -> None:
    assert format_of(head[:16]) == ""


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 1}])
def test_jpeg_facts(options: dict[str, object]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    facts = check_jpeg(encoded("JPEG", noise(), exif=exif, **options))
    assert (facts.height, facts.width, facts.components, facts.orientation) == (24, 40, 3, 6)


def test_what_follows_the_end_of_a_jpeg_does_not_matter() -> None:
    assert check_jpeg(encoded("JPEG", noise()) + b"more\xff\xda").width == 40


@given(st.data())
def test_a_cut_jpeg_is_truncated_wherever_it_is_cut(data: st.DataObject) -> None:
    whole = encoded("JPEG", noise(), progressive=data.draw(st.booleans()))
    cut = data.draw(st.integers(3, len(whole) - 1))
    with pytest.raises(DamagedError, match="truncated"):
        check_jpeg(whole[:cut])


def test_a_thumbnail_is_not_taken_for_the_end() -> None:
    whole = encoded("JPEG", noise())
    thumbnail = encoded("JPEG", noise(8, 8))
    segment = b"Exif\0\0" + thumbnail
    with_thumbnail = whole[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + whole[2:]
    assert check_jpeg(with_thumbnail).width == 40
    with pytest.raises(DamagedError, match="truncated"):
        check_jpeg(with_thumbnail[:-40])


@given(st.data())
def test_a_cut_png_is_truncated_wherever_it_is_cut(data: st.DataObject) -> None:
    whole = encoded("PNG", noise())
    with pytest.raises(DamagedError, match="truncated"):
        check_png(whole[: data.draw(st.integers(8, len(whole) - 1))])


def test_a_flipped_bit_in_a_png_is_noticed() -> None:
    whole = bytearray(encoded("PNG", noise()))
    check_png(bytes(whole))
    whole[len(whole) // 2] ^= 4
    with pytest.raises(DamagedError, match="checksum"):
        check_png(bytes(whole))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_in_both_byte_orders(order: str, orientation: int) -> None:
    start = b"II*\0" if order == "<" else b"MM\0*"
    entries = struct.pack(f"{order}HHIHH", 0x0100, 3, 1, 7, 0) + struct.pack(
        f"{order}HHIHH", 0x0112, 3, 1, orientation, 0
    )
    tiff = start + struct.pack(f"{order}IH", 8, 2) + entries
    assert orientation_of(b"Exif\0\0" + tiff) == orientation
    assert orientation_of(tiff) == orientation


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientations_that_mean_nothing_are_upright(value: int) -> None:
    tiff = b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, value, 0)
    assert orientation_of(tiff) == 1


@given(st.binary(max_size=200))
def test_any_bytes_have_an_orientation(junk: bytes) -> None:
    assert 1 <= orientation_of(b"II*\0" + junk) <= 8


@given(st.binary(max_size=400))
def test_any_bytes_after_a_jpeg_start_give_facts_or_a_reason(junk: bytes) -> None:
    try:
        facts = check_jpeg(b"\xff\xd8\xff" + junk)
    except DamagedError as error:
        assert str(error)
    else:
        assert facts.height > 0
