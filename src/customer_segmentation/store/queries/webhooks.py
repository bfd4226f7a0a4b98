"""Queries on webhooks and their dead letters."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from customer_segmentation.domain.webhooks import DeadLetter, Webhook
from customer_segmentation.store.tables import dead_letters, webhooks


def add(connection: Connection, webhook: Webhook) -> None:
    """Add a webhook."""
    connection.execute(insert(webhooks), {c.name: getattr(webhook, c.name) for c in webhooks.c})


def read_all(connection: Connection) -> list[Webhook]:
    """Return every webhook, the oldest first."""
    rows = connection.execute(select(webhooks).order_by(webhooks.c.created_at)).mappings()
    return [Webhook(**row) for row in rows]


def find(connection: Connection, webhook_id: str) -> Webhook | None:
    """Return a webhook, or None where there is no such one."""
    rows = connection.execute(select(webhooks).where(webhooks.c.id == webhook_id)).mappings()
    row = rows.one_or_none()
    return None if row is None else Webhook(**row)


def remove(connection: Connection, webhook_id: str) -> bool:
    """Remove a webhook with its dead letters; return False where there is no such one."""
    connection.execute(delete(dead_letters).where(dead_letters.c.webhook_id == webhook_id))
    return connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id)).rowcount == 1


def change(connection: Connection, seen: Webhook, **values: object) -> bool:
    """Write how a webhook's delivery goes on; return False where another has written that since.

    Args:
        connection: of a transaction.
        seen: the webhook as it was read or written last.
        values: what changes, by column.
    """
    changed = connection.execute(
        update(webhooks)
        .where(
            webhooks.c.id == seen.id,
            webhooks.c.position == seen.position,
            webhooks.c.next_at == seen.next_at,
        )
        .values(values)
    )
    return changed.rowcount == 1


def add_dead_letter(
    connection: Connection, webhook: Webhook, message_id: str, moment: datetime, error: str
) -> None:
    """Keep which events, those of the message that was being sent, could not be delivered."""
    values = {
        "webhook_id": webhook.id,
        "message_id": message_id,
        "after": webhook.position,
        "until": webhook.until,
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
    return [DeadLetter(**row) for row in connection.execute(query).mappings()]


def find_dead_letter(connection: Connection, webhook_id: str, number: int) -> DeadLetter | None:
    """Return a dead letter, or None where there is no such one."""
    query = select(dead_letters).where(
        dead_letters.c.webhook_id == webhook_id, dead_letters.c.id == number
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else DeadLetter(**row)


def remove_old_dead_letters(connection: Connection, before: datetime) -> None:
    """Remove dead letters that were given up before a moment."""
    connection.execute(delete(dead_letters).where(dead_letters.c.failed_at < before))


def remove_dead_letter(connection: Connection, number: int) -> None:
    """Remove a dead letter."""
    connection.execute(delete(dead_letters).where(dead_letters.c.id == number))
