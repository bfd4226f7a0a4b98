"""Who is in which dynamic audience, kept right by every write, within its transaction.

A write asks the database for each audience's rule about the customers it has written, and holds
that against who is in the audience: whoever came or went is noted in the feed. What changes without
a write, with the days or with another model, is found by `check_audiences`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import ColumnElement, Connection

from customer_segmentation.domain.arrays import BoolArray, IntArray
from customer_segmentation.domain.errors import AudienceNotFoundError, InvalidInputError
from customer_segmentation.domain.history import Cause, SegmentChange
from customer_segmentation.domain.rules import Not, Outlying, Rule, Sure, split
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import day_of
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import ServingModel
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.queries import audiences, history, models
from customer_segmentation.store.queries.audiences import MembershipQuery, StoredAudience
from customer_segmentation.store.queries.customers import CustomerTable, StoredCustomers
from customer_segmentation.store.queries.models import Active

_ASKED_ALONE = 20
"""Up to so many customers are asked about one by one, all audiences at once."""

_CHECKED_AT_ONCE = 50_000
"""Customers held against a rule in one transaction, while writes of others wait."""


@dataclass(frozen=True, eq=False, slots=True)
class Condition:
    """A rule as it is asked on a day.

    Attributes:
        stored: what the database answers.
        of_one: the same, to be asked about one customer.
        computed: conditions on what the model computes, all of which must hold too.
    """

    stored: ColumnElement[bool]
    of_one: ColumnElement[bool]
    computed: tuple[Rule, ...]


@dataclass(frozen=True, eq=False, slots=True)
class _Dynamic:
    """The dynamic audiences at a moment.

    Attributes:
        place: the edition, the schema and the day for which this holds.
        conditions: by audience; one whose rule does not fit the schema is left out.
        query: which of them a customer is in, and is to be in.
    """

    place: tuple[int, int, int]
    conditions: Mapping[int, Condition]
    query: MembershipQuery


_KNOWN: "WeakKeyDictionary[CustomerTable, _Dynamic]" = WeakKeyDictionary()


def begin_of_day(moment: datetime) -> datetime:
    """Return when the day of a moment began, in UTC."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def as_asked(customers: CustomerTable, rule: Rule) -> Condition:
    """Return how a rule is asked today."""
    parts = split(rule)
    assert parts is not None  # noqa: S101  # No other rule is read.
    today = begin_of_day(now())
    return Condition(
        audiences.condition(customers, parts.stored, today),
        audiences.condition(customers, parts.stored, today, of_one=True),
        parts.computed,
    )


def meets(serving: ServingModel, computed: tuple[Rule, ...], found: StoredCustomers) -> BoolArray:
    """Return which of some customers, (n,), meet conditions on what a model computes of them."""
    held = np.ones(len(found.ids), dtype=np.bool_)
    if not computed or len(found.ids) == 0:
        return held
    assessment = serving.assess(found.values)
    for rule in computed:
        match rule:
            case Sure(compared, value):
                held &= compared.holds(assessment.confidence, value)
            case Outlying():
                held &= assessment.outliers
            case Not(Outlying()):
                held &= ~assessment.outliers
            case Not(Sure(compared, value)):
                held &= ~compared.holds(assessment.confidence, value)
    return held


def note_customer(work: UnitOfWork, number: int, cause: Cause) -> None:
    """See which dynamic audiences a customer, who was written, has entered or left.

    Args:
        work: the transaction that has written the customer, or deleted it.
        number: of the customer.
        cause: what was written.
    """
    known = _dynamic(work)
    if known is None:
        return
    segment, before, after = known.query.ask(work.connection, number)
    uncertain = {one for one in after if known.conditions[one].computed}
    if uncertain:
        found = work.customers.find_many(work.connection, np.array([number]))
        after -= {
            one
            for one in uncertain
            if not meets(work.serving, known.conditions[one].computed, found).all()
        }
    if before == after:
        return
    moment = now()
    for audience_id in sorted(before ^ after):
        entered = audience_id in after
        write = audiences.enter_one if entered else audiences.leave_one
        write(work.connection, audience_id, number)
        version = work.serving.version
        change = SegmentChange(
            number, moment, cause, segment, segment, version, audience_id, entered
        )
        history.add(work.connection, change)


def note_customers(work: UnitOfWork, numbers: IntArray, cause: Cause) -> None:
    """See which dynamic audiences customers, (n,), who were written, have entered or left."""
    known = _dynamic(work)
    if known is None or len(numbers) == 0:
        return
    if len(numbers) <= _ASKED_ALONE:
        for number in numbers.tolist():
            note_customer(work, number, cause)
        return
    for audience_id, asked in known.conditions.items():
        note_members(work, audience_id, asked, np.sort(numbers), cause)


def note_members(
    work: UnitOfWork,
    audience_id: int,
    asked: Condition,
    numbers: IntArray | tuple[int, int],
    cause: Cause,
) -> int:
    """Hold some customers against an audience's rule; return how many entered or left it.

    Args:
        work: the transaction.
        audience_id: of the audience.
        asked: its rule.
        numbers: of the customers, or above which and up to which they are.
        cause: why anybody may have come or gone.
    """
    connection = work.connection
    wanted, segments = find_matching(work, asked, numbers)
    members = audiences.find_members(connection, audience_id, numbers)
    came = ~np.isin(wanted, members, assume_unique=True)
    went = np.setdiff1d(members, wanted, assume_unique=True)
    moment, version = now(), work.serving.version
    if came.any():
        audiences.enter(connection, audience_id, wanted[came])
        change = SegmentChange(0, moment, cause, None, None, version, audience_id, entered=True)
        history.add_memberships(connection, wanted[came], segments[came], change)
    if len(went):
        audiences.leave(connection, audience_id, went)
        found = work.customers.find_many(connection, went)
        change = SegmentChange(0, moment, cause, None, None, version, audience_id, entered=False)
        history.add_memberships(connection, found.ids, found.segments, change)
        gone = np.setdiff1d(went, found.ids, assume_unique=True)
        for number in gone.tolist():
            history.add(
                connection,
                SegmentChange(number, moment, cause, None, None, version, audience_id, False),
            )
    return int(came.sum()) + len(went)


