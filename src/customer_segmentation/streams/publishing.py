"""Publishing: the feed of events to a broker, in its order, at least once.

A publisher has a name, which one process at a time holds at the service, with the cursor up to
where events are sent. The cursor is put forward once the broker has confirmed all up to it, so that
whoever holds the name next, also after a kill, leaves out nothing.
"""

import asyncio
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from customer_segmentation.client import ServiceError
from customer_segmentation.streams.brokers.broker import Broker, BrokerLostError, Outgoing
from customer_segmentation.streams.envelope import wrap
from customer_segmentation.streams.lasting import Pauses, Services, Tell, UnreachableError, first_of
from customer_segmentation.streams.metrics import PublisherMetrics

Json = dict[str, Any]

EVENT_TYPE = "customer_segmentation.segment_changed"
"""The type of an event of a segment; of one of an audience, `AUDIENCE_TYPE`."""

AUDIENCE_TYPE = "customer_segmentation.audience_changed"

HOLD_SECONDS = 10.0
"""For how long a name is held; after so long another process may go on where one was killed."""

_RENEW_SECONDS = 3.0
_LOOK_SECONDS = 0.5


class HeldElsewhereError(Exception):
    """Another process sends under the name."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What is published, and where to.

    Attributes:
        name: of the publisher.
        target: the queue, subject, stream or topic.
        source: of the events, as their receivers know it.
        latest: whether a new publisher begins with events to come.
        most: events that are read at once at most.
        idle_seconds: after how long without an event to leave; None is never.
    """

    name: str
    target: str
    source: str
    latest: bool
    most: int
    idle_seconds: float | None = None


class Publisher:
    """Sends the feed to a broker until it is stopped.

    Attributes:
        count: how many events it has sent.
    """

    def __init__(
        self,
        broker: Broker,
        services: Services,
        publication: Publication,
        metrics: PublisherMetrics,
        tell: Tell,
    ) -> None:
        """Send nothing yet."""
        self._broker = broker
        self._services = services
        self._what = publication
        self._metrics = metrics
        self._tell = tell
        self._holder = f"{socket.gethostname()} {uuid.uuid4().hex}"
        self._held_at = 0.0
        self._is_connected = False
        self.count = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Send events until it is told to stop, or none has come for long enough.

        Raises:
            BrokerLostError: the broker does not answer at the beginning.
            ServiceError: the service refuses to be asked at all.
        """
        pauses = Pauses(stop)
        await self._connect()
        is_done = False
        try:
            while not (stop.is_set() or is_done):
                try:
                    if not self._is_connected:
                        await self._connect()
                    is_done = await self._publish(stop, pauses)
                except BrokerLostError as lost:
                    await self._note("broker", f"The broker is away, and is tried again: {lost}")
                    await pauses.pause()
                except UnreachableError as failure:
                    await self._note("service", f"Not read yet, and tried again: {failure}")
                    await pauses.pause()
                except HeldElsewhereError as held:
                    self._tell(f"{held}; waiting for it")
                    await first_of(stop.wait(), asyncio.sleep(_RENEW_SECONDS))
        finally:
            await self._give_back()
            await self._services.close()
            await self._disconnect()

    async def _publish(self, stop: asyncio.Event, pauses: Pauses) -> bool:
        """Send what there is until it is told to stop; return whether nothing came for long."""
        cursor = await self._hold()
        sent_at = time.monotonic()
        while not stop.is_set():
            page = await self._read(cursor)
            events: list[Json] = page["events"]
            if events:
                await self._send([self._wrapped(event) for event in events])
                cursor = await self._hold(page["next"])
                self.count += len(events)
                self._metrics.published.inc(len(events))
                self._metrics.behind.set(_age(events[-1]))
                sent_at = time.monotonic()
                pauses.reset()
                continue
            self._metrics.behind.set(0)
            waited = time.monotonic() - sent_at
            if self._what.idle_seconds is not None and waited > self._what.idle_seconds:
                return True
            if time.monotonic() - self._held_at > _RENEW_SECONDS:
                cursor = await self._hold()
            await first_of(stop.wait(), asyncio.sleep(_LOOK_SECONDS))
        return False

    async def _read(self, after: str) -> Json:
        return await self._services.call(lambda client: client.list_events(after, self._what.most))

    async def _hold(self, cursor: str | None = None, seconds: float = HOLD_SECONDS) -> str:
        """Hold the name, and note up to where events are sent; return up to where they are.

        Raises:
            HeldElsewhereError: another process does.
        """
        what = self._what
        asked_at = time.monotonic()
        try:
            held = await self._services.call(
                lambda client: client.hold_publisher(
                    what.name, self._holder, seconds, cursor, latest=what.latest
                )
            )
        except ServiceError as error:
            if not str(error.problem.get("type")).endswith(":publisher-held"):
                raise
            raise HeldElsewhereError(str(error)) from error
        self._held_at = asked_at
        place: str = held["cursor"]
        return place

    async def _send(self, messages: Sequence[Outgoing]) -> None:
        """Send messages, and go on holding the name while that takes."""
        if time.monotonic() - self._held_at > _RENEW_SECONDS:
            await self._hold()
        sending = asyncio.create_task(self._broker.send(self._what.target, messages))
        try:
            while not (await asyncio.wait((sending,), timeout=_RENEW_SECONDS))[0]:
                await self._hold()
            sending.result()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _wrapped(self, event: Json) -> Outgoing:
        is_of_audience = event.get("audience_id") is not None
        return wrap(
            event,
            event_id=event["cursor"],
            source=self._what.source,
            kind=AUDIENCE_TYPE if is_of_audience else EVENT_TYPE,
            time=event["changed_at"],
            key=str(event["customer_id"]),
        )

    async def _give_back(self) -> None:
        """Let another process go on at once, if this one may be asked."""
        try:
            await self._hold(seconds=0)
        except (UnreachableError, HeldElsewhereError, ServiceError):
            return  # The hold ends by itself.

    async def _connect(self) -> None:
        await self._broker.connect()
        await self._broker.prepare(self._what.target)
        self._is_connected = True

    async def _disconnect(self) -> None:
        self._is_connected = False
        try:
            await self._broker.close()
        except BrokerLostError:
            return  # It is gone already.

    async def _note(self, of: str, failure: str) -> None:
        self._tell(failure)
        self._metrics.failures.labels(of).inc()
        await self._disconnect()


def _age(event: Json) -> float:
    moment = datetime.fromisoformat(event["changed_at"])
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())
