"""NATS JetStream, from which a durable consumer pulls."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import nats
from nats.aio.msg import Msg
from nats.errors import Error
from nats.errors import TimeoutError as NothingCameError
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from customer_segmentation.domain.errors import StreamError
from customer_segmentation.streams.brokers.broker import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    KEEP_SECONDS,
    BrokerLostError,
    Message,
    Outgoing,
    Subscription,
    header_texts,
    losses_told,
)

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.client import JetStreamContext

_WAIT_SECONDS = 5.0
_ACK_SECONDS = 5 * KEEP_SECONDS
"""After which a message comes again that is neither acknowledged nor kept."""

_OWN_HEADERS = "nats-"
"""How the names begin of headers that mean something to NATS itself."""

_MESSAGE_ID = "Nats-Msg-Id"


class Nats:
    """Receives from a subject of a stream; sends to subjects of streams."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        self._url = url
        self._connection: Client | None = None
        self._subscription: Subscription | None = None

    async def connect(self) -> None:
        """Connect."""
        with losses_told(Error):
            self._connection = await nats.connect(
                self._url,
                allow_reconnect=False,
                connect_timeout=round(CONNECT_SECONDS),
                error_cb=_ignore,
            )
        self._stream: JetStreamContext = self._connection.jetstream(timeout=ANSWER_SECONDS)

    async def subscribe(self, subscription: Subscription) -> None:
        """Have a durable consumer, named as the group, pull from a subject.

        Raises:
            StreamError: the consumer of this name is of another subject.
        """
        self._subscription = subscription
        await self.prepare(subscription.topic)
        config = ConsumerConfig(
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_SECONDS,
            max_ack_pending=2 * subscription.most,
        )
        with losses_told(Error):
            self._name = await self._stream.find_stream_name_by_subject(subscription.topic)
            self._pulling = await self._stream.pull_subscribe(
                subscription.topic, subscription.group, self._name, config
            )
            found = await self._pulling.consumer_info()
        subject = found.config.filter_subject
        if subject not in {None, "", subscription.topic}:
            raise StreamError(
                f"The consumer {subscription.group} of the stream {self._name} is of the subject "
                f"{subject}: name another group"
            )

    async def receive(self) -> list[Message]:
        """Wait for messages; return those that have arrived, in order, as a batch."""
        assert self._subscription is not None  # noqa: S101
        while True:
            self._check()
            with losses_told(Error):
                try:
                    found = await self._pulling.fetch(self._subscription.most, _WAIT_SECONDS)
                except NothingCameError:
                    continue
            return [Message(one.data, header_texts(one.headers), "", one) for one in found]

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell NATS that a whole batch is dealt with."""
        with losses_told(Error):
            for one in messages:
                await _handle(one).ack()
            await self._flush()

    async def keep(self, messages: Sequence[Message]) -> None:
        """Tell NATS that a batch is still being dealt with."""
        with losses_told(Error):
            for one in messages:
                await _handle(one).in_progress()
            await self._flush()

    async def prepare(self, target: str) -> None:
        """Make a stream for a subject, unless one takes it already."""
        with losses_told(Error):
            try:
                await self._stream.find_stream_name_by_subject(target)
            except NotFoundError:
                name = "".join("_" if letter in ".*> " else letter for letter in target)
                await self._stream.add_stream(name=name, subjects=[target])

    async def send(self, target: str, messages: Sequence[Outgoing]) -> None:
        """Send messages, each once the one before is stored."""
        with losses_told(Error):
            for one in messages:
                told = {
                    name: value
                    for name, value in one.headers.items()
                    if not name.startswith(_OWN_HEADERS)
                }
                # One that was sent before is stored once.
                headers = told | ({_MESSAGE_ID: one.id} if one.id else {})
                await self._stream.publish(target, one.body, headers=headers or None)

    async def count_waiting(self) -> int | None:
        """Return how many messages the consumer has not acknowledged."""
        with losses_told(Error):
            found = await self._pulling.consumer_info()
        return (found.num_pending or 0) + (found.num_ack_pending or 0)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with losses_told(Error):
                await connection.close()

    async def _flush(self) -> None:
        self._check()
        assert self._connection is not None  # noqa: S101
        await self._connection.flush(round(ANSWER_SECONDS))

    def _check(self) -> None:
        if self._connection is None or self._connection.is_closed:
            raise BrokerLostError("NATS has closed the connection")


def _handle(message: Message) -> Msg:
    assert isinstance(message.handle, Msg)  # noqa: S101
    return message.handle


async def _ignore(_error: Exception) -> None:
    """Leave it to the next call, which meets the same."""
