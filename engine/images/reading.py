"""Pixels from files: strict about what is damaged, upright and in 8 bits, whatever the file holds.

JPEG files are read by OpenCV, whose threads scale better, all others by Pillow, which is strict and knows every
mode; where both can read a file they give the same pixels.
"""

import os
import stat
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from engine.errors import FextError
from engine.images.formats import (
    FORMATS,
    TRUNCATED,
    DamagedError,
    JpegFacts,
    check_bmp,
    check_jpeg,
    check_png,
    check_tiff,
    check_webp,
    format_of,
    orientation_of,
)

Pixels = NDArray[np.uint8]

MAX_PIXELS = 178_956_970
MAX_BYTES = 2**30
_HEAD_BYTES = 16
_PNG_BIT_DEPTH = 24
"""Where a PNG file has its bits a channel: in the header chunk, after width and height."""
_TIFF_BITS = 258
_DRAFT_MARGIN = 3
"""How many times the wanted size a reduced decode leaves. Against the full decode, photographs of 384 × 288 and the
like came out at 41 dB or better with 3 (median 57 dB), and some below 37 dB with 2."""

_REDUCED = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
_REDUCED[8] = cv2.IMREAD_REDUCED_COLOR_8

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_CHECKS: dict[str, Callable[[bytes], None]] = {
    "PNG": check_png, "WEBP": check_webp, "BMP": check_bmp, "TIFF": check_tiff,
}  # fmt: skip

cv2.setNumThreads(1)
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


Defect = Literal["unreadable", "truncated", "wrong_extension"]
"""What is wrong with a file that cannot be used as an image."""


class UnreadableImage(FextError):
    """A file that cannot be used as an image; ``cause`` is the reason in a few words, ``defect`` its kind."""

    def __init__(self, reason: str, defect: Defect = "unreadable") -> None:
        super().__init__(reason)
        self.defect = defect


@dataclass(frozen=True, slots=True)
class Stored:
    """How a file holds its picture: Pillow's name of the mode, bits a channel, and whether parts are transparent."""

    mode: str
    bits: int
    alpha: bool


def read(path: Path, *, over_white: bool, wanted: tuple[int, int] | None = None) -> Pixels:
    """Return the first picture of a file as uint8 BGR (H, W, 3), EXIF orientation applied.

    Args:
        path: the file; its extension must not name another format than the content has.
        over_white: whether what is transparent lies over white, rather than losing its alpha.
        wanted: the (height, width) it will be resized to: a JPEG file that is far larger is decoded at a half,
            a quarter or an eighth of its size.

    Raises:
        UnreadableImage: it cannot be read whole, or its content is not what its extension says.

    """
    data, kind, facts = _checked(path)
    if facts:
        return _read_jpeg(data, facts, wanted)
    return _read_other(data, kind, over_white)[0][0]


def read_both(path: Path, wanted: tuple[int, int]) -> tuple[Pixels, Pixels, Stored]:
    """Return what `read` returns with alpha dropped, and over white with ``wanted``, and how the file holds it.

    The file is decoded once where one decode gives both.

    Raises:
        UnreadableImage: as `read`.

    """
    data, kind, facts = _checked(path)
    if facts:
        full = _read_jpeg(data, facts, None)
        reduced = full if _reduction(facts, wanted) == 1 else _read_jpeg(data, facts, wanted)
        return full, reduced, Stored("L" if facts.components == 1 else "RGB", 8, alpha=False)
    (dropped, over_white), stored = _read_other(data, kind, False, True)
    return dropped, over_white, stored


def _checked(path: Path) -> tuple[bytes, str, JpegFacts | None]:
    """Return a file's bytes, its format, and the facts of a JPEG file that OpenCV can read."""
    data, kind = _contents(path)
    try:
        if kind == "JPEG":
            facts = check_jpeg(data)
            _check_size(facts.height, facts.width)
            if len(data) < facts.least_bytes:
                raise DamagedError(TRUNCATED)
            return data, kind, facts if facts.components in {1, 3} else None
        if kind in _CHECKS:
            _CHECKS[kind](data)
    except DamagedError as error:
        raise UnreadableImage(str(error), "truncated" if str(error) == TRUNCATED else "unreadable") from error
    return data, kind, None


def _contents(path: Path) -> tuple[bytes, str]:
    """Return the bytes of a file and its format; of what is no image, no more than the first bytes are read."""
    try:
        _check_file(path.stat())
        with open(path, "rb", opener=_without_waiting) as file:
            size = _check_file(os.fstat(file.fileno()))
            kind = _kind(os.pread(file.fileno(), _HEAD_BYTES, 0), path.suffix.lower())
            return file.read(size), kind
    except OSError as error:
        raise UnreadableImage((error.strerror or str(error)).lower()) from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a file that, since it was looked at, may have become a pipe, at which opening would wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check_file(status: os.stat_result) -> int:
    """Return the size in bytes of what may be read."""
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImage("not a regular file")
    if status.st_size == 0:
        raise UnreadableImage("empty (0 bytes)")
    if status.st_size > MAX_BYTES:
        raise UnreadableImage(f"larger than {MAX_BYTES >> 20:,} MiB")
    return status.st_size


