"""Queries on webhooks and their dead letters."""

from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from customer_segmentation.domain.history import Place
from customer_segmentation.domain.webhooks import DeadLetter, Webhook
from customer_segmentation.store.tables import dead_letters, webhooks


def add(connection: Connection, webhook: Webhook) -> None:
    """Add a webhook."""
    values = {c.name: getattr(webhook, c.name) for c in webhooks.c if hasattr(webhook, c.name)}
    connection.execute(insert(webhooks), values | _place_values(webhook.place))


def read_all(connection: Connection) -> list[Webhook]:
    """Return every webhook, the oldest first."""
    rows = connection.execute(select(webhooks).order_by(webhooks.c.created_at)).mappings()
    return [_webhook(row) for row in rows]


def find(connection: Connection, webhook_id: str) -> Webhook | None:
    """Return a webhook, or None where there is no such one."""
    rows = connection.execute(select(webhooks).where(webhooks.c.id == webhook_id)).mappings()
    row = rows.one_or_none()
    return None if row is None else _webhook(row)


def remove(connection: Connection, webhook_id: str) -> bool:
    """Remove a webhook with its dead letters; return False where there is no such one."""
    connection.execute(delete(dead_letters).where(dead_letters.c.webhook_id == webhook_id))
    return connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id)).rowcount == 1


def claim(connection: Connection, webhook_id: str, moment: datetime, until: datetime) -> bool:
    """Keep others from delivering to a webhook that is due; return False where one does already.

    Args:
        connection: of a transaction.
        webhook_id: which.
        moment: now.
        until: when another may claim it, should this process not come back to it.
    """
    claimed = connection.execute(
        update(webhooks)
        .where(webhooks.c.id == webhook_id, webhooks.c.next_at <= moment)
        .values(next_at=until)
    )
    return claimed.rowcount == 1


def change(
    connection: Connection, webhook_id: str, place: Place | None = None, **values: object
) -> None:
    """Write how a webhook's delivery goes on."""
    if place is not None:
        values = values | _place_values(place)
    connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(values))


def bury(
    connection: Connection, webhook: Webhook, until: Place, moment: datetime, error: str
) -> None:
    """Keep which events could not be delivered."""
    values = {
        "webhook_id": webhook.id,
        "message_id": webhook.message_id(),
        "after_transaction_id": webhook.place.transaction_id,
        "after_row_id": webhook.place.row_id,
        "until_transaction_id": until.transaction_id,
        "until_row_id": until.row_id,
        "failed_at": moment,
        "error": error,
    }
    connection.execute(insert(dead_letters), values)


def read_dead_letters(connection: Connection, webhook_id: str, limit: int) -> list[DeadLetter]:
    """Return a webhook's dead letters, the oldest first."""
    query = (
        select(dead_letters)
        .where(dead_letters.c.webhook_id == webhook_id)
        .order_by(dead_letters.c.id)
        .limit(limit)
    )
    return [_dead_letter(row) for row in connection.execute(query).mappings()]


def find_dead_letter(connection: Connection, webhook_id: str, number: int) -> DeadLetter | None:
    """Return a dead letter, or None where there is no such one."""
    query = select(dead_letters).where(
        dead_letters.c.webhook_id == webhook_id, dead_letters.c.id == number
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _dead_letter(row)


def remove_dead_letter(connection: Connection, number: int) -> None:
    """Remove a dead letter."""
    connection.execute(delete(dead_letters).where(dead_letters.c.id == number))


def _place_values(place: Place) -> dict[str, int]:
    return {"transaction_id": place.transaction_id, "row_id": place.row_id}


def _webhook(row: RowMapping) -> Webhook:
    values = dict(row)
    place = Place(values.pop("transaction_id"), values.pop("row_id"))
    return Webhook(**values, place=place)


def _dead_letter(row: RowMapping) -> DeadLetter:
    return DeadLetter(
        id=row["id"],
        webhook_id=row["webhook_id"],
        message_id=row["message_id"],
        after=Place(row["after_transaction_id"], row["after_row_id"]),
        until=Place(row["until_transaction_id"], row["until_row_id"]),
        failed_at=row["failed_at"],
        error=row["error"],
    )
