"""RabbitMQ by AMQP 0.9.1."""

import asyncio
from collections.abc import Sequence

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError, ChannelNotFoundEntity

from customer_segmentation.streams.brokers.broker import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    CONTENT_TYPE,
    BrokerLostError,
    Message,
    Outgoing,
    Subscription,
    header_texts,
    losses_told,
)

_LOST = (AMQPError, ChannelInvalidStateError)


class RabbitMq:
    """Receives from a queue; sends to queues, or to an exchange as `EXCHANGE/ROUTING KEY`."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        self._url = url
        self._connection: AbstractConnection | None = None
        self._arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        self._subscription: Subscription | None = None

    async def connect(self) -> None:
        """Connect."""
        self._arrived = asyncio.Queue()
        with losses_told(*_LOST):
            self._connection = await aio_pika.connect(self._url, timeout=CONNECT_SECONDS)
            self._channel = await self._connection.channel()
        self._channel.close_callbacks.add(self._wake)

    def _wake(self, _channel: AbstractChannel | None, _error: BaseException | None) -> None:
        self._arrived.put_nowait(None)

    async def subscribe(self, subscription: Subscription) -> None:
        """Have messages of a queue delivered; a durable one is made where it is missing."""
        self._subscription = subscription
        await self.prepare(subscription.topic)
        with losses_told(*_LOST):
            await self._channel.set_qos(prefetch_count=2 * subscription.most)
            queue = await self._channel.get_queue(subscription.topic)
            await queue.consume(self._arrived.put)

    async def receive(self) -> list[Message]:
        """Wait for messages; return those that have arrived, in order, as a batch."""
        assert self._subscription is not None  # noqa: S101
        arrived = [await self._arrived.get()]
        while len(arrived) < self._subscription.most and not self._arrived.empty():
            arrived.append(self._arrived.get_nowait())
        if None in arrived:
            raise BrokerLostError("RabbitMQ has closed the channel")
        return [
            Message(
                body=one.body,
                headers=header_texts({**one.headers, CONTENT_TYPE: one.content_type or ""}),
                key="",
                handle=one,
            )
            for one in arrived
            if one is not None
        ]

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell RabbitMQ that all messages up to the last of these are dealt with."""
        last = messages[-1].handle
        assert isinstance(last, AbstractIncomingMessage)  # noqa: S101
        with losses_told(*_LOST):
            await last.ack(multiple=True)

    async def keep(self, messages: Sequence[Message]) -> None:
        """Do nothing: RabbitMQ waits as long as the connection lives."""

    async def prepare(self, target: str) -> None:
        """Make a durable queue, unless there is one, or an exchange is named."""
        if self._connection is None or "/" in target:
            return
        with losses_told(*_LOST):
            try:
                # Asked for on a channel of its own, which ends where there is no such queue.
                async with self._connection.channel() as asking:
                    await asking.declare_queue(target, passive=True)
            except ChannelNotFoundEntity:
                await self._channel.declare_queue(target, durable=True)

    async def send(self, target: str, messages: Sequence[Outgoing]) -> None:
        """Send messages, each once the one before is confirmed."""
        name, _, key = target.rpartition("/")
        with losses_told(*_LOST):
            exchange = (
                await self._channel.get_exchange(name) if name else self._channel.default_exchange
            )
            for one in messages:
                headers = {**one.headers}
                message = aio_pika.Message(
                    one.body,
                    content_type=headers.pop(CONTENT_TYPE, None),
                    headers={**headers},
                    message_id=one.id or None,
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                )
                # An exchange may have no queue yet; a queue that is gone would lose the message.
                await exchange.publish(message, key, mandatory=not name, timeout=ANSWER_SECONDS)

    async def count_waiting(self) -> int | None:
        """Return how many messages no consumer has yet."""
        assert self._subscription is not None  # noqa: S101
        with losses_told(*_LOST):
            queue = await self._channel.declare_queue(self._subscription.topic, passive=True)
        return queue.declaration_result.message_count

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with losses_told(*_LOST):
                await connection.close()
