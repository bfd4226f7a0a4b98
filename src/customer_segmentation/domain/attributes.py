"""What a column of customers holds: how it is declared, and which values it accepts.

The words are those of Table Schema where it has one: name, title, description, minimum, maximum.

Source: https://specs.frictionlessdata.io/table-schema/.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from customer_segmentation.domain.numbers import (
    DECIMAL,
    LARGEST_INTEGER,
    MANY_DIGITS,
    Number,
    describe_type,
    plain_number,
)
from customer_segmentation.domain.plurals import counted

if TYPE_CHECKING:  # The command line reads the schema and starts without NumPy.
    from customer_segmentation.domain.arrays import BoolArray, FloatArray

CustomerId: TypeAlias = int | str
"""What tells a customer apart: as the schema says, an integer of at least 1 or a text."""

Value = int | float | str

OTHER = "other"
"""What a category is called that the schema does not name."""

NOT_KNOWN = "not known"
"""How people read a value that a customer lacks."""

_MAX_DIGITS = len(str(LARGEST_INTEGER))

LONGEST_ID = 200
"""In characters."""

CONTROL_CHARACTERS = r"\x00-\x1f\x7f-\x9f"
"""As a class of a regular expression has them."""

ID_PATTERN = f"^[^{CONTROL_CHARACTERS}]*$"
"""What the texts of ids match, as a regular expression of JSON Schema."""

_NO_ID = re.compile(f"[{CONTROL_CHARACTERS}\ud800-\udfff]")  # Nor halves of surrogate pairs.


class Kind(StrEnum):
    """How an attribute measures: it decides the values accepted and how K-means sees them."""

    BINARY = "binary"
    ORDINAL = "ordinal"
    NOMINAL = "nominal"
    COUNT = "count"
    AMOUNT = "amount"


class IdType(StrEnum):
    """What customers' ids are."""

    INTEGER = "integer"
    TEXT = "text"


class Transform(StrEnum):
    """How the model sees an attribute's values before they are scaled."""

    LINEAR = "linear"
    LOG = "log"
    SYMLOG = "symlog"


class Unknown(StrEnum):
    """What happens to a category that the schema does not name."""

    REFUSED = "refused"
    OTHER = "other"


class Missing(StrEnum):
    """What happens to a customer who lacks an attribute."""

    REFUSED = "refused"
    ALLOWED = "allowed"


class Aggregate(StrEnum):
    """What an attribute tells of a customer's transactions."""

    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    DISTINCT = "distinct"
    DAYS_SINCE_FIRST = "days_since_first"
    DAYS_SINCE_LAST = "days_since_last"


_OF_AMOUNTS = frozenset((Aggregate.SUM, Aggregate.MEAN, Aggregate.MINIMUM, Aggregate.MAXIMUM))
_OF_DAYS = frozenset((Aggregate.DAYS_SINCE_FIRST, Aggregate.DAYS_SINCE_LAST))
_KNOWN_OF_NONE = frozenset((Aggregate.COUNT, Aggregate.SUM, Aggregate.DISTINCT))


