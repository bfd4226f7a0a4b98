"""Kafka by librdkafka."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka import (
    Message as Record,
)

from customer_segmentation.streams.brokers.broker import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    BrokerLostError,
    Message,
    Outgoing,
    Subscription,
    header_texts,
    losses_told,
)

Result = TypeVar("Result")

_WAIT_SECONDS = 0.5
_LONGEST_BATCH_MILLISECONDS = 86_400_000
"""A database may be away for long; until then the group keeps this consumer's partitions."""

_SESSION_MILLISECONDS = 10_000
"""After how long others get the partitions of a consumer that was killed."""

_PREFETCH_KILOBYTES = 16_384
_logger = logging.getLogger(__name__)
_logger.addHandler(logging.NullHandler())
_logger.propagate = False  # What it tells is told by the calls that fail.


class Kafka:
    """Receives from a topic as one of a group; sends to topics."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet.

        Args:
            url: `kafka://USER:PASSWORD@HOST,HOST`, and settings of librdkafka as its query.
        """
        self._settings = settings_of(url)
        self._thread: ThreadPoolExecutor | None = None
        self._consumer: Consumer | None = None
        self._subscription: Subscription | None = None

    async def connect(self) -> None:
        """Connect."""
        # One thread for all, so that the consumer is not closed while it waits for messages.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kafka")
        sending = {"enable.idempotence": True, "message.timeout.ms": round(ANSWER_SECONDS * 1000)}
        with losses_told(KafkaException):
            self._producer = Producer({**self._settings, **sending}, logger=_logger)
            await self._run(lambda: self._producer.list_topics(timeout=CONNECT_SECONDS))

    async def subscribe(self, subscription: Subscription) -> None:
        """Have a group receive a topic, from its beginning where the group is new."""
        self._subscription = subscription
        receiving = {
            "session.timeout.ms": _SESSION_MILLISECONDS,
            **self._settings,
            "group.id": subscription.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "max.poll.interval.ms": _LONGEST_BATCH_MILLISECONDS,
            "allow.auto.create.topics": True,
            "queued.max.messages.kbytes": _PREFETCH_KILOBYTES,
        }
        with losses_told(KafkaException):
            self._consumer = Consumer(receiving, logger=_logger)
            self._consumer.subscribe([subscription.topic])

    async def receive(self) -> list[Message]:
        """Wait for messages; return those that have arrived, in order, as a batch."""
        while True:
            with losses_told(KafkaException):
                records = await self._run(self._poll)
            if records:
                return [_message(record) for record in records]

    def _poll(self) -> list[Record]:
        assert self._consumer is not None  # noqa: S101
        assert self._subscription is not None  # noqa: S101
        first = self._consumer.poll(_WAIT_SECONDS)
        if first is None:
            return []
        records = [first]
        if self._subscription.most > 1:
            records += self._consumer.consume(self._subscription.most - 1, 0)
        for record in records:
            error = record.error()
            if error is not None:
                raise BrokerLostError(error.str())
        return records

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Commit the offsets after those of a whole batch."""
        nexts: dict[tuple[str, int], int] = {}
        for message in messages:
            topic, partition, offset = _place(message)
            nexts[topic, partition] = max(nexts.get((topic, partition), 0), offset + 1)
        offsets = [TopicPartition(*place, offset) for place, offset in nexts.items()]
        with losses_told(KafkaException):
            await self._run(lambda: self._commit(offsets))

    def _commit(self, offsets: list[TopicPartition]) -> None:
        assert self._consumer is not None  # noqa: S101
        for one in self._consumer.commit(offsets=offsets, asynchronous=False) or []:
            if one.error is not None:
                raise BrokerLostError(one.error.str())

    async def keep(self, messages: Sequence[Message]) -> None:
        """Do nothing: the group keeps the partitions of this consumer."""

    async def prepare(self, target: str) -> None:
        """Do nothing: a cluster makes topics on demand, or its owner does."""

    async def send(self, target: str, messages: Sequence[Outgoing]) -> None:
        """Send messages in order, those of the same key to the same partition."""
        with losses_told(KafkaException, BufferError):
            await self._run(lambda: self._produce(target, messages))

    def _produce(self, topic: str, messages: Sequence[Outgoing]) -> None:
        failed: list[KafkaError] = []

        def note(error: KafkaError | None, _record: Record) -> None:
            failed.extend([] if error is None else [error])

        for one in messages:
            headers: Any = [(name, value.encode()) for name, value in one.headers.items()]
            key = one.key.encode() if one.key else None
            self._producer.produce(topic, one.body, key, on_delivery=note, headers=headers)
            self._producer.poll(0)
        left = self._producer.flush(ANSWER_SECONDS)
        if failed or left:
            raise BrokerLostError(failed[0].str() if failed else "Kafka does not confirm messages")

    async def count_waiting(self) -> int | None:
        """Return how many messages of the topic the group has not committed."""
        with losses_told(KafkaException):
            return await self._run(self._count)

    def _count(self) -> int:
        assert self._consumer is not None  # noqa: S101
        assert self._subscription is not None  # noqa: S101
        topic = self._subscription.topic
        found = self._consumer.list_topics(topic, ANSWER_SECONDS).topics[topic]
        waiting = 0
        parts = [TopicPartition(topic, number) for number in found.partitions]
        for one in self._consumer.committed(parts, ANSWER_SECONDS) if parts else []:
            low, high = self._consumer.get_watermark_offsets(one, ANSWER_SECONDS)
            waiting += high - max(low, one.offset)
        return waiting

    async def close(self) -> None:
        """Close the connections, if there are some."""
        thread, self._thread = self._thread, None
        consumer, self._consumer = self._consumer, None
        if thread is None:
            return
        if consumer is not None:
            await asyncio.get_running_loop().run_in_executor(thread, consumer.close)
        thread.shutdown(wait=False)

    async def _run(self, call: Callable[[], Result]) -> Result:
        if self._thread is None:
            raise BrokerLostError("the connection to Kafka is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def settings_of(url: str) -> dict[str, Any]:
    """Return the settings of librdkafka that an address stands for.

    >>> settings_of("kafka://ada:x%40y@one:9092,two:9092?security.protocol=SASL_SSL")
    ... # doctest: +NORMALIZE_WHITESPACE
    {'bootstrap.servers': 'one:9092,two:9092', 'sasl.username': 'ada', 'sasl.password': 'x@y',
     'security.protocol': 'SASL_SSL'}
    """
    parts = urlsplit(url)
    person, _, hosts = parts.netloc.rpartition("@")
    settings: dict[str, Any] = {"bootstrap.servers": hosts}
    if person:
        name, _, password = person.partition(":")
        settings |= {"sasl.username": unquote(name), "sasl.password": unquote(password)}
    return settings | dict(parse_qsl(parts.query))


def _message(record: Record) -> Message:
    headers = header_texts(dict(record.headers() or []))
    key = (record.key() or b"").decode("utf-8", "replace")
    return Message(record.value() or b"", headers, key, record)


def _place(message: Message) -> tuple[str, int, int]:
    record = message.handle
    assert isinstance(record, Record)  # noqa: S101
    topic, partition, offset = record.topic(), record.partition(), record.offset()
    assert topic is not None and partition is not None and offset is not None  # noqa: S101, PT018
    return topic, partition, offset
