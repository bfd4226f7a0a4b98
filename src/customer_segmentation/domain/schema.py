"""The schema: what a table of customers holds, and what its first segments may be called.

A schema is read from a TOML file (`schema_file.py`). The words are those of Table Schema where it
has one: name, title, description, minimum, maximum, missing values.

Source: https://specs.frictionlessdata.io/table-schema/.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any

Value = int | float | str

AUTO = "auto"
"""In place of a number of segments: the one that a study advises."""


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


class Unknown(StrEnum):
    """What happens to a category that the schema does not name."""

    REFUSED = "refused"
    OTHER = "other"


class Missing(StrEnum):
    """What happens to a customer who lacks an attribute."""

    REFUSED = "refused"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class Id:
    """The key of a customer.

    Attributes:
        name: in requests, in the database and in code.
        record_name: in JSON answers and files.
        title: what people call it.
        description: one phrase for people.
        type: whether ids are integers of at least 1 or texts.
        example: of a customer who is not stored yet.
    """

    name: str
    record_name: str
    title: str
    description: str
    type: IdType
    example: Value


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of customers, as it is declared.

    Attributes:
        name: in requests, in the database and in code.
        record_name: in JSON answers and files.
        title: what people call it.
        description: one phrase for people.
        kind: binary, ordinal, nominal, count or amount.
        example: a typical value, in `unit`.
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
        transform: linear, or the logarithm where most values are small and few are huge.
        weight: how much the prepared attribute counts in the model's distances.
        protected: whether one setting leaves the attribute out of the model.
        bands: (minimum, maximum) of the groups by which fairness is measured.
        changeable: whether an offer or a conversation may change it.
        channel: whose reach it shows: customers with 1 were reached on this channel.
        high: how a segment's name says that its customers have more than everybody.
        low: likewise, less.
    """

    name: str
    record_name: str
    title: str
    description: str
    kind: Kind
    example: Value
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
    weight: float = 1.0
    protected: bool = False
    bands: tuple[tuple[int, int], ...] = ()
    changeable: bool = True
    channel: str | None = None
    high: str = ""
    low: str = ""

    @property
    def allowed(self) -> str:
        """What is accepted, in words, such as "an integer from 0 to 130"."""
        if self.categories:
            return f"one of {', '.join(self.categories)}"
        noun = "a finite number" if self.kind is Kind.AMOUNT else "an integer"
        if self.minimum is None:
            return noun if self.maximum is None else f"{noun} of at most {self.maximum}"
        if self.maximum is None:
            return f"{noun} of at least {self.minimum}"
        return f"{noun} from {self.minimum} to {self.maximum}"

    def allows(self, value: Value) -> bool:
        """Tell whether a customer may have this value."""
        if self.categories:
            return value in self.categories
        if isinstance(value, str | bool) or not isfinite(value):
            return False
        return (self.kind is Kind.AMOUNT or value == int(value)) and self.is_within(value)

    def is_within(self, number: float) -> bool:
        """Tell whether a number lies from the minimum to the maximum."""
        least = self.minimum is None or number >= self.minimum
        return least and (self.maximum is None or number <= self.maximum)


@dataclass(frozen=True, slots=True)
class Profile:
    """A name, its strategy, and the behaviour that earns it.

    Attributes:
        name: the segment's name.
        strategy: its business strategy.
        rule: by attribute, how strongly a high (positive) or low (negative) average speaks for
            this name. A cluster's score is the sum of rule times the cluster's average in standard
            deviations from everybody's.
        above: attributes of which its customers must clearly have more than everybody, and some.
        below: attributes of which they must clearly have less.
        usual: attributes of which half of them must have as much as half of everybody, and some.
    """

    name: str
    strategy: str
    rule: Mapping[str, float] = field(default_factory=dict)
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """What a table of customers holds.

    Attributes:
        id: the key of a customer.
        attributes: in the order of columns, records and forms.
        profiles: in the order of the segment numbers that the first model gives them.
        segments: how many segments a training makes; None lets a study choose.
        channels: on which strategies reach customers.
        missing_values: texts that mean "missing" in files.
    """

    id: Id
    attributes: tuple[Attribute, ...]
    profiles: tuple[Profile, ...] = ()
    segments: int | None = None
    channels: tuple[str, ...] = ()
    missing_values: tuple[str, ...] = ("",)

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes' names, in their order."""
        return tuple(attribute.name for attribute in self.attributes)


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """What is wrong at one place of a schema.

    Attributes:
        path: of keys and of places in lists, such as ("attributes", 3, "weight").
        message: for people.
    """

    path: tuple[str | int, ...]
    message: str


def make_schema(document: Mapping[str, Any]) -> Schema:
    """Return the schema that a document holds.

    Args:
        document: as TOML has it, of the right types; `files/schema_file.py` sees to that.
    """
    segments = document.get("segments", {})
    number = segments.get("number", AUTO)
    return Schema(
        _make_id(document["id"]),
        tuple(map(_make_attribute, document["attributes"])),
        tuple(map(_make_profile, segments.get("profiles", ()))),
        None if number == AUTO else number,
        tuple(document.get("channels", ())),
        tuple(document.get("missing_values", ("",))),
    )


