"""Connections and transactions, the same for SQLite and PostgreSQL."""

import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
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
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from customer_segmentation.domain.errors import (
    BusyError,
    InvalidInputError,
    SchemaChangedError,
    StoreAbsentError,
    StoreRefusedError,
    StoreUnavailableError,
    TransactionConflictError,
    UnknownDatabaseError,
)
from customer_segmentation.store.prepared import Prepared, Row
from customer_segmentation.store.sqlite_file import SQLiteFile

POOL_SIZE = 10
WAIT_SECONDS = 30.0
_BRIEF_SECONDS = 0.25
"""How long SQLite's brief reads wait for a lock, as they keep the event loop waiting."""

_CONNECT_SECONDS = 5
_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
"""How many seconds and probes it takes to notice that PostgreSQL's machine is gone."""

_BUSY = "Others are using the database for too long; try again soon"
_LOCKED = "55P03"
"""PostgreSQL's code for a lock that was not free in time."""

_LOG_SECONDS = 0.1
_CONFLICTS = ("40001", "40P01")
"""PostgreSQL's codes for a failed serialisation and for a deadlock."""

_PASSING = ("25006", "53", "57", "58")
"""How PostgreSQL's codes begin for a read-only server, a lack of resources such as disk, an
operator's intervention, and a fault of the system (its manual, appendix A)."""


