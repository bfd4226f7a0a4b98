"""Copying a SQLite database while it is in use, and putting a copy back."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from customer_segmentation.domain.errors import BackupError
from customer_segmentation.store.database import Database

_PAGES = 1000


def copy_to(database: Database, target: Path, progress: Callable[[int, int], None]) -> None:
    """Copy a database to a new file; writers go on meanwhile, and the copy is of one moment.

    Source: https://www.sqlite.org/backup.html.

    Args:
        database: a SQLite one.
        target: the new file.
        progress: is told how many pages of how many are copied.

    Raises:
        BackupError: the database is not SQLite's, the file is there already, or cannot be written.
    """
    if target.exists():
        raise BackupError(f"{target} is there already; a backup overwrites nothing")
    partial = target.with_name(f"{target.name}.partial")
    try:
        with _opened(_path_of(database)) as source, _opened(partial) as copy:
            source.backup(copy, pages=_PAGES, progress=lambda _s, left, n: progress(n - left, n))
            copy.execute("PRAGMA journal_mode = DELETE")
        partial.rename(target)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise BackupError(f"{target} could not be written: {error}") from error


def copy_from(database: Database, source: Path, progress: Callable[[int, int], None]) -> None:
    """Replace a database by a copy, all of it or nothing.

    Raises:
        BackupError: the file is no whole database of ours, or the database is not SQLite's.
    """
    check(source)
    try:
        with _opened(source) as copy, _opened(_path_of(database)) as target:
            # In one step, so that nobody sees a part of it.
            copy.backup(target, pages=-1, progress=lambda _s, left, n: progress(n - left, n))
    except sqlite3.Error as error:
        raise BackupError(f"{source} could not be restored: {error}") from error


def check(path: Path) -> None:
    """See that a file is a whole database of ours.

    Raises:
        BackupError: it is not.
    """
    if not path.is_file():
        raise BackupError(f"There is no file {path}")
    try:
        with _opened(path) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise BackupError(f"{path} is no SQLite database: {error}") from error
    if verdict != "ok":
        raise BackupError(f"{path} is damaged: {verdict}")
    if not {"customers", "model_versions", "alembic_version"} <= tables:
        raise BackupError(f"{path} is a database of something else")


def _path_of(database: Database) -> Path:
    if database.path is None:
        raise BackupError("Only SQLite is copied here; for PostgreSQL use pg_dump and pg_restore")
    return database.path


def _opened(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(path, timeout=30, isolation_level=None))
