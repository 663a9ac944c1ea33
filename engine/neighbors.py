"""Nearest neighbors among embeddings by cosine: exact, or for very many by an index beside them that is measured."""

import json
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.embeddings import EmbeddingSet, Vectors
from engine.errors import FextError, UsageError
from engine.files import replace_file, replacing
from engine.report import CollectedReport, Report, go_on
from engine.seals import seal

if TYPE_CHECKING:
    from usearch.index import Index

EXACT_UP_TO = 200_000
"""Vectors up to which a query is compared with each."""
MOST_BY_INDEX = 1000
"""Neighbors up to which the index is asked; more are found by comparing with each vector."""
NEIGHBORS_FILE = "neighbors.usearch"
MEASURED_FILE = "neighbors.json"

_BLOCK_VALUES = 4 << 20
"""Values (16 MB as float32) of the vectors that are in memory at once; of their cosines, which are sorted, a fourth."""
_QUERIES_AT_ONCE = 1024
_SAMPLE, _SAMPLE_K, _SAMPLE_SEED = 200, 10, 42
_RECALL_WANTED = 0.98
_EXPANSIONS = (64, 256, 1024)
"""Candidates that a search of the index keeps: the first with which the recall is what is wanted."""
_SAME = 1e-6
"""How far two cosines of the same vectors may differ by the order of summing."""

Values = NDArray[np.float32]
Rows = NDArray[np.int64]


class Nearest(NamedTuple):
    """Rows (n, k) of the nearest vectors, nearest first, and their cosines (n, k) in [-1, 1]."""

    rows: Rows
    similarities: Values


class Neighbors:
    """The nearest of a set's vectors by cosine; vectors of zeros have the cosine 0 with all.

    A query is compared with each of up to ``exact_up_to`` vectors, in blocks, so that memory is bounded. For more there
    is an index (a hierarchical navigable small world graph, Malkov and Yashunin, 2018, made by usearch) in the set's
    folder, of which `recall` is known; cosines are exact there too. It belongs to the set whose digest stands beside
    it, and is made again for another.
    """

    def __init__(
        self,
        embeddings: EmbeddingSet,
        report: Report | None = None,
        *,
        exact_up_to: int = EXACT_UP_TO,
        build: bool = True,
    ) -> None:
        """Open the index of a set that needs one.

        Args:
            embeddings: the set.
            report: is told how far the making of the index is, and its recall.
            exact_up_to: vectors up to which there is no index.
            build: make an index where there is none; else such a set is searched exactly.

        Raises:
            FextError: the vectors hold values that are not finite, or the disk is full.
            Stopped: the report says stop.

        """
        self._set = embeddings
        self._index: _Index | None = None
        if len(embeddings.vectors) > max(exact_up_to, _SAMPLE_K):
            self._index = _open(embeddings)
            if self._index is None and build:
                self._index = _build(embeddings, report or CollectedReport())

    @property
    def recall(self) -> float:
        """The share of the 10 nearest that is found, measured on 200 vectors of the set; 1 where search is exact."""
        return self._index.recall if self._index else 1.0

    def nearest(self, vectors: Vectors, k: int, *, leave_out: Rows | None = None) -> Nearest:
        """Return the ``k`` nearest of each query, or as many as there are.

        Args:
            vectors: queries (n, D).
            k: neighbors wanted, at least 1.
            leave_out: a row of the set for each query (n,), which is no neighbor of it: mostly its own.

        Raises:
            UsageError: ``k`` is below 1, or the queries have another D or values that are not finite.
            FextError: vectors of the set hold values that are not finite, or its index is damaged.

        """
        if k < 1:
            raise UsageError(f"{k} neighbors cannot be found.", "Ask for at least 1.")
        if vectors.ndim != 2 or vectors.shape[1] != self._set.vectors.shape[1]:
            raise UsageError(
                f"Queries of shape {vectors.shape} do not fit vectors of {self._set.vectors.shape[1]:,} values.",
                "Encode them with the same checkpoint and in the same way.",
            )
        queries = _unit(vectors, UsageError("The vector to search with holds values that are not finite.", _AGAIN))
        k = min(k, max(len(self._set.vectors) - (leave_out is not None), 0))
        if not k or not len(queries):
            return Nearest(np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32))
        if self._index is None or k > MOST_BY_INDEX:
            return _exact(self._set, queries, k, leave_out)
        return _approximate(self._set, self._index, queries, k, leave_out)


_AGAIN = "Encode the folder again: `fext encode CHECKPOINT FOLDER --again`."