def _make_id(entry: Mapping[str, Any]) -> Id:
    kind = IdType(entry["type"])
    example = entry.get("example", 1 if kind is IdType.INTEGER else "C1")
    return Id(**_titled(entry), type=kind, example=example)


def _titled(entry: Mapping[str, Any]) -> dict[str, Any]:
    name = entry["name"]
    return {
        "name": name,
        "record_name": entry.get("record_name", name),
        "title": entry.get("title", name.replace("_", " ")),
        "description": entry.get("description", ""),
    }


def _make_attribute(entry: Mapping[str, Any]) -> Attribute:
    given = {key: value for key, value in entry.items() if key not in _titled(entry)}
    kind = Kind(entry["kind"])
    if kind is Kind.BINARY and "categories" not in entry:
        given = {"minimum": 0, "maximum": 1} | given
    given |= {
        "kind": kind,
        "codes": {int(code): label for code, label in entry.get("codes", {}).items()},
        "categories": tuple(entry.get("categories", ())),
        "unknown": Unknown(entry.get("unknown", Unknown.REFUSED)),
        "missing": Missing(entry.get("missing", Missing.REFUSED)),
        "transform": Transform(entry.get("transform", Transform.LINEAR)),
        "bands": tuple((least, most) for least, most in entry.get("bands", ())),
    }
    given.setdefault("example", _find_example(given))
    return Attribute(**_titled(entry), **given)


def _find_example(given: Mapping[str, Any]) -> Value:
    choices: tuple[Value, ...] = given["categories"] or tuple(given["codes"])
    if choices:
        return choices[0]
    least, most = given.get("minimum"), given.get("maximum")
    return max(least if least is not None else 0, min(most if most is not None else 1, 1))


def _make_profile(entry: Mapping[str, Any]) -> Profile:
    lists = {key: tuple(entry.get(key, ())) for key in ("above", "below", "usual")}
    return Profile(entry["name"], entry["strategy"], dict(entry.get("rule", {})), **lists)


def check_schema(schema: Schema) -> list[SchemaFault]:
    """Return where parts of a schema contradict one another."""
    return [*_check_attributes(schema), *_check_names(schema), *_check_profiles(schema)]


def _check_attributes(schema: Schema) -> Iterator[SchemaFault]:
    channels = [attribute.channel for attribute in schema.attributes]
    for at, attribute in enumerate(schema.attributes):
        for key, fault in _contradictions(attribute):
            yield SchemaFault(("attributes", at, key), fault)
        channel = attribute.channel
        if channel is not None and channel not in schema.channels:
            known = ", ".join(schema.channels) or "none"
            yield SchemaFault(("attributes", at, "channel"), f"must be one of channels: {known}")
        if channel is not None and channel in channels[:at]:
            yield SchemaFault(("attributes", at, "channel"), "is that of another attribute too")


def _contradictions(attribute: Attribute) -> Iterator[tuple[str, str]]:
    kind, least, most = attribute.kind, attribute.minimum, attribute.maximum
    is_number = kind in {Kind.COUNT, Kind.AMOUNT}
    told = f"is not for an attribute of kind {kind}"
    if least is not None and most is not None and least > most:
        yield "maximum", f"must be at least the minimum, {least}"
        return
    if attribute.codes and attribute.categories:
        yield "categories", "must not be given beside codes"
    for key in ("codes", "categories"):
        if getattr(attribute, key) and is_number:
            yield key, told
    choices = len(attribute.codes or attribute.categories)
    if kind is Kind.NOMINAL and choices == 0:
        yield "kind", "needs codes or categories, if it is nominal"
    if kind is Kind.BINARY and choices not in {0, 2}:
        yield "codes" if attribute.codes else "categories", "must be two, as the kind is binary"
    if attribute.transform is Transform.LOG and not is_number:
        yield "transform", told
    if attribute.unknown is Unknown.OTHER and kind is not Kind.NOMINAL:
        yield "unknown", told
    if attribute.bands and kind in {Kind.BINARY, Kind.NOMINAL}:
        yield "bands", told
    for key in ("example", "default", "unscored"):
        value = getattr(attribute, key)
        if value is not None and not attribute.allows(value):
            yield key, f"must be {attribute.allowed}"
    if any(not attribute.is_within(code) for code in attribute.codes):
        yield "codes", "must lie from minimum to maximum"


def _check_names(schema: Schema) -> Iterator[SchemaFault]:
    if (schema.id.type is IdType.TEXT) is not isinstance(schema.id.example, str):
        yield SchemaFault(("id", "example"), f"must be of type {schema.id.type}")
    for key in ("name", "record_name"):
        named = [getattr(schema.id, key), *(getattr(a, key) for a in schema.attributes)]
        for at in range(1, len(named)):
            if named[at] in named[:at]:
                yield SchemaFault(("attributes", at - 1, key), "is given twice")


def _check_profiles(schema: Schema) -> Iterator[SchemaFault]:
    names = [profile.name for profile in schema.profiles]
    for at, profile in enumerate(schema.profiles):
        path = ("segments", "profiles", at)
        if profile.name in names[:at]:
            yield SchemaFault((*path, "name"), "is given twice")
        for key in ("rule", "above", "below", "usual"):
            if set(getattr(profile, key)) - set(schema.names):
                yield SchemaFault((*path, key), "must name attributes of this schema only")
