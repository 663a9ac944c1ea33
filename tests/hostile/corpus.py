"""Hostile image files, drawn from a seed: cut, flipped, lying, exploding, odd, or odd only in what they are called.

`quick` yields some hundreds of them, `thorough` thousands; both the same ones for the same seed.
"""

import io
import os
import random
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

Ending = Literal["read", "refused", "either"]

EXTENSIONS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif", "GIF": ".gif"}
_PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Sample:
    """A file: what is wrong with it, its name, its bytes, and how reading it must end."""

    fault: str
    name: str
    data: bytes
    ends: Ending = "either"


def quick(seed: int = 0) -> Iterator[Sample]:
    """Yield some hundred files: of each kind some, and all that are odd or explode."""
    yield from _odd()
    yield from bombs()
    yield from _names()
    yield from _spread(_cut(step=0), 80)
    yield from _spread(_lying(), 80)
    yield from flipped(seed, 4)


def thorough(seed: int = 0, flips: int = 60) -> Iterator[Sample]:
    """Yield some thousand files, the quick ones among them; with more ``flips``, so many damaged ones of each kind."""
    yield from _odd()
    yield from bombs()
    yield from large()
    yield from _names()
    yield from _cut(step=23)
    yield from _lying()
    yield from flipped(seed, flips)


