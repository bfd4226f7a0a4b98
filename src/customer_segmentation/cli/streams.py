"""Commands on message brokers: consume, publish."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customer_segmentation.cli.console.options import AsJson, Key, Url, check_name
from customer_segmentation.cli.console.output import (
    ExitCode,
    complain,
    conclude,
    errors_told,
    print_json,
    say,
    warn,
)
from customer_segmentation.cli.console.service import answers_told, open_service

if TYPE_CHECKING:
    from customer_segmentation.client import Client
    from customer_segmentation.streams.brokers.broker import Broker
    from customer_segmentation.streams.taking import Records

BROKER_VARIABLE = "CUSTOMER_SEGMENTATION_BROKER"
MOST = 1_000
"""Messages of a batch at most."""

_BATCH = 500


class Kind(StrEnum):
    """What messages are about."""

    TRANSACTIONS = "transactions"
    CUSTOMERS = "customers"


def _check_broker(address: str) -> str:
    from customer_segmentation.streams.brokers.addresses import kind_of

    try:
        kind_of(address)
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from fault
    return address


BrokerAddress = Annotated[
    str,
    typer.Argument(
        metavar="BROKER",
        envvar=BROKER_VARIABLE,
        callback=_check_broker,
        help="Address, such as amqp://guest:guest@localhost, nats://localhost, redis://localhost, "
        "kafka://localhost or mqtt://localhost; with a password, better set the variable.",
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(min=1, max=65_535, help="Answer with metrics for Prometheus on this port."),
]
MetricsHost = Annotated[str, typer.Option(help="The address to answer with metrics on.")]


def consume(
    broker: BrokerAddress,
    topic: Annotated[
        str, typer.Option(help="The queue, subject, stream or topic to take messages from.")
    ],
    kind: Annotated[
        Kind, typer.Option("--of", help="What messages are: transactions or customers.")
    ] = Kind.TRANSACTIONS,
    group: Annotated[
        str, typer.Option(help="The name under which the broker remembers what was taken.")
    ] = "customer-segmentation",
    consumer: Annotated[
        str | None,
        typer.Option(
            help="The name of this consumer in its group, for Redis.",
            show_default="the machine's name",
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help="TOML that says which field holds what, as for import.", dir_okay=False),
    ] = None,
    dead_letters: Annotated[
        str | None,
        typer.Option(
            help="Where messages go that cannot be used.", show_default="dead-letters.TOPIC"
        ),
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, max=MOST, help="Messages that are taken in at once, at most.")
    ] = _BATCH,
    idle: Annotated[
        float | None,
        typer.Option(min=0.1, help="Leave once none waits and none has come for so many seconds."),
    ] = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Take in transactions or customers from a message broker, until it is stopped.

    A message is acknowledged once it is committed: nothing is lost, and nothing counts twice,
    whatever is killed at whatever moment. What cannot be used goes to a dead-letter place.

    Example: customer-segmentation consume nats://localhost:4222 --topic shop.sales
    """
    from customer_segmentation.streams.brokers.addresses import dead_letters_of, kind_of
    from customer_segmentation.streams.brokers.broker import Subscription
    from customer_segmentation.streams.consuming import Consumer, Consumption
    from customer_segmentation.streams.lasting import Services
    from customer_segmentation.streams.metrics import ConsumerMetrics, serving

    aside = dead_letters or dead_letters_of(kind_of(broker), topic)
    if aside == topic:
        raise typer.BadParameter("must not be the topic itself", param_hint="--dead-letters")
    metrics = ConsumerMetrics()
    what = Consumption(
        Subscription(topic, group, consumer or socket.gethostname(), batch),
        aside,
        lambda client: _records(client, kind, mapping),
        idle,
    )
    with (
        _failures_told(broker) as connection,
        serving(metrics.registry, metrics_host, metrics_port),
    ):
        services = Services(lambda: _service(url, key))
        consuming = Consumer(connection, services, what, metrics, warn)
        _run(consuming.run)
    counts = {str(outcome): count for outcome, count in sorted(consuming.counts.items())}
    if as_json:
        print_json(counts)
    else:
        told = [f"{count:,} {name.replace('_', '-')}" for name, count in counts.items()]
        say(", ".join(told) or "No messages")


