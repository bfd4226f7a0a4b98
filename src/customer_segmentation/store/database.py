"""Connections and transactions, the same for SQLite and PostgreSQL."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from customer_segmentation.domain.errors import (
    StoreUnavailableError,
    TransactionConflictError,
    UnknownDatabaseError,
)
from customer_segmentation.store.prepared import Prepared, Row

POOL_SIZE = 10
_BUSY_TIMEOUT_SECONDS = 30
_CONNECT_SECONDS = 5
_CONFLICTS = ("40001", "40P01")
"""PostgreSQL's codes for a failed serialisation and for a deadlock."""

_PASSING = ("25006", "53", "57", "58")
"""How PostgreSQL's codes begin for a read-only server, a lack of resources such as disk, an
operator's intervention, and a fault of the system (its manual, appendix A)."""


class Database:
    """A database by URL: `sqlite:///file.db` or `postgresql://user@host/name`."""

    def __init__(
        self, url: str, *, pool_size: int = POOL_SIZE, statement_seconds: float = 0.0
    ) -> None:
        """Prepare to connect; the first transaction connects.

        Args:
            url: where the database is.
            pool_size: how many connections there are at most.
            statement_seconds: PostgreSQL ends a statement that takes longer; 0 is without limit.

        Raises:
            UnknownDatabaseError: the URL names no database that is supported.
        """
        self.url = url
        self._engine = _create_engine(url, pool_size, statement_seconds)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        file = self._engine.url.database
        self.path = Path(file) if self.is_sqlite and file else None
        self._reading = (
            self._engine
            if self.is_sqlite
            else self._engine.execution_options(isolation_level="REPEATABLE READ")
        )
        self._autocommitting = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        # SQLite has one writer at a time. Waiting on a lock of this process is fair and wakes at
        # once; SQLite's own busy handler, which other processes meet, sleeps and tries again.
        self._writer = threading.Lock()
        self._looking = threading.Lock()
        self._kept: Connection | None = None

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

    def look_up(self, query: Prepared, **values: object) -> list[Row]:
        """Return what one query finds, which by itself sees one snapshot.

        Opening a transaction, and on PostgreSQL its round trips, takes longer than the query.
        """
        with _store_errors():
            if not self.is_sqlite:
                with self._autocommitting.connect() as connection:
                    return query.run(connection, **values)
            with self._looking:
                kept, self._kept = self._kept or self._engine.connect(), None
                found = query.run(kept, **values)
                # Where that has failed, the connection is given up.
                self._kept = kept
                return found

    def render(self, query: Select[Any]) -> str:
        """Return a query, its values written into it, for what reads beside SQLAlchemy."""
        compiled = query.compile(self._engine, compile_kwargs={"literal_binds": True})
        return str(compiled)

    def close(self) -> None:
        """Close every connection."""
        with self._looking:
            if self._kept is not None:
                self._kept.close()
                self._kept = None
        self._engine.dispose()


def rows_written(connection: Connection) -> int:
    """Return how many rows a connection to SQLite has written since it was opened."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101
    return driver.total_changes


@contextmanager
def undone_alone(connection: Connection) -> Iterator[None]:
    """Undo what a block writes in a transaction if it raises, and nothing else."""
    _BEGIN_PART.run(connection)
    try:
        yield
    except BaseException:
        _UNDO_PART.run(connection)
        raise
    finally:
        _END_PART.run(connection)


_BEGIN_PART = Prepared(text("SAVEPOINT part"))
_UNDO_PART = Prepared(text("ROLLBACK TO SAVEPOINT part"))
_END_PART = Prepared(text("RELEASE SAVEPOINT part"))


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        fault = getattr(error, "orig", None)
        if getattr(fault, "sqlstate", None) in _CONFLICTS:
            raise TransactionConflictError(
                "Another change stood in the way; try again soon"
            ) from error
        raise StoreUnavailableError("The database is not available; try again soon") from error
    except DatabaseError as error:
        if str(getattr(error.orig, "sqlstate", "")).startswith(_PASSING):
            raise StoreUnavailableError("The database takes no changes; try again soon") from error
        # SQLite reports a damaged file by the base class; its other subclasses are our own faults.
        if type(error) is not DatabaseError:
            raise
        raise StoreUnavailableError("The database file is damaged or no database") from error


def _create_engine(url: str, pool_size: int, statement_seconds: float) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        options: dict[str, object] = {}
        if parsed.get_backend_name() == "postgresql":
            limit = f"-c statement_timeout={round(statement_seconds * 1000)}"
            options = {"connect_timeout": _CONNECT_SECONDS, "options": limit}
        engine = create_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_BUSY_TIMEOUT_SECONDS,
            pool_pre_ping=True,
            connect_args=options,
            hide_parameters=True,  # Errors are logged, and personal data are not.
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UnknownDatabaseError(
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