def _kind(head: bytes, extension: str) -> str:
    kind = format_of(head)
    named = next((name for name, extensions in FORMATS.items() if extension in extensions), "")
    if not kind:
        raise UnreadableImage(f"not a {named} image" if named else "not an image")
    article = "an" if kind[0] == "A" else "a"
    if named and kind != named:
        raise UnreadableImage(f"{article} {kind} image named {extension}", "wrong_extension")
    if kind not in FORMATS:
        raise UnreadableImage(f"{article} {kind} image, a format that is not read")
    return kind


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise UnreadableImage(f"too large: {width:,} × {height:,} pixels (at most {MAX_PIXELS / 1e6:,.0f} million)")


def _read_jpeg(data: bytes, facts: JpegFacts, wanted: tuple[int, int] | None) -> Pixels:
    flag = _REDUCED[_reduction(facts, wanted)]
    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flag)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        raise UnreadableImage("damaged: it cannot be decoded") from error
    if pixels is None:
        raise UnreadableImage("damaged: it cannot be decoded")
    return np.asarray(pixels, dtype=np.uint8)


def _reduction(facts: JpegFacts, wanted: tuple[int, int] | None) -> int:
    if wanted is None:
        return 1
    height, width = wanted if facts.orientation < 5 else wanted[::-1]
    room = min(facts.height / height, facts.width / width)
    return max((factor for factor in _REDUCED if factor * _DRAFT_MARGIN <= room), default=1)


def _read_other(data: bytes, kind: str, *over_white: bool) -> tuple[list[Pixels], Stored]:
    """Return the picture once for each of ``over_white``, decoded once, and how it is stored."""
    try:
        with Image.open(BytesIO(data), formats=(kind,)) as image:
            _check_size(image.height, image.width)
            _forget_texts(image)
            image.load()
            _forget_texts(image)
            stored = Stored(image.mode, _bits(image, data), _has_alpha(image))
            turn = _UPRIGHT.get(1 if kind == "TIFF" else orientation_of(image.info.get("exif", b"")))
            upright = image if turn is None else image.transpose(turn)
            return [_eight_bits(upright, over_white=white) for white in over_white], stored
    except (UnreadableImage, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImage(f"too large: more than {MAX_PIXELS / 1e6:,.0f} million pixels") from error
    except Exception as error:
        if TRUNCATED in str(error).lower():
            raise UnreadableImage(TRUNCATED, "truncated") from error
        raise UnreadableImage("damaged: it cannot be decoded") from error


def _forget_texts(image: Image.Image) -> None:
    """Take away what a PNG file tells as text: Pillow keeps it where it looks for transparency and EXIF data."""
    for key in [key for key, value in image.info.items() if isinstance(value, str)]:
        del image.info[key]


def _bits(image: Image.Image, data: bytes) -> int:
    """Return the bits a channel that a file stores; Pillow reads colors of 16 bits as 8.

    Source: W3C PNG specification, section 11.2.2; TIFF 6.0, tag 258.
    """
    if image.format == "PNG":
        return data[_PNG_BIT_DEPTH]
    if isinstance(image, TiffImageFile):
        return int(max(image.tag_v2.get(_TIFF_BITS, (1,))))
    return {"1": 1, "I": 32, "F": 32}.get(image.mode, 16 if image.mode.startswith("I;16") else 8)


def _has_alpha(image: Image.Image) -> bool:
    return image.has_transparency_data or image.mode in {"PA", "RGBa"}


def _eight_bits(image: Image.Image, *, over_white: bool) -> Pixels:
    """Return a picture of any mode as BGR (H, W, 3)."""
    if image.mode[0] in "IF":
        return np.asarray(cv2.cvtColor(_from_deep(image), cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    if over_white and _has_alpha(image):
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image.convert("RGBA"))
        image = ground
    return np.asarray(cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR), dtype=np.uint8)


def _from_deep(image: Image.Image) -> Pixels:
    """Return gray levels (H, W) of 16 bits, 32 bits or floats as 8 bits.

    Whole numbers keep their upper 8 bits, of 16 where none is larger, else of 32. Floats up to 1 are
    taken as shares of the range, others as gray levels.
    """
    values = np.asarray(image)
    if image.mode == "F":
        levels = np.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255)
        if levels.max() <= 1.0:
            levels *= 255.0
        return np.asarray(levels.round(out=levels), dtype=np.uint8)
    shifted = values >> (8 if values.max() < 2**16 else 24)
    return np.asarray(shifted.clip(0, 255, out=shifted), dtype=np.uint8)
