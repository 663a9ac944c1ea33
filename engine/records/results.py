"""Results in the records: evaluations and embeddings."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import peewee

from engine.records.checking import document
from engine.records.connection import BATCH, Connection, Row, lies_in
from engine.records.opening import told
from engine.records.schema import EmbeddingFile, Evaluation, ImageError

ERROR_COLUMNS = ("path", "mae", "mse", "psnr", "ssim", "ms_ssim", "cosine")
"""What the images of an evaluation can be sorted by."""


class ResultRecords(Connection):
    """What was made of checkpoints."""

    def add_evaluation(self, values: Mapping[str, Any], images: Iterable[Mapping[str, Any]]) -> int:
        """Add an evaluation (columns of `Evaluation`) with its images (of `ImageError`), and return its number."""
        with self.transaction():
            evaluation = int(self._run(Evaluation.insert({**values, "created": time.time()})))
            for batch in peewee.chunked(images, BATCH):
                ImageError.insert_many([{**row, "evaluation": evaluation} for row in batch]).execute(self._database)
        return evaluation

    def evaluations(self, checkpoint: str | None = None) -> list[Row]:
        """Return the evaluations (of a checkpoint), newest first.

        The rows have the columns of `Evaluation`, the summary read from JSON; it is empty in rows of older versions.
        """
        query = Evaluation.select().order_by(Evaluation.id.desc())
        rows = self._rows(query.where(Evaluation.checkpoint == checkpoint) if checkpoint else query)
        return [{**row, "summary": document(self.path, "summary", row["summary"] or "{}", dict)} for row in rows]

    def image_errors(
        self, evaluation: int, *, order_by: str = "psnr", descending: bool = False, limit: int = -1, offset: int = 0
    ) -> list[Row]:
        """Return images of an evaluation, worst PSNR first, a page at a time.

        Args:
            evaluation: its number.
            order_by: one of `ERROR_COLUMNS`; images without that figure come last.
            descending: largest first.
            limit: rows at most; -1: all.
            offset: rows left out at the start.

        Raises:
            KeyError: there is no such column.

        """
        if order_by not in ERROR_COLUMNS:
            raise KeyError(order_by)
        column = getattr(ImageError, order_by)
        order = column.desc(nulls="LAST") if descending else column.asc(nulls="LAST")
        query = ImageError.select().where(ImageError.evaluation == evaluation).order_by(order, ImageError.id)
        return self._rows(query.limit(limit).offset(offset))

    def ordered_errors(self, evaluation: int, column: str, *, descending: bool = False) -> Iterator[tuple[str, float]]:
        """Yield path and one of `ERROR_COLUMNS` of each image of an evaluation that has it, in the values' order."""
        field = getattr(ImageError, column)
        order = field.desc() if descending else field.asc()
        query = ImageError.select(ImageError.path, field).order_by(order, ImageError.id)
        query = query.where(ImageError.evaluation == evaluation, ~field.is_null())
        with told(self.path):
            yield from query.tuples().iterator(self._database)

    def add_embeddings(self, **values: Any) -> None:
        """Remember a set of embeddings (columns of `EmbeddingFile`)."""
        self._run(EmbeddingFile.insert({**values, "created": time.time()}))

    def embeddings(self) -> list[Row]:
        """Return the sets of embeddings, newest first."""
        return self._rows(EmbeddingFile.select().order_by(EmbeddingFile.id.desc()))

    def forget_embeddings(self, folder: str) -> None:
        """Forget the sets of embeddings that lay in a folder, as the workspace stores it."""
        self._run(EmbeddingFile.delete().where(lies_in(EmbeddingFile.path, folder)))

    def knows_embeddings(self, path: str) -> bool:
        """Return whether a set in a folder, as the workspace stores it, is remembered."""
        return self._row(EmbeddingFile.select().where(EmbeddingFile.path == path)) is not None
