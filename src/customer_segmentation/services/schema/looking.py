"""A first look at a table: its columns, some of its rows, and how many distinct values it has."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.blocks import Block
from customer_segmentation.files.map.inference import doubts_about
from customer_segmentation.files.map.texts import texts_of
from customer_segmentation.files.read.tables import Source
from customer_segmentation.services.schema.sampling import DistinctValues, RowSample

Opening: TypeAlias = Callable[[], AbstractContextManager[Source]]
"""Opens a table anew, each time at its first row."""

_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>")
_MANY_REJECTS = 0.5
_ROWS, _TEXTS = 10_000, 2_000_000
_VALUES, _HASHES = 4_096, 200_000
_FEWEST = 1_000
LONGEST_TEXT = 200
"""How much of a text is kept; a longer one is no category."""


@dataclass(frozen=True, eq=False, slots=True)
class ColumnLook:
    """What a first look shows of a column.

    Attributes:
        name: its header.
        texts: of some rows; null where there is nothing.
        distinct: over all rows, without those that have nothing.
    """

    name: str
    texts: pa.Array
    distinct: DistinctValues


@dataclass(frozen=True, eq=False, slots=True)
class TableLook:
    """What a first look shows of a table.

    Attributes:
        name: what messages call it.
        rows: how many it has, over all files.
        encoding: what its text is in; None where that is UTF-8, or it is no text.
        columns: in their order.
    """

    name: str
    rows: int
    encoding: str | None
    columns: tuple[ColumnLook, ...]


def look(openings: Sequence[Opening]) -> TableLook:
    """Look at a table that lies in one file or in several alike.

    Raises:
        DataFileError: it cannot be read, is no table, or its header is not in its first line.
    """
    names: tuple[str, ...] = ()
    title = ""
    encoding: str | None = None
    sample = RowSample(_ROWS)
    distinct: list[DistinctValues] = []
    for source in each(openings):
        if not title:
            title, names = source.name, source.columns
            encoding = None if source.encoding == "utf-8" else source.encoding
            sample = RowSample(min(_ROWS, max(_TEXTS // len(names), _FEWEST)))
            each_keeps = min(_VALUES, max(_HASHES // len(names), _FEWEST))
            distinct = [DistinctValues(each_keeps) for _ in names]
        _see_alike(title, names, source)
        _see_one_header(source)
        refused = 0
        for block in source.blocks():
            _see_no_conflict(source.name, block)
            refused += len(block.rejects)
            columns = columns_of(block, source.columns, names)
            if len(block.lines):
                sample.add([pc.utf8_slice_codeunits(texts, 0, LONGEST_TEXT) for texts in columns])
                for texts, values in zip(columns, distinct, strict=True):
                    _count(texts, values)
        if refused > _MANY_REJECTS * (sample.rows + refused):
            raise DataFileError(
                f"Most rows of {source.name} have not as many fields as its first line: is the "
                "header in a later line, or the delimiter another one?"
            )
    if not sample.rows:
        raise DataFileError(f"{title} has no rows")
    kept = zip(names, sample.columns(), distinct, strict=True)
    return TableLook(title, sample.rows, encoding, tuple(ColumnLook(*found) for found in kept))


def each(openings: Sequence[Opening]) -> Iterator[Source]:
    """Open one table after the other."""
    for opening in openings:
        with opening() as source:
            yield source


def columns_of(block: Block, columns: tuple[str, ...], names: tuple[str, ...]) -> list[pa.Array]:
    """Return a block's columns as texts, in the order of other names."""
    places = range(len(names)) if columns == names else [columns.index(name) for name in names]
    return [texts_of(block.table.column(place)) for place in places]


def _count(texts: pa.Array, values: DistinctValues) -> None:
    found = pc.value_counts(texts.drop_null())
    values.add(found.field("values").to_pylist(), found.field("counts").to_pylist())


def _see_alike(title: str, names: tuple[str, ...], source: Source) -> None:
    if sorted(source.columns) == sorted(names):
        return
    shared = [name for name in names if name in source.columns]
    told = f" They share {', '.join(shared)}: join them by it first." if shared else ""
    raise DataFileError(f"{source.name} has other columns than {title}.{told}")


def _see_one_header(source: Source) -> None:
    """Refuse a file whose first line is not the only header of a table."""
    columns, sample = source.columns, source.sample()
    numbers = [float(name) for name in columns if _is_number(name)]
    are_years = all(after - before == 1 for before, after in pairwise(numbers))
    if len(columns) > 1 and len(numbers) > len(columns) / 2 and not are_years:
        raise DataFileError(
            f"The first line of {source.name} looks like a row, not like a header: put the "
            "columns' names above it"
        )
    if len(columns) == 1 and len(columns[0].split()) > 1 and sample.num_rows:
        widths = {len(str(text).split()) for text in sample.column(0).slice(0, 50).to_pylist()}
        if widths == {len(columns[0].split())}:
            raise DataFileError(
                f"The columns of {source.name} are aligned by blanks: write it as CSV, for example "
                "with  awk -v OFS=, '{$1=$1; print}'"
            )
    for doubt in doubts_about(columns, sample):
        if "second header" in doubt:
            raise DataFileError(f"{source.name}: {doubt}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _see_no_conflict(name: str, block: Block) -> None:
    for reject in block.rejects:
        if reject.fields and reject.fields[0].startswith(_CONFLICT):
            raise DataFileError(
                f"{name} is in conflict between two versions (line {reject.line}): resolve it first"
            )
