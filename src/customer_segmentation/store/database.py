"""Connections and transactions, the same for SQLite and PostgreSQL."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from customer_segmentation.domain.errors import StoreUnavailableError

_BUSY_TIMEOUT_SECONDS = 30
_POOL_SIZE = 10


class Database:
    """A database by URL: `sqlite:///file.db` or `postgresql://user@host/name`."""

    def __init__(self, url: str) -> None:
        """Prepare to connect; the first transaction connects.

        Raises:
            StoreUnavailableError: the URL names no database that is supported.
        """
        self.url = url
        self._engine = _create_engine(url)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self._reading = (
            self._engine
            if self.is_sqlite
            else self._engine.execution_options(isolation_level="REPEATABLE READ")
        )
        self._writing = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        # SQLite has one writer at a time. Waiting on a lock of this process is fair and wakes at
        # once; SQLite's own busy handler, which other processes meet, sleeps and tries again.
        self._writer = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one snapshot of the data."""
        with _store_errors(), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that changes data, durable once the block is left without error."""
        if self.is_sqlite:
            with _store_errors(), self._writer, self._writing.begin() as connection:
                yield connection
        else:
            with _store_errors(), self._engine.begin() as connection:
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise StoreUnavailableError("The database is not available; try again soon") from error
    except DatabaseError as error:
        # SQLite reports a damaged file by the base class; its other subclasses are our own faults.
        if type(error) is not DatabaseError:
            raise
        raise StoreUnavailableError("The database file is damaged or no database") from error


def _create_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed, pool_size=_POOL_SIZE, max_overflow=0, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreUnavailableError(
            "DATABASE_URL must be sqlite:///FILE or postgresql://USER@HOST/NAME "
            f"(PostgreSQL needs the extra [postgres]): {type(error).__name__}"
        ) from error
    if engine.dialect.name == "sqlite":
        _configure_sqlite(engine)
    return engine


def _configure_sqlite(engine: Engine) -> None:
    """Make each connection durable and each transaction explicit.

    Source: https://docs.sqlalchemy.org/en/20/dialects/sqlite.html, "Serializable isolation /
    Savepoints / Transactional DDL"; https://www.sqlite.org/pragma.html#pragma_synchronous.
    """

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get("begin", "BEGIN")
        connection.exec_driver_sql(statement)
