"""Deriving attributes from a table of transactions: sums and counts for each customer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute, Column, Kind
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.blocks import Block, Reject
from customer_segmentation.files.check.rows import (
    Checked,
    check_columns,
)
from customer_segmentation.files.columns import plain_array
from customer_segmentation.files.map.mapping import Entry
from customer_segmentation.files.map.transaction_rules import TransactionRules
from customer_segmentation.files.map.values import read_column, read_each_once
from customer_segmentation.files.read.tables import Source

DERIVED = ("total_withdrawal_amount", "total_deposit_amount", "transaction_count")
"""The attributes that transactions tell, by request name."""

_AMOUNT = Attribute("amount", "amount", "amount", "Money moved", 100, Kind.AMOUNT)
_TOTALS = pa.schema(
    {
        "id": pa.int64(),
        "withdrawn": pa.float64(),
        "deposited": pa.float64(),
        "count": pa.int64(),
    }
)
_SUMS = ("withdrawn", "deposited", "count")
_NEGATIVE_DEPOSIT = "the amount of a deposit must be a number of at least 0, not one below it"
_ROWS_UNTIL_MERGED = 1_000_000
_DECIMALS = 6
_EXACT_BELOW = 1e9


@dataclass(frozen=True, eq=False, slots=True)
class Totals:
    """What the transactions of each customer add up to.

    Attributes:
        ids: (m,), rising.
        values: (m, 3), withdrawals, deposits and the number of transactions, as `DERIVED`; zeros
            for those who have none but outside the period.
        doubtful: (l,), the customers of whom a transaction is refused, so that their totals are
            not known.
        used: (m,), whether customers were filled with them.
        places: of `DERIVED` among the attributes.
    """

    ids: IntArray
    values: FloatArray
    doubtful: IntArray
    used: BoolArray
    places: tuple[int, ...]

    def of(self, ids: IntArray) -> FloatArray:
        """Return the totals of customers, (n, 3): zeros for those without transactions."""
        found = np.zeros((len(ids), len(DERIVED)))
        known = self.tell_of(ids)
        found[known] = self.values[np.searchsorted(self.ids, ids[known])]
        return found

    def tell_of(self, ids: IntArray) -> BoolArray:
        """Return for which customers, (n,), there are transactions."""
        return np.isin(ids, self.ids)

    def fill(self, checked: Checked) -> Checked:
        """Return customers with these totals as their derived attributes."""
        values = checked.values.copy()
        values[:, self.places] = self.of(checked.ids)
        self.used[np.isin(self.ids, checked.ids)] = True
        return Checked(checked.rows, checked.lines, checked.ids, values, checked.rejects)

    @property
    def unused(self) -> int:
        """How many transactions that count are of nobody who was filled with them."""
        return int(self.values[~self.used, -1].sum())


class Transactions:
    """Adds up the blocks of one table; memory grows with the customers, not the transactions.

    Attributes:
        wanted: the columns that are looked at.
    """

    def __init__(self, schema: Schema, source: Source, rules: TransactionRules) -> None:
        """Find the columns.

        Args:
            schema: of the customers.
            source: the table.
            rules: how it is read.

        Raises:
            DataFileError: the table lacks a column or has one twice, a period is asked for and no
                column of dates is named, or the schema has no attributes that transactions tell.
        """
        if not set(DERIVED) <= set(schema.names) or schema.id.is_text:
            raise DataFileError(
                f"{source.name} cannot be added up: that is for customers whose ids are integers, "
                f"and who have {', '.join(DERIVED)}"
            )
        self._id = schema.id
        self._places = tuple(schema.names.index(name) for name in DERIVED)
        if rules.has_period and rules.date is None:
            raise DataFileError(f"{source.name} needs a column of dates for a period")
        columns = [rules.customer_id, rules.amount, rules.kind]
        if rules.has_period:
            columns.append(rules.date)
        self.wanted = check_columns(source, columns)
        self._rules = rules
        self._parts: list[pa.Table] = []
        self._doubtful: list[IntArray] = []

    def add(self, block: Block) -> list[Reject]:
        """Add a block's transactions and return those that are refused."""
        rules = self._rules
        faults: dict[int, tuple[str, str]] = {}

        def note(column: str, refused: Mapping[int, str]) -> None:
            for row, reason in refused.items():
                faults.setdefault(row, (column, reason))

        def read_values(feature: Column, entry: Entry) -> FloatArray:
            values, refused = read_column(feature, entry, block.table[entry.column])
            note(entry.column or "", refused)
            return values

        def ask(column: str, answer: Callable[[object], bool]) -> BoolArray:
            answers, refused = read_each_once(plain_array(block.table[column]), answer)
            note(column, refused)
            return answers == 1

        ids = read_values(self._id, Entry(rules.customer_id))
        has_id = np.ones(len(ids), dtype=np.bool_)
        has_id[list(faults)] = False
        amounts = read_values(_AMOUNT, Entry(rules.amount, style=rules.style))
        withdrawn, outside = amounts < 0, np.zeros(len(ids), dtype=np.bool_)
        if rules.kind is not None:
            withdrawn = ask(rules.kind, rules.is_withdrawal)
            negative = np.flatnonzero((amounts < 0) & ~withdrawn).tolist()
            note(rules.amount, dict.fromkeys(negative, _NEGATIVE_DEPOSIT))
        if rules.has_period and rules.date is not None:
            outside = ask(rules.date, rules.is_outside)
        refused = np.zeros(len(ids), dtype=np.bool_)
        refused[list(faults)] = True
        self._doubtful.append(ids[refused & has_id & ~outside].astype(np.int64))
        amounts = np.where(outside, 0, np.abs(amounts))
        # What is outside the period counts nothing, whatever else is wrong with it.
        read = ~refused | (outside & has_id)
        self._add_up(ids[read].astype(np.int64), amounts[read], withdrawn[read], ~outside[read])
        return block.refuse(faults)

    def totals(self) -> Totals:
        """Return what all transactions so far add up to.

        Raises:
            DataFileError: amounts add up to more than a number can be.
        """
        merged = self._merged().sort_by("id")
        sums = [merged[name].to_numpy() for name in ("withdrawn", "deposited", "count")]
        values = np.column_stack(sums).astype(np.float64)
        # Adding cents in binary leaves traces such as 0.30000000000000004.
        values = np.where(values < _EXACT_BELOW, values.round(_DECIMALS), values)
        if not np.isfinite(values).all():
            raise DataFileError("The amounts of a customer's transactions add up to no number")
        doubtful = np.unique(np.concatenate([np.empty(0, np.int64), *self._doubtful]))
        return Totals(
            merged["id"].to_numpy(), values, doubtful, np.zeros(len(merged), np.bool_), self._places
        )

    def _add_up(
        self, ids: IntArray, amounts: FloatArray, withdrawn: BoolArray, counted: BoolArray
    ) -> None:
        rows = pa.table(
            {
                "id": ids,
                "withdrawn": np.where(withdrawn, amounts, 0),
                "deposited": np.where(withdrawn, 0, amounts),
                "count": counted.astype(np.int64),
            }
        )
        self._parts.append(_grouped(rows))
        if sum(part.num_rows for part in self._parts[1:]) > max(
            _ROWS_UNTIL_MERGED, self._parts[0].num_rows
        ):
            self._parts = [self._merged()]

    def _merged(self) -> pa.Table:
        return _grouped(pa.concat_tables(self._parts or [_TOTALS.empty_table()]))


def _grouped(rows: pa.Table) -> pa.Table:
    """Return one row for each customer."""
    grouped = rows.group_by("id").aggregate([(name, "sum") for name in _SUMS])
    return grouped.rename_columns({f"{name}_sum": name for name in _SUMS})
