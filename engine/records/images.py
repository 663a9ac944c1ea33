"""Images in the records: what was measured on them, and the questions tables and plots ask."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import peewee

from engine.records.checking import check_numbers, understood
from engine.records.connection import BATCH, Connection, Row
from engine.records.opening import told
from engine.records.schema import METRIC_TABLES, Fingerprint, Image, Text, columns_of

if TYPE_CHECKING:  # NumPy is loaded where values are asked for, not with the app
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

_TEXT = Text()

OPERATORS = ("<=", ">=", "<", ">", "=")

_OWN = {name: f"image.{name}" for name in ("path", "bytes", "format", "width", "height", "mode", "bits", "subset")}
_DERIVED = {
    "megapixels": "(image.width * image.height / 1e6)",
    "aspect": "(1.0 * MAX(image.width, image.height) / MIN(image.width, image.height))",
}
OWN_COLUMNS = (*_OWN, *_DERIVED)
"""What a table can show and sort of an image beside its metrics; ``aspect`` is the long side over the short one."""


class Condition(NamedTuple):
    """A condition on images: a column of theirs or a metric, one of `OPERATORS`, and a number."""

    column: str
    operator: str
    value: float


class Fingerprints(NamedTuple):
    """What tells images apart: their numbers (N,), hashes in the form of training and as they are, perceptual hashes.

    Hashes are (N,) bytes of 16, perceptual ones (N,) uint64.
    """

    numbers: "Numbers"
    contents: "NDArray[np.bytes_]"
    pixels: "NDArray[np.bytes_]"
    perceptual: "NDArray[np.uint64]"


class MeasuredImage(NamedTuple):
    """An image with what was measured on it: columns of its own, metrics by group, and those of its fingerprint.

    Their names are those that `ImageRecords` takes them by.
    """

    columns: Mapping[str, Any]
    groups: Mapping[str, Mapping[str, Any]]
    fingerprint: Mapping[str, Any]


class ImageRecords(Connection):
    """The images of datasets."""

    def put_images(self, dataset: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Add or renew images (columns of `Image` but ``dataset``, the same in all rows), and return numbers by path.

        A renewed image keeps its number; metrics that were measured on it stay until they are measured again, or until
        the file has changed.
        """
        if not rows:
            return {}
        names = list(rows[0])
        renewed = ", ".join(f"{name} = excluded.{name}" for name in names if name != "path")
        empty = [name for name in ("format", "mode", "subset") if name not in names]
        statement = (
            f"INSERT INTO image (dataset_id, {', '.join(names + empty)}) "
            f"VALUES (?{', ?' * len(names)}{', ?' * len(empty)}) "
            f"ON CONFLICT (dataset_id, path) DO UPDATE SET {renewed}"
        )
        with self.transaction():  # 0.15 ms an image less than through Peewee's query builder
            self._forget_changed(dataset, rows)
            values = [(dataset, *(_stored(row[name]) for name in names), *("" for _ in empty)) for row in rows]
            self._database.connection().executemany(statement, values)
            return {path: number for number, path, *_ in self._by_paths(dataset, [row["path"] for row in rows])}

    def _by_paths(self, dataset: int, paths: Iterable[str]) -> Iterator[tuple[int, str, int, int]]:
        """Yield number, path, bytes and modified_ns of those images that are there."""
        for batch in peewee.chunked(paths, BATCH):
            rows = self._sql(
                "SELECT id, path, bytes, modified_ns FROM image "
                f"WHERE dataset_id = ? AND path IN ({', '.join('?' * len(batch))})",
                (dataset, *map(_stored, batch)),
            )
            yield from ((number, _text(path), size, modified) for number, path, size, modified in rows)

    def _forget_changed(self, dataset: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Delete what was measured on images that are there, but with another size or time of change."""
        now = {row["path"]: (row["bytes"], row["modified_ns"]) for row in rows}
        changed = [number for number, path, *facts in self._by_paths(dataset, now) if tuple(facts) != now[path]]
        for batch in peewee.chunked(changed, BATCH):
            for table in (*map(_table, METRIC_TABLES), "fingerprint"):
                self._sql(f"DELETE FROM {table} WHERE image_id IN ({', '.join('?' * len(batch))})", batch)

    def known_images(
        self, dataset: int, files: Iterable[tuple[str, int, int]], groups: Iterable[str], layout: str
    ) -> dict[str, int]:
        """Return those files (path, bytes, modified_ns) that nothing is to be measured on again: their numbers by path.

        They have not changed since, the metrics of ``groups`` are there, and so is a fingerprint at ``layout``.
        """
        now = {path: (size, modified) for path, size, modified in files}
        joins = "".join(f" JOIN {_table(group)} ON {_table(group)}.image_id = image.id" for group in groups)
        found: dict[str, int] = {}
        for paths in peewee.chunked(now, BATCH):
            marks = ", ".join("?" * len(paths))
            rows = self._sql(
                "SELECT image.id, path, bytes, modified_ns FROM image "
                f"JOIN fingerprint ON fingerprint.image_id = image.id{joins} "
                f"WHERE dataset_id = ? AND path IN ({marks}) AND layout = ?",
                (dataset, *map(_stored, paths), layout),
            )
            for number, path, size, modified in rows:
                if now[_text(path)] == (size, modified):
                    found[_text(path)] = number
        return found

    def delete_images_but(self, dataset: int, kept: Iterable[int]) -> None:
        """Delete the images of a dataset whose number is not among ``kept``, with their metrics."""
        import numpy as np

        rows = self._sql("SELECT id FROM image WHERE dataset_id = ?", (dataset,))
        numbers = np.fromiter((number for (number,) in rows), np.int64)
        gone = np.setdiff1d(numbers, np.fromiter(kept, np.int64)).tolist()
        with self.transaction():
            for batch in peewee.chunked(gone, BATCH):
                Image.delete().where(Image.id << batch).execute(self._database)

    def put_image_metrics(self, group: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add or renew one metric group of images: rows of ``image`` and the group's columns."""
        names = columns_of(group)
        values = ", ".join(f":{name}" for name in names)
        statement = f"REPLACE INTO {_table(group)} (image_id, {', '.join(names)}) VALUES (:image, {values})"
        with self.transaction():  # 0.1 ms an image less than through Peewee's query builder
            self._database.connection().executemany(statement, rows)

    def put_fingerprints(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add or renew fingerprints: rows of ``image`` and the columns of `Fingerprint`."""
        names = Fingerprint._meta.sorted_field_names[1:]
        values = ", ".join(f":{name}" for name in names)
        statement = f"REPLACE INTO fingerprint (image_id, {', '.join(names)}) VALUES (:image, {values})"
        with self.transaction():
            self._database.connection().executemany(statement, rows)

    def put_subsets(self, dataset: int, subsets: Mapping[str, Iterable[int]]) -> None:
        """Say which images, by number, are for ``train`` and ``validation``; all others of the dataset for neither."""
        with self.transaction():
            Image.update(subset="").where((Image.dataset == dataset) & (Image.subset != "")).execute(self._database)
            for subset, numbers in subsets.items():
                for batch in peewee.chunked(numbers, BATCH):
                    Image.update(subset=subset).where(Image.id << batch).execute(self._database)

    def index_metrics(self, groups: Iterable[str]) -> None:
        """Index the metrics of groups and the columns of images, so that sorting by one costs the same for a million.

        Called when images have been measured, for adding many to an index is dear.
        """
        with self.transaction():
            for column in OWN_COLUMNS[1:]:
                place = _place(column).replace("image.", "")
                self._sql(f"CREATE INDEX IF NOT EXISTS image_by_{column} ON image (dataset_id, {place})")
            for group in groups:
                for column in columns_of(group):
                    name = f"{_table(group)}_by_{column}"
                    self._sql(f"CREATE INDEX IF NOT EXISTS {name} ON {_table(group)} ({column})")

    # --- Questions ------------------------------------------------------------------------------------------

    def image_metrics(
        self,
        dataset: int,
        groups: Sequence[str],
        *,
        order_by: str = "path",
        descending: bool = False,
        contains: str = "",
        where: Sequence[Condition] = (),
        limit: int = -1,
        offset: int = 0,
    ) -> list[Row]:
        """Return images with the columns of the metric groups (None where not measured), a page at a time.

        Args:
            dataset: number of the dataset.
            groups: metric groups whose columns are wanted.
            order_by: one of `OWN_COLUMNS`, or any metric; images on which that was not measured are left out.
            descending: largest first.
            contains: only images whose path holds this text.
            where: only images that meet all of these.
            limit: rows at most; -1: all.
            offset: rows left out at the start.

        """
        own = {"id": "image.id", **_OWN, **_DERIVED, "alpha": "image.alpha", "gray": "image.gray"}
        metrics = {name: f"{_table(group)}.{name}" for group in groups for name in columns_of(group) if name not in own}
        columns = own | metrics
        source, values = _source(dataset, contains, where, groups, order_by)
        way = "DESC" if descending else "ASC"
        group = metric_group(order_by)
        number = f"{_table(group)}.image_id" if group else "image.id"  # which the index holds beside the metric
        order = "image.path " + way if order_by == "path" else f"{_place(order_by)} {way}, {number} {way}"
        statement = f"SELECT {', '.join(columns.values())} {source} ORDER BY {order} LIMIT ? OFFSET ?"
        rows = self._sql(statement, (*values, limit, offset))
        found = [dict(zip(columns, map(_text, row), strict=True)) for row in rows]
        check_numbers(self.path, found)
        return found

    def count_images(
        self, dataset: int, contains: str = "", where: Sequence[Condition] = (), order_by: str = "path"
    ) -> int:
        """Return the number of images that `image_metrics` returns for the same arguments."""
        group = metric_group(order_by)
        source, values = _source(dataset, contains, where, [group] if group else [])
        source += f" AND {_place(order_by)} IS NOT NULL" if group else ""
        ((number,),) = self._sql(f"SELECT COUNT(*) {source}", values)
        return int(number)

    def ordered_paths(self, dataset: int, column: str, *, descending: bool = False) -> Iterator[tuple[str, float]]:
        """Yield path and value of each image on which a metric was measured, in the order of the values."""
        group = metric_group(column)
        source, values = _source(dataset, "", (), [], column)
        place, way = _place(column), "DESC" if descending else "ASC"
        number = f"{_table(group)}.image_id" if group else "image.id"
        order = f"{place} IS NOT NULL ORDER BY {place} {way}, {number} {way}"
        for path, value in self._sql(f"SELECT image.path, {place} {source} AND {order}", values):
            yield _text(path), value

    def paths_where(self, dataset: int, where: Sequence[Condition]) -> Iterator[str]:
        """Yield the paths of the images that meet all conditions."""
        source, values = _source(dataset, "", where, [])
        for (path,) in self._sql(f"SELECT image.path {source}", values):
            yield _text(path)

    def image(self, dataset: int, path: str) -> Row | None:
        """Return one image with all its metrics (None where not measured); None where it is not in the records."""
        tables = METRIC_TABLES.items()
        measured = [getattr(table, name) for group, table in tables for name in columns_of(group)]
        columns = [column for column in measured if column.name not in Image._meta.fields]
        query = Image.select(Image, *columns).where((Image.dataset == dataset) & (Image.path == path))
        for _, table in tables:
            query = query.join(table, peewee.JOIN.LEFT_OUTER, on=(table.image == Image.id)).switch(Image)
        return self._row(query)

    def subset_numbers(self, dataset: int, subset: str) -> "Numbers":
        """Return the numbers (N,) of the images of a subset of a dataset."""
        import numpy as np

        rows = self._sql("SELECT id FROM image WHERE dataset_id = ? AND subset = ?", (dataset, subset))
        return np.fromiter((number for (number,) in rows), np.int64)

    def paths(self, numbers: Iterable[int]) -> dict[int, str]:
        """Return the paths of images by their numbers."""
        found: dict[int, str] = {}
        for batch in peewee.chunked(numbers, BATCH):
            rows = self._sql(f"SELECT id, path FROM image WHERE id IN ({', '.join('?' * len(batch))})", tuple(batch))
            found |= {number: _text(path) for number, path in rows}
        return found

    def metric_values(self, dataset: int, column: str) -> "tuple[Numbers, NDArray[np.float64]]":
        """Return the numbers (N,) and values (N,) of the images of a dataset on which a metric was measured."""
        import numpy as np

        place = _place(column)
        group = metric_group(column)
        source, values = _source(dataset, "", (), [group] if group else [])
        rows = self._sql(f"SELECT image.id, {place} {source} AND {place} IS NOT NULL", values)
        with understood(self.path):
            found = np.fromiter(rows, np.dtype([("number", np.int64), ("value", np.float64)]))
        return found["number"], found["value"]

    def metric_rows(self, dataset: int, groups: Sequence[str]) -> Iterator[Row]:
        """Yield ``id path`` and the metrics of groups of every image on which all of them were measured, by path."""
        columns = {"id": "image.id", "path": "image.path"}
        columns |= {name: f"{_table(group)}.{name}" for group in groups for name in columns_of(group)}
        joins = "".join(f" JOIN {_table(group)} ON {_table(group)}.image_id = image.id" for group in groups)
        rows = self._sql(
            f"SELECT {', '.join(columns.values())} FROM image{joins} WHERE dataset_id = ? ORDER BY path", (dataset,)
        )
        for row in rows:
            yield dict(zip(columns, map(_text, row), strict=True))

    def measured_images(self, dataset: int, groups: Sequence[str]) -> Iterator[MeasuredImage]:
        """Yield the images of a dataset on which all of the groups were measured, in the order of their numbers."""
        own = [name for name in Image._meta.sorted_field_names if name not in {"id", "dataset", "subset"}]
        prints = Fingerprint._meta.sorted_field_names[1:]
        tables = [("image", own), ("fingerprint", prints), *((_table(group), columns_of(group)) for group in groups)]
        joins = "".join(f" JOIN {table} ON {table}.image_id = image.id" for table, _ in tables[1:])
        rows = self._sql(  # the sign lets them be read in their order, not sorted by it
            f"SELECT {', '.join(f'{table}.{name}' for table, names in tables for name in names)} FROM image{joins} "
            "WHERE +dataset_id = ? ORDER BY image.id",
            (dataset,),
        )
        for row in rows:
            values = iter(row)
            columns = {name: _text(value) for name, value in zip(own, values, strict=False)}
            fingerprint = dict(zip(prints, values, strict=False))
            metrics = {group: dict(zip(columns_of(group), values, strict=False)) for group in groups}
            yield MeasuredImage(columns, metrics, fingerprint)

    def stored_forms(self, dataset: int) -> Iterator[tuple[str, str, int, bool, bool]]:
        """Yield path, mode, bits a channel, alpha and grayness of each analyzed image of a dataset, by path."""
        rows = self._sql(
            "SELECT path, mode, bits, alpha, gray FROM image WHERE dataset_id = ? AND mode != '' ORDER BY path",
            (dataset,),
        )
        for path, mode, bits, alpha, gray in rows:
            yield _text(path), mode, bits, bool(alpha), bool(gray)

    def fingerprints(self, dataset: int) -> Fingerprints:
        """Return the fingerprints of the images of a dataset, in the order of their paths."""
        import numpy as np

        rows = self._sql(
            "SELECT image.id, content, pixels, perceptual FROM image JOIN fingerprint ON image_id = image.id "
            "WHERE dataset_id = ? ORDER BY path",
            (dataset,),
        )
        kinds = [("number", np.int64), ("content", "S16"), ("pixels", "S16"), ("perceptual", np.int64)]
        with understood(self.path):
            found = np.fromiter(rows, np.dtype(kinds))
        hashes = np.ascontiguousarray(found["perceptual"]).view(np.uint64)
        return Fingerprints(found["number"], found["content"], found["pixels"], hashes)

    def thumbnails(self, numbers: Iterable[int]) -> dict[int, bytes]:
        """Return the thumbnails of images by their numbers."""
        found: dict[int, bytes] = {}
        for batch in peewee.chunked(numbers, BATCH):
            marks = ", ".join("?" * len(batch))
            rows = self._sql(f"SELECT image_id, thumbnail FROM fingerprint WHERE image_id IN ({marks})", tuple(batch))
            found |= dict(rows)
        return found

    def levels(self, dataset: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and compressed levels of each image of a dataset."""
        yield from self._sql(
            "SELECT image.id, levels FROM image JOIN fingerprint ON image_id = image.id WHERE dataset_id = ?",
            (dataset,),
        )

    def _sql(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Execute a statement, and return its rows as they are asked for."""
        with told(self.path):
            return self._told_rows(self._database.execute_sql(statement, tuple(values)))

    def _told_rows(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        with told(self.path):
            for row in rows:  # noqa: UP028  delegating would close the cursor, perhaps after the connection
                yield row


def metric_group(column: str) -> str:
    """Return the group that holds a metric; empty for a column of the image itself.

    Raises:
        KeyError: there is no such column.

    """
    if column in OWN_COLUMNS:
        return ""
    group = next((group for group in METRIC_TABLES if column in columns_of(group)), None)
    if group is None:
        raise KeyError(column)
    return group


def _table(group: str) -> str:
    return str(METRIC_TABLES[group]._meta.table_name)


def _place(column: str) -> str:
    group = metric_group(column)
    return f"{_table(group)}.{column}" if group else (_OWN | _DERIVED)[column]


def _text(value: Any) -> Any:
    """Return a value with texts as they were given, those that are no UTF-8 included."""
    return _TEXT.python_value(value)


def _stored(value: Any) -> Any:
    """Return a value as it is stored."""
    return _TEXT.db_value(value)


def _source(
    dataset: int, contains: str, where: Sequence[Condition], groups: Iterable[str], order_by: str = ""
) -> tuple[str, tuple[Any, ...]]:
    """Return what follows the columns of a question, and its values.

    The table of the metric that gives the order comes first, so that its index gives the rows one by one; without
    an order, rows come as they lie, which is quickest for all of them.
    """
    first = metric_group(order_by) if order_by else ""
    source = f"{_table(first)} CROSS JOIN image ON image.id = {_table(first)}.image_id" if first else "image"
    for group in dict.fromkeys([*groups, *filter(None, (metric_group(condition.column) for condition in where))]):
        if group != first:
            source += f" LEFT JOIN {_table(group)} ON {_table(group)}.image_id = image.id"
    conditions, values = ["image.dataset_id = ?"], list[Any]([dataset])
    if contains:  # also in paths that are no UTF-8 and therefore stored as bytes
        conditions.append("INSTR(LOWER(CAST(image.path AS TEXT)), LOWER(?)) > 0")
        values.append(contains)
    for column, operator, value in where:
        if operator not in OPERATORS:
            raise ValueError(operator)
        conditions.append(f"{_place(column)} {operator} ?")
        values.append(value)
    return f"FROM {source} WHERE {' AND '.join(conditions)}", tuple(values)
