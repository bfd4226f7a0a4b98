"""What passes is waited for: nothing is lost or put aside while service or database are away."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from customer_segmentation.cli.console.output import ExitCode
from tests.support.brokers import Place, aside, new_topic, require_broker
from tests.support.commands import run, run_json
from tests.support.purchases import open_purchases
from tests.support.servers import Server, until
from tests.support.streaming import consuming

SALES = [
    json.dumps(
        {"transaction_id": f"T{n}", "customer_id": 7, "time": "2026-01-31", "amount": 1.5}
    ).encode()
    for n in range(30)
]


@pytest.fixture
def place() -> Place:
    """One broker, as what is tested is alike for all."""
    return require_broker("redis")


@pytest.fixture
def topic(place: Place) -> Iterator[str]:
    """A topic of a test's own."""
    name = new_topic()
    yield name
    place.remove(name, aside(place, name))


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """An empty shop."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    open_purchases(url).close()
    return url


def frequency(shop: str) -> int:
    """Return how many sales count for the customer."""
    found = run_json("customers", "get", "7", env={"DATABASE_URL": shop})
    return int(found["frequency"])


def test_a_service_that_is_away_is_waited_for(
    place: Place, topic: str, shop: str, tmp_path: Path
) -> None:
    before = frequency(shop)
    place.send(topic, SALES[:10])
    server = Server(shop, tmp_path)
    errors = tmp_path / "errors"
    with closing(server.client), consuming(place, topic, shop, tmp_path, "--url", server.url):
        until(lambda: told_by(errors).count("tried again") >= 2)
        server.start()
        until(lambda: frequency(shop) == before + 10)
        server.kill()
        place.send(topic, SALES[10:])
        until(lambda: told_by(errors).count("tried again") >= 4)
        server.start()
        until(lambda: frequency(shop) == before + len(SALES))
        server.stop()

    assert place.read(aside(place, topic)) == []


def test_a_database_that_cannot_be_written_is_waited_for(
    place: Place, topic: str, shop: str, tmp_path: Path
) -> None:
    before = frequency(shop)
    place.send(topic, SALES[:1])
    with (
        consuming(place, topic, shop, tmp_path),
        closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as other,
    ):
        until(lambda: frequency(shop) == before + 1)
        other.execute("BEGIN IMMEDIATE")
        place.send(topic, SALES[1:])
        time.sleep(1)
        assert frequency(shop) == before + 1
        other.execute("ROLLBACK")
        until(lambda: frequency(shop) == before + len(SALES))

    assert place.read(aside(place, topic)) == []


def told_by(errors: Path) -> str:
    """Return what was told on standard error."""
    return errors.read_text() if errors.exists() else ""


def test_a_broker_that_does_not_answer_at_the_beginning_is_told(shop: str) -> None:
    ended = run(
        "consume", "redis://:secret@127.0.0.1:1", "--topic", "a", env={"DATABASE_URL": shop}
    )

    assert ended.exit_code == ExitCode.UNREACHABLE
    assert "redis://127.0.0.1:1 does not answer" in ended.stderr
    assert "secret" not in ended.stderr


def test_without_a_database_it_ends_and_leaves_the_messages(
    place: Place, topic: str, tmp_path: Path
) -> None:
    place.send(topic, [b"{}"])
    no_model = {"DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"}

    refused = run("consume", place.url, "--topic", topic, "--idle", "1", env=no_model)

    assert refused.exit_code == ExitCode.NO_DATABASE
    assert len(place.read(topic)) == 1
