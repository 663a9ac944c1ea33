"""How a file holds its picture: mode, bits a channel, transparency."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.images.decode import Stored, load_both

LEVELS = np.random.default_rng(1).integers(0, 256, (20, 30, 4), np.uint8)
DEEP = LEVELS.astype(np.uint16) * 257
CLEAR, COLOR, GRAY = (Image.fromarray(part) for part in (LEVELS, LEVELS[..., :3], LEVELS[..., 0]))
INKS, ONE_BIT, GRAY_CLEAR = COLOR.convert("CMYK"), GRAY.convert("1"), CLEAR.convert("LA")
PALETTE = COLOR.quantize(200)

Case = tuple[str, Any, dict[str, Any], Stored]

CASES: dict[str, Case] = {
    "PNG, one bit": ("png", ONE_BIT, {}, Stored("1", 1, alpha=False)),
    "PNG, gray": ("png", GRAY, {}, Stored("L", 8, alpha=False)),
    "PNG, gray of 16 bits": ("png", DEEP[..., 0], {}, Stored("I;16", 16, alpha=False)),
    "PNG, color": ("png", COLOR, {}, Stored("RGB", 8, alpha=False)),
    "PNG, color of 16 bits": ("png", DEEP[..., :3], {}, Stored("RGB", 16, alpha=False)),
    "PNG, color of 16 bits, clear": ("png", DEEP, {}, Stored("RGBA", 16, alpha=True)),
    "PNG, palette": ("png", PALETTE, {}, Stored("P", 8, alpha=False)),
    "PNG, palette of 4 bits": ("png", COLOR.quantize(16), {}, Stored("P", 4, alpha=False)),
    "PNG, palette of 1 bit": ("png", COLOR.quantize(2), {}, Stored("P", 1, alpha=False)),
    "PNG, palette, clear": ("png", PALETTE, {"transparency": 3}, Stored("P", 8, alpha=True)),
    "PNG, gray, clear": ("png", GRAY_CLEAR, {}, Stored("LA", 8, alpha=True)),
    "PNG, color, clear": ("png", CLEAR, {}, Stored("RGBA", 8, alpha=True)),
    "PNG, one color clear": ("png", COLOR, {"transparency": (1, 2, 3)}, Stored("RGB", 8, alpha=True)),
    "TIFF, one bit": ("tif", ONE_BIT, {}, Stored("1", 1, alpha=False)),
    "TIFF, gray": ("tif", GRAY, {}, Stored("L", 8, alpha=False)),
    "TIFF, gray of 16 bits": ("tif", DEEP[..., 0], {}, Stored("I;16", 16, alpha=False)),
    "TIFF, whole numbers": ("tif", Image.fromarray(DEEP[..., 0].astype(np.int32)), {}, Stored("I", 32, alpha=False)),
    "TIFF, floats": ("tiff", Image.fromarray(DEEP[..., 0].astype(np.float32)), {}, Stored("F", 32, alpha=False)),
    "TIFF, color": ("tiff", COLOR, {}, Stored("RGB", 8, alpha=False)),
    "TIFF, color, LZW": ("tif", COLOR, {"compression": "tiff_lzw"}, Stored("RGB", 8, alpha=False)),
    "TIFF, color, clear": ("tif", CLEAR, {}, Stored("RGBA", 8, alpha=True)),
    "TIFF, palette": ("tif", PALETTE, {}, Stored("P", 8, alpha=False)),
    "TIFF, inks": ("tif", INKS, {}, Stored("CMYK", 8, alpha=False)),
    "JPEG, gray": ("jpg", GRAY, {}, Stored("L", 8, alpha=False)),
    "JPEG, color": ("jpeg", COLOR, {}, Stored("RGB", 8, alpha=False)),
    "JPEG, color, in steps": ("jpg", COLOR, {"progressive": True}, Stored("RGB", 8, alpha=False)),
    "JPEG, inks": ("jpg", INKS, {}, Stored("CMYK", 8, alpha=False)),
    "WebP, color": ("webp", COLOR, {}, Stored("RGB", 8, alpha=False)),
    "WebP, clear": ("webp", CLEAR, {}, Stored("RGBA", 8, alpha=True)),
    "WebP, clear, exact": ("webp", CLEAR, {"lossless": True}, Stored("RGBA", 8, alpha=True)),
    "BMP, one bit": ("bmp", ONE_BIT, {}, Stored("1", 1, alpha=False)),
    "BMP, gray": ("bmp", GRAY, {}, Stored("L", 8, alpha=False)),
    "BMP, color": ("bmp", COLOR, {}, Stored("RGB", 8, alpha=False)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_mode_bits_and_transparency_are_those_of_the_file(tmp_path: Path, case: Case) -> None:
    extension, picture, options, expected = case
    path = tmp_path / f"picture.{extension}"
    if isinstance(picture, np.ndarray):
        cv2.imwrite(str(path), picture)
    else:
        picture.save(path, **options)
    bgr, sized, stored = load_both(path, 16, 24, False)
    assert stored == expected
    assert (bgr.shape, sized.shape) == ((20, 30, 3), (16, 24, 3))
