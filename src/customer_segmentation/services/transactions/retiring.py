"""Removing transactions that have been kept for as long as they are to be; totals outlive them."""

from collections import defaultdict

import numpy as np

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.errors import SettingsError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import MICROSECONDS_A_DAY, Transaction, day_of
from customer_segmentation.services.customers.following import carry
from customer_segmentation.services.runtime.clock import now, rest
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.queries import models, transactions

_LOOKED_AT = 5_000
"""Numbers of customers of whom one query looks for old transactions."""

_AT_ONCE = 2_000
"""Transactions removed in one transaction of the database, at most."""


def windows_too_long(settings: Settings, schema: Schema) -> list[str]:
    """Return the attributes whose windows look further back than transactions are kept."""
    days = settings.keep_transactions_days
    return [
        attribute.name
        for attribute in schema.derived
        if days and attribute.derivation and (attribute.derivation.window or 0) > days
    ]


def check_retention(settings: Settings, schema: Schema) -> None:
    """See that transactions are kept for as long as windows need them.

    Raises:
        SettingsError: they are not.
    """
    if names := windows_too_long(settings, schema):
        raise SettingsError(
            f"CUSTOMER_SEGMENTATION_KEEP_TRANSACTIONS_DAYS must be 0 or at least "
            f"{schema.windows[-1]}, as {', '.join(names)} looks so far back"
        )


class Retirement:
    """Sees that transactions go that are older than the settings keep, once a day."""

    def __init__(self, units: UnitsOfWork, settings: Settings) -> None:
        """Remove nothing yet."""
        self._units = units
        self._settings = settings
        self._done = 0

    def retire_due(self) -> None:
        """Remove the transactions that are too old; to be called now and then.

        From its beginning on no older ones are taken in, whether it has removed a customer's or
        not: one that was counted and removed, sent again, would be counted twice. Cut off, it
        begins anew and removes what is left.

        Raises:
            SettingsError: windows look further back.
        """
        units, days = self._units, self._settings.keep_transactions_days
        if not days or units.schema.transactions is None:
            return
        check_retention(self._settings, units.schema)
        with units.read(brief=True) as work:
            active = work.active
        day = day_of(now())
        if units.schema.changes_with_time:
            # What windows need is what they need on the day that holds.
            day = min(day, active.day)
        horizon = (day - days + 1) * MICROSECONDS_A_DAY
        if horizon <= self._done:
            return
        if horizon > active.kept_since:
            with units.write(exclusive=True) as work:
                models.keep_since(work.connection, horizon)
        self._remove_before(horizon)
        self._done = horizon

    def _remove_before(self, horizon: int) -> None:
        units = self._units
        with units.read(brief=True) as work:
            last = transactions.largest_customer(work.connection)
        for first in range(1, last + 1, _LOOKED_AT):
            numbers = range(first, first + _LOOKED_AT)
            while True:
                with units.read(brief=True) as work:
                    found = transactions.customers_with_older(
                        work.connection, numbers, horizon, _AT_ONCE
                    )
                if len(found) == 0:
                    break
                units.run(_remove, found, horizon)
                rest()


def _remove(work: UnitOfWork, numbers: IntArray, horizon: int) -> None:
    """Remove old transactions of customers, (n,), and carry what follows from them."""
    connection, schema = work.connection, work.customers.schema
    stored = work.customers.find_many(connection, numbers, for_update=True)
    for number in np.setdiff1d(numbers, stored.ids).tolist():
        # Of whoever is added meanwhile, what is kept and what is carried must go together.
        work.customers.reserve(connection, number)
    old = transactions.read_older(connection, numbers, horizon, _AT_ONCE)
    known = transactions.read_activity(connection, numbers)
    by_customer: dict[int, list[Transaction]] = defaultdict(list)
    for one in old:
        by_customer[int(one.customer_id)].append(one)
    kept = {
        number: carry(schema, known.get(number), gone, horizon - 1)
        for number, gone in by_customer.items()
    }
    transactions.save_activity(connection, kept)
    transactions.remove(connection, [str(one.transaction_id) for one in old])
