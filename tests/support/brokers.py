"""The real brokers that tests use: what sends to them, and looks into them, beside the product."""

import asyncio
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import aio_pika
import nats
import pytest
import redis
from confluent_kafka import Consumer, Producer
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Found:
    """A message that was found in a broker."""

    body: bytes
    headers: Headers


class Place(Protocol):
    """A broker, as tests see it."""

    url: str

    def prepare(self, topic: str) -> None:
        """Let a topic, which is its group too, keep what is sent from now on."""

    def send(self, topic: str, bodies: Sequence[bytes], headers: Headers | None = None) -> None:
        """Send messages, made durable where the broker does so on demand."""

    def read(self, topic: str) -> list[Found]:
        """Return the messages of a topic, and remove them where reading does so."""

    def remove(self, *topics: str) -> None:
        """Remove topics."""


class RabbitMq:
    """RabbitMQ."""

    url = "amqp://guest:guest@127.0.0.1:5672/"

    def prepare(self, topic: str) -> None:
        """Do nothing."""

    def send(self, topic: str, bodies: Sequence[bytes], headers: Headers | None = None) -> None:
        """Send messages to a durable queue."""

        async def send() -> None:
            given = {**(headers or {})}
            kind = given.pop("content-type", None)
            async with await aio_pika.connect(self.url) as connection:
                channel = await connection.channel(publisher_confirms=False)
                await channel.declare_queue(topic, durable=True)
                for body in bodies:
                    message = aio_pika.Message(
                        body, headers={**given}, content_type=kind, delivery_mode=2
                    )
                    await channel.default_exchange.publish(message, topic)

        asyncio.run(send())

    def read(self, topic: str) -> list[Found]:
        """Return and remove the messages of a queue."""

        async def read() -> list[Found]:
            found = []
            async with await aio_pika.connect(self.url) as connection:
                channel = await connection.channel()
                queue = await channel.declare_queue(topic, passive=True)
                while (message := await queue.get(fail=False)) is not None:
                    await message.ack()
                    told = {name: str(value) for name, value in message.headers.items()}
                    found.append(Found(message.body, told))
            return found

        return asyncio.run(read())

    def remove(self, *topics: str) -> None:
        """Remove queues."""

        async def remove() -> None:
            async with await aio_pika.connect(self.url) as connection:
                channel = await connection.channel()
                for topic in topics:
                    await channel.queue_delete(topic)

        asyncio.run(remove())


class NatsJetStream:
    """NATS JetStream; each topic is a stream of its own."""

    url = "nats://127.0.0.1:4222"

    def prepare(self, topic: str) -> None:
        """Make the stream, and a consumer to which messages soon come again."""

        async def prepare() -> None:
            connection = await nats.connect(self.url)
            stream = connection.jetstream()
            await stream.add_stream(name=topic, subjects=[topic])
            config = ConsumerConfig(
                durable_name=topic, ack_policy=AckPolicy.EXPLICIT, ack_wait=3, filter_subject=topic
            )
            await stream.add_consumer(topic, config)
            await connection.close()

        asyncio.run(prepare())

    def send(self, topic: str, bodies: Sequence[bytes], headers: Headers | None = None) -> None:
        """Send messages."""

        async def send() -> None:
            connection = await nats.connect(self.url)
            for body in bodies:
                await connection.publish(topic, body, headers={**headers} if headers else None)
            await connection.flush()
            await connection.close()

        asyncio.run(send())

    def read(self, topic: str) -> list[Found]:
        """Return all messages of a stream."""

        async def read() -> list[Found]:
            connection = await nats.connect(self.url)
            stream = connection.jetstream()
            name = await stream.find_stream_name_by_subject(topic)
            state = (await stream.stream_info(name)).state
            found = []
            for number in range(state.first_seq, state.last_seq + 1):
                message = await stream.get_msg(name, number)
                told = {key.lower(): value for key, value in (message.headers or {}).items()}
                found.append(Found(message.data or b"", told))
            await connection.close()
            return found

        return asyncio.run(read())

    def remove(self, *topics: str) -> None:
        """Remove streams."""

        async def remove() -> None:
            connection = await nats.connect(self.url)
            stream = connection.jetstream()
            for topic in topics:
                with suppress(NotFoundError):
                    name = await stream.find_stream_name_by_subject(topic)
                    await stream.delete_stream(name)
            await connection.close()

        asyncio.run(remove())


class RedisStreams:
    """Redis Streams."""

    url = "redis://127.0.0.1:6379/0"

    def prepare(self, topic: str) -> None:
        """Do nothing."""

    def send(self, topic: str, bodies: Sequence[bytes], headers: Headers | None = None) -> None:
        """Add entries to a stream."""
        with redis.Redis.from_url(self.url) as client, client.pipeline() as together:
            for body in bodies:
                fields: dict[Any, Any] = {**(headers or {}), "data": body}
                together.xadd(topic, fields)
            together.execute()

    def read(self, topic: str) -> list[Found]:
        """Return all entries of a stream."""
        with redis.Redis.from_url(self.url) as client:
            found: Any = client.xrange(topic)
        texts = [{name.decode(): value for name, value in fields.items()} for _, fields in found]
        return [
            Found(fields.pop("data"), {name: value.decode() for name, value in fields.items()})
            for fields in texts
        ]

    def remove(self, *topics: str) -> None:
        """Remove streams."""
        with redis.Redis.from_url(self.url) as client:
            client.delete(*topics)


