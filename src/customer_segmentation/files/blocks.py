"""What reading yields: some rows of a table, and the rows that are none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pyarrow as pa

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.numbers import plain_number
from customer_segmentation.files.columns import python_rows

Fields = list[str]

LEADING_COLUMNS = ["line", "column", "reason"]
"""What stands before the fields of a rejected row; a file whose header begins so holds rejects."""

ASSIGNMENT_COLUMNS = ("cluster_num", "segment", "confidence", "strategy")
"""What stands behind the attributes of an exported customer; a file whose header ends so is an
export, also where `GROUP_COLUMN` comes after them."""

GROUP_COLUMN = "group"


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that is not loaded.

    Attributes:
        line: where the row starts in the file, as `Block.lines` counts.
        column: the column at fault, by the file's own name; empty where the whole row is.
        reason: what is wrong, for people.
        fields: the row as it stands in the file.
    """

    line: int
    column: str
    reason: str
    fields: Fields


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """Some rows of a table, in the file's order.

    Attributes:
        lines: (n,), where each row starts in the file, the header being line 1; the number of the
            row, from 1, in formats without lines.
        table: n rows; texts from CSV, elsewhere the types that the file has.
        fields: returns rows of this block, by their position in it, as texts under every column.
        rejects: the rows that cannot be read at all.
        position: how much of the source has been read, in the unit of `Source.total`.
    """

    lines: IntArray
    table: pa.Table
    fields: Callable[[Sequence[int]], list[Fields]]
    rejects: list[Reject] = field(default_factory=list)
    position: int = 0

    def refuse(self, faults: Mapping[int, tuple[str, str]]) -> list[Reject]:
        """Return all rejects, by line: those there are, and rows with their column and reason.

        A row of nothing but blanks is padding, such as Excel writes below a table, and no row.
        """
        faulty = sorted(faults.items())
        fields = self.fields([row for row, _ in faulty]) if faulty else []
        refused = [
            Reject(int(self.lines[row]), *fault, texts)
            for (row, fault), texts in zip(faulty, fields, strict=True)
        ]
        told = [r for r in (*self.rejects, *refused) if any(map(str.strip, r.fields))]
        return sorted(told, key=lambda reject: reject.line)


def text_of(value: object) -> str:
    """Return a value as it stands in a text file; nothing is an empty text.

    >>> text_of(45.0), text_of(True), text_of(None)
    ('45', 'true', '')
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if abs(value) < float("inf"):
            return str(plain_number(value))
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)


def fields_of(table: pa.Table) -> Callable[[Sequence[int]], list[Fields]]:
    """Return what yields a typed table's rows as texts."""

    def fields(rows: Sequence[int]) -> list[Fields]:
        columns = [python_rows(column, rows) for column in table.columns]
        return [[text_of(value) for value in row] for row in zip(*columns, strict=True)]

    return fields
