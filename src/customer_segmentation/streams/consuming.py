"""Consuming: messages in batches, each taken in by one request, acknowledged once it is committed.

A message is acknowledged only after the service has committed it, or after the broker has confirmed
that it keeps it as a dead letter. Whatever is killed in between, the message comes again; the ids
of transactions are known by then, so that nothing counts twice.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from customer_segmentation.client import Client
from customer_segmentation.domain.printable import escape_controls
from customer_segmentation.streams.brokers.broker import (
    KEEP_SECONDS,
    Broker,
    BrokerLostError,
    Message,
    Outgoing,
    Subscription,
)
from customer_segmentation.streams.lasting import Pauses, Services, Tell, UnreachableError
from customer_segmentation.streams.metrics import ConsumerMetrics
from customer_segmentation.streams.taking import Outcome, Records, Refusal, Taken, take_batch

REASON_HEADER = "dead-letter-reason"
SOURCE_HEADER = "dead-letter-source"

_LONGEST_REASON = 1_000
_LOOK_SECONDS = 5.0
"""How often it is asked how many messages wait."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """What is consumed, and how.

    Attributes:
        subscription: what is received.
        dead_letters: where messages go that cannot be used.
        records: returns what reads messages, by the schema of a service.
        idle_seconds: after how long without a message to leave, once none waits; None is never.
    """

    subscription: Subscription
    dead_letters: str
    records: Callable[[Client], Records]
    idle_seconds: float | None = None


class Consumer:
    """Takes the messages of a broker in until it is stopped.

    Attributes:
        counts: what became of messages, by outcome.
    """

    def __init__(
        self,
        broker: Broker,
        services: Services,
        consumption: Consumption,
        metrics: ConsumerMetrics,
        tell: Tell,
    ) -> None:
        """Take nothing in yet."""
        self._broker = broker
        self._services = services
        self._what = consumption
        self._metrics = metrics
        self._tell = tell
        self._records: tuple[Client, Records] | None = None
        self.counts: Counter[Outcome] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        """Take messages in until the event is set, and the batch in hand is dealt with.

        Raises:
            BrokerLostError: the broker does not answer at the beginning.
            ServiceError: the service refuses to be asked at all.
        """
        pauses = Pauses(stop)
        try:
            await self._connect()
            while not stop.is_set():
                try:
                    await self._consume(stop, pauses)
                    return
                except BrokerLostError as lost:
                    await self._reconnect(stop, pauses, lost)
        finally:
            await self._services.close()
            await self._close()

    async def _connect(self) -> None:
        await self._broker.connect()
        await self._broker.prepare(self._what.dead_letters)
        await self._broker.subscribe(self._what.subscription)

    async def _reconnect(self, stop: asyncio.Event, pauses: Pauses, lost: BrokerLostError) -> None:
        """Connect again; what was not acknowledged comes again."""
        while not stop.is_set():
            self._tell(f"The broker is away, and is tried again: {lost}")
            self._metrics.failures.labels("broker").inc()
            await self._close()
            await pauses.pause()
            try:
                await self._connect()
                return
            except BrokerLostError as error:
                lost = error

    async def _close(self) -> None:
        try:
            await self._broker.close()
        except BrokerLostError:
            return  # It is gone already.

    async def _consume(self, stop: asyncio.Event, pauses: Pauses) -> None:
        watching = asyncio.create_task(self._watch())
        try:
            while not stop.is_set():
                batch = await self._receive(stop)
                if not batch:
                    return
                began = time.perf_counter()
                taken = await self._take(batch, stop)
                if taken is None:
                    return
                await self._put_aside(batch, taken)
                await self._broker.acknowledge(batch)
                self._count(taken, time.perf_counter() - began)
                pauses.reset()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _receive(self, stop: asyncio.Event) -> list[Message]:
        """Return the next batch; none where it is time to leave."""
        receiving = asyncio.create_task(self._broker.receive())
        stopping = asyncio.create_task(stop.wait())
        try:
            while True:
                await asyncio.wait(
                    (receiving, stopping),
                    timeout=self._what.idle_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if receiving.done():
                    return receiving.result()
                # What a consumer had that was killed comes again after a while.
                if stop.is_set() or not await self._broker.count_waiting():
                    return []
        finally:
            for task in (receiving, stopping):
                task.cancel()
            await asyncio.gather(receiving, stopping, return_exceptions=True)

    async def _take(self, batch: Sequence[Message], stop: asyncio.Event) -> list[Taken] | None:
        """Take a batch in, however often that fails; None where it is time to leave before."""
        pauses = Pauses(stop)
        keeping = asyncio.create_task(self._keep(batch))
        try:
            while not stop.is_set():
                try:
                    return await self._services.call(
                        lambda client: take_batch(client, self._of(client), batch)
                    )
                except UnreachableError as failure:
                    self._tell(f"Not taken in yet, and tried again: {failure}")
                    self._metrics.failures.labels("service").inc()
                await pauses.pause()
            return None
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep(self, batch: Sequence[Message]) -> None:
        """Tell the broker again and again that a batch is still being dealt with."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            try:
                await self._broker.keep(batch)
            except BrokerLostError:
                return  # To acknowledge meets it too.

    def _of(self, client: Client) -> Records:
        """Return what reads messages for a service that was opened, by its schema."""
        if self._records is None or self._records[0] is not client:
            self._records = (client, self._what.records(client))
        return self._records[1]

    async def _put_aside(self, batch: Sequence[Message], taken: Sequence[Taken]) -> None:
        """Send messages that cannot be used to where they can be looked at, with the reason."""
        topic = self._what.subscription.topic
        letters = [
            Outgoing(
                message.body,
                {**message.headers, REASON_HEADER: _line(one.reason), SOURCE_HEADER: topic},
                message.key,
            )
            for message, one in zip(batch, taken, strict=True)
            if isinstance(one, Refusal)
        ]
        if letters:
            await self._broker.send(self._what.dead_letters, letters)

    def _count(self, taken: Sequence[Taken], seconds: float) -> None:
        outcomes = Counter(
            Outcome.DEAD_LETTERED if isinstance(one, Refusal) else one for one in taken
        )
        self.counts += outcomes
        for outcome, count in outcomes.items():
            self._metrics.messages.labels(outcome).inc(count)
        self._metrics.batch_seconds.observe(seconds)

    async def _watch(self) -> None:
        """Note again and again how many messages wait."""
        while True:
            try:
                waiting = await self._broker.count_waiting()
            except BrokerLostError:
                waiting = None  # Who receives notices it too.
            if waiting is not None:
                self._metrics.lag.set(waiting)
            await asyncio.sleep(_LOOK_SECONDS)


def _line(reason: str) -> str:
    """Return a reason as headers can have it, in one line that is not too long."""
    return escape_controls(reason)[:_LONGEST_REASON]
