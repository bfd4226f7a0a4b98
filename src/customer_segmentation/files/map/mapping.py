"""What a table's columns mean: which attribute each is, and how its values are read."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Self

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Attribute, Column, Missing, Unknown
from customer_segmentation.domain.numbers import Number, plain_number
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.blocks import text_of
from customer_segmentation.files.map.date_texts import read_days, years_until
from customer_segmentation.files.map.number_texts import PLAIN, NumberStyle, scale_of
from customer_segmentation.files.map.texts import is_nothing

_EPOCH = dt.date(1970, 1, 1)
_TRUTHS = {"true": 1, "false": 0}
"""How `text_of` and most databases write booleans."""

_SHEET_ERRORS = frozenset(
    {"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA"}
    | {"#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#BUSY!", "#UNKNOWN!", "#PYTHON!"}
)
"""How Excel and others write that a formula has no value."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an attribute comes from, and how its values are read.

    Attributes:
        column: the table's column; None where the table has none.
        plus: other columns whose numbers are added to those of `column`.
        style: how the table writes numbers.
        sign: what stands beside each number, such as a currency's sign or %.
        date: the form of dates, in the words of strptime; empty where there are none.
        before: the day up to which days are counted, which makes a date a number.
        years: whether whole years are counted in place of days, as an age is.
        factor: what numbers and days are multiplied by, such as 1/12 for yearly amounts.
        above: makes a yes of what is above it, and a no of the rest; None where numbers stay.
        digits: how many digits after the point numbers are rounded to; None where they stay.
        codes: what texts stand for, by `code_key`, as numbers inside; empty where the table holds
            numbers, or the attribute's categories.
        missing: texts that mean "missing" here, in place of the schema's.
        default: the value inside where there is no column or an empty one; None where the schema
            says what then is.
    """

    column: str | None
    factor: Fraction = Fraction(1)
    codes: Mapping[str, Number] = field(default_factory=dict)
    style: NumberStyle = PLAIN
    default: Number | None = None
    sign: str = ""
    date: str = ""
    before: dt.date | None = None
    years: bool = False
    above: Number | None = None
    digits: int | None = None
    plus: tuple[str, ...] = ()
    missing: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are looked at."""
        return () if self.column is None else (self.column, *self.plus)

    @property
    def keeps_numbers(self) -> bool:
        """Whether a number that is read is the attribute's value as it stands."""
        return self.factor == 1 and self.above is None and self.digits is None and not self.date

    def missing_words(self, others: Collection[str]) -> frozenset[str]:
        """Return the texts that mean "missing" here; nothing does everywhere.

        Args:
            others: those of the schema.
        """
        return frozenset({"", *(others if self.missing is None else self.missing)})

    def is_missing(self, value: object, words: Collection[str]) -> bool:
        """Tell whether a value means that there is none; what has a code has a meaning."""
        if is_nothing(value):
            return True
        text = value.strip() if isinstance(value, str) else None
        return text in words and not (text and code_key(text) in self.codes)

    def accept(self, column: Column, value: object, words: Collection[str] = ("",)) -> Number:
        """Return what one of the column's values is inside; NaN is missing.

        Args:
            column: an attribute, or an id that is an integer.
            value: as the table has it.
            words: texts that mean "missing".

        Raises:
            ValueError: it is not allowed; the message never holds the value.
        """
        if self.is_missing(value, words):
            return self.fill(column)
        if self.codes:
            return self._decode(column, text_of(value))
        if isinstance(column, Attribute) and column.categories:
            return find_category(column, text_of(value))
        number = self._quantity(column, value)
        if not self.keeps_numbers and isinstance(number, int | float) and type(number) is not bool:
            number = plain_number(float(self.transform(np.array([float(number)]))[0]))
        return _as_number(column.accept(number))

    def fill(self, column: Column) -> Number:
        """Return what stands in place of a value that is missing.

        Raises:
            ValueError: it may not be.
        """
        if self.default is not None:
            return self.default
        if isinstance(column, Attribute):
            if column.missing is Missing.ALLOWED:
                return np.nan
            if column.default is not None:
                return column.accept(column.default)
        raise ValueError(column.refusal("nothing"))

    def transform(self, numbers: FloatArray) -> FloatArray:
        """Return numbers, (n,), multiplied, compared and rounded; NaN stays."""
        if self.factor != 1:
            # Each is a float, so that no integer is too large.
            numbers = numbers * float(self.factor.numerator) / float(self.factor.denominator)
        if self.digits is not None:
            numbers = numbers.round(self.digits)
        if self.above is not None:
            numbers = np.where(np.isnan(numbers), np.nan, numbers > self.above)
        return numbers

    def read_dates(self, texts: pa.Array) -> FloatArray:
        """Return the days or years, (n,), from dates to `before`; NaN for what is no date."""
        return self.count_days(read_days(texts, self.date))

    def count_days(self, days: FloatArray) -> FloatArray:
        """Return the days or years, (n,), from days since 1970 to `before`."""
        last = self.before or _EPOCH
        return years_until(days, last) if self.years else (last - _EPOCH).days - days

    def _quantity(self, column: Column, value: object) -> object:
        """Return the number that a value stands for, before it is transformed."""
        if self.date:
            return self._count_date(column, value)
        if isinstance(value, str):
            return self._read(column, value)
        return _number(column, value)

    def _count_date(self, column: Column, value: object) -> Number:
        if isinstance(value, dt.date):
            day = value.date() if isinstance(value, dt.datetime) else value
            return float(self.count_days(np.array([float((day - _EPOCH).days)]))[0])
        found = float(self.read_dates(pa.array([text_of(value).strip()]))[0])
        if np.isnan(found):
            raise ValueError(column.refusal(f"a text that is no date in the form {self.date}"))
        return found

    def _read(self, column: Column, text: str) -> Number:
        if column.is_binary and (truth := _TRUTHS.get(text.strip().casefold())) is not None:
            return truth
        scale = scale_of(self.sign) if self.sign and self.sign in text else 1
        try:
            number = column.read(self.style.plain(text.replace(self.sign, "")))
        except ValueError as refusal:
            if (found := _not_a_number(text)) is None:
                raise
            raise ValueError(column.refusal(found)) from refusal
        return number if scale == 1 else float(number) * scale

    def _decode(self, column: Column, text: str) -> Number:
        number = self.codes.get(code_key(text))
        if number is None:
            found = _not_a_number(text) or "a text that the mapping has no code for"
            raise ValueError(column.refusal(found))
        return number


