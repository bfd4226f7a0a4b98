"""The use cases on webhooks: make, list and remove them, and deliver what is due.

Events are delivered at least once and in order: the next ones wait until the receiver has taken
those before, or until these are given up and kept as a dead letter. Receivers do not wait for one
another.
"""

import asyncio
import logging
import random
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import msgspec
from standardwebhooks import Webhook as Signer

from customer_segmentation.domain.errors import (
    DeadLetterNotFoundError,
    DeliveryFailedError,
    FieldError,
    InvalidInputError,
    SegmentationError,
    WebhookNotFoundError,
)
from customer_segmentation.domain.webhooks import (
    DeadLetter,
    Webhook,
    make_secret,
    wait_after,
)
from customer_segmentation.services.customers.events import (
    event_fields,
    latest_position,
    read_changes,
)
from customer_segmentation.services.operation.webhook_addresses import check_address
from customer_segmentation.services.runtime.audit import acting_as, note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import webhooks

logger = logging.getLogger(__name__)

BATCH = 100
"""Events in a message at most."""

_BESIDE = 32
"""Receivers that are sent to at the same time."""

_CLAIM = timedelta(seconds=60)
"""Longer than a message takes: to look up a host, to be answered, and to note that."""

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
    webhook = Webhook(
        id=uuid.uuid4().hex,
        url=url,
        secret=make_secret(),
        created_at=now(),
        created_by=by,
        position=latest_position(units),
        until=None,
        attempts=0,
        next_at=now(),
        error="",
    )
    with units.database.write() as connection:
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
    events = _read(units, letter.after, letter.until)
    if events:
        _send(webhook, settings, _body(events, letter.until))
        _note_told(units, webhook, events)
    with units.database.write() as connection:
        webhooks.remove_dead_letter(connection, number)


class Deliveries:
    """Sends webhooks their events, to each receiver beside the others."""

    def __init__(self, units: UnitsOfWork, settings: Settings) -> None:
        """Send nothing yet."""
        self._units = units
        self._settings = settings
        self._pool = ThreadPoolExecutor(_BESIDE, thread_name_prefix="webhook")
        self._lock = threading.Lock()
        self._busy: set[str] = set()

    def __enter__(self) -> "Deliveries":
        """Return these."""
        return self

    def __exit__(self, *_fault: object) -> None:
        """Wait until what was begun is sent."""
        self._pool.shutdown()

    def begin_due(self) -> None:
        """Begin to send to the webhooks that are due and are not being sent to."""
        moment = now()
        for webhook in list_webhooks(self._units):
            with self._lock:
                is_free = webhook.next_at <= moment and webhook.id not in self._busy
                if is_free:
                    self._busy.add(webhook.id)
            if is_free:
                self._pool.submit(self._deliver, webhook.id).add_done_callback(_log_fault)

    def close(self) -> None:
        """Begin nothing more, and wait for what is being sent."""
        self._pool.shutdown(cancel_futures=True)

    def _deliver(self, webhook_id: str) -> None:
        try:
            while _deliver_next(self._units, self._settings, webhook_id):
                pass
        finally:
            with self._lock:
                self._busy.remove(webhook_id)


def deliver_due(units: UnitsOfWork, settings: Settings) -> None:
    """Send their next events to the webhooks that are due, until there is nothing to send."""
    with Deliveries(units, settings) as deliveries:
        deliveries.begin_due()


def _log_fault(sent: Future[None]) -> None:
    fault = None if sent.cancelled() else sent.exception()
    if isinstance(fault, SegmentationError):
        logger.warning("Cannot deliver to a webhook: %s", fault)
    elif fault is not None:
        logger.error("Cannot deliver to a webhook", exc_info=fault)


def _read(units: UnitsOfWork, after: int, until: int | None) -> list[dict[str, Any]]:
    """Return the events of a message: after one position, and up to another where that is set."""
    return [
        event_fields(position, change)
        for position, change in read_changes(units, after, BATCH)
        if until is None or position <= until
    ]


def _body(events: list[dict[str, Any]], until: int) -> bytes:
    return msgspec.json.encode({"events": events, "next": str(until)})


