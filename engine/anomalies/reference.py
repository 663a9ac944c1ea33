"""What is usual: the vectors and scores of the images that others are compared with, and the file that keeps them."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from engine.anomalies.scoring import Neighborhood, Scores
from engine.files import make_folder, replacing
from engine.foreign import ARRAY_ERRORS
from engine.rankings import SCORES

_MOST_BYTES = 2**30
"""More than the arrays of a reference have, whose vectors are kept below half of it."""

Judge = Literal["validation", "training", "folder"]


@dataclass(frozen=True)
class Reference:
    """The images that others are compared with.

    Attributes:
        judge: whose scores say what is usual.
        vectors: the N vectors of length 1 that distances are measured to, (N, D).
        contents: hashes of the N pictures, (N,).
        scores: those of the M images that say what is usual, (M, 3).

    """

    judge: Judge
    vectors: NDArray[np.float32]
    contents: NDArray[np.str_]
    scores: Scores

    def percentiles(self, scores: Scores) -> Scores:
        """Return for scores (n, 3) how many of the M lie below, in percent, (n, 3); equal ones count half."""
        columns = []
        for known, values in zip(np.sort(self.scores, axis=0).T, scores.T, strict=True):
            below, up_to = np.searchsorted(known, values, "left"), np.searchsorted(known, values, "right")
            columns.append((below + up_to) * 50 / len(known))
        return np.column_stack(columns)

    def thresholds(self, percentile: float) -> Scores:
        """Return the percentile of each of the scores of the M images, (3,), interpolated between the nearest two."""
        return np.asarray(np.percentile(self.scores, percentile, axis=0))

    def neighborhood(self, neighbors: int, device: torch.device) -> Neighborhood:
        """Return the N vectors on a device."""
        return Neighborhood(self.vectors, self.contents, neighbors, device)


def read_reference(path: Path, key: str, dim: int) -> Reference | None:
    """Return the reference, with vectors (N, dim), that a file keeps under a key; None where none is whole."""
    try:
        with zipfile.ZipFile(path) as file:
            if sum(part.file_size for part in file.infolist()) > _MOST_BYTES:
                return None
        with np.load(path, allow_pickle=False) as kept:
            judge, vectors, contents, scores = (kept[name] for name in ("judge", "vectors", "contents", "scores"))
            is_sound = (
                str(kept["key"]) == key
                and str(judge) in get_args(Judge)
                and (vectors.ndim, vectors.dtype, contents.dtype.kind) == (2, np.float32, "U")
                and (scores.ndim, scores.dtype) == (2, np.float64)
                and vectors.shape == (*contents.shape, dim)
                and scores.shape[1] == len(SCORES)
                and bool(np.isfinite(vectors).all() and np.isfinite(scores).all())
                and min(len(vectors) - 1, len(scores)) >= 1
            )
    except (*ARRAY_ERRORS, KeyError, TypeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None  # it is made anew
    return Reference(str(judge), vectors, contents, scores) if is_sound else None  # type: ignore[arg-type]


def write_reference(path: Path, key: str, reference: Reference) -> None:
    """Keep a reference under a key, over an older one.

    Raises:
        FextError: the file cannot be written.

    """
    make_folder(path.parent)
    with replacing(path) as file:
        np.savez(
            file,
            key=np.array(key),
            judge=np.array(reference.judge),
            vectors=reference.vectors,
            contents=reference.contents,
            scores=reference.scores,
        )
