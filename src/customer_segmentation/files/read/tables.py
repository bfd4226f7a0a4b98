"""Opening a table, whatever it is written in, as a stream of blocks."""

import csv
import io
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import pyarrow as pa
from sqlalchemy.exc import SQLAlchemyError

from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.blocks import (
    ASSIGNMENT_COLUMNS,
    GROUP_COLUMN,
    Block,
    Fields,
)
from customer_segmentation.files.formats import Format, recognise
from customer_segmentation.files.formulas import restored, restored_column
from customer_segmentation.files.read.csv import CsvReader, fault_of
from customer_segmentation.files.read.encoding import SAMPLE_BYTES, find_unicode, open_text
from customer_segmentation.files.read.excel import read_excel
from customer_segmentation.files.read.lines import BLOCK_BYTES, Lines, LineTooLongError
from customer_segmentation.files.read.source import GrowthError, Peekable, Readable, decompressed
from customer_segmentation.files.read.typed import (
    NotNdjsonError,
    query_reader,
    read_arrow_file,
    read_arrow_stream,
    read_ndjson,
    read_parquet,
)
from customer_segmentation.files.read.xlsx import MAX_COLUMNS

_HEAD_BYTES = 4096
_SPOOL_BYTES = 16 * 2**20
_ARROW_FILE = b"ARROW1"
_NO_TABLES_BY_BYTES = {
    b"SQLite format 3\0": "a SQLite database: read it with a query, --from sqlite:///FILE",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x1f\x9d": "compressed by compress: unpack it first",
    b"BZh": "compressed by bzip2: unpack it first",
    b"\xfd7zXZ\0": "compressed by xz: unpack it first",
    **{bytes([0x80, version]): "a pickle of Python, which runs code" for version in range(2, 6)},
}
_NO_TABLES = {
    "<<<<<<<": "in conflict between two versions",
    "<!doctype": "a web page",
    "<html": "a web page",
    "<?xml": "an XML document",
    "%pdf": "a PDF document",
}


@dataclass(frozen=True, slots=True)
class Query:
    """A query on another database.

    Attributes:
        url: of the database, as SQLAlchemy writes it.
        sql: in that database's own words.
    """

    url: str
    sql: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of a file beforehand; everything that is None is found out.

    Attributes:
        format: how it is written.
        delimiter: of CSV, one character.
        encoding: of CSV and NDJSON, by a name that Python knows.
        sheet: of a workbook; else the first is read.
        header: the line or row of the header, from 1; else it is found.
        is_certain: whether it is said of this very file, so that what does not go with it is a
            mistake; else it is known of one like it, and passed over where it does not go with it.
        block_bytes: how much text is taken at a time.
    """

    format: Format | None = None
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    header: int | None = None
    is_certain: bool = True
    block_bytes: int = BLOCK_BYTES


class BlockReader(Protocol):
    """Reads one format."""

    columns: tuple[str, ...]

    def next_block(self, wanted: Collection[str] | None, /) -> Block | None:
        """Return the next rows; None at the end."""


class Source:
    """A table that is being read, once, from its first row to its last.

    Attributes:
        name: what messages call it.
        columns: the names of its columns; in a file of rejects, of those that it came from.
        total: how many bytes there are to read, where that is known.
        is_rejects: whether it is a file of rejects, which has not everybody.
        guessed_encoding: what its text is taken to be in, where only its letters tell.
        encoding: what its text is in; None where it is no text.

    An exported table gives the texts that were exported, without what keeps spreadsheets from
    running them.
    """

    def __init__(
        self,
        name: str,
        reader: BlockReader,
        total: int | None,
        encoding: str | None = None,
        *,
        is_guessed: bool = False,
        is_for_spreadsheets: bool = False,
    ) -> None:
        self.name = name
        self.columns = reader.columns
        self.total = total
        self.encoding = encoding
        self.guessed_encoding = encoding if is_guessed else None
        self.is_rejects = isinstance(reader, CsvReader) and reader.is_rejects
        self._reader = reader
        self._sampled: Block | None = None
        self._is_neutralised = (
            is_for_spreadsheets and not self.is_rejects and _is_exported(self.columns)
        )
        if self._is_neutralised:
            self.columns = tuple(map(restored, self.columns))
        self._found = dict(zip(self.columns, reader.columns, strict=True))

    def sample(self) -> pa.Table:
        """Return the first rows, under all columns, without taking them from `blocks`.

        Raises:
            DataFileError: as `blocks`.
        """
        if self._sampled is None:
            with _faults_told(self.name):
                self._sampled = self._next_block(None)
        return self._sampled.table if self._sampled else pa.table({})

    def blocks(self, wanted: Collection[str] | None = None) -> Iterator[Block]:
        """Yield all rows, under the columns wanted at least, or under all.

        Raises:
            DataFileError: the source is damaged or ends before it should.
        """
        block, self._sampled = self._sampled, None
        while True:
            if block is None:
                with _faults_told(self.name):
                    block = self._next_block(wanted)
            if block is None:
                return
            yield block
            block = None

    def _next_block(self, wanted: Collection[str] | None) -> Block | None:
        if not self._is_neutralised:
            return self._reader.next_block(wanted)
        if wanted is not None:
            wanted = [self._found[name] for name in wanted if name in self._found]
        block = self._reader.next_block(wanted)
        return None if block is None else _restored(block)


def _is_exported(columns: tuple[str, ...]) -> bool:
    """Tell whether columns are those of an export, which no table of one's own may have."""
    own = columns[:-1] if columns[-1:] == (GROUP_COLUMN,) else columns
    return own[-len(ASSIGNMENT_COLUMNS) :] == ASSIGNMENT_COLUMNS