class Database:
    """A database by URL: `sqlite:///file.db` or `postgresql://user@host/name`.

    Brief reads, other reads, and writes have connections of their own, so that none of one kind
    waits for those of another.

    Attributes:
        url: where the database is.
        is_sqlite: whether it is SQLite's.
        path: its file, where it has one.
        pool_size: how many connections of each kind there are at most.
        wait_seconds: how long to wait for a connection, and for a lock.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = POOL_SIZE,
        statement_seconds: float = 0.0,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """Prepare to connect; the first transaction connects.

        Args:
            url: where the database is.
            pool_size: how many connections of each kind there are at most.
            statement_seconds: PostgreSQL ends a statement that takes longer; 0 is without limit.
            wait_seconds: how long to wait for a connection, and for a lock.

        Raises:
            UnknownDatabaseError: the URL names no database that is supported.
        """
        self.url = url
        self.pool_size = pool_size
        self.wait_seconds = wait_seconds
        # `look_up` keeps one of the brief connections for itself.
        brief, reading, writing = (
            _create_engine(url, size, statement_seconds, wait_seconds)
            for size in (pool_size + 1, pool_size, pool_size)
        )
        self._engines = (brief, reading, writing)
        self.is_sqlite = brief.dialect.name == "sqlite"
        file = brief.url.database
        self.path = Path(file) if self.is_sqlite and file else None
        self._file = None if self.path is None else SQLiteFile(self.path)
        if self.is_sqlite:
            _configure_sqlite(brief, self._file, _BRIEF_SECONDS)
            _configure_sqlite(reading, self._file, wait_seconds)
            _configure_sqlite(writing, self._file, wait_seconds)
        # Of SQLite's transactions each sees one snapshot anyway.
        snapshot = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._brief = brief.execution_options(**snapshot)
        self._reading = reading.execution_options(**snapshot)
        self._writing = writing.execution_options(begin="BEGIN IMMEDIATE")
        self._autocommitting = brief.execution_options(isolation_level="AUTOCOMMIT")
        # SQLite has one writer at a time. Waiting on a lock of this process wakes at once; SQLite's
        # own busy handler, which other processes meet, sleeps and tries again.
        self._writer = threading.Lock()
        self._looking = threading.Lock()
        self._kept: Connection | None = None

    @contextmanager
    def read(self, *, brief: bool = False) -> Iterator[Connection]:
        """Open a transaction that sees one snapshot of the data.

        Args:
            brief: whether it takes moments only, and must not wait for reads that take long.
        """
        self.check()
        engine = self._brief if brief else self._reading
        with _store_errors(), engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self, seconds: float | None = None) -> Iterator[Connection]:
        """Open a transaction that changes data, durable once the block is left without error.

        Args:
            seconds: how long to wait for SQLite's other writers, or for each of PostgreSQL's locks;
                `wait_seconds` unless given.

        Raises:
            BusyError: others wrote all the time.
        """
        self.check()
        if not self.is_sqlite:
            with _store_errors(), self._writing.begin() as connection:
                if seconds is not None:
                    # 0 would be without limit.
                    limit = max(1, _milliseconds(seconds))
                    connection.execute(_LOCK_TIMEOUT, {"limit": str(limit)})
                yield connection
            return
        due = time.monotonic() + (self.wait_seconds if seconds is None else seconds)
        with self._turn(due), _store_errors(), self._writing.connect() as connection:
            _wait_until(connection, due)
            with connection.begin():
                yield connection
        # Only what is in the file that will be opened next is durable.
        self.check()

    def look_up(self, query: Prepared, **values: object) -> list[Row]:
        """Return what one query finds, which by itself sees one snapshot.

        Opening a transaction, and on PostgreSQL its round trips, takes longer than the query.
        """
        with _store_errors():
            if not self.is_sqlite:
                with self._autocommitting.connect() as connection:
                    return query.run(connection, **values)
            if self._file is not None:
                self._file.recall()
            with self._looking:
                kept, self._kept = self._kept or self._brief.connect(), None
                found = query.run(kept, **values)
                # Where that has failed, the connection is given up.
                self._kept = kept
                return found

    def check(self) -> None:
        """See that SQLite's file is still the one that is open.

        Raises:
            StoreUnavailableError: it was moved, deleted or replaced.
        """
        if self._file is not None:
            self._file.check()

    def render(self, query: Select[Any]) -> str:
        """Return a query, its values written into it, for what reads beside SQLAlchemy."""
        compiled = query.compile(self._reading, compile_kwargs={"literal_binds": True})
        return str(compiled)

    def empty_log(self) -> bool:
        """Write SQLite's write-ahead log to the file, and overwrite it with nothing.

        Returns:
            whether that was done: not while somebody reads from it.
        """
        assert self.path is not None  # noqa: S101
        # Not a connection of the pool, as those wait long, and writers with them.
        with (
            _store_errors(),
            closing(sqlite3.connect(self.path, timeout=_LOG_SECONDS)) as connection,
        ):
            (is_busy, _pages, _written) = connection.execute(
                "PRAGMA wal_checkpoint(TRUNCATE)"
            ).fetchone()
            return not is_busy

    def close(self) -> None:
        """Close every connection."""
        with self._looking:
            if self._kept is not None:
                self._kept.close()
                self._kept = None
        for engine in self._engines:
            engine.dispose()

    @contextmanager
    def _turn(self, due: float) -> Iterator[None]:
        """Be the only writer of this process."""
        if not self._writer.acquire(timeout=max(0.0, due - time.monotonic())):
            raise BusyError(_BUSY)
        try:
            yield
        finally:
            self._writer.release()


def wait_for_turn(connection: Connection, key: int) -> None:
    """Let no other transaction that asks for the same turn go on until this one ends.

    However long that takes: who has the turn works, and loses it when its process ends. SQLite's
    transactions that write take turns by themselves.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def rows_written(connection: Connection) -> int:
    """Return how many rows a connection to SQLite has written since it was opened."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101
    return driver.total_changes


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Undo what a block writes in a transaction if it raises, and nothing else."""
    _BEGIN_PART.run(connection)
    try:
        yield
    except BaseException:
        _UNDO_PART.run(connection)
        raise
    finally:
        _END_PART.run(connection)


_LOCK_TIMEOUT = text("SELECT set_config('lock_timeout', :limit, true)")
"""Of this transaction, in milliseconds, as `SET LOCAL` takes no parameter."""

_OTHER_COLUMNS = frozenset({"42703", "42P01", "0A000"})
"""PostgreSQL's codes for a column or table that is not there, and for a statement that was prepared
for other columns: those of customers change with their schema."""

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
        if isinstance(error, PoolTimeoutError) or _is_locked(fault):
            raise BusyError(_BUSY) from error
        if isinstance(fault, sqlite3.OperationalError) and "no such column" in str(fault):
            raise SchemaChangedError from error
        refusal = _refusal_of(fault)
        if refusal is not None:
            raise refusal from error
        raise StoreUnavailableError("The database is not available; try again soon") from error
    except DatabaseError as error:
        if getattr(error.orig, "sqlstate", None) in _OTHER_COLUMNS:
            raise SchemaChangedError from error
        if str(getattr(error.orig, "sqlstate", "")).startswith(_PASSING):
            raise StoreUnavailableError("The database takes no changes; try again soon") from error
        # SQLite reports a damaged file by the base class; its other subclasses are our own faults.
        if type(error) is not DatabaseError:
            raise
        raise StoreUnavailableError("The database file is damaged or no database") from error
    except StatementError as error:
        if isinstance(error.orig, InvalidInputError):  # A text that is too long.
            raise error.orig from error
        raise


