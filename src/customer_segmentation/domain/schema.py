"""The schema: what a table of customers holds, and what its first segments may be called.

A schema is read from a TOML file (`schema_file.py`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from customer_segmentation.domain.attributes import (
    OTHER,
    Aggregate,
    Attribute,
    Column,
    Derivation,
    Id,
    IdType,
    Kind,
    Missing,
    Transform,
    Unknown,
    Value,
)
from customer_segmentation.domain.errors import MAX_TOLD, FieldError, InvalidInputError, shortened
from customer_segmentation.domain.numbers import Number
from customer_segmentation.domain.transactions import (
    OWN_FIELDS,
    Tally,
    TransactionField,
    TransactionSchema,
    UnknownCustomer,
)

AUTO = "auto"
"""In place of a number of segments: the one that a study advises."""


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


@dataclass(frozen=True)
class Schema:
    """What a table of customers holds.

    Attributes:
        id: the key of a customer.
        attributes: in the order of columns, records and forms.
        profiles: in the order of the segment numbers that the first model gives them.
        segments: how many segments a training makes; None lets a study choose.
        channels: on which strategies reach customers.
        missing_values: texts that mean "missing" in files.
        transactions: what transactions hold; None where there are none.
    """

    id: Id
    attributes: tuple[Attribute, ...]
    profiles: tuple[Profile, ...] = ()
    segments: int | None = None
    channels: tuple[str, ...] = ()
    missing_values: tuple[str, ...] = ("",)
    transactions: TransactionSchema | None = None

    @cached_property
    def derived(self) -> tuple[Attribute, ...]:
        """The attributes that follow from transactions."""
        return tuple(attribute for attribute in self.attributes if attribute.derivation)

    @cached_property
    def tallies(self) -> Mapping[str, Tally]:
        """By name, what counts for attributes that are kept up to date with each transaction."""
        return {
            a.name: Tally(a.derivation)
            for a in self.derived
            if a.derivation and not a.derivation.window
        }

    @cached_property
    def windows(self) -> tuple[int, ...]:
        """The windows of attributes that follow from transactions, in days, rising."""
        return tuple(sorted({w for a in self.derived if (w := a.derivation.window) is not None}))  # type: ignore[union-attr]

    @cached_property
    def changes_with_time(self) -> bool:
        """Whether customers' attributes change although nobody writes them."""
        return any(a.derivation and a.derivation.changes_with_time for a in self.derived)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The attributes' names, in their order."""
        return tuple(attribute.name for attribute in self.attributes)

    @cached_property
    def by_name(self) -> Mapping[str, Attribute]:
        """The attributes by their names, in their order."""
        return {attribute.name: attribute for attribute in self.attributes}

    @cached_property
    def reach(self) -> Mapping[str, str]:
        """By channel, the attribute that is 1 where it reached a customer before."""
        return {a.channel: a.name for a in self.attributes if a.channel is not None}

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """What a table of customers holds: the id, then the attributes."""
        return (self.id, *self.attributes)


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
        tuple(map(make_attribute, document["attributes"])),
        tuple(map(_make_profile, segments.get("profiles", ()))),
        None if number == AUTO else number,
        tuple(document.get("channels", ())),
        tuple(document.get("missing_values", ("",))),
        _make_transactions(document),
    )


def _make_transactions(document: Mapping[str, Any]) -> TransactionSchema | None:
    declared = document.get("transactions")
    if declared is None and not any(entry.get(_FROM) for entry in document["attributes"]):
        return None
    given = dict(declared or {})
    fields = tuple(
        TransactionField(
            field["name"],
            field.get("title", field["name"].replace("_", " ")),
            field.get("description", ""),
        )
        for field in given.pop("fields", ())
    )
    for key, convert in _OF_TRANSACTIONS.items():
        if key in given:
            given[key] = convert(given[key])
    return TransactionSchema(**given, fields=fields)


_FROM = "from"
_OF_TRANSACTIONS: Mapping[str, Callable[[Any], Any]] = {
    "id_type": IdType,
    "kinds": tuple,
    "unknown_customer": UnknownCustomer,
}
DERIVATION_KEYS = (_FROM, "aggregate", "of", "where", "window")
"""What an attribute's entry says of how it follows from transactions."""


def transactions_content(transactions: TransactionSchema) -> dict[str, Any]:
    """Return what is declared of transactions as JSON and TOML have it."""
    return asdict(transactions) | {
        "kinds": list(transactions.kinds),
        "fields": [asdict(field) for field in transactions.fields],
    }


