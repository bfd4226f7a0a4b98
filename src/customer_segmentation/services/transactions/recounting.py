"""Counting anew what follows from transactions: to check what is kept of them, and repair it."""

import logging
from collections.abc import Sequence

import numpy as np

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.numbers import Number
from customer_segmentation.domain.plurals import counted
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import (
    Transaction,
    TransactionSchema,
    derive,
    value_of,
)
from customer_segmentation.services.customers.following import rebuild, recount, running_of
from customer_segmentation.services.runtime.clock import rest
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.queries import transactions
from customer_segmentation.store.queries.transactions import Activity

logger = logging.getLogger(__name__)

_AT_ONCE = 2_000
"""Customers whose transactions are read in one transaction of the database."""


def recount_transactions(units: UnitsOfWork) -> int:
    """Count anew what follows from each customer's transactions, and repair what differs.

    Returns:
        how many customers differed.
    """
    after, wrong = 0, 0
    while True:
        with units.read() as work:
            numbers = transactions.next_customers(work.connection, after, _AT_ONCE)
            differing = _find_wrong(work, numbers)
        if len(numbers) == 0:
            break
        if len(differing):
            units.run(rebuild, differing)
        wrong, after = wrong + len(differing), int(numbers[-1])
        rest()
    if wrong:
        logger.error("Not as their transactions: %s; repaired", counted(wrong, "customer"))
    return wrong


def _find_wrong(work: UnitOfWork, numbers: IntArray) -> IntArray:
    """Return which of many customers, (n,), are not as their transactions tell, (m,)."""
    schema = work.customers.schema
    stored = work.customers.find_many(work.connection, numbers)
    own = transactions.of_customers(work.connection, stored.ids)
    known = transactions.read_activity(work.connection, stored.ids)
    places = [schema.names.index(attribute.name) for attribute in schema.derived]
    differing = []
    for place, number in enumerate(stored.ids.tolist()):
        fresh = recount(schema, known.get(number), own[number])
        expected = values_of(schema, fresh, own[number], work.active.day)
        found = stored.values[place, places]
        is_same = np.array_equal(found, np.array(expected, dtype=float), equal_nan=True)
        if not is_same or known.get(number) != fresh:
            differing.append(number)
    return np.array(differing, dtype=np.int64)


def values_of(
    schema: Schema, activity: Activity, kept: Sequence[Transaction], day: int
) -> list[Number | None]:
    """Return what attributes that follow are to be, in their order.

    Args:
        schema: of the customers.
        activity: what is to be kept of the customer's transactions.
        kept: the transactions themselves, without those that were removed.
        day: in days since 1970.
    """
    unit = (schema.transactions or TransactionSchema()).unit_of_amount
    found = derive(schema.derived, kept, unit, day)
    for name, derivation in running_of(schema).items():
        value = value_of(derivation, activity.states[name], unit)
        is_day = derivation.is_of_days and value is not None
        found[name] = max(0, day - int(value or 0)) if is_day else value
    return [found[attribute.name] for attribute in schema.derived]
