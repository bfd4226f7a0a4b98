"""Tables whose values have types: Parquet, Arrow, NDJSON, Excel and SQL."""

import io
import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import URL, CursorResult, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from customer_segmentation.domain.errors import DataFileError, ExtraMissingError
from customer_segmentation.files.blocks import Block, Reject, fields_of
from customer_segmentation.files.columns import table_of
from customer_segmentation.files.read.arrow_messages import CheckedMessages
from customer_segmentation.files.read.lines import LONGEST_LINE, Lines, LineTooLongError

BLOCK_ROWS = 64 * 1024
_SAMPLE_LINES = 1000
_ARROW_MARK = b"ARROW1"
_ARROW_START = 8
_NOT_AN_OBJECT = "the line must be a JSON object"
_TOO_LONG = f"the line has more than {LONGEST_LINE:,} characters"


class TypedReader:
    """Yields blocks, always of all columns.

    Attributes:
        columns: the names of the columns.
    """

    def __init__(self, columns: Sequence[str], blocks: Iterator[Block]) -> None:
        self.columns = tuple(columns)
        self._blocks = blocks

    def next_block(self, _wanted: Collection[str] | None) -> Block | None:
        """Return the next rows; None at the end."""
        return next(self._blocks, None)


def read_parquet(stream: BinaryIO, position: Callable[[float], int]) -> TypedReader:
    """Read Parquet.

    Args:
        stream: seekable.
        position: tells how much was read at a share of the rows.
    """
    file = pq.ParquetFile(stream)
    rows = max(file.metadata.num_rows, 1)
    batches = file.iter_batches(batch_size=BLOCK_ROWS)
    return TypedReader(file.schema_arrow.names, _numbered(batches, lambda n: position(n / rows)))


def read_arrow_file(stream: BinaryIO, position: Callable[[float], int]) -> TypedReader:
    """Read the file format of Arrow IPC, also known as Feather: a stream between two marks.

    Raises:
        pa.ArrowInvalid: the last mark is not there, so that the file is cut off.
    """
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(size - 4 - len(_ARROW_MARK), 0))
    footer, mark = stream.read(4), stream.read()
    if mark != _ARROW_MARK:
        raise pa.ArrowInvalid("it is cut off")
    end = size - 18 - int.from_bytes(footer, "little")
    stream.seek(_ARROW_START)
    return read_arrow_stream(stream, lambda: position(min(stream.tell() / max(end, 1), 1.0)))


def read_arrow_stream(stream: BinaryIO, position: Callable[[], int]) -> TypedReader:
    """Read the stream format of Arrow IPC."""
    reader = pa.ipc.open_stream(io.BufferedReader(CheckedMessages(stream)))
    return TypedReader(reader.schema.names, _numbered(reader, lambda _: position()))


def _numbered(batches: Iterable[pa.RecordBatch], position: Callable[[int], int]) -> Iterator[Block]:
    done = 0
    for batch in batches:
        # What a damaged file claims is looked at before it is followed.
        for column in batch.columns:
            column.validate(full=not pa.types.is_temporal(column.type))
        for start in range(0, batch.num_rows, BLOCK_ROWS):
            table = pa.table(batch.slice(start, BLOCK_ROWS))
            lines = np.arange(done + 1, done + 1 + table.num_rows)
            done += table.num_rows
            yield Block(lines, table, fields_of(table), [], position(done))


def read_ndjson(lines: Lines, position: Callable[[], int]) -> TypedReader:
    """Read a JSON object a line; the names in the first thousand are the columns.

    Raises:
        LineTooLongError: none of those lines is an object, and one is too long.
        NotNdjsonError: none of those lines is an object with names.
    """
    first = lines.block()
    lines.give_back(first)
    sample = first.splitlines()[:_SAMPLE_LINES]
    columns = tuple(dict.fromkeys(chain.from_iterable(_object(line) or {} for line in sample)))
    if not columns:
        _refuse(sample)
    return TypedReader(columns, _ndjson_blocks(lines, columns, position))


def _refuse(sample: list[bytes]) -> None:
    """Say why lines have no columns; nothing where they are blank."""
    for number, line in enumerate(sample, 1):
        if _is_too_long(line):
            raise LineTooLongError(number)
        if line.strip():
            fault = "is not a JSON object" if _object(line) is None else "has no names"
            raise NotNdjsonError(f"line {number} {fault}")


