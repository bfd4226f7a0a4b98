"""Blocks of a table into checked ids and attributes, and the rows that are refused."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.errors import DataFileError, MappingError
from customer_segmentation.domain.features import COLUMNS, CUSTOMER_ID, FEATURES
from customer_segmentation.files.blocks import Block, Reject
from customer_segmentation.files.check.duplicates import SeenIds
from customer_segmentation.files.columns import is_empty
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.map.values import read_column
from customer_segmentation.files.read.tables import Source

_REPEATED = f"{CUSTOMER_ID.name} must be unique, and an earlier row has it"


@dataclass(frozen=True, eq=False, slots=True)
class Checked:
    """The customers of a block.

    Attributes:
        rows: (n,), the place of each in its block.
        lines: (n,), where each stands in the file.
        ids: (n,).
        values: (n, d), attributes in the feature table's order, in users' units.
        rejects: the rows that are not among them, by line.
    """

    rows: IntArray
    lines: IntArray
    ids: IntArray
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
        source: Source,
        mapping: ColumnMapping,
        *,
        with_ids: bool = True,
        seen: SeenIds | None = None,
    ) -> None:
        """Find the columns.

        Args:
            source: the table.
            mapping: what its columns mean.
            with_ids: whether rows have customers' ids; else their lines stand in for them.
            seen: the ids that rows must not repeat; those of accepted rows are added.

        Raises:
            MappingError: the mapping has not an entry for every attribute.
            DataFileError: the table lacks a column, or has one twice.
        """
        columns = COLUMNS if with_ids else FEATURES
        absent = [feature.name for feature in columns if feature.name not in mapping.entries]
        if absent:
            raise MappingError(f"The mapping has no entries for {', '.join(absent)}")
        self._entries = [(feature, mapping.entries[feature.name]) for feature in columns]
        self.filled: Counter[str] = Counter()
        self.absent = tuple(feature.name for feature, e in self._entries if e.column is None)
        self.wanted = check_columns(source, [entry.column for _, entry in self._entries])
        self._with_ids = with_ids
        self._seen = seen

    def check(self, block: Block) -> Checked:
        """Return a block's customers under the rule of `Feature.accept`."""
        # Each column lies together.
        values = np.empty((len(self._entries), len(block.lines))).T
        faults: dict[int, tuple[str, str]] = {}
        empty: dict[str, BoolArray] = {}
        for place, (feature, entry) in enumerate(self._entries):
            if entry.column is None:
                values[:, place] = entry.default
                continue
            values[:, place], refused = read_column(feature, entry, block.table[entry.column])
            for row, reason in refused.items():
                faults.setdefault(row, (entry.column, reason))
            if entry.default is not None:
                empty[feature.name] = is_empty(block.table[entry.column])
        kept = np.ones(len(values), dtype=np.bool_)
        kept[list(faults)] = False
        if self._seen is not None and self._with_ids:
            rows = np.flatnonzero(kept)
            repeated = rows[~self._seen.add(values[rows, 0].astype(np.int64))]
            kept[repeated] = False
            fault = (self._entries[0][1].column or "", _REPEATED)
            faults.update(dict.fromkeys(repeated.tolist(), fault))
        for name, is_blank in empty.items():
            self.filled[name] += int((is_blank & kept).sum())
        rejects = block.refuse(faults)
        rows, lines = np.flatnonzero(kept), block.lines
        if faults:
            lines, values = lines[kept], values[kept]
        if not self._with_ids:
            return Checked(rows, lines, lines, values, rejects)
        return Checked(rows, lines, values[:, 0].astype(np.int64), values[:, 1:], rejects)


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