def _note_told(units: UnitsOfWork, webhook: Webhook, events: list[dict[str, Any]]) -> None:
    """Note who was told of which customers, where that is kept."""
    with acting_as(f"webhook {webhook.id}"):
        units.audit.note_reads(units.database, [*{e["customer_id"] for e in events}])


def _deliver_next(units: UnitsOfWork, settings: Settings, webhook_id: str) -> bool:
    """Send a webhook its next message; return whether there may be another to send now."""
    with units.database.read() as connection:
        seen = webhooks.find(connection, webhook_id)
    if seen is None or seen.next_at > now():
        return False
    events = _read(units, seen.position, seen.until)
    # What was sent in vain is sent again as it was, without those who were erased meanwhile.
    until = seen.until or (int(events[-1]["cursor"]) if events else None)
    if until is None:
        return False
    claimed = replace(seen, until=until, next_at=now() + _CLAIM)
    with units.database.write() as connection:
        if not webhooks.change(connection, seen, until=until, next_at=claimed.next_at):
            return False
    body = _body(events, until)
    try:
        if events:
            _send(claimed, settings, body)
            _note_told(units, claimed, events)
    except DeliveryFailedError as failure:
        return _put_off(units, settings, claimed, body, str(failure))
    return _go_on(units, claimed)


def _go_on(units: UnitsOfWork, claimed: Webhook) -> bool:
    """Note that a message was taken; return False where another process has claimed it since."""
    with units.database.write() as connection:
        return webhooks.change(
            connection,
            claimed,
            position=claimed.until,
            until=None,
            attempts=0,
            next_at=now(),
            error="",
        )


def _put_off(
    units: UnitsOfWork, settings: Settings, claimed: Webhook, body: bytes, error: str
) -> bool:
    """Try again later, or after the last attempt keep the events as a dead letter and go on.

    Returns:
        whether the next message is to be sent now.
    """
    attempts = claimed.attempts + 1
    with units.database.write() as connection:
        if attempts < settings.webhook_attempts:
            wait = wait_after(attempts, settings.webhook_retry_seconds)
            # Receivers that failed together are not to be tried together again.
            later = now() + wait * random.uniform(1.0, 1.2)  # noqa: S311
            webhooks.change(connection, claimed, attempts=attempts, next_at=later, error=error)
            return False
        is_ours = webhooks.change(
            connection,
            claimed,
            position=claimed.until,
            until=None,
            attempts=0,
            next_at=now(),
            error=error,
        )
        if is_ours:
            message_id = claimed.message_id(body)
            webhooks.add_dead_letter(connection, claimed, message_id, now(), error)
        return is_ours


def _send(webhook: Webhook, settings: Settings, body: bytes) -> None:
    """Post a message.

    Raises:
        DeliveryFailedError: the receiver did not take it, or must not be called.
    """
    url, address = _check(webhook.url, settings)
    message_id = webhook.message_id(body)
    moment = now()
    headers = {
        "host": url.netloc.decode(),
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Signer(webhook.secret).sign(message_id, moment, body.decode()),
    }
    try:
        seconds = settings.webhook_seconds
        status = asyncio.run(asyncio.wait_for(_post(url, address, body, headers), seconds))
    except TimeoutError as late:
        raise DeliveryFailedError(f"no answer within {seconds:g} seconds") from late
    # Some answers lead httpx to errors that are not its own. Whatever they are, they count as an
    # attempt in vain, as the message would be sent for ever otherwise.
    except Exception as error:
        raise DeliveryFailedError(f"no answer: {type(error).__name__}") from error
    if not httpx.codes.is_success(status):
        raise DeliveryFailedError(f"answered {status}")


async def _post(url: httpx.URL, address: str, body: bytes, headers: dict[str, str]) -> int:
    """Return the status that a host answers.

    Who calls this limits how long it takes: a time-out of httpx is of one step only.
    """
    async with (
        httpx.AsyncClient(timeout=httpx.Timeout(None), trust_env=False) as client,
        # The address that was checked is the one that is called, whatever the name says next.
        client.stream(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers=headers,
            extensions={"sni_hostname": url.host},
        ) as answer,
    ):
        return answer.status_code


def _check(url: str, settings: Settings) -> tuple[httpx.URL, str]:
    return check_address(url, private=settings.webhook_private_addresses)