def _unit(vectors: Vectors, refusal: FextError) -> Values:
    """Return vectors (n, D) at length 1; zeros stay zeros.

    They are divided by their largest value first, so that squares neither overflow nor vanish.

    Raises:
        FextError: ``refusal``, where a value is not finite.

    """
    with np.errstate(over="ignore", invalid="ignore"):
        values = vectors.astype(np.float32)
    largest = np.maximum(values.max(1, initial=0), -values.min(1, initial=0))[:, None]
    if not np.isfinite(largest).all():
        raise refusal
    values /= np.where(largest > 0, largest, 1)
    values /= np.maximum(np.sqrt(np.einsum("ij,ij->i", values, values)), 1)[:, None]
    return values


def _unit_rows(embeddings: EmbeddingSet, rows: slice | Rows) -> Values:
    refusal = FextError(f"The embeddings in {embeddings.folder} hold values that are not finite.", _AGAIN)
    return _unit(embeddings.vectors[rows], refusal)


def _unit_blocks(embeddings: EmbeddingSet, step: int) -> Iterator[tuple[int, Values]]:
    """Yield the vectors at length 1, ``step`` at a time, each with the row of the first."""
    for start in range(0, len(embeddings.vectors), step):
        yield start, _unit_rows(embeddings, slice(start, start + step))


# --- Comparing with each ------------------------------------------------------------------------------------------


def _exact(embeddings: EmbeddingSet, queries: Values, k: int, leave_out: Rows | None) -> Nearest:
    parts = []
    for at in range(0, len(queries), _QUERIES_AT_ONCE):
        part = slice(at, at + _QUERIES_AT_ONCE)
        parts.append(_exact_part(embeddings, queries[part], k, None if leave_out is None else leave_out[part]))
    return _joined(parts)


