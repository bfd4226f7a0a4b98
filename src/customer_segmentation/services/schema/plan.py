"""What another schema would change for the customers that are stored."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

import numpy as np

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import OTHER, Attribute, Missing, Unknown, Value
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.numbers import Number
from customer_segmentation.domain.plurals import counted
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import MICROSECONDS_A_DAY, day_of, from_microseconds
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.current_schema import CurrentSchema
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transactions.retiring import windows_too_long
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.queries import demo, models, transactions
from customer_segmentation.store.queries.models import Active

_OF_VALUES = ("kind", "minimum", "maximum", "codes", "categories", "unknown", "missing", "default")
"""What of an attribute decides which values are stored."""

_FOLLOWS = ("derivation",)
"""What of an attribute decides how it follows from transactions."""

_OF_MODEL = ("used", "transform", "weight", "unscored")
"""What of an attribute the next training looks at."""


class StepKind(StrEnum):
    """What becomes of an attribute."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    CHANGED = "changed"
    DESCRIBED = "described"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that another schema changes.

    Attributes:
        kind: what becomes of it.
        subject: the attribute's name, or a part of the schema.
        detail: for people.
    """

    kind: StepKind
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What another schema changes.

    Attributes:
        number: of the schema that holds.
        steps: in the order of the schema.
        refusals: why it cannot be applied, one for each attribute.
        customers: how many are stored.
        is_rewritten: whether the table of customers is written anew.
        is_demo: whether the customers who are stored are the demonstration.
    """

    number: int
    steps: tuple[Step, ...]
    refusals: tuple[str, ...]
    customers: int
    is_rewritten: bool
    is_demo: bool = False


