"""Tables whose values have types: Parquet, Arrow, NDJSON, Excel and SQL."""

import io
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import URL, CursorResult, NullPool, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from customer_segmentation.domain.errors import DataFileError, ExtraMissingError
from customer_segmentation.files.blocks import Block, Reject, fields_of, text_of
from customer_segmentation.files.lines import Lines

BLOCK_ROWS = 64 * 1024
_SAMPLE_LINES = 1000
_NOT_AN_OBJECT = "the line must be a JSON object"


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
    """Read the file format of Arrow IPC, also known as Feather; arguments as `read_parquet`."""
    file = pa.ipc.open_file(stream)
    rows = max(file.count_rows(), 1)
    batches = (file.get_batch(number) for number in range(file.num_record_batches))
    return TypedReader(file.schema.names, _numbered(batches, lambda n: position(n / rows)))


def read_arrow_stream(stream: BinaryIO, position: Callable[[], int]) -> TypedReader:
    """Read the stream format of Arrow IPC."""
    reader = pa.ipc.open_stream(stream)
    return TypedReader(reader.schema.names, _numbered(reader, lambda _: position()))


def _numbered(batches: Iterable[pa.RecordBatch], position: Callable[[int], int]) -> Iterator[Block]:
    done = 0
    for batch in batches:
        for start in range(0, batch.num_rows, BLOCK_ROWS):
            table = pa.table(batch.slice(start, BLOCK_ROWS))
            lines = np.arange(done + 1, done + 1 + table.num_rows)
            done += table.num_rows
            yield Block(lines, table, fields_of(table), [], position(done))


def read_ndjson(lines: Lines, position: Callable[[], int]) -> TypedReader:
    """Read a JSON object a line; the names in the first thousand are the columns."""
    first = lines.block()
    lines.give_back(first)
    sample = (_object(line) or {} for line in first.splitlines()[:_SAMPLE_LINES])
    columns = tuple(dict.fromkeys(chain.from_iterable(sample)))
    return TypedReader(columns, _ndjson_blocks(lines, columns, position))


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
                rejects.append(Reject(number, "", _NOT_AN_OBJECT, [line.decode()]))
        done += len(texts)
        table = _table(columns, [[row.get(name) for row in rows] for name in columns])
        yield Block(np.array(kept, np.int64), table, fields_of(table), rejects, position())


def _object(line: bytes) -> dict[str, object] | None:
    try:
        return _decode_object(line)
    except msgspec.DecodeError:
        return None


_decode_object = msgspec.json.Decoder(dict[str, object]).decode


def read_excel(
    stream: BinaryIO, sheet: str | None, name: str, position: Callable[[float], int]
) -> TypedReader:
    """Read a sheet of a workbook, the first unless named, from its first row that is not blank.

    Raises:
        ExtraMissingError: python-calamine is not installed.
        DataFileError: it is no workbook, or has no such sheet.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as absent:
        raise ExtraMissingError("excel", "Excel files") from absent
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(stream.read()))
        if sheet is not None and sheet not in book.sheet_names:
            known = ", ".join(book.sheet_names)
            raise DataFileError(f"{name} has no sheet {sheet}; there are {known}")
        found = book.get_sheet_by_name(sheet) if sheet else book.get_sheet_by_index(0)
    except CalamineError as damage:
        raise DataFileError(f"{name} is not an Excel file: {damage}") from damage
    rows = (
        (number, row)
        for number, row in enumerate(found.iter_rows(), 1)
        if any(value != "" for value in row)
    )
    columns = [text_of(value).strip() for value in next(rows, (0, []))[1]]
    last = found.end[0] + 1 if found.end else 1
    return TypedReader(columns, _excel_blocks(columns, rows, lambda n: position(n / last)))


def _excel_blocks(
    columns: list[str],
    rows: Iterator[tuple[int, Sequence[object]]],
    position: Callable[[int], int],
) -> Iterator[Block]:
    while some := list(islice(rows, BLOCK_ROWS)):
        cells = [[None if row[n] == "" else row[n] for _, row in some] for n in range(len(columns))]
        table = _table(columns, cells)
        lines = np.array([number for number, _ in some], np.int64)
        yield Block(lines, table, fields_of(table), [], position(some[-1][0]))


@contextmanager
def query_reader(url: str, query: str) -> Iterator[TypedReader]:
    """Run a query on another database and read its rows as they come.

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
    streaming = engine.execution_options(stream_results=True, max_row_buffer=BLOCK_ROWS)
    with streaming.connect() as connection:  # Nothing is committed.
        result = connection.execute(text(query.replace(":", r"\:")))  # A colon is no parameter.
        yield TypedReader(list(result.keys()), _query_blocks(result))


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
        table = _table(columns, list(zip(*rows, strict=True)))
        lines = np.arange(done + 1, done + 1 + len(rows))
        done += len(rows)
        yield Block(lines, table, fields_of(table), [], done)


def _table(columns: Sequence[str], values: Sequence[Sequence[object]]) -> pa.Table:
    return pa.table([_array(column) for column in values], names=list(columns))


def _array(values: Sequence[object]) -> pa.Array:
    """Return values of one type as they are, and values of several types as texts."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        texts = [None if value is None else text_of(value) for value in values]
        return pa.array(texts, pa.string())
