"""Workbooks other than .xlsx, read by python-calamine in a process of their own.

The library makes a table of as many cells as a file claims, and ends its process where memory is
short. Run as a module, this is that process: it reads a workbook from standard input and writes a
row of JSON a line.
"""

import datetime as dt
import importlib.util
import io
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from customer_segmentation.domain.errors import DataFileError, ExtraMissingError

_MAX_BYTES = 2 * 2**30
_MAX_SECONDS = 600
_DATE = "date"


def read_other_workbook(
    stream: BinaryIO, sheet: str | None, name: str
) -> Iterator[tuple[int, list[tuple[int, object]], float]]:
    """Yield the rows of a sheet that are not blank, with their number and the share that is read.

    Raises:
        ExtraMissingError: python-calamine is not installed.
        DataFileError: it is no workbook, has no such sheet, or takes too much to read.
    """
    if importlib.util.find_spec("python_calamine") is None:
        raise ExtraMissingError("excel", "Excel files")
    command = [sys.executable, "-m", __name__, *([] if sheet is None else [sheet])]
    with tempfile.TemporaryFile() as rows, tempfile.TemporaryFile() as given:
        shutil.copyfileobj(stream, given)
        given.seek(0)
        try:
            ended = subprocess.run(  # noqa: S603
                command,
                stdin=given,
                stdout=rows,
                stderr=subprocess.PIPE,
                timeout=_MAX_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise DataFileError(f"{name} takes too long to read: save it as .xlsx") from late
        if ended.returncode:
            told = ended.stderr.decode(errors="replace").strip() if ended.returncode == 1 else ""
            raise DataFileError(
                f"{name} {told or 'is not an Excel file that can be read: it ended its reader'}"
            )
        size = max(rows.tell(), 1)
        rows.seek(0)
        for number, line in enumerate(rows, 1):
            cells = [(place, _value(cell)) for place, cell in enumerate(msgspec.json.decode(line))]
            if row := [cell for cell in cells if cell[1] not in {"", None}]:
                yield number, row, rows.tell() / size


def _value(cell: object) -> object:
    if not isinstance(cell, dict):
        return cell
    moment = dt.datetime.fromisoformat(cell[_DATE])
    return moment if moment.time() != dt.time() else moment.date()


def _written(value: object) -> object:
    return {_DATE: value.isoformat()} if isinstance(value, dt.date) else value


def _main(sheet: str | None) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_BYTES, _MAX_BYTES))
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        if sheet is not None and sheet not in book.sheet_names:
            sys.exit(f"has no sheet {sheet}; there are {', '.join(book.sheet_names)}")
        found = book.get_sheet_by_name(sheet) if sheet else book.get_sheet_by_index(0)
    except CalamineError as damage:
        sys.exit(f"is not an Excel file that can be read: {damage}")
    encode = msgspec.json.Encoder().encode
    for row in found.iter_rows():
        sys.stdout.buffer.write(encode([_written(value) for value in row]) + b"\n")


if __name__ == "__main__":
    _main(sys.argv[1] if len(sys.argv) > 1 else None)