def find_category(attribute: Attribute, text: str) -> int:
    """Return the place of a text among categories; case and blanks make no difference.

    Raises:
        ValueError: it is none of them, and others are refused.
    """
    if text in attribute.categories:
        return attribute.categories.index(text)
    keys = [code_key(category) for category in attribute.categories]
    if (key := code_key(text)) in keys:
        return keys.index(key)
    if attribute.unknown is Unknown.REFUSED:
        raise ValueError(attribute.refusal(_not_a_number(text) or "another text"))
    return len(keys)


def _as_number(value: object) -> Number:
    if not isinstance(value, int | float):
        raise TypeError("texts are read by their own way")
    return value


def _not_a_number(text: str) -> str | None:
    """Name what a spreadsheet has instead of a number; None where it is just a text."""
    text = text.strip()
    if text.startswith("="):
        return "a formula without a stored result"
    if text.upper() in _SHEET_ERRORS:
        return "an error of a spreadsheet"
    return "a boolean" if text.casefold() in _TRUTHS else None


def _number(column: Column, value: object) -> object:
    """Return a typed value as the number that it stands for, if it stands for one."""
    if isinstance(value, bool) and column.is_binary:
        return int(value)
    if isinstance(value, dt.date):
        raise ValueError(column.refusal("a date"))
    if isinstance(value, Decimal) and value.is_finite():
        if value == value.to_integral_value():
            return int(value)
        if column.is_exact:
            raise ValueError(column.refusal("a number with a fraction"))
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
    """Where the id and every attribute come from.

    Attributes:
        entries: by name; without the id where the table has none.
        numbered: whether rows, numbered from 1, have their number as the id.
    """

    entries: Mapping[str, Entry]
    numbered: bool = False

    @classmethod
    def by_record_names(cls, schema: Schema) -> Self:
        """Return the mapping of a table whose columns bear the record names."""
        return cls({column.name: Entry(column.record_name) for column in schema.columns})

    @classmethod
    def by_request_names(cls, schema: Schema) -> Self:
        """Return the mapping of a table whose columns bear the request names."""
        return cls({column.name: Entry(column.name) for column in schema.columns})
