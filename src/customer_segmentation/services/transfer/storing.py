"""Storing many customers in one transaction: segments, history, counts and audit go along.

Their ids here are the numbers that they are inside.
"""

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.history import Cause
from customer_segmentation.domain.numbers import plain_number
from customer_segmentation.domain.plurals import counted
from customer_segmentation.services.audiences.membership import note_customers
from customer_segmentation.services.customers.following import have_transactions, rebuild
from customer_segmentation.services.monitoring.distribution import count_imported
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork
from customer_segmentation.store.queries import history
from customer_segmentation.store.queries.customers import StoredCustomers


def add(work: UnitOfWork, ids: IntArray, values: FloatArray, source: str) -> None:
    """Add customers whose ids, (n,), are free, with attributes, (n, d).

    Args:
        work: the transaction.
        ids: of the customers.
        values: of the customers.
        source: what the audit log calls the table that they come from.

    Raises:
        TransactionConflictError: another transaction took an id meanwhile.
    """
    if len(ids) == 0:
        return
    serving = work.serving
    found = serving.assess(values)
    work.customers.add_many(work.connection, ids, values, found.segments, work.active.epoch)
    history.add_entered(work.connection, ids, now(), serving.version)
    count_imported(work, None, (values, found.segments), found.outliers)
    _note(work, ids, values, source, ("added", "added"))
    # Transactions may have come before their customers.
    rebuild(work, have_transactions(work, ids))
    note_customers(work, ids, Cause.ADDED)


def change(work: UnitOfWork, before: StoredCustomers, values: FloatArray, source: str) -> None:
    """Give customers, as they were found for update, other attributes, (n, d)."""
    if len(values) == 0:
        return
    serving = work.serving
    segments = serving.reassign_many(values, before.segments)
    work.customers.change_many(work.connection, before.ids, values, segments, work.active.epoch)
    moved = segments != before.segments
    history.add_many(
        work.connection,
        before.ids[moved],
        now(),
        Cause.UPDATED,
        (before.segments[moved], segments[moved]),
        serving.version,
    )
    count_imported(work, before, (values, segments))
    note_customers(work, before.ids, Cause.UPDATED)
    _note(work, before.ids, values, source, ("changed", "updated"))


def remove(work: UnitOfWork, before: StoredCustomers, source: str) -> None:
    """Delete customers, as they were found for update."""
    if len(before.ids) == 0:
        return
    work.customers.remove_many(work.connection, before.ids)
    left = (before.segments, None)
    version = work.serving.version
    history.add_many(work.connection, before.ids, now(), Cause.DELETED, left, version)
    count_imported(work, before, None)
    note_customers(work, before.ids, Cause.DELETED)
    _note(work, before.ids, None, source, ("removed", "deleted"))


def _note(
    work: UnitOfWork,
    ids: IntArray,
    values: FloatArray | None,
    source: str,
    actions: tuple[str, str],
) -> None:
    """Write to the audit log what was done to how many; to each one where values are kept.

    Args:
        work: the transaction.
        ids: (n,), of the customers.
        values: (n, d), their attributes now; None for those who are gone.
        source: the table.
        actions: what was done, in the words for a table and in those for one customer.
    """
    done, one = actions
    note(work.connection, "file", source, f"{counted(len(ids), 'customer')} {done}")
    if not work.audit.keeps_values:
        return
    rows = [None] * len(ids) if values is None else values.tolist()
    told = work.ids.ids_of(work.connection, ids.tolist())
    for customer_id, row in zip(told, rows, strict=True):
        attributes = None
        if row is not None:
            names = work.customers.schema.names
            attributes = dict(zip(names, map(plain_number, row), strict=True))
        work.audit.note_change(work.connection, customer_id, one, attributes)
