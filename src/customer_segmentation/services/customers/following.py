"""Bringing customers up to date with their transactions, within a transaction that may do more."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.attributes import Attribute, Derivation
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.errors import (
    AttributeFollowsError,
    FieldError,
    InvalidInputError,
)
from customer_segmentation.domain.history import Cause, SegmentChange
from customer_segmentation.domain.numbers import plain_number
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import (
    State,
    Transaction,
    TransactionSchema,
    begin,
    value_of,
)
from customer_segmentation.services.audiences.membership import note_customer, note_customers
from customer_segmentation.services.monitoring.distribution import count_imported
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork
from customer_segmentation.store.queries import distributions, history, transactions
from customer_segmentation.store.queries.customers import Assignment, StoredCustomers
from customer_segmentation.store.queries.transactions import Activity

_COUNTED_ALONE = 20
"""Up to so many customers, their changes are noted to be counted later, as others' are: who counts
at once keeps everybody else from it until the transaction ends."""


class OutOfRangeError(InvalidInputError):
    """Transactions would bring attributes of customers out of what is allowed.

    Attributes:
        faults: what is wrong, by the number of the customer.
    """

    def __init__(self, faults: Mapping[int, FieldError]) -> None:
        super().__init__([*faults.values()])
        self.faults = faults


def running_of(schema: Schema) -> dict[str, Derivation]:
    """Return, by name, how attributes follow that are kept up to date with each transaction."""
    return {name: tally.derivation for name, tally in schema.tallies.items()}


def count_more(schema: Schema, activity: Activity | None, more: Sequence[Transaction]) -> Activity:
    """Return what is kept of a customer's transactions with some more.

    Args:
        schema: of the customers.
        activity: what was kept; None of a customer who had none. It is used up.
        more: the transactions.
    """
    found = activity or Activity(0, {}, {})
    return Activity(found.until, found.carried, _count(schema, found.states, more))


def recount(schema: Schema, activity: Activity | None, kept: Sequence[Transaction]) -> Activity:
    """Return what is to be kept of a customer's transactions, from all that there are."""
    found = activity or Activity(0, {}, {})
    return replace(found, states=_count(schema, _carried(schema, found), kept))


def carry(
    schema: Schema, activity: Activity | None, gone: Sequence[Transaction], until: int
) -> Activity:
    """Return what is to be kept of a customer's transactions of which some are not any longer.

    Args:
        schema: of the customers.
        activity: what was kept.
        gone: the transactions that are removed.
        until: in microseconds since 1970; later ones are kept.
    """
    found = activity or Activity(0, {}, {})
    carried = _count(schema, _carried(schema, found), gone)
    by_key = {one.key: carried[name] for name, one in running_of(schema).items()}
    return replace(found, until=max(found.until, until), carried=by_key)


def _carried(schema: Schema, activity: Activity) -> dict[str, State]:
    """Return a copy, by attribute, of what follows from transactions that are not kept."""
    return {
        name: dict(state) if isinstance(state, dict) else list(state)
        for name, one in running_of(schema).items()
        if (state := activity.carried.get(one.key)) is not None
    }


def _count(
    schema: Schema, states: dict[str, State], more: Sequence[Transaction]
) -> dict[str, State]:
    counted = {}
    for name, tally in schema.tallies.items():
        state = states[name] if name in states else begin(tally.derivation)
        tally.add(state, more)
        counted[name] = state
    return counted


def columns_of(schema: Schema, kept: Mapping[int, Activity]) -> list[dict[str, Any]]:
    """Return what columns are to hold of customers, by number, as `CustomerTable.follow` takes it.

    Args:
        schema: of the customers.
        kept: what is kept of their transactions.
    """
    unit = (schema.transactions or TransactionSchema()).unit_of_amount
    running = [*running_of(schema).items()]
    columns: list[dict[str, Any]] = []
    for number, activity in kept.items():
        states = activity.states
        column: dict[str, Any] = {"id": number}
        for name, derivation in running:
            column[name] = value_of(derivation, states[name], unit)
        columns.append(column)
    return columns


def follow(
    work: UnitOfWork,
    before: StoredCustomers,
    kept: Mapping[int, Activity],
    cause: Cause = Cause.TRANSACTION,
) -> StoredCustomers:
    """Write what follows from customers' transactions, and segment those customers anew.

    Args:
        work: the transaction, in which the transactions themselves are written.
        before: the customers as they were, locked.
        kept: by their numbers, what is kept of their transactions now.
        cause: why.

    Returns:
        the customers as they are now.

    Raises:
        OutOfRangeError: attributes would not be allowed; the caller undoes what was written.
    """
    if len(before.ids) == 0:
        return before
    schema, connection = work.customers.schema, work.connection
    work.customers.follow(connection, columns_of(schema, kept))
    transactions.save_activity(connection, kept)
    after = work.customers.find_many(connection, before.ids)
    _check_ranges(schema, after)
    segments = work.serving.reassign_many(after.values, before.segments)
    epoch = work.active.epoch
    work.customers.reassign(connection, after.ids, segments, epoch)
    after = replace(after, segments=segments, epochs=np.full(len(segments), epoch))
    _note_moves(work, before, after, cause)
    note_customers(work, after.ids, cause)
    _note_counts(work, before, after)
    return after