def _restored(block: Block) -> Block:
    """Return a block of an export as it was before it was neutralised."""
    table = block.table
    columns = [
        restored_column(column) if pa.types.is_string(column.type) else column
        for column in table.columns
    ]

    def fields(rows: Sequence[int]) -> list[Fields]:
        return [list(map(restored, found)) for found in block.fields(rows)]

    return replace(
        block,
        table=pa.table(columns, names=list(map(restored, table.column_names))),
        fields=fields,
        rejects=[replace(one, fields=list(map(restored, one.fields))) for one in block.rejects],
    )


@contextmanager
def open_table(
    source: Path | Readable | Query, reading: Reading | None = None, name: str | None = None
) -> Iterator[Source]:
    """Open a table.

    Args:
        source: a file, a stream that need not be seekable, or a query.
        reading: what is known of it beforehand.
        name: what messages call it; unless given, its path.

    Raises:
        DataFileError: it cannot be read, or not as what it is said to be.
        ExtraMissingError: this format or database needs an optional part of the installation.
    """
    reading = reading or Reading()
    with ExitStack() as stack:
        name = name or _name_of(source)
        with _faults_told(name):
            if isinstance(source, Query):
                reader = stack.enter_context(query_reader(source.url, source.sql))
                opened = Source(name, reader, None)
            elif isinstance(source, Path):
                file = stack.enter_context(source.open("rb"))
                opened = _open_stream(file, name, source.stat().st_size, reading, stack)
            else:
                opened = _open_stream(source, name, None, reading, stack)
        if not opened.columns:
            raise DataFileError(f"{name} is empty")
        _see_a_table(name, opened.columns[0])
        if len(opened.columns) > MAX_COLUMNS:
            raise DataFileError(f"{name} has over {MAX_COLUMNS:,} columns: is it a table?")
        yield opened


def _name_of(source: Path | Readable | Query) -> str:
    if isinstance(source, Query):
        return "the query"
    return str(source) if isinstance(source, Path) else "the input"