def derivation_content(derivation: Derivation | None) -> dict[str, Any]:
    """Return how an attribute follows from transactions as entries have it, by key."""
    if derivation is None:
        return {}
    content: dict[str, Any] = {_FROM: "transactions", "aggregate": str(derivation.aggregate)}
    if derivation.of is not None:
        content["of"] = derivation.of
    if derivation.where:
        content["where"] = {name: list(texts) for name, texts in derivation.where.items()}
    if derivation.window is not None:
        content["window"] = f"{derivation.window}d"
    return content


def _make_derivation(entry: Mapping[str, Any]) -> Derivation | None:
    if entry.get(_FROM) is None:
        return None
    window = entry.get("window")
    return Derivation(
        Aggregate(entry["aggregate"]),
        entry.get("of"),
        {name: tuple(texts) for name, texts in (entry.get("where") or {}).items()},
        None if window is None else int(window.removesuffix("d")),
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


def schema_content(schema: Schema) -> dict[str, Any]:
    """Return a schema as JSON has it, which `make_schema` reads."""
    declared = schema.transactions
    return {
        "id": asdict(schema.id),
        "attributes": [attribute_content(attribute) for attribute in schema.attributes],
        "segments": {
            "number": AUTO if schema.segments is None else schema.segments,
            "profiles": [
                {**asdict(profile), "rule": dict(profile.rule)} for profile in schema.profiles
            ],
        },
        "channels": list(schema.channels),
        "missing_values": list(schema.missing_values),
    } | ({} if declared is None else {"transactions": transactions_content(declared)})


def transaction_fields(schema: Schema) -> tuple[str, ...]:
    """Return the names of a transaction's fields; the customer's id bears its own."""
    declared = schema.transactions or TransactionSchema()
    own = [schema.id.name if name == "customer_id" else name for name in OWN_FIELDS]
    return (*own, *declared.field_names)


def check_names(schema: Schema, names: Iterable[str], field_name: str) -> None:
    """See that a request names attributes of a schema only.

    Args:
        schema: of the customers.
        names: what is to be attributes' names.
        field_name: the field that names them.

    Raises:
        InvalidInputError: one is none.
    """
    known = ", ".join(schema.names)
    by_name = isinstance(names, Mapping)
    unknown = [
        f"{field_name}.{shortened(name) if by_name else place}"
        for place, name in enumerate(names)
        if name not in schema.by_name
    ]
    if unknown:
        errors = [FieldError(at, f"{at} must be one of {known}") for at in unknown[:MAX_TOLD]]
        raise InvalidInputError(errors, more=len(unknown[MAX_TOLD:]))


def accept_categories(
    schema: Schema, given: Mapping[str, Iterable[str]], field_name: str
) -> dict[str, tuple[Number, ...]]:
    """Return what categories are inside, by attribute.

    Args:
        schema: of the customers.
        given: texts by attribute.
        field_name: of the field of an attribute, whose name stands in it for `{}`.

    Raises:
        InvalidInputError: an attribute has no categories, or not one of these.
    """
    accepted: dict[str, tuple[Number, ...]] = {}
    errors = []
    for name, texts in given.items():
        attribute, field = schema.by_name.get(name), field_name.format(shortened(name))
        numbers = {} if attribute is None else {t: n for n, t in attribute.labels.items()}
        if attribute is None or not attribute.categories:
            with_some = ", ".join(a.name for a in schema.attributes if a.categories) or "none"
            message = f"{field} must be of an attribute with categories: {with_some}"
            errors.append(FieldError(field, message))
        elif set(texts) - set(numbers):
            message = f"{field} must be among {', '.join(numbers)}"
            errors.append(FieldError(field, message))
        else:
            accepted[name] = tuple(numbers[text] for text in texts)
    if errors:
        raise InvalidInputError(errors[:MAX_TOLD], more=len(errors[MAX_TOLD:]))
    return accepted


def attribute_content(attribute: Attribute) -> dict[str, Any]:
    """Return an attribute as JSON has it."""
    content = {name: value for name, value in asdict(attribute).items() if value is not None}
    content.pop("derivation", None)
    return (
        content
        | derivation_content(attribute.derivation)
        | {
            "codes": {str(code): label for code, label in attribute.codes.items()},
            "categories": list(attribute.categories),
            "bands": [list(band) for band in attribute.bands],
        }
    )


def make_attribute(entry: Mapping[str, Any]) -> Attribute:
    """Return the attribute that an entry holds.

    Args:
        entry: as TOML or `attribute_content` has it, of the right types.
    """
    left_out = {*_titled(entry), *DERIVATION_KEYS}
    given = {key: value for key, value in entry.items() if key not in left_out}
    kind = Kind(entry["kind"])
    if codes := [int(code) for code in entry.get("codes", {})]:
        given = {"minimum": min(codes), "maximum": max(codes)} | given
    elif kind is Kind.BINARY and "categories" not in entry:
        given = {"minimum": 0, "maximum": 1} | given
    given |= {
        "kind": kind,
        "codes": {int(code): label for code, label in entry.get("codes", {}).items()},
        "categories": tuple(entry.get("categories", ())),
        "unknown": Unknown(entry.get("unknown", Unknown.REFUSED)),
        "missing": Missing(entry.get("missing", Missing.REFUSED)),
        "transform": Transform(entry.get("transform", Transform.LINEAR)),
        "bands": tuple((least, most) for least, most in entry.get("bands", ())),
        "derivation": _make_derivation(entry),
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
    return [
        *_check_attributes(schema),
        *_check_names(schema),
        *_check_profiles(schema),
        *_check_transactions(schema),
    ]


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
    if attribute.is_logarithmic and not is_number:
        yield "transform", told
    if attribute.unknown is Unknown.OTHER:
        yield from _contradictions_of_others(attribute, told)
    if attribute.bands and kind in {Kind.BINARY, Kind.NOMINAL}:
        yield "bands", told
    for key in ("example", "default", "unscored"):
        value = getattr(attribute, key)
        if value is not None and not _is_accepted(attribute, value):
            yield key, f"must be {attribute.allowed}"
    if any(not _is_within(attribute, code) for code in attribute.codes):
        yield "codes", "must lie from minimum to maximum"


def _contradictions_of_others(attribute: Attribute, told: str) -> Iterator[tuple[str, str]]:
    if attribute.kind is not Kind.NOMINAL:
        yield "unknown", told
    if OTHER in map(_in_files, attribute.categories):
        yield "categories", f"must not have {OTHER}, as unknown ones are called so"


def _in_files(category: str) -> str:
    """Return a category as files tell it from others: case and blanks make no difference."""
    return " ".join(category.split()).casefold()


def _check_transactions(schema: Schema) -> Iterator[SchemaFault]:
    declared = schema.transactions
    if declared is None:
        return
    fields = declared.field_names
    for at, name in enumerate(fields):
        if name in (*OWN_FIELDS, schema.id.name, *fields[:at]):
            yield SchemaFault(("transactions", "fields", at, "name"), "is given twice")
    for at, attribute in enumerate(schema.attributes):
        if attribute.derivation is not None:
            for key, fault in _check_derivation(attribute, attribute.derivation, declared):
                yield SchemaFault(("attributes", at, key), fault)
        is_needed = attribute.derivation is None and not attribute.may_be_left_out
        if is_needed and declared.unknown_customer is UnknownCustomer.ADDED:
            fault = f"must not be added, as customers cannot be added without {attribute.name}"
            yield SchemaFault(("transactions", "unknown_customer"), fault)


def _check_derivation(
    attribute: Attribute, derivation: Derivation, declared: TransactionSchema
) -> Iterator[tuple[str, str]]:
    aggregate = derivation.aggregate
    told = f"with aggregate {aggregate}"
    fields = ("kind", *declared.field_names)
    if attribute.kind is not derivation.kind:
        yield "kind", f"must be {derivation.kind} {told}"
    if attribute.choices:
        yield "codes" if attribute.codes else "categories", "are not for what follows"
    if not derivation.is_known_of_none and attribute.missing is not Missing.ALLOWED:
        yield "missing", f'must be "allowed" {told}, as it is missing before any transaction'
    if (aggregate is Aggregate.DISTINCT) is not (derivation.of is not None):
        yield "of", "goes with aggregate distinct, which needs it"
    if derivation.of is not None and derivation.of not in fields:
        yield "of", f"must be one of {', '.join(fields)}"
    if derivation.is_of_days and derivation.window is not None:
        yield "window", f"is not for aggregate {aggregate}"
    for name, texts in derivation.where.items():
        if name not in fields:
            yield "where", f"must name one of {', '.join(fields)}, not {shortened(name)}"
        elif name == "kind" and declared.kinds and not {*texts} <= {*declared.kinds}:
            yield "where", f"must be among kinds: {', '.join(declared.kinds)}"


def _is_accepted(attribute: Attribute, value: Value) -> bool:
    try:
        attribute.accept(value)
    except ValueError:
        return False
    return True


def _is_within(attribute: Attribute, code: int) -> bool:
    least, most = attribute.minimum, attribute.maximum
    return (least is None or code >= least) and (most is None or code <= most)


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
