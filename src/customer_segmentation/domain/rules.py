"""Rules that say which customers belong to an audience, as trees of conditions.

They are written as conditions of SQL; `services/audiences/rules.py` reads the text.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from customer_segmentation.domain.numbers import Number

LONGEST_RULE = 4_000
"""In characters."""

MOST_DAYS = 36_500
"""How many days back a rule may look."""


class Operator(StrEnum):
    """How a value is compared."""

    EQUAL = "="
    UNEQUAL = "<>"
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="

    def holds(self, value: Any, other: Any) -> Any:  # noqa: ANN401
        """Return whether a value compares so with another: of numbers, arrays, or columns."""
        return _COMPARE[self](value, other)


_COMPARE: Mapping[Operator, Callable[[Any, Any], Any]] = {
    Operator.EQUAL: operator.eq,
    Operator.UNEQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.MORE: operator.gt,
    Operator.AT_LEAST: operator.ge,
}


@dataclass(frozen=True, slots=True)
class Compared:
    """An attribute compares so with a value; neither true nor false of who lacks it."""

    attribute: str
    operator: Operator
    value: Number


@dataclass(frozen=True, slots=True)
class Among:
    """An attribute has one of some values; neither true nor false of who lacks it."""

    attribute: str
    values: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Lacking:
    """An attribute is missing."""

    attribute: str


@dataclass(frozen=True, slots=True)
class InSegment:
    """The customer is in one of some segments, by their numbers."""

    segments: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SegmentSince:
    """The customer came into its segment on one of the last days, of which today is the first."""

    days: int


@dataclass(frozen=True, slots=True)
class SegmentMove:
    """The customer entered or left a segment on one of the last days, of which today is the first.

    Attributes:
        entered: whether it entered, and did not leave.
        segment: the number of the segment.
        days: how many days.
    """

    entered: bool
    segment: int
    days: int


@dataclass(frozen=True, slots=True)
class Agreed:
    """The customer has agreed to be addressed for a purpose on a channel."""

    purpose: str
    channel: str


@dataclass(frozen=True, slots=True)
class Sure:
    """The confidence of the customer's assignment, from 0 to 1, compares so with a value."""

    operator: Operator
    value: Number


@dataclass(frozen=True, slots=True)
class Outlying:
    """The customer is an outlier."""


@dataclass(frozen=True, slots=True)
class All:
    """All conditions hold."""

    conditions: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one condition holds."""

    conditions: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """A condition does not hold."""

    condition: "Rule"


Rule: TypeAlias = (
    Compared
    | Among
    | Lacking
    | InSegment
    | SegmentSince
    | SegmentMove
    | Agreed
    | Sure
    | Outlying
    | All
    | Some
    | Not
)


def parts_of(rule: Rule) -> Iterator[Rule]:
    """Yield a rule and all that it is made of."""
    yield rule
    match rule:
        case All(conditions) | Some(conditions):
            for condition in conditions:
                yield from parts_of(condition)
        case Not(condition):
            yield from parts_of(condition)


@dataclass(frozen=True, slots=True)
class Split:
    """A rule as the database and the model answer it, both of which must hold.

    Attributes:
        stored: what the database answers; None where that is everybody.
        computed: conditions on what the model computes.
    """

    stored: Rule | None
    computed: tuple[Rule, ...]


def split(rule: Rule) -> Split | None:
    """Return the two parts of a rule; None where OR or NOT joins what only the model knows."""
    conditions = rule.conditions if isinstance(rule, All) else (rule,)
    computed = tuple(one for one in conditions if _of_model(one))
    stored = tuple(one for one in conditions if not _of_model(one))
    if any(isinstance(part, Sure | Outlying) for one in stored for part in parts_of(one)):
        return None
    if not stored:
        return Split(None, computed)
    return Split(stored[0] if len(stored) == 1 else All(stored), computed)


def _of_model(rule: Rule) -> bool:
    condition = rule.condition if isinstance(rule, Not) else rule
    return isinstance(condition, Sure | Outlying)