@dataclass(frozen=True, slots=True)
class Derivation:
    """How an attribute follows from transactions.

    Attributes:
        aggregate: what it tells of them.
        of: the field whose different values are counted; None for other aggregates.
        where: by field, the texts that it must have in a transaction that counts.
        window: in days: a transaction counts on its own day, in UTC, and on so many less one
            that follow; None counts it for good.
    """

    aggregate: Aggregate
    of: str | None = None
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    window: int | None = None

    @property
    def key(self) -> str:
        """What tells it from others, windows aside.

        >>> Derivation(Aggregate.SUM, where={"kind": ("sale", "gift")}).key
        '["sum",null,{"kind":["gift","sale"]}]'
        """
        where = {name: sorted(texts) for name, texts in sorted(self.where.items())}
        return json.dumps([self.aggregate, self.of, where], separators=(",", ":"))

    @property
    def of_amounts(self) -> bool:
        """Whether it tells of amounts, so that transactions without one do not count."""
        return self.aggregate in _OF_AMOUNTS

    @property
    def is_of_days(self) -> bool:
        """Whether it tells how many days ago something was, so that it grows by itself."""
        return self.aggregate in _OF_DAYS

    @property
    def is_known_of_none(self) -> bool:
        """Whether it has a value where there are no transactions: zero."""
        return self.aggregate in _KNOWN_OF_NONE

    @property
    def kind(self) -> Kind:
        """Of which kind its attribute is."""
        return Kind.AMOUNT if self.of_amounts else Kind.COUNT

    @property
    def summary(self) -> str:
        """What it tells, for people.

        >>> Derivation(Aggregate.SUM, where={"kind": ("sale", "gift")}, window=90).summary
        'sum of amounts, kind sale or gift, within 90 days'
        """
        what = str(self.aggregate).replace("_", " ")
        if self.of_amounts:
            what += " of amounts"
        if self.of is not None:
            what += f" {self.of}"
        parts = [what, *(f"{name} {' or '.join(texts)}" for name, texts in self.where.items())]
        if self.window is not None:
            parts.append(f"within {counted(self.window, 'day')}")
        return ", ".join(parts)

    @property
    def changes_with_time(self) -> bool:
        """Whether its value changes although no transaction comes."""
        return self.is_of_days or self.window is not None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of customers: their id, or one of their attributes.

    Attributes:
        name: in requests, in the database and in code.
        record_name: in JSON answers and files.
        title: what people call it.
        description: one phrase for people.
        example: a typical value, in `unit`; of the id, one that is not stored yet.
    """

    name: str
    record_name: str
    title: str
    description: str
    example: Value

    @property
    def unit(self) -> str:
        """What one unit of a value is; empty for codes, scores and ids."""
        raise NotImplementedError

    @property
    def codes(self) -> Mapping[int, str]:
        """What each value of a coded column stands for."""
        raise NotImplementedError

    @property
    def minimum(self) -> int | None:
        """The smallest number accepted; None accepts any finite number."""
        raise NotImplementedError

    @property
    def maximum(self) -> int | None:
        """The largest number accepted; likewise."""
        raise NotImplementedError

    @property
    def is_integer(self) -> bool:
        """Whether only whole numbers are accepted."""
        raise NotImplementedError

    @property
    def is_binary(self) -> bool:
        """Whether it says yes or no."""
        return False

    @property
    def is_exact(self) -> bool:
        """Whether a number that may be rounded is refused, as another id is another customer."""
        return False

    @property
    def allowed(self) -> str:
        """What is accepted, in words, such as "an integer from 0 to 130"."""
        return self._allowed_range

    @property
    def _allowed_range(self) -> str:
        noun = "an integer" if self.is_integer else "a finite number"
        if self.minimum is None:
            return noun if self.maximum is None else f"{noun} of at most {self.maximum}"
        if self.maximum is None:
            return f"{noun} of at least {self.minimum}"
        return f"{noun} from {self.minimum} to {self.maximum}"

    def accept(self, value: object) -> Value:
        """Return `value` as it is inside, a whole number as an int.

        Raises:
            ValueError: the value has another type or lies outside what is allowed; the message
                names the value's type and what is allowed, and never the value itself.
        """
        raise NotImplementedError

    def _accept_number(self, value: object) -> Number:
        if type(value) is int:
            number: Number = value
            if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
                raise ValueError(self.refusal("an integer beyond 2^53"))
        elif type(value) is float:
            if not math.isfinite(value):
                raise ValueError(self.refusal("a number that is not finite"))
            if self.is_exact and abs(value) >= LARGEST_INTEGER:
                raise ValueError(self.refusal("a number beyond 2^53, which may be rounded"))
            number = plain_number(value)
            if self.is_integer and type(number) is float:
                raise ValueError(self.refusal("a number with a fraction"))
        else:
            raise ValueError(self.refusal(describe_type(value)))
        if (self.minimum is not None and number < self.minimum) or (
            self.maximum is not None and number > self.maximum
        ):
            raise ValueError(self.refusal(f"{describe_type(value)} outside this range"))
        return number

    def accept_text(self, text: str) -> Value:
        """Return the value that a field of a text file holds, under the rule of `accept`.

        Raises:
            ValueError: as for `accept`; an empty field is "nothing".
        """
        return self.accept(self.read(text))

    def read(self, text: str) -> Number:
        """Return the number that a text is, without a look at what is allowed.

        Raises:
            ValueError: it is no number; an empty text is "nothing".
        """
        if text.isdigit() and text.isascii() and len(text) < MANY_DIGITS:
            return int(text)
        text = text.strip()
        if not text:
            raise ValueError(self.refusal("nothing"))
        if not DECIMAL.fullmatch(text):
            raise ValueError(self.refusal("a text that is not a number"))
        if self.is_exact:
            return self._read_exactly(text)
        return self._read_digits(text) if text.lstrip("+-").isdigit() else float(text)

    def _read_exactly(self, text: str) -> int:
        whole, _, fraction = text.partition(".")
        if "e" in text.casefold():
            raise ValueError(self.refusal("a number with an exponent, which may be rounded"))
        if fraction.strip("0"):
            raise ValueError(self.refusal("a number with a fraction"))
        return self._read_digits(whole)

    def _read_digits(self, whole: str) -> int:
        digits = whole.lstrip("+-").lstrip("0")
        if len(digits) > _MAX_DIGITS:
            raise ValueError(self.refusal("an integer beyond 2^53"))
        return int(digits or 0) * (-1 if whole.startswith("-") else 1)

    def plainly_accepts(self, values: "FloatArray") -> "BoolArray":
        """Tell for which of many values `accept` need not be asked, as it is sure to accept them.

        Args:
            values: (n,); NaN where there is no number.

        Returns:
            (n,); False also for values so large that how they were written decides.
        """
        least, most = self.plain_range
        plain = (values >= least) & (values <= most)
        return plain & (values == values.round()) if self.is_integer else plain

    def plainly_accepts_all(self, values: "FloatArray", *, whole: bool) -> bool:
        """Tell whether all of many values are as `plainly_accepts` tells, in a glance.

        Args:
            values: (n,).
            whole: whether all are known to be whole numbers.
        """
        if len(values) == 0 or (self.is_integer and not whole):
            return len(values) == 0
        least, most = self.plain_range
        return bool(least <= values.min() and values.max() <= most)

    @property
    def plain_range(self) -> tuple[int, int]:
        """The least and the greatest value that are allowed however they are written.

        An integer that no float holds is rounded to one of at least 2^53, so that is not plain.
        """
        most = LARGEST_INTEGER - 1 if self.maximum is None else self.maximum
        return -most if self.minimum is None else self.minimum, most

    def refusal(self, found: str) -> str:
        """Tell what is allowed, and what was found instead."""
        return f"{self.name} must be {self.allowed}, not {found}"


@dataclass(frozen=True, slots=True)
class Id(Column):
    """The key of a customer; see also `Column`.

    Attributes:
        type: whether ids are integers of at least 1 or texts, which are compared exactly.
    """

    type: IdType

    @property
    def is_text(self) -> bool:
        """Whether ids are texts."""
        return self.type is IdType.TEXT

    @property
    def minimum(self) -> int | None:
        """Integers begin with 1."""
        return None if self.is_text else 1

    @property
    def maximum(self) -> None:
        """Ids end nowhere."""

    @property
    def unit(self) -> str:
        """Ids have no unit."""
        return ""

    @property
    def codes(self) -> Mapping[int, str]:
        """Ids stand for nothing else."""
        return {}

    @property
    def is_integer(self) -> bool:
        """Whether only whole numbers are accepted."""
        return not self.is_text

    @property
    def is_exact(self) -> bool:
        """Another id is another customer."""
        return True

    @property
    def allowed(self) -> str:
        """What is accepted, in words."""
        if self.is_text:
            return f"a text of 1 to {LONGEST_ID} characters without control characters"
        return self._allowed_range

    def accept(self, value: object) -> CustomerId:
        """Return an id as it is stored; a text stays as it is, with zeros and blanks.

        Raises:
            ValueError: as `Column.accept`.
        """
        if not self.is_text:
            return int(self._accept_number(value))
        if not isinstance(value, str):
            raise ValueError(self.refusal(describe_type(value)))
        if not value:
            raise ValueError(self.refusal("an empty text"))
        if len(value) > LONGEST_ID:
            raise ValueError(self.refusal("a longer text"))
        if _NO_ID.search(value):
            raise ValueError(self.refusal("a text with others"))
        return value

    def accept_text(self, text: str) -> CustomerId:
        """Return the id that a field of a text file holds, under the rule of `accept`.

        Raises:
            ValueError: as for `accept`; a field of nothing but blanks is "nothing".
        """
        if not self.is_text:
            return self.accept(self.read(text))
        if not text.strip():
            raise ValueError(self.refusal("nothing"))
        return self.accept(text)


@dataclass(frozen=True, slots=True)
class Attribute(Column):
    """One attribute of customers; see also `Column`.

    Inside, everything is a number: a category is its place among the categories, and what is
    missing is NaN.

    Attributes:
        kind: binary, ordinal, nominal, count or amount.
        unit: what one unit of a value is; empty for codes and scores.
        minimum: the smallest value accepted; None accepts any finite number.
        maximum: the largest value accepted; likewise.
        codes: what each value of a coded attribute stands for.
        categories: the texts that a nominal or binary attribute holds, in place of codes.
        unknown: whether a category that is not among them is refused or counts as another one.
        missing: whether a customer may lack it.
        default: what a customer has who is added without it; None asks for it.
        unscored: a value that means "not measured yet"; the model treats it as typical.
        used: whether the model uses it.
        transform: linear, or the logarithm where most values are small and few are huge: of the
            value itself, or of the value over `knee`.
        knee: of an attribute that a model was trained on with the transform symlog, as measured:
            differences count far below it, and ratios far above.
        weight: how much the prepared attribute counts in the model's distances.
        protected: whether one setting leaves the attribute out of the model.
        bands: (minimum, maximum) of the groups by which fairness is measured.
        changeable: whether an offer or a conversation may change it.
        channel: whose reach it shows: customers with 1 were reached on this channel.
        high: how a segment's name says that its customers have more than everybody.
        low: likewise, less.
        derivation: how it follows from transactions; None where only people tell it.
    """

    kind: Kind
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    codes: Mapping[int, str] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    unknown: Unknown = Unknown.REFUSED
    missing: Missing = Missing.REFUSED
    default: Value | None = None
    unscored: int | None = None
    used: bool = True
    transform: Transform = Transform.LINEAR
    knee: float | None = None
    weight: float = 1.0
    protected: bool = False
    bands: tuple[tuple[int, int], ...] = ()
    changeable: bool = True
    channel: str | None = None
    high: str = ""
    low: str = ""
    derivation: Derivation | None = None

    @property
    def is_integer(self) -> bool:
        """Whether only whole numbers are accepted."""
        return self.kind is not Kind.AMOUNT

    @property
    def is_binary(self) -> bool:
        """Whether it says yes or no."""
        return self.kind is Kind.BINARY

    @property
    def is_logarithmic(self) -> bool:
        """Whether the model takes a logarithm."""
        return self.transform is not Transform.LINEAR

    @property
    def divisor(self) -> float:
        """What values are divided by before the logarithm."""
        return 1.0 if self.knee is None else self.knee

    @property
    def may_be_left_out(self) -> bool:
        """Whether a new customer may come without it."""
        return self.default is not None or self.missing is Missing.ALLOWED

    @property
    def if_left_out(self) -> Number:
        """What a customer has who comes without it, as `accept` returns it.

        Raises:
            ValueError: it must not be left out.
        """
        return self.accept(self.default)

    @property
    def choices(self) -> tuple[int, ...]:
        """The numbers that a coded attribute may have, rising; none of one that is not coded."""
        if self.codes:
            return tuple(sorted(self.codes))
        others = self.unknown is Unknown.OTHER
        return tuple(range(len(self.categories) + others)) if self.categories else ()

    @property
    def labels(self) -> Mapping[int, str]:
        """What each number of a coded attribute stands for; empty for one that is not coded."""
        return self.codes or dict(zip(self.choices, (*self.categories, OTHER), strict=False))

    @property
    def allowed(self) -> str:
        """What is accepted, in words, such as "an integer from 0 to 130"."""
        return f"{self._allowed_value}{' or null' * (self.missing is Missing.ALLOWED)}"

    @property
    def _allowed_value(self) -> str:
        if self.categories:
            return f"one of {', '.join(self.categories)}"
        if self.kind is Kind.BINARY and self.choices in {(), (0, 1)}:
            return "0 or 1"
        if self.has_gaps:
            return f"one of {', '.join(map(str, self.choices))}"
        return self._allowed_range

    def accept(self, value: object) -> Number:
        """Return `value` as it is inside: an int for a whole number, else a float.

        Raises:
            ValueError: the value has another type or lies outside what is allowed; the message
                names the value's type and what is allowed, and never the value itself.
        """
        if type(value) is int and value in self.codes:
            return value
        if value is None and self.missing is Missing.ALLOWED:
            return math.nan
        if self.codes or self.categories:
            return self._accept_choice(value)
        return self._accept_number(value)

    def _accept_choice(self, value: object) -> Number:
        if self.codes:
            number = self._accept_number(value)
            if number not in self.codes:
                raise ValueError(self.refusal(f"{describe_type(value)} outside this range"))
            return number
        if not isinstance(value, str):
            raise ValueError(self.refusal(describe_type(value)))
        if value in self.categories:
            return self.categories.index(value)
        if self.unknown is Unknown.REFUSED:
            raise ValueError(self.refusal("another text"))
        return len(self.categories)

    def accept_text(self, text: str) -> Number:
        """Return the value that a field of a text file holds, under the rule of `accept`.

        Raises:
            ValueError: as for `accept`; an empty field is "nothing".
        """
        if not text.strip() and self.missing is Missing.ALLOWED:
            return math.nan
        return self.accept(text if self.categories else self.read(text))

    def show(self, value: Number) -> Value | None:
        """Return what people see of a value inside: None of one that is missing.

        >>> plan = Attribute("plan", "", "", "", "Basic", Kind.NOMINAL, categories=("Basic",))
        >>> plan.show(plan.accept("Basic"))
        'Basic'
        """
        if math.isnan(value):
            return None
        # What is typical of many may lie between two categories.
        return self.labels[round(value)] if self.categories else value

    def plainly_accepts(self, values: "FloatArray") -> "BoolArray":
        """Tell for which of many values `accept` need not be asked; see `Column`."""
        plain = Column.plainly_accepts(self, values)
        if self.categories:
            return plain & False
        if self.has_gaps:
            plain &= (values[:, None] == list(self.codes)).any(axis=1)
        return plain

    def plainly_accepts_all(self, values: "FloatArray", *, whole: bool) -> bool:
        """Tell whether all of many values are as `plainly_accepts` tells; see `Column`."""
        is_range = not self.categories and not self.has_gaps
        return is_range and Column.plainly_accepts_all(self, values, whole=whole)

    @property
    def has_gaps(self) -> bool:
        """Whether it has codes that are not all whole numbers from the minimum to the maximum."""
        return bool(self.codes) and not self._is_range

    @property
    def _is_range(self) -> bool:
        """Whether the codes are all whole numbers from the minimum to the maximum."""
        between = range(self.minimum or 0, (self.maximum or 0) + 1)
        # Their number first: a range may have thousands of millions.
        return len(self.choices) == len(between) and self.choices == tuple(between)