def find_matching(
    work: UnitOfWork, asked: Condition, numbers: IntArray | tuple[int, int]
) -> tuple[IntArray, IntArray]:
    """Return the numbers, (n,), rising, and the segments, (n,), of customers who meet a rule."""
    found, segments = audiences.find_matching(
        work.connection, work.customers, asked.stored, numbers
    )
    if asked.computed and len(found):
        held = meets(work.serving, asked.computed, work.customers.find_many(work.connection, found))
        found, segments = found[held], segments[held]
    return found, segments


def _dynamic(work: UnitOfWork) -> _Dynamic | None:
    """Return the dynamic audiences; None where there are none."""
    edition = work.active.audiences
    if edition == 0:
        return None
    place = (edition, work.active.schema, day_of(now()))
    known = _KNOWN.get(work.customers)
    if known is None or known.place != place:
        known = _KNOWN[work.customers] = _load(work, place)
    return known if known.conditions else None


def _load(work: UnitOfWork, place: tuple[int, int, int]) -> _Dynamic:
    conditions = {
        one.id: as_asked(work.customers, rule)
        for one in audiences.read_all(work.connection)
        if not one.is_frozen and (rule := fitting_rule(work.customers, one)) is not None
    }
    of_one = {audience_id: asked.of_one for audience_id, asked in conditions.items()}
    return _Dynamic(place, conditions, MembershipQuery(work.customers, of_one))


def require_audience(connection: Connection, audience_id: int) -> StoredAudience:
    """Return an audience.

    Raises:
        AudienceNotFoundError: there is no such audience.
    """
    found = audiences.find(connection, audience_id)
    if found is None:
        raise AudienceNotFoundError(audience_id)
    return found


def read(text: str, schema: Schema) -> Rule:
    """Return the rule that a text is; errors as `read_rule`."""
    # Importing sqlglot takes as long as FastAPI; few commands ever need it.
    from customer_segmentation.services.audiences.rules import read_rule

    return read_rule(text, schema)


def fitting_rule(customers: CustomerTable, audience: StoredAudience) -> Rule | None:
    """Return an audience's rule; None where it does not fit the schema any more."""
    try:
        return read(audience.rule, customers.schema)
    except InvalidInputError:
        return None


def place_of(active: Active) -> str:
    """Return for which day, model and schema who is held against a rule now is held against it."""
    if not active.is_rescored:
        return ""
    return f"{day_of(now())} {active.day} {active.activated_in} {active.schema}"


def check_audiences(units: UnitsOfWork) -> None:
    """Find who came into dynamic audiences, or left them, without a write.

    To be called every few seconds: it looks at the customers only on another day, after another
    model's re-scoring, and under another schema, some thousand in a transaction.
    """
    with units.read() as work:
        active, found = work.active, audiences.read_all(work.connection)
    if active.audiences == 0 or not active.is_rescored:
        return
    today, place = day_of(now()), place_of(active)
    for one in found:
        if not one.is_frozen and one.checked != place:
            model_before = one.checked.split()[2:3]
            _check(units, one, place, is_of_time=model_before == [str(active.activated_in)])
    if any(one.checked.partition(" ")[0] != str(today) for one in found):
        with units.database.write() as connection:
            sizes = audiences.count_members(connection)
            audiences.note_sizes(connection, today, {one.id: sizes.get(one.id, 0) for one in found})
            for one in found:
                if one.is_frozen:
                    audiences.change(connection, one.id, {"checked": place})


def recheck_audiences(units: UnitsOfWork) -> int | None:
    """Hold all customers against each dynamic audience's rule, and repair who is in it.

    Returns:
        how many had wrongly been in or out; None where there is no dynamic audience, or a
        re-scoring is not done yet.
    """
    with units.read() as work:
        active = work.active
        found = [one for one in audiences.read_all(work.connection) if not one.is_frozen]
    if not found or not active.is_rescored:
        return None
    return sum(_check(units, one, place_of(active), is_of_time=True) for one in found)


def _check(units: UnitsOfWork, audience: StoredAudience, place: str, *, is_of_time: bool) -> int:
    """Hold all customers against an audience's rule, and note that this was done.

    Returns:
        how many entered or left it.
    """
    after, last, moved = 0, 0, 0
    while True:
        with units.write(exclusive=True) as work:
            current = audiences.find(work.connection, audience.id)
            if current is None or current.rule != audience.rule:
                return moved
            rule = fitting_rule(work.customers, current)
            last = last or work.customers.greatest_number(work.connection)
            cause = Cause.TIME if is_of_time else models.activation_cause(work.connection)
            until = min(after + _CHECKED_AT_ONCE, last)
            if rule is not None:
                asked = as_asked(work.customers, rule)
                moved += note_members(work, audience.id, asked, (after, until), cause)
            after = until
            if after >= last:
                audiences.change(work.connection, audience.id, {"checked": place})
                return moved
