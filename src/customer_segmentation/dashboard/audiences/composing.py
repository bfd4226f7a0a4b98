"""Composing the rule of an audience from what somebody chose in a form."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from sqlglot.tokens import Tokenizer

from customer_segmentation.domain.attributes import Attribute, Missing, Value
from customer_segmentation.domain.numbers import Number
from customer_segmentation.domain.schema import Schema

_FALSE_TRUE = {0: "False", 1: "True"}
_TEXT = r"'(?:[^']|'')*'"
_WORDS = re.compile(rf"{_TEXT}|[()]|\bOR\b", re.IGNORECASE)
_AND = "\nAND "


class Lacking(StrEnum):
    """What becomes of customers who lack an attribute that the rule is about."""

    OUT = "are left out"
    IN = "are in it too"
    ALONE = "are the only ones in it"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What customers' values of an attribute are to be.

    Attributes:
        least: the smallest number; None for any.
        most: the largest number; None for any.
        values: of an attribute with codes or categories, as the service shows them; none for any.
        lacking: what becomes of those who have no value.
    """

    least: Number | None = None
    most: Number | None = None
    values: tuple[Value, ...] = ()
    lacking: Lacking = Lacking.OUT


@dataclass(frozen=True, slots=True)
class Move:
    """That a customer entered or left a segment.

    Attributes:
        segment: its number.
        days: on one of how many last days, of which today is the first.
    """

    segment: int
    days: int


@dataclass(frozen=True, slots=True)
class Choices:
    """What somebody chose; what is None or empty is of no concern.

    Attributes:
        segments: customers in one of these.
        attributes: by name, what is wanted of an attribute.
        least_days: for how many days at least they have been in their segment.
        most_days: for how many days at most.
        entered: a segment that they entered.
        left: a segment that they left.
        least_confidence: of their assignment, from 0 to 1.
        outliers: whether they are outliers.
        further: other conditions, as a text.
    """

    segments: tuple[int, ...] = ()
    attributes: Mapping[str, Wanted] = field(default_factory=dict)
    least_days: int | None = None
    most_days: int | None = None
    entered: Move | None = None
    left: Move | None = None
    least_confidence: float | None = None
    outliers: bool | None = None
    further: str = ""


def compose(choices: Choices, schema: Schema) -> str:
    """Return the rule that customers must meet all that was chosen; empty if that is nothing.

    >>> compose(Choices(segments=(1, 2), least_days=30), schema)
    'segment IN (1, 2)\\nAND days_in_segment >= 30'
    """
    fields, further = _AND.join(_conditions(choices, schema)), choices.further.strip()
    if not fields or not further:
        return fields or further
    return (
        f"{fields}{_AND}({further})" if _has_alternatives(further) else f"{fields}{_AND}{further}"
    )


def further_than(fields: str, text: str) -> str | None:
    """Return what a text adds to the rule of a form's fields; None where it says something else.

    >>> further_than("segment = 2", "segment = 2 AND has_loan")
    'has_loan'
    """
    if text.strip() == fields:
        return ""
    added = re.match(re.escape(fields) + r"\s+AND\s+(.*)", text.strip(), re.DOTALL | re.IGNORECASE)
    if added is None:
        return None
    # After an OR the fields' conditions are no more than one of several alternatives.
    return None if _has_alternatives(added[1]) else added[1]


def _conditions(choices: Choices, schema: Schema) -> Iterator[str]:
    if choices.segments:
        yield _among("segment", [str(number) for number in choices.segments])
    for name, wanted in choices.attributes.items():
        if condition := _of_attribute(schema.by_name[name], wanted):
            yield condition
    if condition := _range("days_in_segment", choices.least_days, choices.most_days):
        yield condition
    for function, move in (("entered_segment", choices.entered), ("left_segment", choices.left)):
        if move is not None:
            yield f"{function}({move.segment}, {move.days})"
    if choices.least_confidence is not None:
        yield f"confidence >= {_number(choices.least_confidence)}"
    if choices.outliers is not None:
        yield "outlier" if choices.outliers else "NOT outlier"


def _of_attribute(attribute: Attribute, wanted: Wanted) -> str:
    name = _name(attribute.name)
    if wanted.lacking is Lacking.ALONE:
        return f"{name} IS NULL"
    condition = _chosen(attribute, wanted.values) or _range(name, wanted.least, wanted.most)
    if wanted.lacking is Lacking.IN:
        return f"({condition} OR {name} IS NULL)" if condition else ""
    is_known = f"{name} IS NOT NULL" if attribute.missing is Missing.ALLOWED else ""
    return condition or is_known


def _chosen(attribute: Attribute, values: Sequence[Value]) -> str:
    """Return that an attribute has one of some values; empty where there are none."""
    name = _name(attribute.name)
    if _says_yes_or_no(attribute) and len(values) == 1:
        return name if values[0] else f"NOT {name}"
    labels = attribute.codes if len({*attribute.codes.values()}) == len(attribute.codes) else {}
    told = [value if isinstance(value, str) else labels.get(int(value), value) for value in values]
    return _among(name, [_literal(one) for one in told]) if told else ""


def _says_yes_or_no(attribute: Attribute) -> bool:
    is_plain = not attribute.codes or attribute.codes == _FALSE_TRUE
    return attribute.is_binary and not attribute.categories and is_plain


def _range(name: str, least: Number | None, most: Number | None) -> str:
    """Return that a number is in a range; empty where it has no ends."""
    if least is not None and most is not None:
        if least == most:
            return f"{name} = {_number(least)}"
        return f"{name} BETWEEN {_number(least)} AND {_number(most)}"
    if least is not None:
        return f"{name} >= {_number(least)}"
    return "" if most is None else f"{name} <= {_number(most)}"


def _among(name: str, values: Sequence[str]) -> str:
    return f"{name} = {values[0]}" if len(values) == 1 else f"{name} IN ({', '.join(values)})"


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return _number(value)


def _number(value: Number) -> str:
    return f"{Decimal(str(value)):f}"


def _name(name: str) -> str:
    """Return an attribute's name; in quotes where it is a word of SQL too."""
    return f'"{name}"' if name.upper() in Tokenizer.KEYWORDS else name


def _has_alternatives(condition: str) -> bool:
    """Return whether a condition has an OR that no parentheses hold together."""
    depth = 0
    for word in _WORDS.findall(condition):
        depth += (word == "(") - (word == ")")
        if word.upper() == "OR" and depth == 0:
            return True
    return False
