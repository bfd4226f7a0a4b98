"""How a table of transactions is read: its columns, its words for money in and out, its dates."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.numbers import describe_type
from customer_segmentation.files.blocks import text_of
from customer_segmentation.files.map import synonyms
from customer_segmentation.files.map.inference import words_of
from customer_segmentation.files.map.mapping import code_key
from customer_segmentation.files.map.number_texts import PLAIN, NumberStyle


class Direction(StrEnum):
    """Which way money went."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


KINDS: Mapping[str, Direction] = {
    **dict.fromkeys(sorted(synonyms.DEPOSITS), Direction.DEPOSIT),
    **dict.fromkeys(sorted(synonyms.WITHDRAWALS), Direction.WITHDRAWAL),
}
"""What the kind of a transaction means, by `code_key`."""


@dataclass(frozen=True, slots=True)
class TransactionRules:
    """How a table of transactions is read.

    Attributes:
        customer_id: the column of the customer's id.
        amount: the column of the amount of money.
        kind: the column that says which way the money went; None where the amount's sign does,
            below zero being a withdrawal.
        date: the column of the date; needed for a period.
        kinds: what the texts of `kind` mean, by `code_key`.
        style: how amounts are written.
        date_format: of dates as texts, as `strptime` has it; None for ISO 8601.
        since: the first day that counts.
        until: the first day after it that does not.
    """

    customer_id: str
    amount: str
    kind: str | None = None
    date: str | None = None
    kinds: Mapping[str, Direction] = field(default_factory=lambda: KINDS)
    style: NumberStyle = PLAIN
    date_format: str | None = None
    since: dt.date | None = None
    until: dt.date | None = None

    @classmethod
    def guessed(cls, columns: Sequence[str], named: Mapping[str, str] | None = None) -> Self:
        """Guess the columns from their names, but for those that are named, by their role.

        Raises:
            DataFileError: no column looks like the customer's id or the amount.
        """
        found = {role: _column_like(columns, role) for role in synonyms.TRANSACTION_COLUMNS}
        found |= named or {}
        if found["customer_id"] is None or found["amount"] is None:
            raise DataFileError(
                "A table of transactions needs a column of customers' ids and one of amounts; "
                "name them in the table `transactions` of the mapping, as none of these looks "
                f"so: {', '.join(columns)}"
            )
        return cls(found["customer_id"], found["amount"], found["kind"], found["date"])

    @property
    def has_period(self) -> bool:
        """Whether only some days count."""
        return self.since is not None or self.until is not None

    def is_withdrawal(self, value: object) -> bool:
        """Tell what a value of the column of kinds means.

        Raises:
            ValueError: it means nothing that is known.
        """
        text = text_of(value)
        if not text.strip():
            raise ValueError("the kind must be given, not nothing")
        direction = self.kinds.get(code_key(text))
        if direction is None:
            raise ValueError(f"the kind must be one of {', '.join(self.kinds)}, not another text")
        return direction is Direction.WITHDRAWAL

    def is_outside(self, value: object) -> bool:
        """Tell whether a value of the column of dates lies outside of the period.

        Raises:
            ValueError: it is no date.
        """
        day = self._day(value)
        return (self.since is not None and day < self.since) or (
            self.until is not None and day >= self.until
        )

    def _day(self, value: object) -> dt.date:
        if isinstance(value, dt.datetime):
            return value.date()
        if isinstance(value, dt.date):
            return value
        if not isinstance(value, str):
            raise ValueError(f"{self._dates}, not {describe_type(value)}")
        if not value.strip():
            raise ValueError(f"{self._dates}, not nothing")
        try:
            if self.date_format is None:
                return dt.datetime.fromisoformat(value.strip()).date()
            # A day as the table has it, whatever the time zone.
            return dt.datetime.strptime(value.strip(), self.date_format).date()  # noqa: DTZ007
        except ValueError as fault:
            raise ValueError(f"{self._dates}, not a text that is none") from fault

    @property
    def _dates(self) -> str:
        form = self.date_format or "ISO 8601, such as 2026-01-31"
        return f"the date must be a date by {form}"


def _column_like(columns: Sequence[str], role: str) -> str | None:
    by_words = {words_of(column): column for column in reversed(columns)}
    names = (words_of(role), *map(words_of, synonyms.TRANSACTION_COLUMNS[role]))
    return next((by_words[name] for name in names if name in by_words), None)