def _open_stream(
    raw: Readable, name: str, total: int | None, reading: Reading, stack: ExitStack
) -> Source:
    counted = Peekable(raw)
    stream = decompressed(counted)
    head = stream.peek(_HEAD_BYTES)
    for first, what in _NO_TABLES_BY_BYTES.items():
        if reading.encoding is None and head.startswith(first):
            raise DataFileError(f"{name} is {what}, not a table")

    def bytes_read() -> int:
        return counted.position

    def share_read(share: float) -> int:
        return counted.position if total is None else round(total * share)

    def seekable() -> BinaryIO:
        if stream is counted and isinstance(raw, io.BufferedReader) and raw.seekable():
            raw.seek(0)
            return raw
        spooled = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115
        stack.enter_context(spooled)
        shutil.copyfileobj(stream, spooled)
        spooled.seek(0)
        return cast("BinaryIO", spooled)

    found: str | None = None

    def lines() -> Lines:
        nonlocal found
        text = open_text(stream, _encoding_of(stream, reading), name)
        found = text.encoding
        return Lines(text, reading.block_bytes)

    reader: BlockReader
    form = reading.format or recognise(head)
    if reading.is_certain:
        _see_all_used(name, form, reading)
    match form:
        case Format.CSV:
            reader = CsvReader(lines(), _delimiter_of(head, reading), bytes_read, reading.header)
        case Format.NDJSON:
            reader = read_ndjson(lines(), bytes_read)
        case Format.PARQUET:
            reader = read_parquet(seekable(), share_read)
        case Format.ARROW if head.startswith(_ARROW_FILE):
            reader = read_arrow_file(seekable(), share_read)
        case Format.ARROW:
            # Arrow takes a short read for the end.
            reader = read_arrow_stream(io.BufferedReader(stream), bytes_read)
        case Format.EXCEL:
            reader = read_excel(seekable(), reading.sheet, name, share_read, reading.header)
    is_guessed = reading.encoding is None and not (found or "utf-8").startswith("utf-")
    return Source(
        name,
        reader,
        total,
        found,
        is_guessed=is_guessed,
        is_for_spreadsheets=form in (Format.CSV, Format.EXCEL),
    )


def _encoding_of(stream: Peekable, reading: Reading) -> str | None:
    """Return what is known of a text's encoding, unless its first bytes tell of another one."""
    if reading.is_certain or reading.encoding is None:
        return reading.encoding
    start = stream.peek(SAMPLE_BYTES)
    unicode = None if start.isascii() else find_unicode(start)
    return unicode or reading.encoding


def _delimiter_of(head: bytes, reading: Reading) -> str | None:
    delimiter = reading.delimiter
    is_there = delimiter is not None and delimiter.encode() in head
    return delimiter if reading.is_certain or is_there else None


def _see_all_used(name: str, form: Format, reading: Reading) -> None:
    """Refuse what is said of a file that has no effect on how its format is read."""
    for what, given, formats in (
        ("a delimiter", reading.delimiter, (Format.CSV,)),
        ("an encoding", reading.encoding, (Format.CSV, Format.NDJSON)),
        ("a sheet", reading.sheet, (Format.EXCEL,)),
    ):
        if given is not None and form not in formats:
            raise DataFileError(f"{name} is {form}, and {what} is for {' or '.join(formats)}")


def _see_a_table(name: str, first: str) -> None:
    """Refuse what is no table though it has lines, by the beginning of its first column's name."""
    for begin, what in _NO_TABLES.items():
        if first.casefold().startswith(begin):
            raise DataFileError(f"{name} is {what}, not a table")


@contextmanager
def _faults_told(name: str) -> Iterator[None]:
    """Tell what is wrong with a source in the words of the domain."""
    try:
        yield
    except UnicodeDecodeError as error:
        encoding = error.encoding.upper()
        raise DataFileError(f"{name} is not {encoding} text (byte {error.start})") from error
    except csv.Error as error:
        raise DataFileError(f"{name} is not a CSV file: {fault_of(error)}") from error
    except NotNdjsonError as error:
        raise DataFileError(f"{name} is not an NDJSON file: {error}") from error
    except (GrowthError, LineTooLongError) as error:
        raise DataFileError(f"{name} cannot be read: {error}") from error
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).partition("\n")[0]
        raise DataFileError(f"{name} cannot be run: {reason}") from error
    except (OSError, MemoryError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise DataFileError(f"{name} cannot be read: {reason}") from error