class NotNdjsonError(ValueError):
    """The first lines are no rows of NDJSON."""


def _ndjson_blocks(
    lines: Lines, columns: tuple[str, ...], position: Callable[[], int]
) -> Iterator[Block]:
    done = 0
    while data := lines.block():
        kept: list[int] = []
        rows: list[dict[str, object]] = []
        rejects: list[Reject] = []
        texts = data.splitlines()
        for number, line in enumerate(texts, done + 1):
            row = _object(line)
            if row is not None:
                kept.append(number)
                rows.append(row)
            elif line.strip():
                reason = _TOO_LONG if _is_too_long(line) else _NOT_AN_OBJECT
                rejects.append(Reject(number, "", reason, [line.decode()]))
        done += len(texts)
        table = table_of(columns, [[row.get(name) for row in rows] for name in columns])
        yield Block(np.array(kept, np.int64), table, fields_of(table), rejects, position())


def _is_too_long(line: bytes) -> bool:
    return len(line) > LONGEST_LINE and len(line.decode()) > LONGEST_LINE


def _object(line: bytes) -> dict[str, object] | None:
    if _is_too_long(line):
        return None
    try:
        return _decode_object(line)
    except (msgspec.DecodeError, RecursionError):
        return None


_decode_object = msgspec.json.Decoder(dict[str, object]).decode


@contextmanager
def query_reader(url: str, query: str) -> Iterator[TypedReader]:
    """Run a query on another database and read its rows as they come; nothing is changed there.

    Args:
        url: of the database, as SQLAlchemy writes it.
        query: in the database's own SQL; it is the user's own and runs as it stands.

    Raises:
        DataFileError: there is no such database.
        ExtraMissingError: its driver is not installed.
        sqlalchemy.exc.DBAPIError: the database cannot be reached or refuses the query.
    """
    try:
        engine = create_engine(_with_driver(url), poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError) as unknown:
        raise DataFileError(f"the URL names no database that can be read: {unknown}") from unknown
    except ModuleNotFoundError as absent:
        if absent.name == "psycopg":
            raise ExtraMissingError("postgres", "PostgreSQL") from absent
        raise DataFileError(
            f"this database needs the Python module {absent.name}, which is not there"
        ) from absent
    _let_only_read(engine)
    if not _QUERY.match(query):
        raise DataFileError("the query cannot be run: it must begin with SELECT or WITH")
    streaming = engine.execution_options(stream_results=True, max_row_buffer=BLOCK_ROWS)
    with streaming.connect() as connection:  # Nothing is committed.
        statement = _READ_ONLY.get(engine.dialect.name)
        if statement is not None:
            connection.exec_driver_sql(statement)
        result = connection.execute(text(query.replace(":", r"\:")))  # A colon is no parameter.
        yield TypedReader(list(result.keys()), _query_blocks(result))


_QUERY = re.compile(r"(\s|\(|--[^\n]*\n|/\*.*?\*/)*(select|with|values|table)\b", re.I | re.S)
_READ_ONLY = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}
_READS = {
    *(sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION),
    sqlite3.SQLITE_RECURSIVE,
}


def _let_only_read(engine: Engine) -> None:
    """Let connections do nothing but read, where that is not said in SQL."""
    if engine.dialect.name == "postgresql":

        @event.listens_for(engine, "do_connect")
        def read_only(
            _dialect: object, _record: object, _given: object, named: dict[str, Any]
        ) -> None:
            named["options"] = f"{named.get('options', '')} -c default_transaction_read_only=on"

    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def authorise(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("PRAGMA query_only = ON")
            connection.set_authorizer(
                lambda action, *_: sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY
            )


def _with_driver(url: str) -> URL:
    found = make_url(url)
    is_file = found.get_backend_name() == "sqlite" and found.database not in {None, "", ":memory:"}
    if is_file and not Path(str(found.database)).is_file():  # SQLite would make it.
        raise DataFileError(f"there is no file {found.database}")
    if found.drivername in {"postgresql", "postgres"}:
        return found.set(drivername="postgresql+psycopg")
    return found


def _query_blocks(result: CursorResult[Any]) -> Iterator[Block]:
    columns = list(result.keys())
    done = 0
    for rows in result.partitions(BLOCK_ROWS):
        table = table_of(columns, list(zip(*rows, strict=True)))
        lines = np.arange(done + 1, done + 1 + len(rows))
        done += len(rows)
        yield Block(lines, table, fields_of(table), [], done)