def _spread(samples: Iterable[Sample], count: int) -> list[Sample]:
    """Return about so many of the samples, evenly spread."""
    every = list(samples)
    return every[:: max(1, len(every) // count)]


# --- Sound files ------------------------------------------------------------------------------------------------


def picture(height: int = 33, width: int = 46) -> Image.Image:
    """Return a picture with slopes, edges and some noise."""
    y, x = np.mgrid[0:height, 0:width]
    levels = np.stack([x * 255 // width, y * 255 // height, (x // 8 + y // 8) % 2 * 160 + 30], 2)
    noise = np.random.default_rng(2).integers(0, 20, levels.shape)
    return Image.fromarray((levels * 235 // 255 + noise).astype(np.uint8))


def encoded(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    """Return a picture as a file of one kind."""
    file = io.BytesIO()
    (image or picture()).save(file, kind, **options)
    return file.getvalue()


@cache
def sound() -> Mapping[str, tuple[str, bytes]]:
    """Return sound files by name, each with its kind: what the damaged ones are made of."""
    image = picture()
    glass = image.convert("RGBA")
    glass.putalpha(Image.linear_gradient("L").resize(image.size))
    return {
        "baseline": ("JPEG", encoded("JPEG", quality=80)),
        "progressive": ("JPEG", encoded("JPEG", progressive=True, exif=_exif(6), icc_profile=_icc())),
        "restarts": ("JPEG", encoded("JPEG", image.convert("L"), restart_marker_blocks=2)),
        "ink": ("JPEG", encoded("JPEG", image.convert("CMYK"))),
        "color": ("PNG", encoded("PNG", exif=_exif(3))),
        "glass": ("PNG", encoded("PNG", glass, icc_profile=_icc())),
        "palette": ("PNG", encoded("PNG", image.quantize(17), transparency=b"\x00\x80\xff")),
        "deep": ("PNG", encoded("PNG", Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257))),
        "lossy": ("WEBP", encoded("WEBP", exif=_exif(8), icc_profile=_icc())),
        "lossless": ("WEBP", encoded("WEBP", glass, lossless=True)),
        "moving": ("WEBP", encoded("WEBP", save_all=True, append_images=[glass, image], duration=40)),
        "plain": ("BMP", encoded("BMP")),
        "indexed": ("BMP", encoded("BMP", image.quantize(200))),
        "runs": ("BMP", _run_length_bmp(46, 33, b"\x0a\x05\x24\x09\x00\x00" * 33 + b"\x00\x01")),
        "strips": ("TIFF", encoded("TIFF")),
        "lzw": ("TIFF", encoded("TIFF", compression="tiff_lzw")),
        "deflate": ("TIFF", encoded("TIFF", glass, compression="tiff_adobe_deflate")),
        "fax": ("TIFF", encoded("TIFF", image.convert("1"), compression="group4")),
        "inner-jpeg": ("TIFF", encoded("TIFF", compression="jpeg")),
        "floats": ("TIFF", encoded("TIFF", image.convert("F"))),
        "animation": ("GIF", encoded("GIF", save_all=True, append_images=[glass, image], duration=40)),
    }


def _exif(orientation: int, *, camera: str = "") -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if camera:
        exif[0x010F] = camera
    return exif


@cache
def _icc() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


# --- Cut at every mark ------------------------------------------------------------------------------------------


def _cut(step: int) -> Iterator[Sample]:
    """Yield every sound file cut at each of its marks and beside it; with a ``step`` also after each so many bytes."""
    for name, (kind, data) in sound().items():
        places = {place + shift for place in _marks(kind, data) for shift in (-1, 0, 1)}
        places |= {1, 2, 4, 8, 16, 30, len(data) // 2, len(data) - 1}
        places |= set(range(step, len(data), step)) if step else set()
        for place in sorted(place for place in places if 0 <= place < len(data)):
            ends: Ending = "refused" if kind in {"JPEG", "PNG", "WEBP", "GIF"} or place < len(data) // 2 else "either"
            yield Sample("cut", f"cut-{name}-{place:05d}{EXTENSIONS[kind]}", data[:place], ends)


def _marks(kind: str, data: bytes) -> Iterator[int]:
    """Yield where the parts of a file begin."""
    if kind == "JPEG":
        yield from (at for at in range(len(data) - 1) if data[at] == 0xFF and data[at + 1] not in {0x00, 0xFF})
    elif kind == "PNG":
        yield from (at for at, _, _ in png_chunks(data))
    elif kind == "WEBP":
        at = 12
        while at + 8 <= len(data):
            yield at
            at += 8 + (int.from_bytes(data[at + 4 : at + 8], "little") + 1 & ~1)
    elif kind == "TIFF":
        directory = int.from_bytes(data[4:8], "little")
        yield from (directory + 2 + 12 * entry for entry in range(int.from_bytes(data[directory:][:2], "little") + 1))
    elif kind == "BMP":
        yield from (14, 18, 22, 28, 30, 34, 46, 54, int.from_bytes(data[10:14], "little"))
    else:
        yield from (at for at in range(len(data)) if data[at] in b"!,;")


def png_chunks(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield place, kind and content of each chunk of a PNG file."""
    at = len(_PNG_START)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield at, data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


# --- Lengths and sizes that lie ---------------------------------------------------------------------------------


def _lying() -> Iterator[Sample]:
    """Yield every sound file with other values in each of its fields of lengths, sizes, counts and offsets."""
    for name, (kind, data) in sound().items():
        fields = list(_FIELDS[kind](data))
        for at, size, order in fields:
            told = int.from_bytes(data[at : at + size], order)
            most = 2 ** (8 * size) - 1
            for value in sorted({0, 1, told + 1 & most, told - 1 & most, told * 3 & most, most // 2, most} - {told}):
                lie = data[:at] + value.to_bytes(size, order) + data[at + size :]
                lie = _signed(lie) if kind == "PNG" else lie
                yield Sample("lying", f"lie-{name}-{at:05d}-{value:x}{EXTENSIONS[kind]}", lie)


_Field = tuple[int, int, Literal["little", "big"]]


def _jpeg_fields(data: bytes) -> Iterator[_Field]:
    at = 2
    while at + 4 < len(data) and data[at] == 0xFF:
        yield at + 2, 2, "big"
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] != 0xC4:
            yield from ((at + 4, 1, "big"), (at + 5, 2, "big"), (at + 7, 2, "big"), (at + 9, 1, "big"))
        if data[at + 1] == 0xDA:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _png_fields(data: bytes) -> Iterator[_Field]:
    yield from ((16, 4, "big"), (20, 4, "big"), (24, 1, "big"), (25, 1, "big"), (28, 1, "big"))
    yield from ((at, 4, "big") for at, _, _ in png_chunks(data))


def _webp_fields(data: bytes) -> Iterator[_Field]:
    yield 4, 4, "little"
    for at in _marks("WEBP", data):
        yield at + 4, 4, "little"
        yield from ((at + place, 2, "little") for place in (8, 12, 15))


def _tiff_fields(data: bytes) -> Iterator[_Field]:
    yield 4, 4, "little"
    directory = int.from_bytes(data[4:8], "little")
    yield directory, 2, "little"
    for entry in list(_marks("TIFF", data))[:-1]:
        yield from ((entry + 2, 2, "little"), (entry + 4, 4, "little"), (entry + 8, 4, "little"))


def _bmp_fields(_: bytes) -> Iterator[_Field]:
    yield from ((at, 4, "little") for at in (2, 10, 14, 18, 22, 30, 34, 46))
    yield from ((at, 2, "little") for at in (26, 28))


def _gif_fields(_: bytes) -> Iterator[_Field]:
    yield from ((6, 2, "little"), (8, 2, "little"), (10, 1, "little"))


_FIELDS: dict[str, Callable[[bytes], Iterator[_Field]]] = {
    "JPEG": _jpeg_fields,
    "PNG": _png_fields,
    "WEBP": _webp_fields,
    "TIFF": _tiff_fields,
    "BMP": _bmp_fields,
    "GIF": _gif_fields,
}


def _signed(data: bytes) -> bytes:
    """Return a PNG file whose chunks have the checksums that they should, so that what they say is believed."""
    parts = [data[: len(_PNG_START)]]
    end = len(_PNG_START)
    for at, kind, content in png_chunks(data):
        if at + 12 + len(content) > len(data):
            break
        parts.append(chunk(kind, content))
        end = at + 12 + len(content)
    return b"".join(parts) + data[end:]


# --- Bits that flipped ------------------------------------------------------------------------------------------


def flipped(seed: int, count: int) -> Iterator[Sample]:
    """Yield every sound file so many times with some of its bits flipped, half of them in its first bytes."""
    drawn = random.Random(seed)
    for name, (kind, data) in sound().items():
        for number in range(count):
            damaged = bytearray(data)
            reach = len(data) if number % 2 else min(len(data), 200)
            for _ in range(drawn.choice((1, 1, 2, 5, 20))):
                damaged[drawn.randrange(reach)] ^= 1 << drawn.randrange(8)
            whole = _signed(bytes(damaged)) if kind == "PNG" and number % 3 else bytes(damaged)
            yield Sample("flipped bits", f"flip-{name}-{seed}-{number:04d}{EXTENSIONS[kind]}", whole)


# --- Bombs ------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes, bits: int = 8, color: int = 2, interlaced: int = 0) -> bytes:
    """Return a PNG file that says it is this large, with these chunks between its header and its end."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced))
    return _PNG_START + header + b"".join(chunks) + chunk(b"IEND", b"")


@cache
def _zeros(count: int) -> bytes:
    """Return so many zeros, deflated without holding them."""
    deflate = zlib.compressobj(1)
    parts = [deflate.compress(bytes(min(2**20, count - done))) for done in range(0, count, 2**20)]
    return b"".join(parts) + deflate.flush()


def bombs() -> Iterator[Sample]:
    """Yield small files that ask for much: memory, time, or both."""
    for name, data, ends in (*_png_bombs(), *_jpeg_bombs(), *_tiff_bombs(), *_other_bombs()):
        yield Sample("bomb", f"bomb-{name}", data, ends)


_Bomb = tuple[str, bytes, Ending]


def _png_bombs() -> Iterator[_Bomb]:
    small = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    for width, height in ((60_000, 60_000), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1), (0, 5), (2**32 - 1, 2)):
        yield f"declared-{width}x{height}.png", png(width, height, small), "refused"
    yield "beyond-14000x14000.png", png(14_000, 14_000, chunk(b"IDAT", _zeros(2**28))), "refused"
    yield "more-than-it-holds.png", png(4, 4, chunk(b"IDAT", _zeros(2**28))), "either"
    dot = chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
    for kind, head in ((b"zTXt", b"a\0\0"), (b"iCCP", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0")):
        yield f"{kind.decode()}.png", png(1, 1, chunk(kind, head + _zeros(2**28)), dot), "either"
    texts = [chunk(b"zTXt", b"k%d\0\0" % number + _zeros(2**20 - 1)) for number in range(200)]
    yield "many-texts.png", png(1, 1, *texts, dot), "either"
    yield "many-chunks.png", png(1, 1, *[chunk(b"teSt", b"")] * 200_000, dot), "either"
    yield "many-frames.png", png(1, 1, chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)), dot), "either"


def _jpeg_bombs() -> Iterator[_Bomb]:
    for name in ("baseline", "progressive", "ink"):
        data = bytearray(sound()[name][1])
        for width, height in ((60_000, 60_000), (65_500, 2_700)):
            yield f"{name}-{width}x{height}.jpg", _jpeg_sized(data, width, height), "refused"
    yield "many-scans.jpg", _scans(9_000, 9_000, 2_000), "refused"
    yield "many-tables.jpg", _repeated(0xDB, 20_000), "either"
    yield "many-exif.jpg", _repeated(0xE1, 20_000), "either"


def _jpeg_sized(data: bytes, width: int, height: int) -> bytes:
    """Return a JPEG file that says it is this large."""
    sized = bytearray(data)
    frame = next(at for at in range(len(data)) if data[at] == 0xFF and data[at + 1] in {0xC0, 0xC2})
    sized[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(sized)


def _scans(width: int, height: int, count: int) -> bytes:
    """Return a progressive JPEG file with so many scans of next to nothing, each of which costs a pass over all."""
    data = _jpeg_sized(encoded("JPEG", progressive=True), width, height)
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 1, 5, 0x21) + b"\x00"
    first = data.index(b"\xff\xda")
    following = data.index(b"\xff\xda", first + 2)
    return data[:following] + scan * count + data[following:]


def _repeated(marker: int, count: int) -> bytes:
    """Return a JPEG file whose first segment of a kind comes so many times."""
    data = encoded("JPEG", exif=_exif(6))
    at = data.index(bytes((0xFF, marker)))
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data[:at] + data[at:end] * count + data[end:]


def tiff(tags: Mapping[int, tuple[int, int, bytes]], more: bytes = b"") -> bytes:
    """Return a TIFF file with tags as (type, count, four bytes of value or offset); ``more`` begins at byte 1024."""
    entries = b"".join(struct.pack("<HHI4s", tag, *facts) for tag, facts in sorted(tags.items()))
    directory = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return directory.ljust(1024, b"\0") + more


def _long(value: int) -> tuple[int, int, bytes]:
    return 4, 1, struct.pack("<I", value)


def _gray_tiff(width: int, height: int, parts: int, rows: int, *, kind: int = 4, size: int = 4) -> bytes:
    """Return a gray TIFF whose strips of ``rows``, so many of them, all lie at the same place."""
    where = struct.pack("<I", 1024)
    tags = {
        256: _long(width), 257: _long(height), 258: _long(8), 259: _long(1), 262: _long(1), 277: _long(1),
        273: (kind, parts, where), 278: _long(rows), 279: (kind, parts, where),
    }  # fmt: skip
    offsets = (1024).to_bytes(size, "little") if size > 1 else b"\x08"
    return tiff(tags, offsets * parts + bytes(min(width * rows, 2**20)))


def _tiff_bombs() -> Iterator[_Bomb]:
    for width, height in ((60_000, 60_000), (2**32 - 1, 2**32 - 1), (0, 0)):
        yield f"declared-{width}x{height}.tif", _gray_tiff(width, height, 1, 1), "refused"
    yield "strips-over-one-another.tif", _gray_tiff(1_000, 1_001, 60_000, 1_000), "refused"
    yield "parts-of-a-dot.tif", _gray_tiff(1, 1, 3_000_000, 1), "refused"
    yield "parts-of-a-byte.tif", _gray_tiff(4, 4, 4_000_000, 2, kind=1, size=1), "refused"
    bits = {258: (3, 8_000_000, struct.pack("<I", 1024))}
    lines = {256: _long(4), 257: _long(4), 259: _long(1), 262: _long(1), 273: _long(1024), 278: _long(4)}
    yield "too-few-parts.tif", _gray_tiff(1_000, 1_001, 10, 100), "refused"
    yield "bits-of-many.tif", tiff(lines | bits, b"\x08\x27" * 8_000_000), "refused"
    yield "many-entries.tif", tiff({tag: _long(8) for tag in range(300, 380)}), "refused"
    yield "far-directory.tif", b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**64 - 9) + bytes(200), "refused"
    yield "endless-directory.tif", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**60) + bytes(2**20), "refused"


def large() -> Iterator[Sample]:
    """Yield sound files of a kilobyte or a megabyte whose pictures are as large as pictures may be, or half so."""
    size = 13_300
    levels = _zeros(size * size)
    strip = {256: _long(size), 257: _long(size), 258: _long(8), 259: _long(8), 262: _long(1), 277: _long(1)}
    placed = {273: _long(1024), 278: _long(size), 279: _long(len(levels))}
    blank = Image.new("L", (size, size), 90)
    deep = png(9_000, 9_000, chunk(b"IDAT", _zeros(9_000 * 18_001)), bits=16, color=0)
    glass = png(9_000, 9_000, chunk(b"IDAT", _zeros(9_000 * 36_001)), color=6)
    files = {
        "gray.jpg": encoded("JPEG", blank),
        "progressive.jpg": encoded("JPEG", blank, progressive=True),
        "color.png": png(size, size, chunk(b"IDAT", _zeros(size * (3 * size + 1)))),
        "deep.png": deep,
        "glass.png": glass,
        "gray.tif": tiff(strip | placed, levels),
        "gray.bmp": encoded("BMP", blank.resize((9_000, 9_000))),
        "runs.bmp": _run_length_bmp(4_000, 4_000, b"\x01\x05\x00\x00" * 4_000),
    }
    for name, data in files.items():
        yield Sample("large", f"large-{name}", data, "either" if name == "runs.bmp" else "read")


def _other_bombs() -> Iterator[_Bomb]:
    yield "declared.webp", _extended_webp(2**24, 2**24), "refused"
    yield "declared-16383x16383.webp", _extended_webp(16_383, 16_383), "refused"
    plain = encoded("BMP")
    for width, height in ((60_000, 60_000), (2**31 - 1, 2**31 - 1), (13_000, -13_000)):
        data = plain[:18] + struct.pack("<ii", width, height) + plain[26:]
        yield f"declared-{width}x{height}.bmp", data, "refused"
    yield "one-by-one.bmp", _run_length_bmp(4_000_000, 20, b"\x01\x05\x00\x00" * 19), "either"
    yield "leaps.bmp", _run_length_bmp(9_000, 9_000, b"\x00\x02\xff\xff" * 40), "either"
    gif = encoded("GIF")
    yield "declared.gif", gif[:6] + struct.pack("<HH", 65_535, 65_535) + gif[10:], "refused"


def _extended_webp(width: int, height: int) -> bytes:
    """Return an animated WebP file that says its canvas is this large."""
    canvas = bytes((2, 0, 0, 0)) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    parts = b"VP8X" + struct.pack("<I", 10) + canvas + b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    frame = bytes(16) + encoded("WEBP")[12:]
    parts += b"ANMF" + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WEBP" + parts


def _run_length_bmp(width: int, height: int, runs: bytes) -> bytes:
    """Return a BMP file of 256 colors whose pixels are told as runs."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    palette = bytes(level for color in range(256) for level in (color, color, 255 - color, 0))
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + palette + runs


# --- Odd but sound ----------------------------------------------------------------------------------------------


def _odd() -> Iterator[Sample]:
    """Yield files that are rare, most of them sound."""
    for fault, name, data, ends in (*_odd_sizes(), *_odd_colors(), *_odd_orientations(), *_odd_extras()):
        yield Sample(fault, f"odd-{name}", data, ends)


_Odd = tuple[str, str, bytes, Ending]


def _odd_sizes() -> Iterator[_Odd]:
    for kind, extension in EXTENSIONS.items():
        for width, height in ((1, 1), (65_500, 1), (1, 65_500)):
            if kind == "WEBP" and max(width, height) > 16_383:
                continue
            data = encoded(kind, Image.new("RGB", (width, height), (200, 90, 20)))
            yield "size", f"{width}x{height}{extension}", data, "refused" if kind == "GIF" else "read"


def _odd_colors() -> Iterator[_Odd]:
    image = picture()
    ink = encoded("JPEG", image.convert("CMYK"))
    yield "color", "ink-inverted.jpg", ink, "read"
    yield "color", "ink-plain.jpg", _without_adobe(ink), "read"
    yield "color", "ink-ycck.jpg", ink.replace(b"Adobe\0d\0\0\0\0\0", b"Adobe\0d\0\0\0\0\2"), "read"
    yield "color", "ink.tif", encoded("TIFF", image.convert("CMYK")), "read"
    yield "color", "lab.tif", encoded("TIFF", image.convert("LAB")), "read"
    for name, (kind, data) in sound().items():
        yield "color", f"{name}{EXTENSIONS[kind]}", data, "refused" if kind == "GIF" else "read"
    deep = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2_700
    yield "color", "deep-color.png", png(6, 4, _deep_rows(deep), bits=16), "read"
    for name, values in _extreme_values().items():
        yield "color", f"{name}.tif", encoded("TIFF", Image.fromarray(values)), "read"
    yield "color", "key.png", encoded("PNG", image, transparency=(10, 20, 30)), "read"
    yield "color", "no-palette.png", png(2, 2, chunk(b"IDAT", zlib.compress(bytes(6))), color=3), "either"
    yield "color", "moving.png", encoded("PNG", save_all=True, append_images=[image.rotate(90)]), "read"
    yield "color", "tiles.tif", _tiled_tiff(), "read"
    yield "color", "planes.tif", _planar_tiff(), "read"
    yield "color", "big.tif", encoded("TIFF", big_tiff=True), "read"
    yield "color", "pages.tif", encoded("TIFF", save_all=True, append_images=[image.rotate(90)]), "read"


def _without_adobe(data: bytes) -> bytes:
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def _tiled_tiff() -> bytes:
    """Return a gray TIFF file of 40 × 30 pixels in tiles of 16 × 16."""
    tags = {
        256: _long(40), 257: _long(30), 258: _long(8), 259: _long(1), 262: _long(1), 277: _long(1),
        322: _long(16), 323: _long(16), 324: (4, 6, struct.pack("<I", 1024)), 325: (4, 6, struct.pack("<I", 1048)),
    }  # fmt: skip
    places = struct.pack("<6I", *(1072 + 256 * tile for tile in range(6)))
    return tiff(tags, places + struct.pack("<6I", *[256] * 6) + bytes(range(256)) * 6)


def _planar_tiff() -> bytes:
    """Return a color TIFF file of 8 × 8 pixels whose channels lie in two strips each."""
    tags = {
        256: _long(8), 257: _long(8), 258: (3, 3, struct.pack("<I", 1072)), 259: _long(1), 262: _long(2), 277: _long(3),
        273: (4, 6, struct.pack("<I", 1024)), 278: _long(4), 279: (4, 6, struct.pack("<I", 1048)),
        284: (3, 1, b"\2\0\0\0"),
    }  # fmt: skip
    places = struct.pack("<6I", *(1078 + 32 * strip for strip in range(6)))
    return tiff(tags, places + struct.pack("<6I", *[32] * 6) + struct.pack("<3H", 8, 8, 8) + bytes(range(192)))


def _deep_rows(values: Any) -> bytes:
    rows = (b"\0" + np.repeat(row, 3).astype(">u2").tobytes() for row in values)
    return chunk(b"IDAT", zlib.compress(b"".join(rows)))


def _extreme_values() -> dict[str, Any]:
    return {
        "floats-low": np.array([[-3e38, 0.5], [1.0, 0.0]], np.float32),
        "floats-high": np.array([[3e38, -3e38], [np.inf, np.nan]], np.float32),
        "floats-none": np.full((2, 2), np.nan, np.float32),
        "long": np.array([[2**31 - 1, -(2**31)], [70_000, 0]], np.int32),
        "deep": np.array([[65_535, 0], [256, 255]], np.uint16),
    }


def _odd_orientations() -> Iterator[_Odd]:
    for kind, extension in (("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp"), ("TIFF", ".tif")):
        for orientation in range(10):
            yield "orientation", f"turned-{orientation}{extension}", encoded(kind, exif=_exif(orientation)), "read"
        yield "orientation", f"turned-65535{extension}", encoded(kind, exif=_exif(65_535)), "read"
    words = b"II*\0" + struct.pack("<IHHHI4sI", 8, 1, 0x0112, 2, 4, b"up\0\0", 0)
    broken = (b"", b"II*\0", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", b"\xff" * 300)
    for number, exif in enumerate((words, *broken)):
        for kind, extension in (("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp")):
            data = encoded(kind, exif=b"Exif\0\0" + exif)
            yield "orientation", f"exif-{number}{extension}", data, "read"


def _odd_extras() -> Iterator[_Odd]:
    icc = _icc()
    for number, profile in enumerate((icc, icc[:100], b"\xff" * 200, b"\0\0\0\x84" + icc[4:], icc * 40)):
        for kind, extension in (("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp"), ("TIFF", ".tif")):
            yield "profile", f"profile-{number}{extension}", encoded(kind, icc_profile=profile), "read"
    for key in ("exif", "transparency", "icc_profile", "dpi", "gamma", "\x1b[31m"):
        for compressed in (False, True):
            info = PngInfo()
            info.add_text(key, "\x1b]0;owned\x07" * 3, zip=compressed)
            yield (
                "text",
                f"text-{len(key)}-{key[:3].strip(chr(27))}-{compressed:d}.png",
                encoded("PNG", pnginfo=info),
                "read",
            )
    yield "text", "camera.jpg", encoded("JPEG", exif=_exif(1, camera="\x1b[2J\x1b]0;owned\x07[b]")), "read"
    yield "text", "comment.jpg", encoded("JPEG", comment=b"\x1b[2J\xff\xd9\x00" * 9), "read"
    yield "more", "two-in-one.jpg", encoded("JPEG") + encoded("JPEG"), "read"
    yield "more", "zip-behind.png", encoded("PNG") + b"PK\x03\x04" + bytes(300), "read"
    yield "more", "script-behind.jpg", encoded("JPEG") + b"<?php system($_GET[0]); ?>", "read"
    yield "more", "empty.jpg", b"", "refused"
    yield "more", "zeros.png", bytes(5_000), "refused"
    yield "more", "page.webp", b"<html><script>alert(1)</script></html>" * 9, "refused"
    yield "more", "archive.tif", b"PK\x03\x04" + bytes(300), "refused"
    yield "more", "pickle.png", b"\x80\x04cposix\nsystem\n(S'true'\ntR.", "refused"


# --- Names ------------------------------------------------------------------------------------------------------

NAMES = (
    b"\x1b[31mred\x1b[0m", b"\x1b]0;owned\x07", b"\x1b[2J\x1b[H", b"\x9b31m", b"line\nfeed", b"carriage\rreturn",
    b"tab\tbell\x07", b"[bold]markup[/]", b"[link=file:///etc/passwd]x[/link]", b"[/]", b"<script>alert(1)</script>",
    "\u202egpj.exe".encode(), "\u2066\u2069\u200b\ufeff".encode(), b"caf\xe9", b"\xff\xfe\x80", b"$(touch owned)",
    b"; touch owned;", b"`touch owned`", b"-rf", b"--help", b"~", b"*", b"a,b\",c", b"'; DROP TABLE image; --",
    "e\u0301".encode(), "\u00e9".encode(), "👩\u200d👩\u200d👧".encode(), b" ", b"..", b"...", b"CON", b"%s%n{0}",
    b"\\..\\..\\owned", b"=1+1", b"x" * 240,
)  # fmt: skip
"""Names that a file can have, without their ending, in bytes."""


def _names() -> Iterator[Sample]:
    """Yield sound files whose names are not."""
    data = encoded("PNG")
    for name in NAMES:
        yield Sample("name", os.fsdecode(name).replace("/", "∕") + ".png", data, "read")
