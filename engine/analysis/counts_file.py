"""The gray histograms of single images, kept on disk until it is known how to sum them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from engine.analysis.levels import LEVELS, Counts
from engine.files import write_error

_ROWS = 4096
_ROW_BYTES = LEVELS * np.dtype(np.uint32).itemsize


class CountsFile:
    """Histograms (256,) in the order they were added, 1 KiB each: a million of them need no memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.images = 0

    def add(self, counts: Counts) -> None:
        """Add the histogram of the next image, of fewer than 2³² pixels."""
        self._file.write(counts.astype(np.uint32).tobytes())
        self.images += 1

    def total(self, chosen: NDArray[np.bool_]) -> Counts:
        """Return the sum of the chosen images' histograms; ``chosen`` has one entry an image."""
        self._file.seek(0)
        total = np.zeros(LEVELS, np.int64)
        for start in range(0, self.images, _ROWS):
            rows = np.frombuffer(self._file.read(_ROWS * _ROW_BYTES), np.uint32).reshape(-1, LEVELS)
            total += rows[chosen[start : start + _ROWS]].sum(axis=0, dtype=np.int64)
        return total


@contextmanager
def counts_file(folder: Path) -> Iterator[CountsFile]:
    """Give a file for histograms in ``folder`` that vanishes in the end.

    Raises:
        FextError: it cannot be written.

    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            yield CountsFile(file)
    except OSError as error:
        raise write_error(folder, error) from error
