"""What kind of image a file is, told by its first bytes, and whether it is whole, told by its structure.

Decoders pass over missing ends in silence (OpenCV fills the rest with gray), so that the structure is walked here.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

FORMATS = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}
"""The formats that are read, and the extensions they go by."""

_STARTS = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("WEBP", rb"RIFF....WEBP"),
    ("BMP", rb"BM"),
    ("TIFF", rb"II[*+]\0|MM\0[*+]"),
    ("GIF", rb"GIF8[79]a"),
    ("AVIF", rb"....ftypavi[fs]"),
    ("HEIC", rb"....ftyp(?:hei[cmsx]|hev[cx]|mif1|msf1)"),
    ("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL "),
    ("JPEG 2000", rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    ("Photoshop", rb"8BPS"),
)
_FORMATS_BY_START = tuple((name, re.compile(start, re.DOTALL)) for name, start in _STARTS)

_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ARITHMETIC = 0xC8
_NO_SEGMENTS = frozenset(range(0x01, 0xC0)) | {_START_OF_IMAGE}
_PNG_START = 8
_ORIENTATION_TAG = 0x0112
_WIDTH, _LENGTH, _STRIPS, _ROWS, _TILE_WIDTH, _TILE_LENGTH, _TILES = 256, 257, 273, 278, 322, 323, 324
_WHOLE_NUMBERS = {3: "H", 4: "I", 16: "Q"}
_TIFF_BYTES = frozenset({1, 2, 6, 7})
_MOST_ENTRIES = 2**16
_MOST_PLANES = 6
_RUN_LENGTHS = frozenset({1, 2})

_MOST_PARTS = 1_000_000
"""Chunks, segments or strips of a file: more than any has that is meant well; each costs time and, decoded, memory."""
_MOST_SCANS = 200
"""Each of a progressive JPEG file is a pass over the whole picture, however few bytes it has; usual ones have ten."""
_MOST_RUN_LENGTH_PIXELS = 2**24
"""Pillow unpacks run lengths pixel by pixel, a second for ten million."""
_TOO_MANY_PARTS = "damaged: it has more parts than a picture can have"


TRUNCATED = "truncated"
"""The reason of files that end early."""


class DamagedError(ValueError):
    """The bytes are not a whole image; says why in a few words."""


@dataclass(frozen=True)
class JpegFacts:
    """What the header of a JPEG file says: size in pixels as stored, color components, EXIF orientation (1 to 8).

    ``least_bytes`` is what a picture of that size takes at least, however little there is to see.
    """

    height: int
    width: int
    components: int
    orientation: int
    least_bytes: int


def format_of(head: bytes) -> str:
    """Return the name of the format whose files begin with these bytes (16 are enough), or an empty text."""
    return next((name for name, start in _FORMATS_BY_START if start.match(head)), "")


def orientation_of(exif: bytes) -> int:
    """Return the orientation (1 to 8) that EXIF data tell; 1, upright, where they tell none.

    Source: TIFF 6.0, sections 2 and 8; EXIF 2.3, table 4.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(entries):
            tag, value = struct.unpack_from(f"{order}H6xH", tiff, directory + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def check_jpeg(data: bytes) -> JpegFacts:
    """Return the facts of a JPEG file whose segments are whole to the last.

    Source: ITU-T T.81, annexes B and F. Within coded data 0xFF is followed by 0 or a restart marker alone; with
    Huffman codes each block of 8 × 8 pixels takes at least a bit.

    Raises:
        DamagedError: it ends early, or holds what a JPEG file cannot.

    """
    frame = b""
    is_huffman = False
    scans = 0
    orientation = 1
    for number, (marker, payload) in enumerate(_jpeg_segments(data)):
        if marker in _FRAMES and not frame and len(payload) >= 6:
            frame, is_huffman = payload[1:6], marker < _ARITHMETIC
        elif marker == _APP1 and payload.startswith(b"Exif\0\0"):
            orientation = orientation_of(payload)
        scans += marker == _START_OF_SCAN
        if scans > _MOST_SCANS or number > _MOST_PARTS:
            raise DamagedError(_TOO_MANY_PARTS)
    height, width, components = struct.unpack(">HHB", frame or bytes(5))
    if not (scans and height and width):
        raise DamagedError("damaged: there is no picture in it")
    blocks = -(-height // 8) * -(-width // 8)
    return JpegFacts(height, width, components, orientation, blocks // 8 if is_huffman else 0)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 2
    while match := _JPEG_MARKER.search(data, position):
        marker = data[match.end() - 1]
        if marker == _END_OF_IMAGE:
            return
        if marker in _NO_SEGMENTS:
            raise DamagedError("damaged: it holds data that no JPEG decoder knows")
        length = int.from_bytes(data[match.end() : match.end() + 2], "big")
        position = match.end() + length
        if length < 2 or position > len(data):
            break
        yield marker, data[match.end() + 2 : position]
    raise DamagedError(TRUNCATED)


def check_png(data: bytes) -> None:
    """Check that a PNG file is whole: its chunks lead to the end mark, and the critical ones have their checksum.

    Source: W3C PNG specification, section 5.

    Raises:
        DamagedError: it ends early, or a chunk does not match its checksum.

    """
    position = _PNG_START
    parts = 0
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        end = position + 12 + length
        if end > len(data):
            break
        kind = data[position + 4 : position + 8]
        is_critical = kind[:1].isupper()
        told = int.from_bytes(data[end - 4 : end], "big")
        if is_critical and zlib.crc32(memoryview(data)[position + 4 : end - 4]) != told:
            raise DamagedError("damaged: a part does not match its checksum")
        if kind == b"IEND":
            return
        position = end
        parts += 1
        if parts > _MOST_PARTS:
            raise DamagedError(_TOO_MANY_PARTS)
    raise DamagedError(TRUNCATED)


def check_webp(data: bytes) -> None:
    """Check that a WebP file is as long as it says.

    Source: RFC 9649, section 2.4.

    Raises:
        DamagedError: it is shorter.

    """
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise DamagedError(TRUNCATED)


def check_bmp(data: bytes) -> None:
    """Check that a BMP file of run lengths is of a size that is unpacked in a second or two.

    Raises:
        DamagedError: it is larger.

    """
    if len(data) < 34:
        return
    width, height, compression = struct.unpack_from("<ii4xI", data, 18)
    if compression in _RUN_LENGTHS and width * abs(height) > _MOST_RUN_LENGTH_PIXELS:
        raise DamagedError("too large for a BMP image of run lengths")


def check_tiff(data: bytes) -> None:
    """Check that a TIFF file lists as many strips or tiles as its picture has, and no endless values.

    Whatever else is wrong with it, the decoder tells.

    Source: TIFF 6.0, sections 2, 3 and 15; the BigTIFF design of libtiff.

    Raises:
        DamagedError: it lists fewer, or more.

    """
    numbers: dict[int, int] = {}
    parts: dict[int, int] = {}
    for tag, kind, count, value in _tiff_entries(data):
        if kind not in _TIFF_BYTES and count > _MOST_PARTS:
            raise DamagedError(_TOO_MANY_PARTS)
        if tag in {_STRIPS, _TILES}:
            parts[tag] = count
        elif kind in _WHOLE_NUMBERS:
            order = "<" if data[:1] == b"I" else ">"
            (numbers[tag],) = struct.unpack_from(order + _WHOLE_NUMBERS[kind], value.ljust(8, b"\0"))
    width, length = numbers.get(_WIDTH, 0), numbers.get(_LENGTH, 0)
    rows = max(numbers.get(_ROWS, length), 1)
    across, down = max(numbers.get(_TILE_WIDTH, 0), 1), max(numbers.get(_TILE_LENGTH, 0), 1)
    needed = -(-length // rows) if _STRIPS in parts else -(-width // across) * -(-length // down)
    told = parts.get(_STRIPS, parts.get(_TILES, 0))
    if told > min(_MOST_PLANES * needed, _MOST_PARTS):
        raise DamagedError(_TOO_MANY_PARTS)
    if parts and told < needed:  # Pillow leaves the rest black
        raise DamagedError("damaged: parts of the picture are missing")


def _tiff_entries(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield tag, type, count and the bytes of value or offset of each entry of the first directory."""
    order = "<" if data[:1] == b"I" else ">"
    is_big = b"+" in data[2:4]
    first, length, entry = ("8xQ", "Q", "HHQ8s") if is_big else ("4xI", "H", "HHI4s")
    try:
        (directory,) = struct.unpack_from(order + first, data)
        (entries,) = struct.unpack_from(order + length, data, directory)
        if entries > _MOST_ENTRIES:
            raise DamagedError(_TOO_MANY_PARTS)
        start, size = directory + struct.calcsize(order + length), struct.calcsize(order + entry)
        for number in range(entries):
            yield struct.unpack_from(order + entry, data, start + number * size)
    except (struct.error, OverflowError):
        return
