"""Workbooks into blocks: .xlsx by its parts, any other as another process reads it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import BinaryIO

import numpy as np

from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.blocks import Block, fields_of, text_of
from customer_segmentation.files.columns import table_of
from customer_segmentation.files.read.headers import LOOKED_AT, find_header
from customer_segmentation.files.read.other_workbooks import read_other_workbook
from customer_segmentation.files.read.typed import BLOCK_ROWS, TypedReader
from customer_segmentation.files.read.xlsx import NotXlsxError, Row, Xlsx, XlsxError

_BLOCK_CELLS = 2**20
_BLOCK_CHARACTERS = 16 * 2**20
_ZIP = b"PK"

Rows = Iterator[tuple[int, Row, float]]
"""Rows that are not blank, each with its number and the share of the sheet that is read."""


def read_excel(
    stream: BinaryIO,
    sheet: str | None,
    name: str,
    position: Callable[[float], int],
    header_row: int | None = None,
) -> TypedReader:
    """Read a sheet of a workbook, the first unless named.

    Args:
        stream: seekable.
        sheet: a name.
        name: what messages call the source.
        position: tells how much was read at a share of the sheet.
        header_row: of the header; None to find it, mostly the first row that is not blank.

    Raises:
        ExtraMissingError: python-calamine, which reads workbooks other than .xlsx, is not there.
        DataFileError: it is no workbook, or has no such sheet.
    """
    with _told(name):
        rows = _open(stream, sheet, name)
        first = list(islice(rows, LOOKED_AT))
        if header_row is None:
            place = find_header([_filled_texts(row) for _, row, _ in first])
        else:
            place = sum(number < header_row for number, _, _ in first)
        header = first[place][1] if place < len(first) else []
        rows = chain(first[place + 1 :], rows)
    columns = [""] * (header[-1][0] + 1 if header else 0)
    for place, value in header:
        columns[place] = text_of(value).strip()
    return TypedReader(columns, _blocks(columns, rows, name, position))


def _filled_texts(row: Row) -> list[str]:
    return [text_of(value) for _, value in row]


def _open(stream: BinaryIO, sheet: str | None, name: str) -> Rows:
    is_zip = stream.read(len(_ZIP)) == _ZIP
    stream.seek(0)
    try:
        book = Xlsx(stream) if is_zip else None
    except NotXlsxError:
        stream.seek(0)
        book = None
    if book is None:
        return read_other_workbook(stream, sheet, name)
    if not book.sheets:
        raise XlsxError("it has no sheet")
    if sheet is not None and sheet not in book.sheets:
        raise DataFileError(f"{name} has no sheet {sheet}; there are {', '.join(book.sheets)}")
    return book.rows(book.sheets[sheet or next(iter(book.sheets))])


def _blocks(
    columns: Sequence[str], rows: Rows, name: str, position: Callable[[float], int]
) -> Iterator[Block]:
    width = len(columns)
    most = max(1, min(BLOCK_ROWS, _BLOCK_CELLS // max(width, 1)))
    is_more = True
    while is_more:
        lines: list[int] = []
        cells: list[list[object]] = [[] for _ in columns]
        characters, share = 0, 0.0
        with _told(name):
            for line, row, read in rows:
                here = [(place, value) for place, value in row if place < width]
                if not here:
                    continue
                for place, value in here:
                    column = cells[place]
                    column.extend([None] * (len(lines) - len(column)))
                    column.append(value)
                    characters += len(value) if isinstance(value, str) else 0
                lines.append(line)
                share = read
                if len(lines) == most or characters > _BLOCK_CHARACTERS:
                    break
            else:
                is_more, share = False, 1.0
        for column in cells:
            column.extend([None] * (len(lines) - len(column)))
        if lines:
            table = table_of(columns, cells)
            yield Block(np.array(lines, np.int64), table, fields_of(table), [], position(share))


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except XlsxError as fault:
        raise DataFileError(f"{name} is not an Excel file that can be read: {fault}") from fault
