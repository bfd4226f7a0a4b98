"""Queries on erased customers."""

from datetime import datetime

import numpy as np
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.erasure import Erasure
from customer_segmentation.domain.history import Cause
from customer_segmentation.store.bulk import is_among
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.tables import (
    activity,
    audience_exports,
    audience_members,
    campaign_members,
    consents,
    customers,
    erasures,
    idempotency_keys,
    segment_changes,
    transactions,
)

_IS_ERASED = Prepared(
    select(erasures.c.customer_id).where(erasures.c.customer_id == bindparam("id"))
)


_OF_CUSTOMERS = {
    "audiences": audience_members,
    "campaigns": campaign_members,
    "consents": consents,
}
"""Tables in which a customer has rows, by what an erasure's receipt calls them."""


def remove_traces(connection: Connection, customer_id: int) -> dict[str, int]:
    """Delete what is kept about a customer besides its row; return how many rows of what."""
    found = {
        "history": delete(segment_changes).where(
            segment_changes.c.customer_id == customer_id,
            segment_changes.c.cause != str(Cause.ERASED),
        ),
        "idempotency keys": delete(idempotency_keys).where(
            idempotency_keys.c.customer_id == customer_id
        ),
        "transactions": delete(transactions).where(transactions.c.customer_id == customer_id),
        **{
            name: delete(table).where(table.c.customer_id == customer_id)
            for name, table in _OF_CUSTOMERS.items()
        },
    }
    for table in (activity, audience_exports):
        connection.execute(delete(table).where(table.c.customer_id == customer_id))
    return {name: connection.execute(query).rowcount for name, query in found.items()}


def add(connection: Connection, erasure: Erasure) -> None:
    """Put a customer on the suppression list."""
    connection.execute(
        insert(erasures), {column.name: getattr(erasure, column.name) for column in erasures.c}
    )


def is_erased(connection: Connection, customer_id: int) -> bool:
    """Return whether a customer is on the suppression list."""
    return bool(_IS_ERASED.run(connection, id=customer_id))


def find(connection: Connection, customer_id: int) -> Erasure | None:
    """Return the receipt of an erased customer, None for one who was not erased."""
    row = (
        connection.execute(select(erasures).where(erasures.c.customer_id == customer_id))
        .mappings()
        .one_or_none()
    )
    if row is None:
        return None
    return Erasure(**{**row, "model_versions": tuple(row["model_versions"])})


def note_trained(connection: Connection, version: int, ids: IntArray) -> None:
    """Write to receipts that a version, which was not there yet, was trained with the customer.

    Args:
        connection: of a transaction.
        version: the version.
        ids: (n,), of the customers that it was trained on.
    """
    query = select(erasures.c.customer_id, erasures.c.model_versions)
    for customer_id, versions in connection.execute(query).all():
        if customer_id in ids:
            connection.execute(
                update(erasures)
                .where(erasures.c.customer_id == customer_id)
                .values(model_versions=[*versions, version])
            )


def read_all(connection: Connection) -> list[Erasure]:
    """Return all receipts."""
    rows = connection.execute(select(erasures)).mappings()
    return [Erasure(**{**row, "model_versions": tuple(row["model_versions"])}) for row in rows]


def find_stored(connection: Connection) -> list[int]:
    """Return the ids of erased customers of whom anything is stored all the same."""
    is_there = select(customers.c.customer_id).where(
        customers.c.customer_id == erasures.c.customer_id
    )
    has_history = select(segment_changes.c.id).where(
        segment_changes.c.customer_id == erasures.c.customer_id,
        segment_changes.c.cause != str(Cause.ERASED),
    )
    has_transactions = select(transactions.c.id).where(
        transactions.c.customer_id == erasures.c.customer_id
    )
    query = select(erasures.c.customer_id).where(
        is_there.exists() | has_history.exists() | has_transactions.exists()
    )
    return list(connection.execute(query).scalars())


def last_moment(connection: Connection) -> datetime | None:
    """Return when a customer was erased last."""
    return connection.execute(select(func.max(erasures.c.erased_at))).scalar_one()


def find_many(connection: Connection, ids: IntArray) -> list[int]:
    """Return which of many customers, (n,), were erased."""
    if connection.execute(select(erasures.c.customer_id).limit(1)).first() is None:
        return []  # Telling a database many ids takes long, and most banks have erased nobody.
    query = select(erasures.c.customer_id).where(is_among(connection, erasures.c.customer_id, ids))
    return list(connection.execute(query).scalars())


def read_ids(connection: Connection) -> IntArray:
    """Return the ids of all erased customers, (n,)."""
    found = connection.execute(select(erasures.c.customer_id)).scalars().all()
    return np.array(found, dtype=np.int64)


def lift(connection: Connection, customer_id: int) -> bool:
    """Take a customer off the suppression list; return False where it is not on it."""
    query = delete(erasures).where(erasures.c.customer_id == customer_id)
    return connection.execute(query).rowcount == 1
