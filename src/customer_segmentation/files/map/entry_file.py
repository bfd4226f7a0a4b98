"""An entry of a mapping, or of a schema's section `source`, as TOML has it."""

import datetime as dt
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from customer_segmentation.domain.attributes import Attribute, Column, Value
from customer_segmentation.domain.numbers import LARGEST_INTEGER, Number
from customer_segmentation.files.map.date_texts import DATE_PARTS
from customer_segmentation.files.map.mapping import Entry, code_key
from customer_segmentation.files.map.number_texts import UNSURE, NumberStyle
from customer_segmentation.files.toml_tables import TomlTable, is_distinct, is_finite

LONGEST_HEADER = 2_000
_LONGEST_SIGN = 20
_LONGEST_WORD = 200
_FACTOR_DIGITS = 30
_FACTOR_EXPONENT = 15
_MOST_DIGITS = 15
_A_FACTOR = (
    'a number other than 0, or a fraction such as "1/12", of at most '
    f"{_FACTOR_DIGITS} digits and of an exponent from -{_FACTOR_EXPONENT} to {_FACTOR_EXPONENT}"
)


def _is_date_form(text: str) -> str:
    parts = set(re.findall("%.", text))
    if text and text != "%Y" and (not parts <= set(DATE_PARTS) or len(text) < 6):
        raise ValueError
    return text


def _is_factor(value: float | str) -> float | str:
    _fraction(value)
    return value


_Header = Annotated[str, Field(max_length=LONGEST_HEADER)]
"""A column without a header has an empty one."""

_Word = Annotated[str, Field(max_length=_LONGEST_WORD)]
_Value = Annotated[int | float | str, AfterValidator(is_finite)]


class EntryTable(TomlTable):
    """Where an attribute comes from; see `Entry`."""

    column: _Header | None = Field(default=None, description="the name of a column")
    plus: Annotated[list[_Header], AfterValidator(is_distinct)] = Field(
        default=[], description="a list of different columns' names"
    )
    decimal: Literal[".", ","] = Field(default=".", description="a point or a comma")
    thousands: Literal["", ",", ".", " ", "\u00a0", "'"] = Field(
        default="", description="a comma, a point, a blank or ', and not the decimal"
    )
    sign: Annotated[str, Field(max_length=_LONGEST_SIGN)] = Field(
        default="", description=f"a text of at most {_LONGEST_SIGN} characters"
    )
    date: Annotated[str, Field(max_length=_LONGEST_SIGN), AfterValidator(_is_date_form)] = Field(
        default="", description=f"a form of dates, of {', '.join(DATE_PARTS)}"
    )
    before: dt.date | None = Field(default=None, description="a date such as 2026-01-31")
    years: bool = Field(default=False, description="true or false")
    factor: Annotated[int | float | str, AfterValidator(_is_factor)] = Field(
        default=1, description=_A_FACTOR
    )
    digits: Annotated[int, Field(ge=0, le=_MOST_DIGITS)] | None = Field(
        default=None, description=f"an integer from 0 to {_MOST_DIGITS}"
    )
    above: Annotated[int | float, AfterValidator(is_finite)] | None = Field(
        default=None, description="a finite number"
    )
    codes: dict[_Word, _Value] = Field(
        default={}, description='a table such as { "yes" = 1, "no" = 0 }'
    )
    missing: Annotated[list[_Word], AfterValidator(is_distinct)] | None = Field(
        default=None, description="a list of different texts"
    )
    default: _Value | None = Field(default=None, description="a value of the attribute")


_FOR_ATTRIBUTES = ("plus", "date", "years", "factor", "digits", "above", "codes", "default")
_FOR_NUMBERS = ("plus", "date", "factor", "digits", "above")