_FILE_CAUSES = {
    "SQLITE_CANTOPEN": "there is no such folder, or this user may not open the file or write "
    "beside it",
    "SQLITE_PERM": "this user may not open it",
    "SQLITE_READONLY": "this user may not write the file, or beside it",
}
_SERVER_CAUSES: Mapping[str, tuple[type[StoreUnavailableError], str]] = {
    'database ".*" does not exist': (StoreAbsentError, "there is no such database"),
    'role ".*" does not exist': (StoreRefusedError, "there is no such user"),
    "password authentication failed": (StoreRefusedError, "user or password are wrong"),
    "no password supplied": (StoreRefusedError, "a password is needed"),
    "pg_hba.conf": (StoreRefusedError, "the server does not let this user in from here"),
    "permission denied": (StoreRefusedError, "this user may not connect to it"),
}
"""By patterns of what PostgreSQL says when it refuses a connection, which has no code then."""


def _refusal_of(fault: BaseException | None) -> StoreUnavailableError | None:
    """Return what is wrong where trying again does not help."""
    name = getattr(fault, "sqlite_errorname", "")
    # Extended codes have a third word. A file that was moved is not one without permission.
    cause = _FILE_CAUSES.get("_".join(name.split("_")[:2]))
    if cause is not None and name != "SQLITE_READONLY_DBMOVED":
        return StoreRefusedError(f"The database cannot be used: {cause}")
    if getattr(fault, "sqlstate", None) is None:
        for pattern, (kind, reason) in _SERVER_CAUSES.items():
            if re.search(pattern, str(fault)):
                return kind(f"The database of DATABASE_URL cannot be used: {reason}")
    return None


def _is_locked(fault: BaseException | None) -> bool:
    """Tell whether a driver's error is that another transaction held a lock for too long."""
    if isinstance(fault, sqlite3.OperationalError):
        # The lower byte of an extended code is the code itself.
        return fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return getattr(fault, "sqlstate", None) == _LOCKED


def _create_engine(
    url: str, pool_size: int, statement_seconds: float, wait_seconds: float
) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if is_sqlite and parsed.database in {None, "", ":memory:"}:
            raise UnknownDatabaseError("DATABASE_URL must name a file: sqlite:///FILE")
        options: dict[str, object] = {}
        if parsed.get_backend_name() == "postgresql":
            session = (
                # In UTC, whatever the zone of server, database or user.
                "-c timezone=UTC "
                f"-c statement_timeout={_milliseconds(statement_seconds)} "
                f"-c lock_timeout={_milliseconds(wait_seconds)}"
            )
            options = {"connect_timeout": _CONNECT_SECONDS, "options": session, **_ALIVE}
        return create_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=wait_seconds,
            pool_pre_ping=True,
            connect_args=options,
            hide_parameters=True,  # Errors are logged, and personal data are not.
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UnknownDatabaseError(
            "DATABASE_URL must be sqlite:///FILE or postgresql://USER@HOST/NAME "
            f"(PostgreSQL needs the extra [postgres]): {type(error).__name__}"
        ) from error


def _configure_sqlite(engine: Engine, file: SQLiteFile | None, wait_seconds: float) -> None:
    """Make each connection durable and watched, and each transaction explicit.

    Source: https://docs.sqlalchemy.org/en/20/dialects/sqlite.html, "Serializable isolation /
    Savepoints / Transactional DDL"; https://www.sqlite.org/pragma.html#pragma_synchronous.
    """

    @event.listens_for(engine, "do_connect")
    def on_connecting(*_given: object) -> None:
        if file is not None:
            # SQLite would make a new file where the one that is open was moved away.
            file.check()

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_milliseconds(wait_seconds)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        # The first read makes the log, which is watched from then on.
        cursor.execute("PRAGMA schema_version")
        # What is deleted is overwritten, as an erased customer must be.
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()
        if file is not None:
            file.opened()

    @event.listens_for(engine, "close")
    def on_close(_connection: sqlite3.Connection, _record: object) -> None:
        if file is not None:
            file.closed()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get("begin", "BEGIN")
        connection.exec_driver_sql(statement)


def _wait_until(connection: Connection, due: float) -> None:
    """Let a connection to SQLite wait for a lock until a moment of the monotonic clock."""
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA busy_timeout = {_milliseconds(max(0.0, due - time.monotonic()))}")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
