"""The use cases on webhooks: make, list and remove them, and deliver what is due.

Events are delivered at least once and in order: the next ones wait until the receiver has taken
those before, or until these are given up and kept as a dead letter.
"""

import ipaddress
import random
import socket
import uuid
from datetime import timedelta
from typing import Any

import httpx
import msgspec

from customer_segmentation.domain.errors import (
    DeadLetterNotFoundError,
    DeliveryFailedError,
    FieldError,
    InvalidInputError,
    WebhookNotFoundError,
)
from customer_segmentation.domain.history import Place, SegmentChange
from customer_segmentation.domain.webhooks import (
    DeadLetter,
    Webhook,
    make_secret,
    sign,
    wait_after,
)
from customer_segmentation.services.audit import acting_as, note
from customer_segmentation.services.clock import now
from customer_segmentation.services.events import cursor_of, event_fields
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.store import history, webhooks

BATCH = 100
"""Events in a message at most."""

_SEND_SECONDS = 10.0
_CLAIM = timedelta(seconds=60)
_LISTED = 1000


def create_webhook(units: UnitsOfWork, settings: Settings, url: str, by: str) -> Webhook:
    """Make a webhook, which is told the changes to come.

    Raises:
        InvalidInputError: the URL must not be called.
    """
    try:
        _check(url, settings)
    except DeliveryFailedError as refusal:
        raise InvalidInputError([FieldError("url", f"url: {refusal}")]) from refusal
    with units.database.write() as connection:
        place = history.last_place(connection)
        webhook = Webhook(
            uuid.uuid4().hex, url, make_secret(), now(), by, place, 0, now(), error=""
        )
        webhooks.add(connection, webhook)
        note(connection, "webhook", webhook.id, "created", by)
    return webhook


def list_webhooks(units: UnitsOfWork) -> list[Webhook]:
    """Return every webhook, the oldest first."""
    with units.database.read() as connection:
        return webhooks.read_all(connection)


def get_webhook(units: UnitsOfWork, webhook_id: str) -> Webhook:
    """Return a webhook.

    Raises:
        WebhookNotFoundError: there is no such one.
    """
    with units.database.read() as connection:
        found = webhooks.find(connection, webhook_id)
    if found is None:
        raise WebhookNotFoundError(webhook_id)
    return found


def remove_webhook(units: UnitsOfWork, webhook_id: str) -> None:
    """Remove a webhook and its dead letters.

    Raises:
        WebhookNotFoundError: there is no such one.
    """
    with units.database.write() as connection:
        if not webhooks.remove(connection, webhook_id):
            raise WebhookNotFoundError(webhook_id)
        note(connection, "webhook", webhook_id, "removed")


def list_dead_letters(units: UnitsOfWork, webhook_id: str) -> list[DeadLetter]:
    """Return the oldest thousand dead letters of a webhook; errors as `get_webhook`."""
    get_webhook(units, webhook_id)
    with units.database.read() as connection:
        return webhooks.read_dead_letters(connection, webhook_id, _LISTED)


def redeliver(units: UnitsOfWork, settings: Settings, webhook_id: str, number: int) -> None:
    """Send a dead letter once more; taken, it is no dead letter any more.

    Events of customers who were erased meanwhile are not in it any more.

    Raises:
        WebhookNotFoundError: there is no such webhook.
        DeadLetterNotFoundError: it has no such dead letter.
        DeliveryFailedError: the receiver did not take it.
    """
    webhook = get_webhook(units, webhook_id)
    with units.database.read() as connection:
        letter = webhooks.find_dead_letter(connection, webhook_id, number)
    if letter is None:
        raise DeadLetterNotFoundError(webhook_id, number)
    events = [
        event_fields(place, change)
        for place, change in _read(units, letter.after)
        if (place.transaction_id, place.row_id)
        <= (letter.until.transaction_id, letter.until.row_id)
    ]
    _send(webhook, settings, letter.message_id, events, letter.until)
    _note_told(units, webhook, events)
    with units.database.write() as connection:
        webhooks.remove_dead_letter(connection, number)


def deliver_due(units: UnitsOfWork, settings: Settings) -> None:
    """Send their next events to the webhooks that are due, until there is nothing to send."""
    delivered = True
    while delivered:
        delivered = False
        for webhook in list_webhooks(units):
            if webhook.next_at <= now():
                events = _read(units, webhook.place)
                if events and _claim(units, webhook):
                    _deliver(units, settings, webhook, events)
                    delivered = True


