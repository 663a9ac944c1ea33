"""Results in the records: evaluations and embeddings."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import peewee

from engine.records.connection import BATCH, Connection, Row
from engine.records.schema import EmbeddingFile, Evaluation, ImageError


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
        """Return the evaluations (of a checkpoint), newest first."""
        query = Evaluation.select().order_by(Evaluation.id.desc())
        return self._rows(query.where(Evaluation.checkpoint == checkpoint) if checkpoint else query)

    def image_errors(self, evaluation: int) -> list[Row]:
        """Return the images of an evaluation, worst PSNR first."""
        return self._rows(ImageError.select().where(ImageError.evaluation == evaluation).order_by(ImageError.psnr))

    def add_embeddings(self, **values: Any) -> None:
        """Remember a set of embeddings (columns of `EmbeddingFile`)."""
        self._run(EmbeddingFile.insert({**values, "created": time.time()}))

    def embeddings(self) -> list[Row]:
        """Return the sets of embeddings, newest first."""
        return self._rows(EmbeddingFile.select().order_by(EmbeddingFile.id.desc()))
