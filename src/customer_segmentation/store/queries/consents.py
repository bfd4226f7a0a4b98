"""Queries on what customers have said of being addressed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, not_, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.consents import Agreement, Consent, ConsentState
from customer_segmentation.store.bulk import is_among
from customer_segmentation.store.tables import consents

_COLUMNS = [consents.c[name] for name in Consent.__slots__]


def write(connection: Connection, given: Sequence[tuple[int, Consent]]) -> None:
    """Keep what customers, by their numbers, have said, unless they said another thing later."""
    make = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    added: Any = make(consents)
    changed = {name: added.excluded[name] for name in ("state", "source", "at")}
    query = added.on_conflict_do_update(
        index_elements=["customer_id", "purpose", "channel"],
        set_=changed,
        where=added.excluded.at >= consents.c.at,
    )
    rows = [
        {"customer_id": number, **{name: getattr(one, name) for name in Consent.__slots__}}
        for number, one in given
    ]
    if rows:
        connection.execute(query, rows)


def of_customer(connection: Connection, number: int) -> list[Consent]:
    """Return what a customer has said, by purpose and channel."""
    query = (
        select(*_COLUMNS)
        .where(consents.c.customer_id == number)
        .order_by(consents.c.purpose, consents.c.channel)
    )
    return [_consent(row) for row in connection.execute(query)]


def of_many(connection: Connection, numbers: IntArray, purpose: str) -> dict[int, dict[str, str]]:
    """Return, by the numbers of customers and by channel, what they have said of a purpose."""
    query = select(consents.c.customer_id, consents.c.channel, consents.c.state).where(
        consents.c.purpose == purpose, is_among(connection, consents.c.customer_id, numbers)
    )
    found: dict[int, dict[str, str]] = {}
    for number, channel, state in connection.execute(query):
        found.setdefault(int(number), {})[channel] = state
    return found


def _consent(row: Sequence[Any]) -> Consent:
    purpose, channel, state, source, at = row
    return Consent(purpose, channel, ConsentState(state), source, at)


def has_agreed(key: ColumnElement[int], agreement: Agreement) -> ColumnElement[bool]:
    """Return the condition that a customer may be addressed.

    Args:
        key: the column of the customers' numbers.
        agreement: to what the customer must have agreed.
    """
    conditions = []
    for channel in agreement.channels:
        of_channel = select(consents.c.customer_id).where(
            consents.c.purpose == agreement.purpose, consents.c.channel == channel
        )
        if agreement.is_given_unless_denied:
            denied = of_channel.where(consents.c.state == str(ConsentState.DENIED))
            conditions.append(not_(key.in_(denied)))
        else:
            granted = of_channel.where(consents.c.state == str(ConsentState.GRANTED))
            conditions.append(key.in_(granted))
    return and_(True, *conditions)