def follow_one(
    work: UnitOfWork, number: int, before: tuple[Attributes, Assignment], kept: Activity
) -> tuple[Attributes, Assignment]:
    """Do as `follow` for one customer, by prepared statements; arguments and errors likewise."""
    connection, customers = work.connection, work.customers
    customers.follow(connection, columns_of(customers.schema, {number: kept}))
    transactions.save_activity(connection, {number: kept})
    found = customers.find(connection, number)
    assert found is not None  # noqa: S101
    after, (attributes, left) = found[0], before
    _check_range(customers.schema, number, after)
    segment = work.serving.reassign(after, left.segment)
    assignment = Assignment(segment, work.active.epoch)
    customers.assign(connection, number, assignment)
    if segment != left.segment:
        moved, version = (left.segment, segment), work.serving.version
        change = SegmentChange(number, now(), Cause.TRANSACTION, *moved, version)
        history.add(connection, change)
    note_customer(work, number, Cause.TRANSACTION)
    was_counted = work.active.are_current(number, left.epoch)
    counted = (attributes, left.segment) if was_counted else None
    distributions.note(connection, counted, (after, segment))
    return after, assignment


def _check_range(schema: Schema, number: int, attributes: Attributes) -> None:
    for attribute in schema.derived:
        value, (least, most) = attributes[attribute.name], attribute.plain_range
        if not (math.isnan(value) or least <= value <= most):
            raise OutOfRangeError({number: _out_of_range(attribute)})


def _out_of_range(attribute: Attribute) -> FieldError:
    told = f"{attribute.name} must be {attribute.allowed}; with this transaction it would not"
    return FieldError(attribute.name, told)


def _note_moves(
    work: UnitOfWork, before: StoredCustomers, after: StoredCustomers, cause: Cause
) -> None:
    moved = after.segments != before.segments
    if moved.any():
        change = (before.segments[moved], after.segments[moved])
        version = work.serving.version
        history.add_many(work.connection, after.ids[moved], now(), cause, change, version)


def _note_counts(work: UnitOfWork, before: StoredCustomers, after: StoredCustomers) -> None:
    if len(before.ids) > _COUNTED_ALONE:
        count_imported(work, before, (after.values, after.segments))
        return
    counted = work.active.are_current(before.ids, before.epochs)
    for place, was_counted in enumerate(counted.tolist()):
        left = (_attributes(work, before, place), int(before.segments[place]))
        entered = (_attributes(work, after, place), int(after.segments[place]))
        distributions.note(work.connection, left if was_counted else None, entered)


def _attributes(work: UnitOfWork, customers: StoredCustomers, place: int) -> Attributes:
    names = work.customers.schema.names
    return dict(zip(names, map(plain_number, customers.values[place].tolist()), strict=True))


def _check_ranges(schema: Schema, customers: StoredCustomers) -> None:
    faults: dict[int, FieldError] = {}
    for place, attribute in enumerate(schema.attributes):
        if attribute.derivation is None:
            continue
        values = customers.values[:, place]
        for row in np.flatnonzero(~(attribute.plainly_accepts(values) | np.isnan(values))).tolist():
            faults.setdefault(int(customers.ids[row]), _out_of_range(attribute))
    if faults:
        raise OutOfRangeError(faults)


def rebuild(
    work: UnitOfWork, numbers: IntArray, cause: Cause = Cause.TRANSACTION
) -> StoredCustomers:
    """Bring customers, (n,), up to date from all their transactions that are kept.

    Returns:
        those of them who are stored, as they are now.

    Raises:
        OutOfRangeError: as `follow`.
    """
    connection = work.connection
    before = work.customers.find_many(connection, numbers, for_update=True)
    if len(before.ids) == 0:
        return before
    known = transactions.read_activity(connection, before.ids)
    schema = work.customers.schema
    kept, without = {}, []
    for number, own in transactions.of_customers(connection, before.ids).items():
        kept[number] = recount(schema, known.get(number), own)
        if not own and not kept[number].until:
            without.append(number)
    after = follow(work, before, kept, cause)
    for number in without:
        # Who has none any longer may be written again.
        transactions.forget_activity(connection, number)
    return after


def check_written(work: UnitOfWork, number: int, before: Attributes, changes: Attributes) -> None:
    """See that nothing is written that follows from a customer's transactions.

    Args:
        work: the transaction.
        number: of the customer, locked.
        before: its attributes.
        changes: those that are to be changed.

    Raises:
        AttributeFollowsError: an attribute follows, as the customer has transactions, and is to
            be something else.
    """
    others = [
        attribute.name
        for attribute in work.customers.schema.derived
        if attribute.name in changes and changes[attribute.name] != before[attribute.name]
    ]
    if others and has_transactions(work, number):
        raise AttributeFollowsError(others)


def has_transactions(work: UnitOfWork, number: int) -> bool:
    """Return whether a customer has transactions or had some."""
    is_declared = work.customers.schema.transactions is not None
    return is_declared and transactions.has_any(work.connection, number)


def have_transactions(work: UnitOfWork, numbers: IntArray) -> IntArray:
    """Return those of many customers, (n,), who have transactions or had some, (m,), rising."""
    if work.customers.schema.transactions is None:
        return numbers[:0]
    return transactions.numbers_with_any(work.connection, numbers)