def _joined(parts: list[Nearest]) -> Nearest:
    return Nearest(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _exact_part(embeddings: EmbeddingSet, queries: Values, k: int, leave_out: Rows | None) -> Nearest:
    rows = np.empty((len(queries), 0), np.int64)
    similarities = np.empty((len(queries), 0), np.float32)
    step = max(_BLOCK_VALUES // max(queries.shape[1], 4 * len(queries)), 1)
    for start, block in _unit_blocks(embeddings, step):
        cosines = queries @ block.T
        if leave_out is not None:
            here = np.flatnonzero((leave_out >= start) & (leave_out < start + len(block)))
            cosines[here, leave_out[here] - start] = -np.inf
        found = _largest(cosines, k)
        rows = np.concatenate([rows, found + start], 1)
        similarities = np.concatenate([similarities, np.take_along_axis(cosines, found, 1)], 1)
        kept = _largest(similarities, k)
        rows, similarities = np.take_along_axis(rows, kept, 1), np.take_along_axis(similarities, kept, 1)
    return _sorted(rows, similarities)


def _largest(values: Values, k: int) -> Rows:
    """Return where the ``k`` largest of each line stand, in any order."""
    count = values.shape[1]
    if count <= k:
        return np.broadcast_to(np.arange(count), values.shape)
    return np.argpartition(values, count - k, axis=1)[:, count - k :]


def _sorted(rows: Rows, similarities: Values) -> Nearest:
    """Return neighbors nearest first; of equal ones, the earlier row."""
    order = np.lexsort((rows, -similarities), axis=1)
    return Nearest(np.take_along_axis(rows, order, 1), np.clip(np.take_along_axis(similarities, order, 1), -1, 1))


# --- The index ----------------------------------------------------------------------------------------------------


class _Index(NamedTuple):
    graph: "Index"
    recall: float
    expansion: int


def _approximate(embeddings: EmbeddingSet, index: _Index, queries: Values, k: int, leave_out: Rows | None) -> Nearest:
    """Return what the index finds, with exact cosines; queries for which it finds too little are compared with each."""
    parts = []
    for number, found in enumerate(_candidates(index, queries, k + (leave_out is not None))):
        if not ((found >= 0) & (found < len(embeddings.vectors))).all():
            raise FextError(f"{embeddings.folder / NEIGHBORS_FILE} is damaged.", "Delete it: it is made again.")
        query = queries[number : number + 1]
        own = None if leave_out is None else leave_out[number : number + 1]
        rows = np.sort(found if own is None else found[found != own])
        if len(rows) < k:
            parts.append(_exact_part(embeddings, query, k, own))
        else:
            nearest = _sorted(rows[None], query @ _unit_rows(embeddings, rows).T)
            parts.append(Nearest(nearest.rows[:, :k], nearest.similarities[:, :k]))
    return _joined(parts)


def _candidates(index: _Index, queries: Values, count: int) -> list[Rows]:
    """Return rows that are near each query, as the index has it: ``count``, or fewer where it finds no more."""
    from usearch.index import BatchMatches

    index.graph.expansion_search = max(index.expansion, 2 * count)  # type: ignore[misc]  # its setter stands apart
    found = index.graph.search(queries, count)
    each = found if isinstance(found, BatchMatches) else [found]
    return [one.keys.astype(np.int64) for one in each]


def _empty_graph(embeddings: EmbeddingSet) -> "Index":
    """Return a graph of vectors at length 1, of which the inner product is the cosine, 0 for zeros too."""
    from usearch.index import Index

    return Index(ndim=embeddings.vectors.shape[1], metric="ip", dtype="f16")


def _open(embeddings: EmbeddingSet) -> _Index | None:
    """Return the index in a set's folder, mapped into memory; None where there is none that is of these vectors.

    usearch believes what it maps, and hangs or crashes where that is damaged: an index that this user has not made, to
    the byte, counts as none.
    """
    path = embeddings.folder / NEIGHBORS_FILE
    graph = _empty_graph(embeddings)
    try:
        measured = json.loads((embeddings.folder / MEASURED_FILE).read_text(encoding="utf-8"))
        told = {"embeddings_blake2b": embeddings.bundle["embeddings_blake2b"], "bytes": path.stat().st_size}
        if told.items() <= measured.items() and measured["seal"] == seal(path):
            graph.view(path)
            if (len(graph), graph.ndim) == embeddings.vectors.shape:
                return _Index(graph, float(measured["recall"]), int(measured["expansion"]))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError):
        pass  # it is made anew
    return None


def _build(embeddings: EmbeddingSet, report: Report) -> _Index | None:
    """Make the index of a set, measure it, write it, and return it; None where the folder cannot be written."""
    if not os.access(embeddings.folder, os.W_OK):
        report.log(f"{embeddings.folder} cannot be written: without an index, search takes longer.", "warning")
        return None
    began = time.monotonic()
    graph = _empty_graph(embeddings)
    total = len(embeddings.vectors)
    report.log(f"Indexing {total:,} vectors, once for all searches.")
    for start, block in _unit_blocks(embeddings, max(_BLOCK_VALUES // embeddings.vectors.shape[1], 1)):
        go_on(report)
        graph.add(np.arange(start, start + len(block), dtype=np.uint64), block)
        report.progress("indexing", start + len(block), total, "vectors")
    index = _measured(embeddings, graph)
    _write(embeddings, index)
    report.log(
        f"Indexed {total:,} vectors in {time.monotonic() - began:.1f} s; "
        f"of the {_SAMPLE_K} nearest, {index.recall:.1%} are found."
    )
    return index


def _measured(embeddings: EmbeddingSet, graph: "Index") -> _Index:
    """Return the index with its recall on a sample, which keeps as many candidates as that needs."""
    count = len(embeddings.vectors)
    sample = np.random.default_rng(_SAMPLE_SEED).choice(count, min(_SAMPLE, count), replace=False).astype(np.int64)
    queries = _unit_rows(embeddings, sample)
    k = min(_SAMPLE_K, count - 1)
    least = _exact(embeddings, queries, k, sample).similarities[:, -1:] - _SAME
    for expansion in _EXPANSIONS:
        index = _Index(graph, 0.0, expansion)
        found = _approximate(embeddings, index, queries, k, sample)
        recall = float((found.similarities >= least).mean())
        if recall >= _RECALL_WANTED:
            break
    return index._replace(recall=recall)


def _write(embeddings: EmbeddingSet, index: _Index) -> None:
    """Write the index in place of an older one, and then what says of which vectors it is."""
    path = embeddings.folder / NEIGHBORS_FILE
    with replacing(path) as file:
        try:
            index.graph.save(f"/dev/fd/{file.fileno()}")  # as bytes, the whole would be in memory twice
        except RuntimeError as error:
            raise OSError(str(error)) from error
    content = {
        "embeddings_blake2b": embeddings.bundle["embeddings_blake2b"],
        "bytes": path.stat().st_size,
        "seal": seal(path),
        "expansion": index.expansion,
        "recall": index.recall,
        "recall_at": _SAMPLE_K,
        "sample": _SAMPLE,
        "seed": _SAMPLE_SEED,
    }
    replace_file(embeddings.folder / MEASURED_FILE, (json.dumps(content, indent=2) + "\n").encode())
