"""MQTT 5, with a session that the broker keeps, and acknowledgements that wait for the commit."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from customer_segmentation.streams.brokers.broker import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    CONTENT_TYPE,
    BrokerLostError,
    Message,
    Outgoing,
    Subscription,
    losses_told,
)

_AT_LEAST_ONCE = 1
_NEVER = 0xFFFF_FFFF
"""After how many seconds a session ends whose client is away."""

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_ONLY_TO_NEW = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB


class Mqtt:
    """Receives from topics, which may be a pattern; sends to topics."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        self._url = urlsplit(url)
        self._receiver: _Connection | None = None
        self._sender: _Connection | None = None
        self._subscription: Subscription | None = None

    async def connect(self) -> None:
        """Connect."""
        self._sender = _Connection("", {})
        await self._sender.connect(self._url)

    async def subscribe(self, subscription: Subscription) -> None:
        """Have a session, named as the group, receive a topic."""
        self._subscription = subscription
        limits = {
            "SessionExpiryInterval": _NEVER,
            "ReceiveMaximum": min(2 * subscription.most, 2**16 - 1),
        }
        self._receiver = _Connection(subscription.group, limits)
        await self._receiver.connect(self._url)
        options = SubscribeOptions(_AT_LEAST_ONCE, retainHandling=_ONLY_TO_NEW)
        self._receiver.client.subscribe(subscription.topic, options=options)

    async def receive(self) -> list[Message]:
        """Wait for messages; return those that have arrived, in order, as a batch."""
        assert self._receiver is not None  # noqa: S101
        assert self._subscription is not None  # noqa: S101
        arrived = self._receiver.arrived
        found = [await arrived.get()]
        while len(found) < self._subscription.most and not arrived.empty():
            found.append(arrived.get_nowait())
        if None in found:
            raise BrokerLostError("The broker has closed the connection")
        return [_message(one) for one in found if one is not None]

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that a whole batch is dealt with."""
        assert self._receiver is not None  # noqa: S101
        for message in messages:
            assert isinstance(message.handle, MQTTMessage)  # noqa: S101
            self._receiver.client.ack(message.handle.mid, message.handle.qos)

    async def keep(self, messages: Sequence[Message]) -> None:
        """Do nothing: the broker waits as long as the connection lives."""

    async def prepare(self, target: str) -> None:
        """Do nothing: a topic is there once somebody names it."""

    async def send(self, target: str, messages: Sequence[Outgoing]) -> None:
        """Send messages in their order, and wait until the broker has them."""
        assert self._sender is not None  # noqa: S101
        client = self._sender.client
        sent = [
            client.publish(target, one.body, _AT_LEAST_ONCE, properties=_properties(one.headers))
            for one in messages
        ]
        with losses_told(ValueError, RuntimeError):
            for one in sent:
                await asyncio.to_thread(one.wait_for_publish, ANSWER_SECONDS)
                if not one.is_published():
                    raise BrokerLostError("The broker does not confirm messages")

    async def count_waiting(self) -> int | None:
        """Return None: a broker of MQTT tells nobody."""
        return None

    async def close(self) -> None:
        """Close the connections, if there are some."""
        for connection in (self._receiver, self._sender):
            if connection is not None:
                await connection.close()
        self._receiver = self._sender = None


class _Connection:
    """A connection of one client.

    Attributes:
        client: of MQTT.
        arrived: messages, and None once the connection is lost.
    """

    def __init__(self, session: str, limits: Mapping[str, int]) -> None:
        """Connect to nothing yet.

        Args:
            session: its name; empty for none that outlasts the connection.
            limits: what the broker is told of it.
        """
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            session,
            protocol=MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self.arrived: asyncio.Queue[MQTTMessage | None] = asyncio.Queue()
        self._has_session = bool(session)
        self._limits = _properties_of(PacketTypes.CONNECT)
        for name, value in limits.items():
            setattr(self._limits, name, value)

    async def connect(self, url: Any) -> None:  # noqa: ANN401
        """Connect to the broker at an address that is in parts."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def tell(refusal: str) -> None:
            if not answer.done():
                answer.set_result(refusal)

        def connected(_c: object, _u: object, _flags: object, code: Any, _p: object) -> None:  # noqa: ANN401
            loop.call_soon_threadsafe(tell, str(code) if code.is_failure else "")

        def disconnected(_c: object, _u: object, _flags: object, code: Any, _p: object) -> None:  # noqa: ANN401
            loop.call_soon_threadsafe(tell, str(code))
            loop.call_soon_threadsafe(self.arrived.put_nowait, None)

        def came(_c: object, _u: object, message: MQTTMessage) -> None:
            loop.call_soon_threadsafe(self.arrived.put_nowait, message)

        client = self.client
        client.on_connect, client.on_disconnect, client.on_message = connected, disconnected, came
        if url.username is not None:
            client.username_pw_set(unquote(url.username), unquote(url.password or ""))
        if url.scheme == "mqtts":
            client.tls_set()
        port = url.port or _PORTS[url.scheme]
        client.connect_timeout = CONNECT_SECONDS
        with losses_told():
            await asyncio.to_thread(
                client.connect,
                url.hostname,
                port,
                clean_start=not self._has_session,
                properties=self._limits,
            )
            client.loop_start()
            refusal = await asyncio.wait_for(answer, CONNECT_SECONDS)
        if refusal:
            raise BrokerLostError(refusal)

    async def close(self) -> None:
        """Close the connection, once what was written is sent."""
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)


def _properties(headers: Mapping[str, str]) -> Properties:
    told: Any = _properties_of(PacketTypes.PUBLISH)
    others = [(name, value) for name, value in headers.items() if name != CONTENT_TYPE]
    if CONTENT_TYPE in headers:
        told.ContentType = headers[CONTENT_TYPE]
    if others:
        told.UserProperty = others
    properties: Properties = told
    return properties


def _properties_of(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]


def _message(one: MQTTMessage) -> Message:
    told: Any = one.properties
    headers = {name.lower(): value for name, value in getattr(told, "UserProperty", [])}
    headers[CONTENT_TYPE] = getattr(told, "ContentType", "")
    return Message(bytes(one.payload), headers, "", one)
