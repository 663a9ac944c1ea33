"""The records of a workspace: every question and change the product makes of them."""

import csv
import io
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.files import make_folder, replacing
from engine.records.curves import CurveRecords
from engine.records.datasets import DatasetRecords
from engine.records.findings import FindingRecords
from engine.records.images import ImageRecords
from engine.records.jobs import JobRecords
from engine.records.opening import told
from engine.records.results import ResultRecords
from engine.records.runs import RunRecords
from engine.records.schema import TABLES

_MOST_PROBLEMS = 10_000


class Records(JobRecords, RunRecords, CurveRecords, DatasetRecords, ImageRecords, FindingRecords, ResultRecords):
    """A connection to the records of one workspace, for the process and thread that opened it.

    Raises:
        FextError: the records cannot be opened, are damaged, or were written by a newer version.

    """

    def export_csv(self, folder: Path) -> list[Path]:
        """Write every table as ``folder/TABLE.csv``, bytes as hexadecimal digits, and return the paths.

        A file of a former export stands until the new one is whole.

        Raises:
            FextError: the folder cannot be written.

        """
        make_folder(folder)
        paths = [folder / f"{table._meta.table_name}.csv" for table in TABLES]
        for table, path in zip(TABLES, paths, strict=True):
            with replacing(path) as content:
                file = io.TextIOWrapper(content, encoding="utf-8", errors="backslashreplace", newline="")
                writer = csv.writer(file)
                writer.writerow([field.column_name for field in table._meta.sorted_fields])
                with told(self.path):
                    rows = table.select().tuples().iterator(self._database)
                    writer.writerows(map(_shown, row) for row in rows)
                file.detach()
        return paths

    def delete_everything(self) -> None:
        """Empty every table.

        Raises:
            UsageError: a job is running or waiting.

        """
        with self.transaction():
            if self.jobs("queued", "running"):
                raise UsageError("A job is running or waiting.", "Stop it first, then delete the records.")
            for table in reversed(TABLES):
                table.delete().execute(self._database)
        self._vacuum()

    def bytes(self) -> int:
        """Return the size of the records on disk, with what was not yet merged into them."""
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return sum(path.stat().st_size for path in files if path.exists())

    def journal(self) -> str:
        """Return how changes are made safe: ``wal`` on local disks, ``delete`` on network file systems."""
        with told(self.path):
            return str(self._database.execute_sql("PRAGMA journal_mode").fetchone()[0])

    def problems(self) -> list[str]:
        """Read all records, and return what is damaged in them, 10,000 lines at most; nothing where they are whole.

        Raises:
            FextError: they cannot be read at all.

        """
        with told(self.path):
            whole = self._database.execute_sql("PRAGMA integrity_check").fetchall()
            loose = self._database.execute_sql(
                'SELECT "table", rowid, parent FROM pragma_foreign_key_check LIMIT ?', (_MOST_PROBLEMS,)
            ).fetchall()
        found = [str(line) for (line,) in whole if line != "ok"]
        return found + [f"row {row} of {table} is of a row of {parent} that is gone" for table, row, parent in loose]

    def compact(self) -> tuple[int, int]:
        """Write the records anew without the room of what was deleted; return their bytes before and after.

        Raises:
            UsageError: a job is running or waiting.
            FextError: there is no room for the copy, or they cannot be written.

        """
        if self.jobs("queued", "running", limit=1):
            raise UsageError("A job is running or waiting.", "Compact the records when it has ended.")
        before = self.bytes()
        self._vacuum()
        return before, self.bytes()

    def _vacuum(self) -> None:
        with told(self.path):
            self._database.execute_sql("VACUUM")
            self._database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _shown(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
