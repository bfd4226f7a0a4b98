"""Which broker an address is of, and how its names are written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from urllib.parse import SplitResult, urlsplit

from customer_segmentation.domain.errors import ExtraMissingError
from customer_segmentation.streams.brokers.broker import Broker


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of broker.

    Attributes:
        title: what people call it.
        module: in which its class lives, beside this one.
        name: of the class.
        between: what stands between the parts of its names.
        others: characters of its patterns, which no name to send to may have.
    """

    title: str
    module: str
    name: str
    between: str = "."
    others: str = ""


_RABBITMQ = Kind("RabbitMQ", "rabbitmq", "RabbitMq")
_NATS = Kind("NATS JetStream", "nats", "Nats", others="*>")
_REDIS = Kind("Redis Streams", "redis", "Redis", ":")
_KAFKA = Kind("Kafka", "kafka", "Kafka")
_MQTT = Kind("MQTT", "mqtt", "Mqtt", "/", others="+#")

KINDS: Mapping[str, Kind] = {
    "amqp": _RABBITMQ,
    "amqps": _RABBITMQ,
    "nats": _NATS,
    "tls": _NATS,
    "redis": _REDIS,
    "rediss": _REDIS,
    "kafka": _KAFKA,
    "mqtt": _MQTT,
    "mqtts": _MQTT,
}
"""Kinds of brokers by the schemes of their addresses."""


def kind_of(address: str) -> Kind:
    """Return the kind of broker that an address is of.

    Raises:
        ValueError: it is of none.
    """
    parts = urlsplit(address)
    kind = KINDS.get(parts.scheme)
    if kind is None:
        raise ValueError(f"must begin with one of {', '.join(f'{scheme}://' for scheme in KINDS)}")
    # Kafka's may name several hosts.
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if not all(urlsplit(f"//{host}").hostname and _has_port(host) for host in hosts):
        raise ValueError("must name a host and a port, such as nats://localhost:4222")
    return kind


def _has_port(host: str) -> bool:
    """Tell whether a host names a port that there can be, or none."""
    return host.isprintable() and urlsplit(f"//{host}").port != 0


def without_secrets(address: str) -> str:
    """Return an address as it may be shown."""
    parts: SplitResult = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def open_broker(address: str) -> Broker:
    """Return the broker at an address, not connected yet.

    Raises:
        ExtraMissingError: its client is not installed.
    """
    kind = kind_of(address)
    try:
        module = import_module(f"{__package__}.{kind.module}")
    except ModuleNotFoundError as missing:
        raise ExtraMissingError("streams", kind.title) from missing
    make: Callable[[str], Broker] = getattr(module, kind.name)
    return make(address)


def dead_letters_of(kind: Kind, topic: str) -> str:
    """Return where messages of a topic go that cannot be used.

    >>> dead_letters_of(kind_of("mqtt://localhost"), "shop/+/sales")
    'dead-letters/shop/_/sales'
    """
    plain = "".join("_" if letter in kind.others else letter for letter in topic)
    return f"dead-letters{kind.between}{plain}"
