"""CSV into blocks: quickly where nothing is special about the text, exactly everywhere."""

import csv
import io
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from customer_segmentation.files.blocks import LEADING_COLUMNS, Block, Fields, Reject
from customer_segmentation.files.formulas import restored
from customer_segmentation.files.read.headers import LOOKED_AT, find_header
from customer_segmentation.files.read.lines import LONGEST_LINE, Lines, LineTooLongError

if TYPE_CHECKING:
    from _csv import Reader as Rows

DELIMITERS = ",;\t|"
BLANK = " "
"""As a delimiter it stands for any number of blanks, by which columns are aligned."""

_SAMPLE_BYTES = 64 * 1024
_FAULTS = {
    "unexpected end": "a quote is opened and never closed",
    "field larger": f"a field has more than {csv.field_size_limit():,} characters",
    "new-line character": "a line ends within a field that has no quotes",
    "line contains NUL": "it contains a NUL character",
}
"""What Python's messages begin with, in words for those who did not write the program."""


class CsvReader:
    """Reads CSV by RFC 4180, with any delimiter.

    A block without quotes, blank lines and ragged rows is split by Arrow; every other by Python's
    csv module, whose reading is the definition of what the file says. A file of rejects is
    read as the table that its rows come from.

    Arrow alone will not do: a quote that is never closed takes the rest of the file into one field
    without a word, and text after a closing quote joins the field. DuckDB 2.0 refuses both, but
    gives no text apart from null, weighs 65 MiB and takes 2.5 times as long where nothing is quoted
    (700,000 rows: 0.31 s, here 0.12 s); where all is, it takes a fifth (0.4 s, here 1.9 s).

    Attributes:
        columns: the names in the header, without surrounding blanks.
        delimiter: what stands between fields.
        is_rejects: whether the file is one of rejects.
    """

    def __init__(
        self,
        lines: Lines,
        delimiter: str | None,
        position: Callable[[], int],
        header: int | None = None,
    ) -> None:
        """Read the header.

        Args:
            lines: the text.
            delimiter: what stands between fields; None to guess.
            header: the line of the header; None to find it.
            position: tells how much of the source was read.

        Raises:
            csv.Error: the header is no line of CSV.
            LineTooLongError: a line of it is too long.
        """
        self._lines = lines
        self._position = position
        self._next_line = 1
        start = lines.block()
        lines.give_back(start)
        sample = _first_lines(start[:_SAMPLE_BYTES])
        self.delimiter = delimiter or guess_delimiter(sample)
        titles = _count_titles(sample, self.delimiter) if header is None else header - 1
        for _ in range(titles):
            lines.line()
        self._next_line += titles
        header_fields = [name.strip() for name in self._read_header()]
        self._width = len(header_fields)
        self.is_rejects = header_fields[: len(LEADING_COLUMNS)] == LEADING_COLUMNS
        self._leading = len(LEADING_COLUMNS) if self.is_rejects else 0
        self.columns = tuple(header_fields[self._leading :])

    def next_block(self, wanted: Collection[str] | None) -> Block | None:
        """Return the next rows, of all columns or of those wanted; None at the end."""
        text = self._lines.block()
        if not text:
            return None
        places = [
            place for place, name in enumerate(self.columns) if wanted is None or name in wanted
        ]
        return self._split_quickly(text, places) or self._split_exactly(text, places)

    def _read_header(self) -> Fields:
        feed = _Feed(b"", self._lines, self.delimiter)
        reader = _reader(feed, self.delimiter)
        try:
            header = next((fields for fields in reader if fields), [])
        except csv.Error as error:
            if len(feed.taken[-1]) > LONGEST_LINE:
                raise LineTooLongError(len(feed.taken)) from error
            raise
        self._next_line += len(feed.taken)
        return header

    def _split_quickly(self, text: bytes, places: list[int]) -> Block | None:
        """Return a block's rows; None where the text is not plain."""
        if self._leading or self.delimiter == BLANK or not _is_plain(text):
            return None
        chosen = [str(place) for place in places]
        try:
            table = arrow_csv.read_csv(
                pa.py_buffer(text),
                arrow_csv.ReadOptions(column_names=[str(n) for n in range(self._width)]),
                arrow_csv.ParseOptions(delimiter=self.delimiter, quote_char=False),
                arrow_csv.ConvertOptions(
                    include_columns=chosen,
                    column_types=dict.fromkeys(chosen, pa.string()),
                    strings_can_be_null=False,
                    check_utf8=False,
                ),
            )
        except pa.ArrowInvalid:
            return None  # A row has another width: the exact way tells which.
        lines = np.arange(self._next_line, self._next_line + table.num_rows)
        self._next_line += table.num_rows

        def fields(rows: Sequence[int]) -> list[Fields]:
            found = text.split(b"\n")
            return [found[row].rstrip(b"\r").decode().split(self.delimiter) for row in rows]

        table = table.rename_columns([self.columns[place] for place in places])
        return Block(lines, table, fields, [], self._position())

    def _split_exactly(self, text: bytes, places: list[int]) -> Block:
        """Return a block's rows, and the rest of its last row where that lies beyond it."""
        feed = _Feed(text, self._lines, self.delimiter)
        reader = _reader(feed, self.delimiter)
        lines: list[int] = []
        kept: list[Fields] = []
        rejects: list[Reject] = []
        while feed.has_more:
            line = self._next_line
            feed.taken.clear()
            try:
                fields = next(reader, [])
                fault = self._fault(fields)
                if self._leading:
                    fields = [restored(field) for field in fields[self._leading :]]
            except csv.Error as error:
                fields = ["".join(feed.taken)]
                fault = f"the row cannot be read as CSV: {fault_of(error)}"
            self._next_line += len(feed.taken)
            if fault:
                rejects.append(Reject(line, "", fault, fields))
            elif fields:
                lines.append(line)
                kept.append(fields)
        arrays = [pa.array([fields[place] for fields in kept], pa.string()) for place in places]
        return Block(
            np.array(lines, dtype=np.int64),
            pa.table(arrays, names=[self.columns[place] for place in places]),
            lambda rows: [kept[row] for row in rows],
            rejects,
            self._position(),
        )

    def _fault(self, fields: Fields) -> str:
        if not fields or len(fields) == self._width:
            return ""
        width, found = self._width - self._leading, len(fields) - self._leading
        return f"the row must have {width} fields, as the header has, not {found}"


