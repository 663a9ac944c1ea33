"""What is to be known of single files of a dataset, and which of them training leaves out."""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import peewee

from engine.records.connection import BATCH, Connection, Row
from engine.records.schema import Exclusion
from engine.records.schema import Finding as FindingTable


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know of a file: its relative path, the kind, and in words what it is.

    ``value`` is the figure that makes it one; ``other`` the path of the file that it is like.
    """

    path: str
    kind: str
    detail: str
    value: float | None = None
    other: str = ""


class FindingRecords(Connection):
    """Findings and exclusions."""

    def put_findings(self, dataset: int, kinds: Iterable[str], findings: Iterable[Finding]) -> None:
        """Replace the findings of those kinds of a dataset."""
        with self.transaction():
            query = FindingTable.delete().where((FindingTable.dataset == dataset) & (FindingTable.kind << list(kinds)))
            query.execute(self._database)
            rows = ({"dataset": dataset, **asdict(finding)} for finding in findings)
            for batch in peewee.chunked(rows, BATCH):
                FindingTable.insert_many(batch).execute(self._database)

    def findings(self, dataset: int, kind: str = "", limit: int = -1, offset: int = 0) -> list[Row]:
        """Return findings of a dataset (of one kind): ``path kind detail value other excluded``, by kind and path."""
        query = (
            FindingTable.select(FindingTable, Exclusion.id.is_null(False).alias("excluded"))
            .join(
                Exclusion,
                peewee.JOIN.LEFT_OUTER,
                on=((Exclusion.dataset == FindingTable.dataset) & (Exclusion.path == FindingTable.path)),
            )
            .where(FindingTable.dataset == dataset)
        )
        if kind:
            query = query.where(FindingTable.kind == kind)
        order = (FindingTable.kind, FindingTable.path, FindingTable.id)
        return self._rows(query.order_by(*order).limit(limit).offset(offset))

    def count_findings(self, dataset: int) -> dict[str, int]:
        """Return the number of findings of a dataset by kind."""
        number = peewee.fn.COUNT(FindingTable.id).alias("n")
        query = FindingTable.select(FindingTable.kind, number).where(FindingTable.dataset == dataset)
        return {row["kind"]: row["n"] for row in self._rows(query.group_by(FindingTable.kind))}

    def exclude(self, dataset: int, paths: Iterable[str]) -> None:
        """Let training leave these files out, until they are included again."""
        now = time.time()
        with self.transaction():
            for batch in peewee.chunked(paths, BATCH):
                rows = [{"dataset": dataset, "path": path, "created": now} for path in batch]
                Exclusion.insert_many(rows).on_conflict_ignore().execute(self._database)

    def include(self, dataset: int, paths: Iterable[str] | None = None) -> None:
        """Let training use these files again; for None, all files of the dataset."""
        with self.transaction():
            if paths is None:
                Exclusion.delete().where(Exclusion.dataset == dataset).execute(self._database)
                return
            for batch in peewee.chunked(paths, BATCH):
                query = Exclusion.delete().where((Exclusion.dataset == dataset) & (Exclusion.path << batch))
                query.execute(self._database)

    def count_finding_files(self, dataset: int, kind: str) -> tuple[int, int]:
        """Return how many files have findings of a kind, and how many of them training leaves out."""
        out = Exclusion.select(Exclusion.path).where(Exclusion.dataset == dataset)
        number = peewee.fn.COUNT(FindingTable.path.distinct()).alias("n")
        of_kind = FindingTable.select(number).where((FindingTable.dataset == dataset) & (FindingTable.kind == kind))
        [files], [excluded] = self._rows(of_kind), self._rows(of_kind.where(FindingTable.path.in_(out)))
        return int(files["n"]), int(excluded["n"])

    def excluded(self, dataset: int) -> frozenset[str]:
        """Return the relative paths of the files that training leaves out."""
        rows = self._rows(Exclusion.select(Exclusion.path).where(Exclusion.dataset == dataset))
        return frozenset(row["path"] for row in rows)
