"""Writing a table batch by batch, in constant memory, so that it is there whole or not at all."""

import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from customer_segmentation.domain.errors import DataFileError, ExtraMissingError
from customer_segmentation.domain.numbers import plain_number
from customer_segmentation.files.blocks import text_of
from customer_segmentation.files.formats import Format
from customer_segmentation.files.formulas import neutralised, neutralised_column
from customer_segmentation.files.write.atomic import whole_file
from customer_segmentation.files.write.numbers import number_texts

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

_SPOOL_BYTES = 16 * 2**20

MAX_EXCEL_ROWS = 1_048_575
"""How many rows a sheet of Excel holds below its header."""


class Writer(Protocol):
    """Takes rows as they come."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write some rows, of the schema that the table was opened with."""


@contextmanager
def open_writer(target: Path | BinaryIO, schema: pa.Schema, form: Format) -> Iterator[Writer]:
    """Open a table to write.

    Args:
        target: a file, which is there only once the block is left without error, or a stream that
            need not be seekable, such as standard output.
        schema: the columns: numbers, texts, booleans.
        form: how to write them. CSV and NDJSON are UTF-8.

    Raises:
        DataFileError: the file cannot be written, or holds no more rows.
        ExtraMissingError: this format needs an optional part of the installation.
    """
    if isinstance(target, Path):
        with whole_file(target) as file, _WRITERS[form](file, schema) as writer:
            yield writer
    else:
        try:
            with _WRITERS[form](target, schema) as writer:
                yield writer
            target.flush()
        except BrokenPipeError:
            raise  # Whoever read has read enough.
        except OSError as error:
            if error.filename is not None:
                raise  # It is of another file that was being written.
            raise DataFileError(f"The output cannot be written: {error.strerror}") from error


class _CsvWriter:
    """Writes CSV by RFC 4180; no spreadsheet takes a text in it for a formula."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._file = file
        self._write_rows([_texts(pa.array([name])) for name in schema.names])

    def write(self, batch: pa.RecordBatch) -> None:
        self._write_rows([_texts(column) for column in batch.columns])

    def _write_rows(self, columns: list[pa.Array]) -> None:
        # Arrow's own writer puts every text in quotes, needed or not.
        rows = pc.binary_join_element_wise(*columns, ",", null_handling="replace")
        whole = pa.ListArray.from_arrays([0, len(rows)], rows)
        self._file.write(pc.binary_join(whole, "\n")[0].as_buffer())
        self._file.write(b"\n")


def _texts(column: pa.Array) -> pa.Array:
    if pa.types.is_floating(column.type):
        return number_texts(column)
    texts = column.cast(pa.string())
    is_number = pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
    return texts if is_number else _quoted(neutralised_column(texts))


def _quoted(texts: pa.Array) -> pa.Array:
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
    return pc.if_else(pc.match_substring_regex(texts, '[",\r\n]'), quoted, texts)


class _NdjsonWriter:
    """Writes a JSON object a line."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._file = file
        self._names = schema.names
        self._encode = msgspec.json.Encoder().encode_lines

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [_plain_values(column) for column in batch.columns]
        rows = [dict(zip(self._names, row, strict=True)) for row in zip(*columns, strict=True)]
        self._file.write(self._encode(rows))


def _plain_values(column: pa.Array) -> list[object]:
    values: list[object] = column.to_pylist()
    if not pa.types.is_floating(column.type):
        return values
    return [plain_number(value) if isinstance(value, float) else value for value in values]


class _ExcelWriter:
    """Writes one sheet; a text is written as a text and never as a formula or a link."""

    def __init__(self, sheet: "Worksheet", schema: pa.Schema) -> None:
        self._sheet = sheet
        self._rows = 0
        for place, name in enumerate(schema.names):
            sheet.write_string(0, place, neutralised(name))

    def write(self, batch: pa.RecordBatch) -> None:
        if self._rows + batch.num_rows > MAX_EXCEL_ROWS:
            raise DataFileError(f"A sheet of Excel holds {MAX_EXCEL_ROWS:,} rows at most")
        columns = [_plain_values(column) for column in batch.columns]
        # In constant memory a row must be whole before the next.
        for row in zip(*columns, strict=True):
            self._rows += 1
            for place, value in enumerate(row):
                self._write_cell(place, value)

    def _write_cell(self, place: int, value: object) -> None:
        match value:
            case None:
                pass
            case bool():
                self._sheet.write_boolean(self._rows, place, value)
            case int() | float():
                if math.isfinite(value):
                    self._sheet.write_number(self._rows, place, value)
            case _:
                self._sheet.write_string(self._rows, place, neutralised(text_of(value)))


@contextmanager
def _write_csv(file: BinaryIO, schema: pa.Schema) -> Iterator[Writer]:
    yield _CsvWriter(file, schema)


@contextmanager
def _write_ndjson(file: BinaryIO, schema: pa.Schema) -> Iterator[Writer]:
    yield _NdjsonWriter(file, schema)


@contextmanager
def _write_excel(file: BinaryIO, schema: pa.Schema) -> Iterator[Writer]:
    try:
        from xlsxwriter import Workbook
    except ImportError as absent:
        raise ExtraMissingError("excel", "Excel files") from absent
    # Made beside, so that a workbook which cannot be finished is not begun.
    with SpooledTemporaryFile(_SPOOL_BYTES) as made:
        book = Workbook(made, {"constant_memory": True})
        try:
            yield _ExcelWriter(book.add_worksheet(), schema)
        finally:
            book.close()
        made.seek(0)
        shutil.copyfileobj(made, file)


@contextmanager
def _write_parquet(file: BinaryIO, schema: pa.Schema) -> Iterator[Writer]:
    # What tells rows apart comes first in every table that is written.
    ids = schema.names[:1]
    repeating = [
        column.name
        for column in schema
        if column.name not in ids and not pa.types.is_floating(column.type)
    ]
    whole = [name for name in ids if pa.types.is_integer(schema.field(name).type)]
    # A dictionary of values that do not repeat is made in vain.
    with pq.ParquetWriter(
        file,
        schema,
        use_dictionary=repeating,
        column_encoding=dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
    ) as writer:
        yield writer


_WRITERS: Mapping[Format, Callable[[BinaryIO, pa.Schema], AbstractContextManager[Writer]]] = {
    Format.CSV: _write_csv,
    Format.NDJSON: _write_ndjson,
    Format.PARQUET: _write_parquet,
    Format.ARROW: pa.ipc.new_file,
    Format.EXCEL: _write_excel,
}