class _Feed:
    """The lines of a block and, when asked for more, those that come after it.

    Attributes:
        taken: the lines that the row which is being read is made of.

    A row whose quotes do not close, or that goes on for long, is no row (`csv.Error`).
    """

    def __init__(self, text: bytes, following: Lines, delimiter: str) -> None:
        self._is_aligned = delimiter == BLANK
        # Lines end as those of a file opened with newline="", which the csv module asks for.
        self._lines = deque(io.StringIO(text.decode(), newline=""))
        self._following = following
        self._size = 0
        self.taken: list[str] = []

    @property
    def has_more(self) -> bool:
        return bool(self._lines)

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._lines.popleft() if self._lines else self._following.line().decode()
        if not line:
            raise StopIteration
        self._size = self._size + len(line) if self.taken else len(line)
        self.taken.append(line)
        if self._size > LONGEST_LINE:
            raise csv.Error(f"it has more than {LONGEST_LINE:,} characters")
        return f"{line.rstrip()}\n" if self._is_aligned else line


def _reader(lines: Iterable[str], delimiter: str, *, strict: bool = True) -> "Rows":
    return csv.reader(
        lines, delimiter=delimiter, strict=strict, skipinitialspace=delimiter == BLANK
    )


def fault_of(error: csv.Error) -> str:
    """Return what is wrong with a row of CSV."""
    told = str(error)
    if "expected after" in told:
        return "after a closing quote comes neither a delimiter nor the line's end"
    return next((fault for begin, fault in _FAULTS.items() if told.startswith(begin)), told)


def _is_plain(text: bytes) -> bool:
    """Tell whether each line is a row, and each delimiter stands between two fields."""
    if b'"' in text or text.startswith((b"\n", b"\r")) or b"\n\n" in text:
        return False
    if b"\r" not in text:
        return True
    return text.count(b"\r") == text.count(b"\r\n") and b"\n\r" not in text


def _first_lines(sample: bytes) -> list[str]:
    lines = io.StringIO(sample.decode(errors="ignore"), newline="").readlines()
    if len(lines) > 1:
        lines.pop()  # The sample may end within it.
    return lines


def _count_titles(lines: Sequence[str], delimiter: str) -> int:
    """Return how many of the first lines stand above the header."""
    reader = _reader(map(_without_end, lines), delimiter, strict=False)
    ends: list[int] = []
    rows: list[Fields] = []
    for fields in islice(reader, LOOKED_AT):
        rows.append(fields)
        ends.append(reader.line_num)
    header = find_header(rows)
    return ends[header - 1] if header else 0


def _without_end(line: str) -> str:
    return line.rstrip("\r\n")


def guess_delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter by which most of a file's first rows are as wide as its header.

    Of 40 small tables (each delimiter; quotes, decimal commas, notes, ragged rows) this guesses 37,
    Python's `csv.Sniffer` and DuckDB's `sniff_csv` 36, both wrong where rows are ragged, which is
    where a guess matters. clevercsv guesses all, but takes 94 ms on 64 KiB where this takes 0.3 ms.
    """

    def rows_by(delimiter: str) -> list[Fields]:
        return list(csv.reader(lines[:LOOKED_AT], delimiter=delimiter))

    def agreement(delimiter: str) -> tuple[float, int]:
        rows = rows_by(delimiter)
        rows = rows[find_header(rows) :]
        width = len(rows[0]) if rows else 1
        return (width > 1) * sum(len(fields) == width for fields in rows), width

    best = max(DELIMITERS, key=agreement)
    widths = {len(line.split()) for line in lines[:LOOKED_AT] if line.strip()}
    is_aligned = agreement(best)[0] == 0 and len(lines) > 1 and len(widths) == 1
    return BLANK if is_aligned and min(widths) >= _LEAST_ALIGNED else best


_LEAST_ALIGNED = 3
"""Of two columns, a single one of two words each cannot be told."""
