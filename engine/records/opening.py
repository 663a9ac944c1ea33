"""Opening the database of a workspace, and saying what is wrong with it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import peewee
import psutil

from engine.errors import FextError
from engine.records.checking import damaged
from engine.records.roll_ups import ROLL_UP_ALL
from engine.records.schema import SCHEMA_VERSION, TABLES

_BUSY_MS = 30_000
_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "ceph", "fuse.sshfs", "9p"}
)

MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE job ADD COLUMN held INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE run ADD COLUMN tags TEXT NOT NULL DEFAULT ''",
    ),
    2: (
        """CREATE TABLE metricbin (run_id INTEGER NOT NULL, name TEXT NOT NULL, level INTEGER NOT NULL,
        bin INTEGER NOT NULL, step INTEGER NOT NULL, epoch REAL NOT NULL, time REAL NOT NULL, value REAL, low REAL,
        high REAL, number INTEGER NOT NULL, PRIMARY KEY (run_id, name, level, bin),
        FOREIGN KEY (run_id) REFERENCES run (id) ON DELETE CASCADE) WITHOUT ROWID""",
        *ROLL_UP_ALL,
    ),
    3: (
        "ALTER TABLE image ADD COLUMN mode TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE image ADD COLUMN bits INTEGER",
        "ALTER TABLE image ADD COLUMN alpha INTEGER",
        "ALTER TABLE image ADD COLUMN gray INTEGER",
        """CREATE TABLE fingerprint (image_id INTEGER NOT NULL PRIMARY KEY, layout TEXT NOT NULL, content BLOB NOT NULL,
        perceptual INTEGER NOT NULL, thumbnail BLOB NOT NULL, pixels BLOB NOT NULL, levels BLOB NOT NULL,
        FOREIGN KEY (image_id) REFERENCES image (id) ON DELETE CASCADE)""",
        "ALTER TABLE finding ADD COLUMN value REAL",
        "ALTER TABLE finding ADD COLUMN other TEXT NOT NULL DEFAULT ''",
        "DROP INDEX IF EXISTS finding_dataset_id",
        "CREATE INDEX finding_dataset_id_kind_path ON finding (dataset_id, kind, path)",
        """CREATE TABLE exclusion (id INTEGER NOT NULL PRIMARY KEY, dataset_id INTEGER NOT NULL, path TEXT NOT NULL,
        created REAL NOT NULL, FOREIGN KEY (dataset_id) REFERENCES dataset (id) ON DELETE CASCADE)""",
        "CREATE UNIQUE INDEX exclusion_dataset_id_path ON exclusion (dataset_id, path)",
    ),
    4: (
        "ALTER TABLE evaluation ADD COLUMN rmse REAL",
        "ALTER TABLE evaluation ADD COLUMN ms_ssim REAL",
        "ALTER TABLE evaluation ADD COLUMN fingerprint TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE evaluation ADD COLUMN seconds REAL",
        "ALTER TABLE evaluation ADD COLUMN report TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE evaluation ADD COLUMN summary TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE imageerror ADD COLUMN ms_ssim REAL",
        "ALTER TABLE embeddingfile ADD COLUMN fingerprint TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE embeddingfile ADD COLUMN pooling TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE embeddingfile ADD COLUMN dtype TEXT NOT NULL DEFAULT 'float32'",
    ),
}
"""The SQL that brings the tables from a schema version to the next."""


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite says into what a person can mend."""
    try:
        yield
    except (peewee.OperationalError, sqlite3.OperationalError) as error:
        if isinstance(first := _first_error(error), FextError):
            raise first from error
        text = str(first)
        if "locked" in text:
            remedy = "Another program holds them; close it (a database browser, for instance) and try again."
        elif "full" in text:
            remedy = "Make space on that disk; nothing that was recorded is lost."
        elif "disk I/O" in text:
            remedy = "Make space on that disk; where there is some, check the file, and that the disk is sound."
        elif "readonly" in text:
            remedy = "Make the file and its folder writable, or choose another workspace with --resources."
        else:
            remedy = "Check the file, or move it away to begin new records."
        raise FextError(f"The records {path} cannot be used: {text}.", remedy) from error
    except (peewee.DatabaseError, sqlite3.DatabaseError) as error:
        if isinstance(error, peewee.IntegrityError | sqlite3.IntegrityError):
            raise
        raise damaged(path, error) from error
    except UnicodeDecodeError as error:  # a message that quotes what is no text
        raise damaged(path, error) from error


def _first_error(error: BaseException) -> BaseException:
    """Return what went wrong first: SQLite ends a transaction itself on a full disk, and ending it again fails."""
    while error.__context__ is not None and str(error).startswith(("cannot rollback", "no such savepoint")):
        error = error.__context__
    return error


def open_database(path: Path) -> peewee.SqliteDatabase:
    """Return a connection to the records; they are made where they are missing, and brought to `SCHEMA_VERSION`.

    Raises:
        FextError: they cannot be opened, are damaged, or were written by a newer version.

    """
    with told(path):
        writable = _is_writable(path)
        pragmas: dict[str, int | str] = {
            "foreign_keys": 1, "busy_timeout": _BUSY_MS, "cache_size": -16_000, "trusted_schema": 0,
        }  # fmt: skip
        if not writable:
            database = peewee.SqliteDatabase(f"file:{path.as_posix()}?mode=ro&immutable=1", uri=True, pragmas=pragmas)
        else:
            journal = "delete" if _on_network(path) else "wal"
            pragmas |= {"journal_mode": journal, "synchronous": "normal"}
            database = peewee.SqliteDatabase(str(path), pragmas=pragmas, timeout=_BUSY_MS / 1000)
        database.connect()
        if writable:
            _migrate(database, path)
        _refuse_newer(database, path)
        return database


def _is_writable(path: Path) -> bool:
    return os.access(path if path.exists() else path.parent, os.W_OK) and os.access(path.parent, os.W_OK)


def _on_network(path: Path) -> bool:
    mounts = sorted(psutil.disk_partitions(all=True), key=lambda mount: -len(mount.mountpoint))
    here = next((mount for mount in mounts if path.is_relative_to(mount.mountpoint)), None)
    return here is not None and here.fstype in _NETWORK_FILE_SYSTEMS


def _version(database: peewee.SqliteDatabase) -> int:
    return int(cast("tuple[int]", database.execute_sql("PRAGMA user_version").fetchone())[0])


def _refuse_newer(database: peewee.SqliteDatabase, path: Path) -> None:
    version = _version(database)
    if version > SCHEMA_VERSION:
        database.close()
        raise FextError(
            f"The records {path} were written by a newer version (schema {version}, this one knows {SCHEMA_VERSION}).",
            "Update FeXT TUI, or choose another workspace with --resources.",
        )


def _migrate(database: peewee.SqliteDatabase, path: Path) -> None:
    """Bring the tables to `SCHEMA_VERSION`: one transaction, so that of two processes one does it."""
    if _version(database) >= SCHEMA_VERSION:
        return
    with database.atomic("EXCLUSIVE"), database.bind_ctx(TABLES):
        if _version(database) == 0:
            database.create_tables(TABLES)
        else:
            for step in range(_version(database), SCHEMA_VERSION):
                for statement in MIGRATIONS[step]:
                    database.execute_sql(statement)
        database.execute_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