def publish(
    broker: BrokerAddress,
    topic: Annotated[
        str,
        typer.Option(
            help="The queue, subject, stream or topic to send to; for RabbitMQ also an exchange, "
            "as EXCHANGE/ROUTING KEY."
        ),
    ],
    name: Annotated[
        str,
        typer.Option(
            help="Under which it is kept up to where events are sent; one process at a time sends "
            "under a name.",
            callback=check_name,
        ),
    ] = "customer-segmentation",
    latest: Annotated[
        bool, typer.Option("--latest", help="Begin a new name with events to come.")
    ] = False,
    source: Annotated[
        str, typer.Option(help="What receivers know this service by, a URI.")
    ] = "/customer-segmentation",
    batch: Annotated[
        int, typer.Option(min=1, max=MOST, help="Events that are read at once, at most.")
    ] = _BATCH,
    idle: Annotated[
        float | None,
        typer.Option(min=0.1, help="Leave once no event has come for so many seconds."),
    ] = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Send the changes of customers' segments to a message broker, until it is stopped.

    Events go in their order and at least once, as CloudEvents. Begun again, also after it was
    killed, it goes on where it stopped. Each has a growing id, by which receivers know repetitions.

    Example: customer-segmentation publish kafka://localhost:9092 --topic segments
    """
    from customer_segmentation.streams.lasting import Services
    from customer_segmentation.streams.metrics import PublisherMetrics, serving
    from customer_segmentation.streams.publishing import Publication, Publisher

    metrics = PublisherMetrics()
    what = Publication(name, topic, source, latest, batch, idle)
    with (
        _failures_told(broker) as connection,
        serving(metrics.registry, metrics_host, metrics_port),
    ):
        services = Services(lambda: _service(url, key))
        publishing = Publisher(connection, services, what, metrics, warn)
        _run(publishing.run)
    conclude(f"{publishing.count:,} sent", as_json, sent=publishing.count)


def _run(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Work until SIGTERM or Ctrl+C has come, and what was begun is done."""
    from customer_segmentation.streams.lasting import stopped_by_signals

    async def run() -> None:
        async with stopped_by_signals() as stop:
            await work(stop)

    asyncio.run(run())


@contextmanager
def _failures_told(address: str) -> "Iterator[Broker]":
    """Yield the broker at an address; tell why it cannot be worked with, and exit."""
    from customer_segmentation.streams.brokers.addresses import open_broker, without_secrets
    from customer_segmentation.streams.brokers.broker import BrokerLostError

    with errors_told(), answers_told():
        try:
            yield open_broker(address)
        except BrokerLostError as lost:
            complain(f"The broker at {without_secrets(address)} does not answer: {lost}")
            raise typer.Exit(ExitCode.UNREACHABLE) from lost


@contextmanager
def _service(url: str | None, key: str | None) -> "Iterator[Client]":
    """Open the service to ask, once for each call: who calls tries again by itself.

    Raises:
        UnreachableError: it is not there now.
    """
    from customer_segmentation.client import Client
    from customer_segmentation.streams.lasting import UnreachableError

    if url is not None:
        with Client(url, key or None, tries=1) as client:
            yield client
        return
    with ExitStack() as stack:
        try:
            client = stack.enter_context(open_service(None, None))
        except typer.Exit as ended:
            if ended.exit_code != ExitCode.UNREACHABLE:
                raise
            raise UnreachableError("the database does not answer or is not ready") from ended
        yield client


def _records(client: "Client", kind: Kind, mapping: Path | None) -> "Records":
    """Return what reads messages, by the schema of a service."""
    from customer_segmentation.domain.errors import TransactionsNotDeclaredError
    from customer_segmentation.files.map.mapping_file import read_mapping, read_record_rules
    from customer_segmentation.files.schema_file import parse_schema
    from customer_segmentation.streams.taking import Customers, Transactions

    schema = parse_schema(client.get_schema_text(), "of the service")
    if kind is Kind.CUSTOMERS:
        return Customers(schema, None if mapping is None else read_mapping(schema, mapping))
    if schema.transactions is None:
        raise TransactionsNotDeclaredError
    return Transactions(schema, None if mapping is None else read_record_rules(schema, mapping))
