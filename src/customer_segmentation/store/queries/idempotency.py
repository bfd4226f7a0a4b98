"""Queries on idempotency keys: which request each was used for, and what was answered."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from customer_segmentation.domain.customer import Attributes, nulled
from customer_segmentation.domain.errors import IdempotencyError, TransactionConflictError
from customer_segmentation.domain.numbers import Number
from customer_segmentation.store.tables import idempotency_keys, requests_done


@dataclass(frozen=True, slots=True)
class Answered:
    """What was done under a key.

    Attributes:
        customer_id: of whom was to be added.
        asked: the attributes that were to be stored, None for what is missing.
        segment: the number of the segment it was put into.
    """

    customer_id: int
    asked: dict[str, Number | None]
    segment: int


def find(connection: Connection, key: str) -> Answered | None:
    """Return what was done under a key, None where it is new."""
    row = connection.execute(
        select(
            idempotency_keys.c.customer_id, idempotency_keys.c.asked, idempotency_keys.c.segment
        ).where(idempotency_keys.c.key == key)
    ).one_or_none()
    return None if row is None else Answered(*row)


def add(
    connection: Connection,
    key: str,
    customer_id: int,
    asked: Attributes,
    segment: int,
    moment: datetime,
) -> None:
    """Remember under a key which customer was to be added, and into which segment it was put.

    Raises:
        TransactionConflictError: another transaction used the key meanwhile.
    """
    values = {
        "key": key,
        "customer_id": customer_id,
        "asked": nulled(asked),
        "segment": segment,
        "created_at": moment,
    }
    try:
        connection.execute(insert(idempotency_keys), values)
    except IntegrityError as taken:
        raise TransactionConflictError("Another request has just used the key") from taken


def claim(connection: Connection, key: str, what: str, moment: datetime) -> bool:
    """Note under a key that something is done; return False where it was done under it before.

    Raises:
        IdempotencyError: the key was used for something else.
        TransactionConflictError: another transaction used the key meanwhile.
    """
    before = connection.scalar(select(requests_done.c.what).where(requests_done.c.key == key))
    if before is not None:
        if before != what:
            raise IdempotencyError(f"The idempotency key {key} was used for another request")
        return False
    try:
        connection.execute(insert(requests_done), {"key": key, "what": what, "done_at": moment})
    except IntegrityError as taken:
        raise TransactionConflictError("Another request has just used the key") from taken
    return True


def delete_older(connection: Connection, moment: datetime) -> None:
    """Forget the keys that were used before a moment."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < moment))
    connection.execute(delete(requests_done).where(requests_done.c.done_at < moment))
