"""What a foreign table's columns mean: which attribute each is, and in what units and words."""

import datetime as dt
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Self

from customer_segmentation.domain.attributes import Column
from customer_segmentation.domain.features import COLUMNS
from customer_segmentation.domain.numbers import Number
from customer_segmentation.files.blocks import text_of


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a table writes numbers.

    Attributes:
        decimal: what stands before the fraction, a point or a comma; `UNSURE` where a guess cannot
            tell, which a person is to say.
        thousands: what stands between groups of three digits; empty where nothing does.
    """

    decimal: str = "."
    thousands: str = ""

    @property
    def pattern(self) -> str:
        """A regular expression of the numbers in this style, for Python's engine and RE2."""
        digits = "[0-9]+"
        if self.thousands:
            digits = rf"([0-9]+|[1-9][0-9]{{0,2}}({re.escape(self.thousands)}[0-9]{{3}})+)"
        point = re.escape(self.decimal)
        return rf"[+-]?({digits}({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?"

    def plain(self, text: str) -> str:
        """Return a number as Python writes it; what is no number in this style as "?"."""
        text = text.strip()
        if not text or self == PLAIN:
            return text
        if not re.fullmatch(self.pattern, text):
            return "?"
        return text.replace(self.thousands, "").replace(self.decimal, ".")


PLAIN = NumberStyle()
UNSURE = NumberStyle("?")

_TRUTHS = {"true": 1, "false": 0}
"""How `text_of` and most databases write booleans."""

_SHEET_ERRORS = frozenset(
    {"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA"}
    | {"#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#BUSY!", "#UNKNOWN!", "#PYTHON!"}
)
"""How Excel and others write that a formula has no value."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an attribute comes from.

    Attributes:
        column: the table's column; None where the table has none.
        factor: what the table's numbers are multiplied with, such as 1/12 for yearly amounts.
        codes: what the table's texts stand for, by `code_key`; empty where it holds numbers.
        style: how the table writes numbers.
        default: the value where there is no column or an empty one; None where that is a fault.
    """

    column: str | None
    factor: Fraction = Fraction(1)
    codes: Mapping[str, Number] = field(default_factory=dict)
    style: NumberStyle = PLAIN
    default: Number | None = None

    def accept(self, feature: Column, value: object) -> Any:  # noqa: ANN401
        """Return what one of the column's values is as an attribute.

        Raises:
            ValueError: it is not allowed; the message never holds the value.
        """
        text = text_of(value) if value is None or isinstance(value, str) or self.codes else None
        if text is not None and not text.strip():
            if self.default is None:
                raise ValueError(feature.refusal("nothing"))
            return self.default
        if self.codes and text is not None:
            return self._decode(feature, text)
        number = _number(feature, value) if text is None else self._read(feature, text)
        if self.factor != 1 and isinstance(number, int | float) and not isinstance(number, bool):
            number = float(number) * self.factor.numerator / self.factor.denominator
        return feature.accept(number)

    def _read(self, feature: Column, text: str) -> Number:
        if feature.is_binary and (truth := _TRUTHS.get(text.strip().casefold())) is not None:
            return truth
        try:
            return feature.read(self.style.plain(text))
        except ValueError as refusal:
            if (found := _not_a_number(text)) is None:
                raise
            raise ValueError(feature.refusal(found)) from refusal

    def _decode(self, feature: Column, text: str) -> Any:  # noqa: ANN401
        number = self.codes.get(code_key(text))
        if number is None:
            found = _not_a_number(text) or "a text that the mapping has no code for"
            raise ValueError(feature.refusal(found))
        return feature.accept(number)


def _not_a_number(text: str) -> str | None:
    """Name what a spreadsheet has instead of a number; None where it is just a text."""
    text = text.strip()
    if text.startswith("="):
        return "a formula without a stored result"
    if text.upper() in _SHEET_ERRORS:
        return "an error of a spreadsheet"
    return "a boolean" if text.casefold() in _TRUTHS else None


def _number(feature: Column, value: object) -> object:
    """Return a typed value as the number that it stands for, if it stands for one."""
    if isinstance(value, bool) and feature.is_binary:
        return int(value)
    if isinstance(value, dt.date):
        raise ValueError(feature.refusal("a date"))
    if isinstance(value, Decimal) and value.is_finite():
        if value == value.to_integral_value():
            return int(value)
        if feature.is_exact:
            raise ValueError(feature.refusal("a number with a fraction"))
        return float(value)
    return value


def code_key(text: str) -> str:
    """Return a code as it is compared: case and blanks make no difference.

    >>> code_key(" High  School ")
    'high school'
    """
    return " ".join(text.split()).casefold()


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Where every attribute comes from.

    Attributes:
        entries: by request name, `customer_id` among them.
    """

    entries: Mapping[str, Entry]

    @classmethod
    def by_record_names(cls) -> Self:
        """Return the mapping of a table whose columns bear the record names."""
        return cls({feature.name: Entry(feature.record_name) for feature in COLUMNS})

    @classmethod
    def of_names(
        cls, columns: Collection[str], elsewhere: Mapping[str, Entry] | None = None
    ) -> Self | None:
        """Return the mapping of a table whose columns bear the attributes' names, else None.

        Args:
            columns: the table's.
            elsewhere: entries of attributes that come from elsewhere.
        """
        for known in (cls.by_record_names(), cls.by_request_names()):
            entries = {**known.entries, **(elsewhere or {})}
            if all(e.column is None or e.column in columns for e in entries.values()):
                return cls(entries)
        return None

    @classmethod
    def by_request_names(cls) -> Self:
        """Return the mapping of a table whose columns bear the request names."""
        return cls({feature.name: Entry(feature.name) for feature in COLUMNS})
