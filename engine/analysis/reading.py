"""What one decode of an image file gives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from engine.analysis.levels import packed
from engine.analysis.metrics import Values, measure
from engine.images.alike import thumbnail
from engine.images.decode import Pixels, Stored, content_hash, load_both
from engine.images.formats import FORMATS
from engine.images.hashing import perceptual_hash
from engine.images.layout import Layout
from engine.images.scan import ImageFile
from engine.records import MeasuredImage

_FORMAT_OF = {extension: name for name, extensions in FORMATS.items() for extension in extensions}


@dataclass(frozen=True)
class Plan:
    """What is measured: groups of metrics, the form in which training sees pictures, and by how many threads."""

    groups: tuple[str, ...]
    layout: Layout
    workers: int


@dataclass(frozen=True)
class Reading:
    """What was measured on one image: metrics by group, and the columns of its fingerprint."""

    groups: dict[str, Values]
    fingerprint: dict[str, Any]
    height: int
    width: int
    stored: Stored
    is_gray: bool

    def of(self, file: ImageFile) -> MeasuredImage:
        """Return the image as the records take it."""
        columns = {
            "path": file.path,
            "bytes": file.bytes,
            "modified_ns": file.modified_ns,
            "format": _FORMAT_OF["." + file.path.rpartition(".")[2].lower()],
            "width": self.width,
            "height": self.height,
            "mode": self.stored.mode,
            "bits": self.stored.bits,
            "alpha": self.stored.alpha,
            "gray": self.is_gray,
        }
        return MeasuredImage(columns, self.groups, self.fingerprint)


def read_image(path: Path, plan: Plan) -> Reading:
    """Decode a file once, and measure it.

    Raises:
        UnreadableImage: it cannot be read whole, or its content is not what its extension says.

    """
    layout = plan.layout
    bgr, pixels, stored = load_both(path, layout.height, layout.width, layout.gray)
    measurement = measure(bgr, plan.groups)
    content = bytes.fromhex(content_hash(pixels))
    fingerprint = {
        "layout": layout.name,
        "content": content,
        "perceptual": int(np.uint64(perceptual_hash(pixels)).astype(np.int64)),
        "thumbnail": thumbnail(pixels).tobytes(),
        "pixels": _hash(bgr, content),
        "levels": packed(measurement.counts),
    }
    return Reading(measurement.groups, fingerprint, bgr.shape[0], bgr.shape[1], stored, measurement.is_gray)


def _hash(bgr: Pixels, content: bytes) -> bytes:
    """Return the XXH3 digest (16 bytes) of shape and values of a picture (H, W, 3), and of its form in training.

    That form tells pictures apart which differ in their transparency alone.
    """
    digest = xxhash.xxh3_128(repr(bgr.shape).encode() + content)
    digest.update(np.ascontiguousarray(bgr).data)
    return digest.digest()
