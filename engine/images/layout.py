"""The form that images are brought to, and what a pack of them is called and takes; known without decoding one."""

import hashlib
import math
import os
from dataclasses import dataclass

from engine.images.scan import Manifest

_VERSION = 2
_HEADER_BYTES = 128
_INDEX_BYTES = 256


@dataclass(frozen=True)
class Layout:
    """The form that every image is brought to."""

    height: int
    width: int
    gray: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.height, self.width, 1 if self.gray else 3

    @property
    def name(self) -> str:
        """Height, width and channels as one word."""
        return "x".join(map(str, self.shape))

    @property
    def bytes(self) -> int:
        """The size of one image."""
        return math.prod(self.shape)


def pack_key(manifest: Manifest, stored_folder: str, layout: Layout) -> str:
    """Return the name of the pack of a manifest: a digest of its folder, its files and the layout."""
    facts = f"{_VERSION} {manifest.key} {layout.shape} "
    return hashlib.blake2b(facts.encode() + os.fsencode(stored_folder), digest_size=16).hexdigest()


def pack_bytes(images: int, letters: int, layout: Layout) -> int:
    """Return how many bytes a pack takes at most, of so many images whose paths have so many letters together."""
    return _HEADER_BYTES + images * (layout.bytes + _INDEX_BYTES) + 4 * letters