class Mosquitto:
    """MQTT, which keeps messages only for sessions that it knows."""

    url = "mqtt://127.0.0.1:1883"

    def prepare(self, topic: str) -> None:
        """Begin the session of a consumer, and that of who reads dead letters."""
        self._session(topic, topic)
        self._session(f"{topic}-reader", f"dead-letters/{topic}")

    def _session(
        self, session: str, topic: str, seconds: float = 0.0, *, last: bool = False
    ) -> list[Found]:
        """Subscribe in a session; return what came for so long."""
        found: list[Found] = []
        subscribed = threading.Event()
        client = Client(CallbackAPIVersion.VERSION2, session, protocol=MQTTv5)

        def came(_client: object, _data: object, message: MQTTMessage) -> None:
            told: Any = message.properties
            headers = dict(getattr(told, "UserProperty", []))
            found.append(Found(bytes(message.payload), headers))

        client.on_message = came
        client.on_subscribe = lambda *_: subscribed.set()
        lasting: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        lasting.SessionExpiryInterval = 0 if last else 600
        client.connect("127.0.0.1", clean_start=False, properties=lasting)
        client.loop_start()
        client.subscribe(topic, 1)
        assert subscribed.wait(5)
        time.sleep(seconds)
        client.disconnect()
        client.loop_stop()
        return found

    def send(self, topic: str, bodies: Sequence[bytes], headers: Headers | None = None) -> None:
        """Send messages."""
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        client.connect("127.0.0.1")
        client.loop_start()
        told: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        given = {**(headers or {})}
        if "content-type" in given:
            told.ContentType = given.pop("content-type")
        if given:
            told.UserProperty = [*given.items()]
        for sent in [client.publish(topic, body, 1, properties=told) for body in bodies]:
            sent.wait_for_publish(10)
        client.disconnect()
        client.loop_stop()

    def read(self, topic: str) -> list[Found]:
        """Return what came to a topic, or to that of its dead letters, since it was prepared."""
        if not topic.startswith("dead-letters/"):
            return self._session(topic, topic, 0.5)
        return self._session(f"{topic.removeprefix('dead-letters/')}-reader", topic, 0.5)

    def remove(self, *topics: str) -> None:
        """End the sessions."""
        for topic in topics:
            self._session(topic, topic, last=True)
            self._session(f"{topic}-reader", topic, last=True)


class MockKafka:
    """A cluster that librdkafka makes up within this process, and that speaks Kafka's protocol."""

    def __init__(self) -> None:
        """Make the cluster."""
        self._cluster = Producer({"test.mock.num.brokers": 1})
        (broker,) = self._cluster.list_topics(timeout=10).brokers.values()
        self._servers = f"{broker.host}:{broker.port}"
        # So that who was killed is soon forgotten.
        soon = "session.timeout.ms=6000&heartbeat.interval.ms=500"
        self.url = f"kafka://{self._servers}?{soon}"

    def prepare(self, topic: str) -> None:
        """Do nothing."""

    def send(self, topic: str, bodies: Sequence[bytes], headers: Headers | None = None) -> None:
        """Send messages."""
        producer = Producer({"bootstrap.servers": self._servers})
        given: Any = [(name, value.encode()) for name, value in (headers or {}).items()]
        for body in bodies:
            producer.produce(topic, body, "key", headers=given)
        assert producer.flush(10) == 0

    def read(self, topic: str) -> list[Found]:
        """Return all messages of a topic."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._servers,
                "group.id": uuid.uuid4().hex,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
            }
        )
        consumer.subscribe([topic])
        partitions = len(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
        found, ended = [], 0
        while ended < partitions:
            message = consumer.poll(10)
            assert message is not None
            if message.error() is not None:
                ended += 1
                continue
            headers: Any = message.headers() or []
            told = {name: value.decode() for name, value in headers}
            found.append(Found(message.value() or b"", told))
        consumer.close()
        return found

    def remove(self, *topics: str) -> None:
        """Leave them: they end with the cluster."""


PLACES: Mapping[str, type[Place]] = {
    "rabbitmq": RabbitMq,
    "nats": NatsJetStream,
    "redis": RedisStreams,
    "mqtt": Mosquitto,
    "kafka": MockKafka,
}


def require_broker(name: str) -> Place:
    """Return a broker; skip where it does not answer, unless it must."""
    place = PLACES[name]()
    address = urlsplit(place.url)
    try:
        socket.create_connection((address.hostname, address.port or 0), timeout=3).close()
    except OSError as error:
        if os.environ.get("REQUIRE_BROKERS"):
            pytest.fail(f"{name} must answer at {place.url}: {error}")
        pytest.skip(f"{name} does not answer at {place.url}")
    return place


def aside(place: Place, topic: str) -> str:
    """Return where messages of a topic go that cannot be used."""
    between = {"redis": ":", "mqtt": "/"}.get(place.url.partition(":")[0], ".")
    return f"dead-letters{between}{topic}"


def new_topic() -> str:
    """Return a name that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"
