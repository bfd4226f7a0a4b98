"""Copying a SQLite database while it is in use, and putting a copy back."""

import contextlib
import itertools
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
    except (sqlite3.Error, OSError, UnicodeError) as error:
        raise BackupError(f"{target} could not be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def copy_from(
    database: Database, source: Path, progress: Callable[[int, int], None]
) -> Path | None:
    """Replace a database by a copy, all of it or nothing.

    Returns:
        where the file was put that stood in the database's place and is none that SQLite can read.

    Raises:
        BackupError: the file is no whole database of ours, or the database is not SQLite's.
    """
    check(source)
    path = _path_of(database)
    try:
        try:
            _replace(path, source, progress)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in _DAMAGES:
                raise
            aside = _set_aside(path)
            _replace(path, source, progress)
            return aside
    except (sqlite3.Error, OSError) as error:
        raise BackupError(f"{path} could not be replaced by {source}: {error}") from error
    return None


_DAMAGES = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def _replace(path: Path, source: Path, progress: Callable[[int, int], None]) -> None:
    with _opened(source) as copy, _opened(path) as target:
        # In one step, so that nobody sees a part of it.
        copy.backup(target, pages=-1, progress=lambda _s, left, n: progress(n - left, n))


def _set_aside(path: Path) -> Path:
    """Rename a database with its log; return its new name, which nothing else had."""
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    aside = next(name for name in names if not name.exists())
    for end in ("", "-wal", "-shm"):
        part = Path(f"{path}{end}")
        if part.exists():
            part.rename(f"{aside}{end}")
    return aside


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
