"""Datasets in the records: their images, what was measured on them, what is wrong with them."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import peewee

from engine.records.connection import BATCH, Connection, Row
from engine.records.schema import METRIC_TABLES, Dataset, Finding, Histogram, Image, Split, columns_of


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

    def put_images(self, dataset: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Add or renew images (columns of `Image` but ``dataset``), and return their numbers by path.

        A renewed image keeps its number; metrics that were measured on it stay until they are measured again.
        """
        names = ("bytes", "modified_ns", "format", "width", "height", "subset")
        numbers: dict[str, int] = {}
        with self.transaction():
            for batch in peewee.chunked(rows, BATCH):
                query = Image.insert_many([{**row, "dataset": dataset} for row in batch]).on_conflict(
                    conflict_target=[Image.dataset, Image.path],
                    preserve=[getattr(Image, name) for name in names],
                )
                query.execute(self._database)
                here = Image.select(Image.id, Image.path).where(
                    (Image.dataset == dataset) & (Image.path << [row["path"] for row in batch])
                )
                numbers |= {row["path"]: row["id"] for row in self._rows(here)}
        return numbers

    def delete_images_but(self, dataset: int, kept: Iterable[int]) -> None:
        """Delete the images of a dataset whose number is not among ``kept``, with their metrics."""
        keep = set(kept)
        gone = [
            row["id"]
            for row in self._rows(Image.select(Image.id).where(Image.dataset == dataset))
            if row["id"] not in keep
        ]
        with self.transaction():
            for batch in peewee.chunked(gone, BATCH):
                Image.delete().where(Image.id << batch).execute(self._database)

    def put_image_metrics(self, group: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add or renew one metric group of images: rows of ``image`` and the group's columns."""
        table = METRIC_TABLES[group]._meta.table_name
        names = columns_of(group)
        values = ", ".join(f":{name}" for name in names)
        statement = f"REPLACE INTO {table} (image_id, {', '.join(names)}) VALUES (:image, {values})"  # noqa: S608 - own names
        with self.transaction():  # 0.1 ms an image less than through Peewee's query builder
            self._database.connection().executemany(statement, rows)

    def put_subset(self, subset: str, images: Iterable[int]) -> None:
        """Say of images, by their numbers, that they are for ``train`` or ``validation``, or neither (empty)."""
        with self.transaction():
            for batch in peewee.chunked(images, BATCH):
                Image.update(subset=subset).where(Image.id << batch).execute(self._database)

    def image_metrics(
        self,
        dataset: int,
        groups: Sequence[str],
        *,
        order_by: str = "path",
        descending: bool = False,
        contains: str = "",
        limit: int = -1,
        offset: int = 0,
    ) -> list[Row]:
        """Return images with the columns of the metric groups (None where not measured), a page at a time.

        Args:
            dataset: number of the dataset.
            groups: metric groups whose columns are wanted.
            order_by: ``path``, another column of `Image`, or a metric of ``groups``.
            descending: largest first.
            contains: only images whose path holds this text.
            limit: rows at most; -1: all.
            offset: rows left out at the start.

        """
        tables = [METRIC_TABLES[group] for group in groups]
        own = {name: getattr(Image, name) for name in ("path", "bytes", "format", "width", "height", "subset")}
        metrics = {
            name: getattr(METRIC_TABLES[group], name)
            for group in groups
            for name in columns_of(group)
            if name not in own
        }
        query = Image.select(Image.id, *(own | metrics).values()).where(Image.dataset == dataset)
        for table in tables:
            query = query.join(table, peewee.JOIN.LEFT_OUTER, on=(table.image == Image.id)).switch(Image)
        if contains:
            query = query.where(_path_contains(contains))
        column = (own | metrics)[order_by]
        order = column.desc(nulls="last") if descending else column.asc(nulls="last")
        return self._rows(query.order_by(order, Image.path).limit(limit).offset(offset))

    def image(self, dataset: int, path: str) -> Row | None:
        """Return one image with all its metrics (None where not measured); None where it is not in the records."""
        tables = METRIC_TABLES.items()
        measured = [getattr(table, name) for group, table in tables for name in columns_of(group)]
        columns = [column for column in measured if column.name not in Image._meta.fields]
        query = Image.select(Image, *columns).where((Image.dataset == dataset) & (Image.path == path))
        for _, table in tables:
            query = query.join(table, peewee.JOIN.LEFT_OUTER, on=(table.image == Image.id)).switch(Image)
        return self._row(query)

    def count_images(self, dataset: int, contains: str = "") -> int:
        """Return the number of images of a dataset (whose path holds a text)."""
        query = Image.select(peewee.fn.COUNT(Image.id).alias("n")).where(Image.dataset == dataset)
        row = self._row(query.where(_path_contains(contains)) if contains else query)
        return int(row["n"]) if row else 0

    def dataset_summary(self, dataset: int) -> Row:
        """Return ``images bytes`` and least and largest ``width height`` (None for no image) of a dataset.

        ``formats`` and ``subsets`` are the numbers of images by format and by subset, most frequent first.
        """
        number, sides = peewee.fn.COUNT(Image.id), (Image.width, Image.height)
        extremes = [
            function(side).alias(f"{name}_{side.name}")
            for name, function in (("min", peewee.fn.MIN), ("max", peewee.fn.MAX))
            for side in sides
        ]
        query = Image.select(
            Image.format, Image.subset, number.alias("n"), peewee.fn.SUM(Image.bytes).alias("bytes"), *extremes
        )
        kinds = self._rows(
            query.where(Image.dataset == dataset)
            .group_by(Image.format, Image.subset)
            .order_by(number.desc(), Image.format, Image.subset)
        )
        summary: Row = {"images": sum(kind["n"] for kind in kinds), "bytes": sum(kind["bytes"] for kind in kinds)}
        for name, best in (("min", min), ("max", max)):
            for side in sides:
                known = [kind[f"{name}_{side.name}"] for kind in kinds if kind[f"{name}_{side.name}"] is not None]
                summary[f"{name}_{side.name}"] = best(known, default=None)
        return summary | {"formats": _summed(kinds, "format"), "subsets": _summed(kinds, "subset")}

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
        return [{**row, "counts": json.loads(row["counts"])} for row in rows]

    def delete_histograms(self, dataset: int) -> None:
        """Delete the histograms of a dataset."""
        self._run(Histogram.delete().where(Histogram.dataset == dataset))

    def put_findings(self, dataset: int, findings: Iterable[tuple[str, str, str]]) -> None:
        """Replace the findings of a dataset by these: (path, kind, detail)."""
        with self.transaction():
            Finding.delete().where(Finding.dataset == dataset).execute(self._database)
            rows = (
                {"dataset": dataset, "path": path, "kind": kind, "detail": detail} for path, kind, detail in findings
            )
            for batch in peewee.chunked(rows, BATCH):
                Finding.insert_many(batch).execute(self._database)

    def findings(self, dataset: int, limit: int = -1) -> list[Row]:
        """Return the findings of a dataset (up to ``limit``): ``path kind detail``, by kind and path."""
        query = Finding.select().where(Finding.dataset == dataset).order_by(Finding.kind, Finding.path)
        return self._rows(query.limit(limit))

    def count_findings(self, dataset: int) -> int:
        """Return the number of findings of a dataset."""
        row = self._row(Finding.select(peewee.fn.COUNT(Finding.id).alias("n")).where(Finding.dataset == dataset))
        return int(row["n"]) if row else 0

    def put_split(self, dataset: int, key: str, **values: Any) -> None:
        """Remember a split (columns of `Split`) by its key."""
        self._run(Split.insert(dataset=dataset, key=key, created=time.time(), **values).on_conflict_ignore())


def _summed(kinds: Sequence[Row], column: str) -> dict[str, int]:
    """Return the sums of ``n`` by the values of a column, largest first."""
    sums: dict[str, int] = {}
    for kind in kinds:
        sums[kind[column]] = sums.get(kind[column], 0) + kind["n"]
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def _path_contains(text: str) -> Any:
    """Return the condition, which also meets paths that are no UTF-8 and therefore stored as bytes."""
    return Image.path.cast("TEXT").contains(text)
