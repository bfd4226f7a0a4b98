"""Blocks of a table into checked ids and attributes, and the rows that are refused."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IdArray, IntArray
from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.errors import DataFileError, MappingError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.blocks import Block, Reject
from customer_segmentation.files.check.duplicates import SeenIds
from customer_segmentation.files.map.mapping import ColumnMapping, Entry
from customer_segmentation.files.map.texts import find_missing, texts_of
from customer_segmentation.files.map.values import Refused, read_entry, read_ids
from customer_segmentation.files.read.tables import Source


@dataclass(frozen=True, eq=False, slots=True)
class Checked:
    """The customers of a block.

    Attributes:
        rows: (n,), the place of each in its block.
        lines: (n,), where each stands in the file.
        ids: (n,), of int64, or Python's texts where the schema's ids are.
        values: (n, d), attributes in the schema's order as they are inside: numbers, places of
            categories, NaN where missing.
        rejects: the rows that are not among them, by line.
    """

    rows: IntArray
    lines: IntArray
    ids: IdArray
    values: FloatArray
    rejects: list[Reject]


class Checker:
    """Checks the blocks of one table, one after the other.

    Attributes:
        wanted: the columns that are looked at.
        filled: how many empty values of accepted rows a default has filled so far, by attribute.
        absent: the attributes that no column tells, so that each row has their default.
    """

    def __init__(
        self,
        schema: Schema,
        source: Source,
        mapping: ColumnMapping,
        *,
        with_ids: bool = True,
        seen: SeenIds | None = None,
    ) -> None:
        """Find the columns.

        Args:
            schema: of the customers.
            source: the table.
            mapping: what its columns mean.
            with_ids: whether rows have customers' ids; else their lines stand in for them.
            seen: the ids that rows must not repeat; those of accepted rows are added.

        Raises:
            MappingError: the mapping has not an entry for every attribute, or nothing says what
                one without a column is.
            DataFileError: the table lacks a column, has one twice, or holds refused rows of a table
                whose rows are numbered.
        """
        self._id, self._words = schema.id, schema.missing_values
        self._numbered = mapping.numbered and with_ids
        self._with_ids = with_ids and not mapping.numbered
        columns = schema.columns if self._with_ids else schema.attributes
        absent = [column.name for column in columns if column.name not in mapping.entries]
        if absent:
            raise MappingError(f"The mapping has no entries for {', '.join(absent)}")
        if self._numbered and source.is_rejects:
            raise DataFileError(
                f"{source.name} holds refused rows, whose numbers in the table are lost: correct "
                "them in the table itself"
            )
        self._id_entry = mapping.entries[schema.id.name] if self._with_ids else None
        self._entries = [(a, mapping.entries[a.name]) for a in schema.attributes]
        self._fixed = {a.name: _fixed_value(a, e) for a, e in self._entries if e.column is None}
        self.filled: Counter[str] = Counter()
        self.absent = tuple(self._fixed)
        entries = [*([self._id_entry] if self._id_entry else []), *(e for _, e in self._entries)]
        self.wanted = check_columns(source, [name for e in entries for name in e.columns])
        self._seen = seen
        self._rows_before = 0

    def check(self, block: Block) -> Checked:
        """Return a block's customers under the rule of `Entry.accept`."""
        faults: Refused = {}
        ids = self._read_ids(block, faults)
        # Each column lies together.
        values = np.empty((len(self._entries), len(block.lines))).T
        empty: dict[str, BoolArray] = {}
        for place, (attribute, entry) in enumerate(self._entries):
            if entry.column is None:
                values[:, place] = self._fixed[attribute.name]
                continue
            values[:, place], refused = read_entry(attribute, entry, block.table, self._words)
            for row, fault in refused.items():
                faults.setdefault(row, fault)
            if _fills(attribute, entry):
                texts = texts_of(block.table[entry.column])
                empty[attribute.name] = find_missing(texts, entry.missing_words(self._words))
        kept = np.ones(len(values), dtype=np.bool_)
        kept[list(faults)] = False
        if self._seen is not None and self._id_entry is not None:
            self._refuse_repeated(self._seen, ids, kept, faults)
        for name, is_blank in empty.items():
            self.filled[name] += int((is_blank & kept).sum())
        rejects = block.refuse(faults)
        rows, lines = np.flatnonzero(kept), block.lines
        if faults:
            lines, ids, values = lines[kept], ids[kept], values[kept]
        return Checked(rows, lines, ids, values, rejects)

    def _read_ids(self, block: Block, faults: Refused) -> IdArray:
        if self._numbered:
            return self._number(block)
        if self._id_entry is None or self._id_entry.column is None:
            return block.lines
        name = self._id_entry.column
        words = self._id_entry.missing_words(self._words)
        ids, refused = read_ids(self._id, self._id_entry, block.table[name], words)
        faults.update({row: (name, reason) for row, reason in refused.items()})
        return ids

    def _number(self, block: Block) -> IntArray:
        """Return the numbers of a block's rows in the table, (n,): also what is no row has one."""
        unread = np.sort(np.array([reject.line for reject in block.rejects], np.int64))
        numbers = np.arange(1, len(block.lines) + 1) + np.searchsorted(unread, block.lines)
        numbers += self._rows_before
        self._rows_before += len(block.lines) + len(unread)
        return numbers

    def _refuse_repeated(
        self, seen: SeenIds, ids: IdArray, kept: BoolArray, faults: Refused
    ) -> None:
        rows = np.flatnonzero(kept)
        repeated = rows[~seen.add(ids[rows])]
        kept[repeated] = False
        column = self._id_entry.column if self._id_entry else None
        fault = (column or "", f"{self._id.name} must be unique, and an earlier row has it")
        faults.update(dict.fromkeys(repeated.tolist(), fault))


def _fixed_value(attribute: Attribute, entry: Entry) -> float:
    """Return what everybody has of whom no column tells an attribute."""
    try:
        return entry.fill(attribute)
    except ValueError as refusal:
        raise MappingError(f"The mapping has no column for {attribute.name}: {refusal}") from None


def _fills(attribute: Attribute, entry: Entry) -> bool:
    """Tell whether a value that is made up stands in place of one that is missing."""
    try:
        return not np.isnan(entry.fill(attribute))
    except ValueError:
        return False


def check_columns(source: Source, columns: Iterable[str | None]) -> list[str]:
    """Return the columns, each once and without None.

    Raises:
        DataFileError: the table lacks one, or has one twice.
    """
    wanted = list(dict.fromkeys(name for name in columns if name is not None))
    missing = [name for name in wanted if name not in source.columns]
    if missing:
        raise DataFileError(f"{source.name} lacks these columns: {', '.join(missing)}")
    twice = [name for name in wanted if source.columns.count(name) > 1]
    if twice:
        raise DataFileError(f"{source.name} has these columns more than once: {', '.join(twice)}")
    return wanted