def check_entry(column: Column, table: EntryTable) -> Iterator[tuple[str, str]]:
    """Yield each key of an entry that does not fit the others or its attribute, and why.

    Args:
        column: the attribute, or the id.
        table: what is said of it.
    """
    plain = EntryTable()
    given = {key for key in EntryTable.model_fields if getattr(table, key) != getattr(plain, key)}
    if table.thousands == table.decimal:
        yield "thousands", "must not be the decimal sign too"
    if bool(table.date) is not (table.before is not None):
        key = "before" if table.before else "date"
        yield key, "must be given with both date and before, or neither"
    if table.years and not table.date:
        yield "years", "goes with date and before"
    if not isinstance(column, Attribute):
        yield from ((key, "is not for an id") for key in _FOR_ATTRIBUTES if key in given)
        return
    if column.categories:
        told = "is for numbers, not for texts"
        yield from ((key, told) for key in _FOR_NUMBERS if key in given)
    keys = [code_key(text) for text in table.codes]
    for text, value in table.codes.items():
        if keys.count(code_key(text)) > 1:
            yield "codes", f"has {text} twice; case and blanks do not count"
        elif refusal := _refuse(column, value):
            yield "codes", f"of {text}: {refusal}"
    if table.default is not None and (refusal := _refuse(column, table.default)):
        yield "default", f"cannot be taken: {refusal}"


def _refuse(attribute: Attribute, value: Value) -> str:
    try:
        attribute.accept(value)
    except ValueError as refusal:
        return str(refusal)
    return ""


def make_entry(column: Column, table: EntryTable, header: str | None = None) -> Entry:
    """Return the entry that a table tells, of which `check_entry` finds no fault.

    Args:
        column: the attribute, or the id.
        table: what is said of it.
        header: of its column, where the table does not say it.
    """
    codes: dict[str, Number] = {}
    default: Number | None = None
    if isinstance(column, Attribute):
        codes = {code_key(text): column.accept(value) for text, value in table.codes.items()}
        default = None if table.default is None else column.accept(table.default)
    return Entry(
        column=header if table.column is None else table.column,
        plus=tuple(table.plus),
        style=NumberStyle(table.decimal, table.thousands),
        sign=table.sign,
        date=table.date,
        before=table.before,
        years=table.years,
        factor=_fraction(table.factor),
        digits=table.digits,
        above=table.above,
        codes=codes,
        missing=None if table.missing is None else tuple(table.missing),
        default=default,
    )


def entry_content(column: Column, entry: Entry, header: str | None = None) -> dict[str, Any]:
    """Return what TOML must say of an entry, by key; arguments as `make_entry`."""
    told = {
        "column": None if entry.column == header else entry.column,
        "plus": list(entry.plus),
        "decimal": entry.style.decimal,
        "thousands": entry.style.thousands,
        "sign": entry.sign,
        "date": entry.date,
        "before": entry.before,
        "years": entry.years,
        "factor": 1 if entry.factor == 1 else str(entry.factor),
        "digits": entry.digits,
        "above": entry.above,
        "codes": {text: _shown(column, value) for text, value in entry.codes.items()},
        "missing": None if entry.missing is None else list(entry.missing),
        "default": None if entry.default is None else _shown(column, entry.default),
    }
    plain = EntryTable()
    return {key: value for key, value in told.items() if value != getattr(plain, key)}


def _shown(column: Column, value: Number) -> Value | None:
    return column.show(value) if isinstance(column, Attribute) else value


def _fraction(value: float | str) -> Fraction:
    if abs(value) > LARGEST_INTEGER if isinstance(value, int) else False:
        raise ValueError
    numerator, _, denominator = str(value).partition("/")
    return _part(numerator) / _part(denominator or "1")


def _part(text: str) -> Fraction:
    """Return a number exactly; one of a few digits, since 1e400000000 written out fills memory."""
    if not text.isascii() or "_" in text:
        raise ValueError  # Decimal reads `1_0` as 10, and digits of any script.
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError from error
    is_sensible = number.is_finite() and number and abs(number.adjusted()) <= _FACTOR_EXPONENT
    if not is_sensible or len(number.as_tuple().digits) > _FACTOR_DIGITS:
        raise ValueError
    return Fraction(number)


UNSURE_STYLE = (
    'say how numbers are written: is 1,234 a thousand (decimal = ".", thousands = ",") '
    'or a little over one (decimal = ",")'
)
"""What is said of an entry that leaves open how numbers are written."""


def leaves_open(table: object) -> bool:
    """Tell whether an entry has the mark of a guess that a person is to complete."""
    return isinstance(table, dict) and table.get("decimal") == UNSURE.decimal
