"""The feature table: the attributes of the shipped schema, and how their values are checked.

Request models, CSV columns, database columns, API descriptions, forms and the model's preparation
are made from `FEATURES`, which `schema.toml` declares.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from customer_segmentation.domain.schema import Attribute, Kind, Schema, Transform, make_schema

if TYPE_CHECKING:  # The command line reads the table and starts without NumPy.
    from customer_segmentation.domain.arrays import BoolArray, FloatArray

Number = int | float

LARGEST_INTEGER = 2**53
"""Beyond it a 64-bit float no longer holds every integer (IEEE 754), so none is accepted."""

_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MANY_DIGITS = 30
_MAX_DIGITS = len(str(LARGEST_INTEGER))


@dataclass(frozen=True, slots=True)
class Feature:
    """One customer attribute.

    Attributes:
        name: the name in requests, in the database and in code.
        record_name: the name in JSON answers and CSV files.
        kind: binary, ordinal, count or amount.
        title: what people call it.
        high: how a segment's name says that its customers have more than everybody.
        low: likewise, less.
        meaning: one phrase for people.
        example: a typical value, in `unit`.
        unit: what one unit of the value is; empty for codes and scores.
        minimum: the least value accepted; None accepts any finite number.
        maximum: the greatest value accepted; None accepts any finite number.
        skewed: whether the model takes the logarithm, because most values are small and few huge.
        weight: how much the prepared attribute counts in the model's distances, 0 leaves it out.
        codes: what each value of a coded attribute stands for.
        unscored: a value that means "not measured yet"; the model treats it as typical.
        protected: whether one setting leaves the attribute out of the model.
        changeable: whether an offer or a conversation may change it; nobody's age or gender is.
        bands: (minimum, maximum) of the groups by which fairness is measured.
        channel: whose reach it shows: customers with 1 were reached on this channel.
        exact: whether a number that may be rounded is refused, as another id is another customer.
    """

    name: str
    record_name: str
    kind: Kind
    meaning: str
    example: Number
    title: str = ""
    high: str = ""
    low: str = ""
    unit: str = ""
    minimum: int | None = 0
    maximum: int | None = None
    skewed: bool = False
    weight: float = 1.0
    codes: Mapping[int, str] = field(default_factory=dict)
    unscored: int | None = None
    protected: bool = False
    changeable: bool = True
    bands: tuple[tuple[int, int], ...] = ()
    channel: str | None = None
    exact: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether only whole numbers are accepted."""
        return self.kind is not Kind.AMOUNT

    @property
    def allowed(self) -> str:
        """What is accepted, in words, such as "an integer from 0 to 130"."""
        noun = "an integer" if self.is_integer else "a finite number"
        if self.kind is Kind.BINARY:
            return "0 or 1"
        if self.minimum is None:
            return noun
        if self.maximum is None:
            return f"{noun} of at least {self.minimum}"
        return f"{noun} from {self.minimum} to {self.maximum}"

    def accept(self, value: object) -> Number:
        """Return `value` as stored: an int for a whole number, else a float.

        Raises:
            ValueError: the value has another type or lies outside what is allowed; the message
                names the value's type and what is allowed, and never the value itself.
        """
        if type(value) is int:
            number: Number = value
            if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
                raise ValueError(self.refusal("an integer beyond 2^53"))
        elif type(value) is float:
            if not math.isfinite(value):
                raise ValueError(self.refusal("a number that is not finite"))
            if self.exact and abs(value) >= LARGEST_INTEGER:
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

    def accept_text(self, text: str) -> Number:
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
        if text.isdigit() and text.isascii() and len(text) < _MANY_DIGITS:
            return int(text)
        text = text.strip()
        if not text:
            raise ValueError(self.refusal("nothing"))
        if not _DECIMAL.fullmatch(text):
            raise ValueError(self.refusal("a text that is not a number"))
        if self.exact:
            return self._read_exactly(text)
        return int(text) if _is_integer(text) else float(text)

    def _read_exactly(self, text: str) -> int:
        whole, _, fraction = text.partition(".")
        if "e" in text.casefold():
            raise ValueError(self.refusal("a number with an exponent, which may be rounded"))
        if fraction.strip("0"):
            raise ValueError(self.refusal("a number with a fraction"))
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


def _is_integer(text: str) -> bool:
    return len(text) < _MANY_DIGITS and text.lstrip("+-").isdigit()


def describe_type(value: object) -> str:
    """Name the JSON type of a value, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int():
            return "an integer"
        case float():
            return "a number"
        case list() | tuple():
            return "an array"
        case _:
            return "an object"


def plain_number(value: float) -> Number:
    """Return a whole number of at most 2^53 as an int, so that it is written without a fraction.

    >>> plain_number(31789.0), plain_number(13472.29), plain_number(-0.0)
    (31789, 13472.29, 0)
    """
    if abs(value) <= LARGEST_INTEGER and value == int(value):
        return int(value)
    return value


def readable(value: float) -> str:
    """Write a number for people: about four digits, thousands separated, no powers of ten.

    >>> readable(16062.4), readable(0.23205), readable(-512.0)
    ('16,062', '0.2321', '-512')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{value:.4g}"


def _read_shipped() -> Schema:
    path = Path(__file__).parents[1] / "schema.toml"
    return make_schema(tomllib.loads(path.read_text(encoding="utf-8")))


def _make_feature(attribute: Attribute) -> Feature:
    return Feature(
        name=attribute.name,
        record_name=attribute.record_name,
        kind=attribute.kind,
        meaning=attribute.description,
        example=attribute.example if isinstance(attribute.example, int | float) else 0,
        title=attribute.title,
        high=attribute.high,
        low=attribute.low,
        unit=attribute.unit,
        minimum=attribute.minimum,
        maximum=attribute.maximum,
        skewed=attribute.transform is Transform.LOG,
        weight=attribute.weight,
        codes=attribute.codes,
        unscored=attribute.unscored,
        protected=attribute.protected,
        changeable=attribute.changeable,
        bands=attribute.bands,
        channel=attribute.channel,
    )


SHIPPED = _read_shipped()
"""The schema of the shipped data set."""

CUSTOMER_ID = Feature(
    name=SHIPPED.id.name,
    record_name=SHIPPED.id.record_name,
    kind=Kind.COUNT,
    meaning=SHIPPED.id.description,
    example=SHIPPED.id.example if isinstance(SHIPPED.id.example, int) else 1,
    minimum=1,
    weight=0.0,
    exact=True,
)
"""The key of a customer: checked like an attribute, never part of the model."""

FEATURES: tuple[Feature, ...] = tuple(map(_make_feature, SHIPPED.attributes))

COLUMNS: tuple[Feature, ...] = (CUSTOMER_ID, *FEATURES)
"""What a table of customers holds."""

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
FEATURE_BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}

SEGMENT_RECORD_NAME = "cluster_num"
"""Under this name a record shows the number of the customer's segment."""