@dataclass(frozen=True, slots=True)
class Continued:
    """An attribute that goes on, and how its stored values become those of the new schema.

    Attributes:
        before: as it is now.
        after: as it would be.
        numbers: by number that is stored, the number that is to be; those not in it stay.
        lost: numbers that are stored for a choice that there is no more.
        fill: what customers get who lack it; None lets them lack it.
    """

    before: Attribute
    after: Attribute
    numbers: Mapping[Number, Number] = field(default_factory=dict)
    lost: frozenset[Number] = frozenset()
    fill: Number | None = None

    @property
    def changes_values(self) -> bool:
        """Whether stored values may have to change, or to be looked at."""
        return any(getattr(self.before, key) != getattr(self.after, key) for key in _OF_VALUES)

    def convert(self, values: FloatArray) -> FloatArray:
        """Return what stored values, (n,), become."""
        converted = values.copy()
        for old, new in self.numbers.items():
            converted[values == old] = new
        if self.fill is not None:
            converted[np.isnan(values)] = self.fill
        return converted

    def count_refused(self, values: FloatArray) -> int:
        """Return how many of these stored values, (n,), the new attribute does not accept."""
        missing = np.isnan(values)
        known = values[~missing]
        refused = 0
        if self.fill is None and self.after.missing is Missing.REFUSED:
            refused = int(missing.sum())
        distinct, counts = np.unique(known, return_counts=True)
        return refused + sum(
            int(count)
            for value, count in zip(distinct.tolist(), counts.tolist(), strict=True)
            if not self._accepts(value)
        )

    def _accepts(self, value: float) -> bool:
        if value in self.lost:
            return False
        if self.after.choices:
            return self.numbers.get(value, value) in self.after.choices
        try:
            self.after.accept(value)
        except ValueError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two schemas side by side.

    Attributes:
        added: attributes that are new.
        removed: attributes that there are no more.
        continued: attributes that go on, in the new order.
    """

    added: tuple[Attribute, ...]
    removed: tuple[Attribute, ...]
    continued: tuple[Continued, ...]

    def convert(self, before: Schema, after: Schema, values: FloatArray) -> FloatArray:
        """Return customers by the attributes of the one schema, (n, d), by those of the other."""
        found = np.full((len(after.names), len(values)), np.nan)
        for attribute in self.added:
            if attribute.default is not None:
                found[after.names.index(attribute.name)] = attribute.if_left_out
        for one in self.continued:
            column = values[:, before.names.index(one.before.name)]
            found[after.names.index(one.after.name)] = one.convert(column)
        return found.T

    @property
    def continues(self) -> dict[str, str]:
        """By name, what each attribute that goes on was called before."""
        return {one.after.name: one.before.name for one in self.continued}


def compare(before: Schema, after: Schema, renames: Mapping[str, str]) -> Comparison:
    """Compare two schemas.

    Args:
        before: the one that holds.
        after: the other.
        renames: by the name of an attribute that holds, its new one.

    Raises:
        InvalidInputError: a rename names no attribute, or the same one twice.
    """
    _check_renames(before, after, renames)
    former = {new: old for old, new in renames.items()}
    continued, added = [], []
    for attribute in after.attributes:
        name = former.get(attribute.name, attribute.name)
        if name in before.by_name and (name == former.get(attribute.name) or name not in renames):
            continued.append(_continue(before.by_name[name], attribute))
        else:
            added.append(attribute)
    kept = {one.before.name for one in continued}
    removed = [attribute for attribute in before.attributes if attribute.name not in kept]
    return Comparison(tuple(added), tuple(removed), tuple(continued))


def _check_renames(before: Schema, after: Schema, renames: Mapping[str, str]) -> None:
    faults = [
        FieldError("renames", f"renames: {old} is no attribute of the schema that holds")
        for old in renames
        if old not in before.by_name
    ]
    faults += [
        FieldError("renames", f"renames: {new} is no attribute of the new schema")
        for new in renames.values()
        if new not in after.by_name
    ]
    if len(set(renames.values())) < len(renames):
        faults.append(FieldError("renames", "renames: two attributes cannot have one name"))
    if faults:
        raise InvalidInputError(faults)


def _continue(before: Attribute, after: Attribute) -> Continued:
    fill = None
    if after.missing is Missing.REFUSED and after.default is not None:
        fill = after.accept(after.default)
    numbers: dict[Number, Number] = {}
    lost = set()
    if before.categories or after.categories:
        places = {label: number for number, label in after.labels.items()}
        other = places.get(OTHER) if after.unknown is Unknown.OTHER else None
        for number, label in before.labels.items():
            found = places.get(label, other)
            if found is None:
                lost.add(number)
            elif found != number:
                numbers[number] = found
    return Continued(before, after, numbers, frozenset(lost), fill)


def plan_schema(
    units: UnitsOfWork,
    settings: Settings,
    new: CurrentSchema,
    renames: Mapping[str, str],
    *,
    discard_demo: bool = False,
) -> Plan:
    """Tell what applying another schema would change, and why it cannot be applied, if so.

    Args:
        units: over the database.
        settings: tell how long transactions are kept.
        new: the other schema.
        renames: by the name of an attribute that holds, its new one.
        discard_demo: whether the demonstration goes first, where the database holds it.

    Raises:
        InvalidInputError: a rename names no attribute.
    """
    held = units.current_schema
    found = compare(held.schema, new.schema, renames)
    with units.database.read() as connection:
        is_demo = demo.is_held(connection)
        stored = units.customers.count(connection)
        kept = transactions.count(connection)
        has_carried = transactions.has_carried(connection)
        active = models.active(connection)
    is_discarded = is_demo and discard_demo
    customers = 0 if is_discarded else stored
    refusals = [*_refuse(held.schema, new.schema, found, customers)]
    refusals += [
        *_refuse_windows(settings, held.schema, new.schema, None if is_discarded else active)
    ]
    if (kept or has_carried) and not is_discarded:
        refusals += _refuse_transactions(held.schema, new.schema, kept)
    if customers:
        refusals += _refuse_values(units, found)
    return Plan(
        number=held.number,
        steps=(*_steps(held, new, found),),
        refusals=tuple(refusals),
        customers=stored,
        is_rewritten=is_rewritten(found, held.schema, new.schema),
        is_demo=is_demo,
    )


def is_rewritten(found: Comparison, before: Schema, after: Schema) -> bool:
    """Return whether the table of customers has to be written anew."""
    return (
        bool(found.added or found.removed)
        or follows_otherwise(before, after)
        or before.names != after.names
        or any(one.changes_values for one in found.continued)
    )


def follows_otherwise(before: Schema, after: Schema) -> bool:
    """Return whether what follows from transactions has to be counted anew."""
    return {a.name: a.derivation for a in before.derived} != {
        a.name: a.derivation for a in after.derived
    }


def _refuse_transactions(before: Schema, after: Schema, transactions: int) -> Iterator[str]:
    declared, other = before.transactions, after.transactions
    if declared is None or other is None:
        return
    many = counted(transactions, "transaction") if transactions else "totals of removed ones"
    for key in ("id_type", "decimals"):
        if getattr(declared, key) != getattr(other, key):
            yield f"transactions.{key} cannot change while there are {many}"


def _refuse_windows(
    settings: Settings, before: Schema, after: Schema, active: Active | None
) -> Iterator[str]:
    """Refuse windows that look further back than transactions are kept, or are there."""
    days = settings.keep_transactions_days
    for name in windows_too_long(settings, after):
        yield f"{name}: its window is longer than transactions are kept, {counted(days, 'day')}"
    if active is None or not active.kept_since or windows_too_long(settings, after):
        return
    since = from_microseconds(active.kept_since).date()
    # Where nothing changes with time, no day begins.
    day = active.day if before.changes_with_time else day_of(now())
    for attribute in after.derived:
        window = attribute.derivation.window if attribute.derivation else None
        if window is not None and (day - window + 1) * MICROSECONDS_A_DAY < active.kept_since:
            yield (
                f"{attribute.name}: its window of {counted(window, 'day')} begins before {since}, "
                "and transactions of then are not kept any longer"
            )


def _refuse(before: Schema, after: Schema, found: Comparison, customers: int) -> Iterator[str]:
    if customers and before.id.type is not after.id.type:
        yield (
            f"{after.id.name}: ids cannot become {after.id.type} while there are customers; "
            "export them and import them into a new database"
        )
    if not customers:
        return
    for attribute in found.added:
        if not attribute.may_be_left_out:
            yield (
                f"{attribute.name} is new, and {counted(customers, 'customer')} lack it: give it a "
                'default, or missing = "allowed"'
            )
    for one in found.continued:
        if bool(one.after.categories) is not bool(one.before.labels) and one.after.categories:
            yield (
                f"{one.after.name}: numbers without labels cannot become categories; add another "
                "attribute"
            )


def _refuse_values(units: UnitsOfWork, found: Comparison) -> Iterator[str]:
    """Look at every stored value of the attributes whose values may have to change."""
    names = units.schema.names
    looked_at = [one for one in found.continued if one.changes_values]
    refused = dict.fromkeys((one.after.name for one in looked_at), 0)
    if not looked_at:
        return
    with arrow_reader(units.database) as read:
        for values in units.customers.read_attributes(read):
            for one in looked_at:
                column = values[:, names.index(one.before.name)]
                refused[one.after.name] += one.count_refused(column)
    for one in looked_at:
        if refused[one.after.name]:
            many = counted(refused[one.after.name], "customer")
            yield f"{one.after.name}: {many} would not fit, as it must be {one.after.allowed}"


def _steps(held: CurrentSchema, new: CurrentSchema, found: Comparison) -> Iterator[Step]:
    before, after = held.schema, new.schema
    if before.id != after.id:
        yield Step(StepKind.DESCRIBED, after.id.name, "the id is described anew")
    by_name = {one.after.name: one for one in found.continued}
    for attribute in after.attributes:
        one = by_name.get(attribute.name)
        if one is None:
            given = "is not known"
            if attribute.default is not None:
                given = f"is {_shown(attribute.default)}"
            if attribute.derivation is not None:
                given += ", or follows from those transactions that are kept"
            detail = f"{attribute.kind}; of everybody who is there it {given}"
            yield Step(StepKind.ADDED, attribute.name, detail)
            continue
        if one.before.name != attribute.name:
            yield Step(StepKind.RENAMED, attribute.name, f"was {one.before.name}")
        yield from _changes(one)
    for attribute in found.removed:
        yield Step(StepKind.REMOVED, attribute.name, "its values are deleted, for good")
    for part in ("transactions", "profiles", "segments", "channels", "missing_values"):
        if getattr(before, part) != getattr(after, part):
            yield Step(StepKind.DESCRIBED, part.replace("_", " "), _of_part(part))
    if held.source != new.source:
        yield Step(StepKind.DESCRIBED, "source", "files are read otherwise from now on")


def _changes(one: Continued) -> Iterator[Step]:
    before = replace(one.before, name=one.after.name)
    after = one.after
    differing = [key for key in asdict(before) if getattr(before, key) != getattr(after, key)]
    of_values = [key for key in differing if key in _OF_VALUES]
    of_model = [key for key in differing if key in _OF_MODEL]
    known = {*_OF_VALUES, *_OF_MODEL, *_FOLLOWS}
    described = [key for key in differing if key not in known]
    if before.derivation != after.derivation:
        told = "it follows from transactions otherwise, and is counted anew from those kept"
        yield Step(StepKind.CHANGED, one.after.name, told)
    if of_values:
        told = f"{', '.join(of_values)}: must be {one.after.allowed}"
        yield Step(StepKind.CHANGED, one.after.name, told)
    if of_model:
        told = f"{', '.join(of_model)}: from the next training on"
        yield Step(StepKind.CHANGED, one.after.name, told)
    if described:
        yield Step(StepKind.DESCRIBED, one.after.name, ", ".join(described))


def _of_part(part: str) -> str:
    if part == "segments":
        return "how many there are, from the next training on"
    if part == "profiles":
        return "they name the segments of a first model only"
    return "changed"


def _shown(value: Value) -> str:
    return str(value)
