"""What every broker does alike: messages in batches, acknowledged late; messages out, confirmed.

The brokers' own clients stand behind this, not FastStream, as a message must count as taken only
once its batch is committed. FastStream has no batches for RabbitMQ and MQTT; for Kafka its `ack`
commits what was fetched, not what was dealt with; and of a Redis group it reads either new entries
or those of a consumer that was killed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

CONNECT_SECONDS = 10.0
"""How long a broker may take to let a connection in."""

ANSWER_SECONDS = 30.0
"""How long a broker may take to confirm what is sent."""

KEEP_SECONDS = 2.0
"""How often a broker is told of a batch that is still being dealt with."""

CONTENT_TYPE = "content-type"


class BrokerLostError(Exception):
    """The broker does not answer; the same may succeed once it is connected anew."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came.

    Attributes:
        body: its content.
        headers: by name in small letters, where the broker has some.
        key: by which the broker puts messages into an order; empty where it has none.
        handle: by which the broker knows it.
    """

    body: bytes
    headers: Mapping[str, str]
    key: str
    handle: object


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send.

    Attributes:
        body: its content.
        headers: by name, for brokers that have some.
        key: messages of the same key stay in order.
        id: by which a broker may know that it has the message already.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What to receive.

    Attributes:
        topic: the queue, subject, stream or topic.
        group: under which name the broker remembers what was acknowledged.
        consumer: the name of this consumer in the group.
        most: messages of a batch at most; twice as many are under way.
    """

    topic: str
    group: str
    consumer: str
    most: int


class Broker(Protocol):
    """A connection to a broker; every call may raise a `BrokerLostError`."""

    async def connect(self) -> None:
        """Connect."""

    async def subscribe(self, subscription: Subscription) -> None:
        """Have messages delivered; what the subscription names is made where it is missing."""

    async def receive(self) -> list[Message]:
        """Wait for messages; return those that have arrived, in order, as a batch."""

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that a whole batch is dealt with."""

    async def keep(self, messages: Sequence[Message]) -> None:
        """Tell the broker that a batch is still being dealt with."""

    async def prepare(self, target: str) -> None:
        """Make the queue, stream or topic that messages are sent to, where it is missing."""

    async def send(self, target: str, messages: Sequence[Outgoing]) -> None:
        """Send messages in their order, and wait until the broker has all of them."""

    async def count_waiting(self) -> int | None:
        """Return how many messages are not acknowledged yet; None where the broker cannot tell."""

    async def close(self) -> None:
        """Close the connection, if there is one."""


@contextmanager
def losses_told(*kinds: type[Exception]) -> Iterator[None]:
    """Raise the errors of a client as a `BrokerLostError`.

    Args:
        kinds: those that the client raises where a broker is away or refuses.
    """
    lost: tuple[type[Exception], ...] = (*kinds, OSError, TimeoutError)
    try:
        yield
    except lost as error:
        raise BrokerLostError(f"{type(error).__name__}: {error}".rstrip(": ")) from error


def header_texts(headers: Mapping[str, object] | None) -> dict[str, str]:
    """Return headers as texts, by their names in small letters."""
    return {
        name.lower(): value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for name, value in (headers or {}).items()
    }
