"""Datasets in the records, each as a whole."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peewee

from engine.records.checking import whole_numbers
from engine.records.connection import Connection, Row
from engine.records.schema import Dataset, Histogram, Image, Split


class DatasetRecords(Connection):
    """Image folders."""

    def dataset(self, folder: Path) -> int:
        """Return the number of the dataset that stands for a folder; it is added where it is new."""
        stored = self.workspace.stored_path(folder)
        self._run(Dataset.insert(folder=stored, created=time.time()).on_conflict_ignore())
        row = self._row(Dataset.select().where(Dataset.folder == stored))
        assert row is not None
        return int(row["id"])

    def datasets(self) -> list[Row]:
        """Return the datasets with their number of images: ``id folder created images``, newest first."""
        counted = Image.select(peewee.fn.COUNT(Image.id)).where(Image.dataset == Dataset.id)
        return self._rows(Dataset.select(Dataset, counted.alias("images")).order_by(Dataset.id.desc()))

    def find_dataset(self, folder: Path) -> int | None:
        """Return the number of the dataset that stands for a folder; None where it was never analyzed or trained on."""
        row = self._row(Dataset.select(Dataset.id).where(Dataset.folder == self.workspace.stored_path(folder)))
        return int(row["id"]) if row else None

    def delete_dataset(self, dataset: int) -> None:
        """Delete a dataset with all that is known of its images: metrics, findings, histograms, exclusions, splits."""
        self._run(Dataset.delete().where(Dataset.id == dataset))

    def dataset_summary(self, dataset: int) -> Row:
        """Return ``images bytes`` and least and largest ``width height`` (None for no image) of a dataset.

        ``formats``, ``subsets`` and ``modes`` are the numbers of images by each of these, most frequent first.
        """
        number, sides = peewee.fn.COUNT(Image.id), (Image.width, Image.height)
        extremes = [
            function(side).alias(f"{name}_{side.name}")
            for name, function in (("min", peewee.fn.MIN), ("max", peewee.fn.MAX))
            for side in sides
        ]
        query = Image.select(
            Image.format,
            Image.subset,
            Image.mode,
            number.alias("n"),
            peewee.fn.SUM(Image.bytes).alias("bytes"),
            *extremes,
        )
        kinds = self._rows(
            query.where(Image.dataset == dataset)
            .group_by(Image.format, Image.subset, Image.mode)
            .order_by(number.desc(), Image.format, Image.subset, Image.mode)
        )
        summary: Row = {"images": sum(kind["n"] for kind in kinds), "bytes": sum(kind["bytes"] for kind in kinds)}
        for name, best in (("min", min), ("max", max)):
            for side in sides:
                known = [kind[f"{name}_{side.name}"] for kind in kinds if kind[f"{name}_{side.name}"] is not None]
                summary[f"{name}_{side.name}"] = best(known, default=None)
        sums = {f"{name}s": _summed(kinds, name) for name in ("format", "subset", "mode")}
        return summary | sums

    def put_histogram(self, dataset: int, subset: str, channel: str, images: int, counts: Sequence[int]) -> None:
        """Remember a summed histogram, over an older one of that dataset, subset and channel."""
        row = {
            "dataset": dataset,
            "subset": subset,
            "channel": channel,
            "images": images,
            "counts": json.dumps(list(counts)),
        }
        self._upsert(Histogram, [row])

    def histograms(self, dataset: int) -> list[Row]:
        """Return the histograms of a dataset: ``subset channel images counts``, counts a list."""
        rows = self._rows(Histogram.select().where(Histogram.dataset == dataset).order_by(Histogram.subset))
        return [{**row, "counts": whole_numbers(self.path, "counts", row["counts"])} for row in rows]

    def delete_histograms(self, dataset: int) -> None:
        """Delete the histograms of a dataset."""
        self._run(Histogram.delete().where(Histogram.dataset == dataset))

    def put_split(self, dataset: int, key: str, **values: Any) -> None:
        """Remember a split (columns of `Split`) by its key."""
        self._run(Split.insert(dataset=dataset, key=key, created=time.time(), **values).on_conflict_ignore())

    def split_files(self) -> frozenset[str]:
        """Return the files that hold the lists of splits, as the workspace stores them."""
        return frozenset(row["file"] for row in self._rows(Split.select(Split.file)))


def _summed(kinds: Sequence[Row], column: str) -> dict[str, int]:
    """Return the sums of ``n`` by the values of a column, largest first."""
    sums: dict[str, int] = {}
    for kind in kinds:
        sums[kind[column]] = sums.get(kind[column], 0) + kind["n"]
    return dict(sorted(sums.items(), key=lambda item: -item[1]))