def _read(units: UnitsOfWork, after: Place) -> list[tuple[Place, SegmentChange]]:
    with units.database.read() as connection:
        return history.read_after(connection, after, BATCH)


def _note_told(units: UnitsOfWork, webhook: Webhook, events: list[dict[str, Any]]) -> None:
    """Note who was told of which customers, where that is kept."""
    with acting_as(f"webhook {webhook.id}"):
        units.audit.note_reads(units.database, sorted({e["customer_id"] for e in events}))


def _claim(units: UnitsOfWork, webhook: Webhook) -> bool:
    moment = now()
    with units.database.write() as connection:
        return webhooks.claim(connection, webhook.id, moment, moment + _CLAIM)


def _deliver(
    units: UnitsOfWork,
    settings: Settings,
    webhook: Webhook,
    events: list[tuple[Place, SegmentChange]],
) -> None:
    """Send a webhook its next events, and write how that went."""
    until = events[-1][0]
    told = [event_fields(place, change) for place, change in events]
    try:
        _send(webhook, settings, webhook.message_id(), told, until)
    except DeliveryFailedError as failure:
        _put_off(units, settings, webhook, until, str(failure))
        return
    _note_told(units, webhook, told)
    with units.database.write() as connection:
        webhooks.change(connection, webhook.id, until, attempts=0, next_at=now(), error="")


def _put_off(
    units: UnitsOfWork, settings: Settings, webhook: Webhook, until: Place, error: str
) -> None:
    """Try again later, or after the last attempt keep the events as a dead letter."""
    attempts = webhook.attempts + 1
    with units.database.write() as connection:
        if attempts < settings.webhook_attempts:
            wait = wait_after(attempts, settings.webhook_retry_seconds)
            # Receivers that failed together are not to be tried together again.
            later = now() + wait * random.uniform(1.0, 1.2)  # noqa: S311
            webhooks.change(connection, webhook.id, attempts=attempts, next_at=later, error=error)
        else:
            webhooks.bury(connection, webhook, until, now(), error)
            webhooks.change(connection, webhook.id, until, attempts=0, next_at=now(), error=error)


def _send(
    webhook: Webhook,
    settings: Settings,
    message_id: str,
    events: list[dict[str, Any]],
    until: Place,
) -> None:
    """Post a message.

    Raises:
        DeliveryFailedError: the receiver did not take it, or must not be called.
    """
    body = msgspec.json.encode({"events": events, "next": cursor_of(until)})
    url, address = _check(webhook.url, settings)
    moment = int(now().timestamp())
    headers = {
        "host": url.netloc.decode(),
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(moment),
        "webhook-signature": sign(webhook.secret, message_id, moment, body),
    }
    try:
        with (
            httpx.Client(timeout=_SEND_SECONDS, trust_env=False) as client,
            # The address that was checked is the one that is called, whatever the name says next.
            client.stream(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers=headers,
                extensions={"sni_hostname": url.host},
            ) as answer,
        ):
            status = answer.status_code
    except httpx.HTTPError as error:
        raise DeliveryFailedError(f"no answer: {type(error).__name__}") from error
    if not httpx.codes.is_success(status):
        raise DeliveryFailedError(f"answered {status}")


def _check(text: str, settings: Settings) -> tuple[httpx.URL, str]:
    """Return a URL and the address to call for it.

    Raises:
        DeliveryFailedError: it must not be called.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as invalid:
        raise DeliveryFailedError(f"must be a URL, {invalid}") from invalid
    schemes = ("https", "http") if settings.webhook_private_addresses else ("https",)
    if url.scheme not in schemes or not url.host or url.userinfo:
        raise DeliveryFailedError(
            f"must be {' or '.join(schemes)}, with a host, without name and password"
        )
    try:
        found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as unknown:
        raise DeliveryFailedError("the host is not known") from unknown
    addresses = [str(place[0]) for *_, place in found]
    if not settings.webhook_private_addresses:
        for address in addresses:
            if not ipaddress.ip_address(address).is_global:
                raise DeliveryFailedError(
                    "the host is at a private address, which must not be called unless "
                    "CUSTOMER_SEGMENTATION_WEBHOOK_PRIVATE_ADDRESSES=true"
                )
    return url, addresses[0]
