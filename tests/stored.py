"""What a database holds, read at once."""

import time

from sqlalchemy import BigInteger, ColumnElement, Text, cast, func, select

from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.store import customers
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.customers import StoredCustomers


def stored_customers(units: UnitsOfWork) -> StoredCustomers:
    """Return every customer, as its row tells."""
    with arrow_reader(units.database) as read:
        return customers.read_all(read, 20_000)


def settled_customers(units: UnitsOfWork) -> StoredCustomers:
    """Return the customers whose rows tell their segments by the model that serves."""
    stored = stored_customers(units)
    with units.read() as work:
        return stored.at(work.active.settles(stored.ids, stored.epochs))


def wait_until_ordered(units: UnitsOfWork, seconds: float = 60.0) -> None:
    """Wait until what is committed has its place in the log and the feed.

    On PostgreSQL whoever has a transaction open holds that up, be it on another database.
    """
    if units.database.is_sqlite:
        return
    with units.database.write() as connection:
        mine = connection.execute(select(_number(func.pg_current_xact_id()))).scalar_one()
    oldest = select(_number(func.pg_snapshot_xmin(func.pg_current_snapshot())))
    deadline = time.monotonic() + seconds
    while True:
        with units.database.read() as connection:
            if connection.execute(oldest).scalar_one() > mine:
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _number(transaction: ColumnElement[object]) -> ColumnElement[int]:
    return cast(cast(transaction, Text), BigInteger)
