"""Consuming from the real brokers: everything once, whatever is killed, and nothing lost."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from customer_segmentation.cli.console.output import ExitCode
from tests.support.brokers import Place, aside
from tests.support.commands import run, run_json
from tests.support.purchases import open_purchases
from tests.support.servers import until
from tests.support.streaming import consuming

Json = dict[str, Any]


@pytest.fixture(scope="module")
def shop(place: Place, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A shop for each broker, as they tell of the same sales."""
    assert place
    url = f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}"
    open_purchases(url, "added").close()
    return url


def sale(number: int, customer_id: int, **others: object) -> Json:
    """Return a sale as a message holds it."""
    told = {"transaction_id": f"T{number}", "customer_id": customer_id, "time": "2026-01-31"}
    return {**told, "amount": 1.5, "kind": "sale", **others}


def sales_of(customer_id: int, count: int) -> list[bytes]:
    """Return some sales to a customer."""
    return [json.dumps(sale(customer_id * 1_000 + n, customer_id)).encode() for n in range(count)]


def consume(place: Place, topic: str, shop: str, *more: str) -> Json:
    """Take in what waits; return what became of it."""
    options = ("--topic", topic, "--group", topic, "--idle", "0.7", *more)
    told: Json = run_json("consume", place.url, *options, env={"DATABASE_URL": shop})
    return told


def customer(shop: str, customer_id: int) -> Json:
    """Return a customer."""
    found: Json = run_json("customers", "get", str(customer_id), env={"DATABASE_URL": shop})
    return found


def test_all_arrive_once_and_are_acknowledged(place: Place, topic: str, shop: str) -> None:
    place.send(topic, sales_of(101, 40) + sales_of(101, 1))

    assert consume(place, topic, shop, "--batch", "7") == {"stored": 40, "repeated": 1}
    assert consume(place, topic, shop) == {}

    found = customer(shop, 101)
    assert (found["frequency"], found["monetary"]) == (40, 60)


def test_what_cannot_be_used_is_put_aside_with_its_reason(
    place: Place, topic: str, shop: str
) -> None:
    unusable = {
        b"no JSON": "A message must hold JSON",
        b"[1]": "A message must hold a JSON object",
        json.dumps(sale(102_001, 102, colour="red")).encode(): "colour",
        json.dumps(sale(102_002, 102, time="yesterday")).encode(): "time must be a date",
        json.dumps({**sale(102_000, 102), "amount": 2}).encode(): "id T102000",
        b'{"transaction_id": "\\ud800", "customer_id": 102}': "JSON",
    }
    place.send(topic, [*sales_of(102, 2), *unusable, *sales_of(102, 3)])

    told = consume(place, topic, shop)

    assert told == {"stored": 3, "repeated": 2, "dead_lettered": len(unusable)}
    letters = place.read(aside(place, topic))
    assert [letter.body for letter in letters] == [*unusable]
    for letter, reason in zip(letters, unusable.values(), strict=True):
        assert reason in letter.headers["dead-letter-reason"]
        assert letter.headers["dead-letter-source"] == topic
    assert consume(place, topic, shop) == {}


def test_killed_in_the_middle_and_started_again_it_loses_nothing_and_counts_nothing_twice(
    place: Place, topic: str, shop: str, tmp_path: Path
) -> None:
    place.send(topic, sales_of(103, 600))
    with consuming(place, topic, shop, tmp_path, "--batch", "3"):
        until(lambda: taken(shop, 103) >= 20)
    assert 20 <= taken(shop, 103) < 600

    consume(place, topic, shop)

    found = customer(shop, 103)
    assert (found["frequency"], found["monetary"]) == (600, 900)


def taken(shop: str, customer_id: int) -> int:
    """Return how many of a customer's sales are stored."""
    told = run("customers", "get", str(customer_id), "--json", env={"DATABASE_URL": shop})
    return 0 if told.exit_code == ExitCode.NOT_FOUND else int(json.loads(told.stdout)["frequency"])


def test_told_to_end_it_leaves_in_order(
    place: Place, topic: str, shop: str, tmp_path: Path
) -> None:
    place.send(topic, sales_of(104, 3))
    with consuming(place, topic, shop, tmp_path) as asked:
        until(lambda: taken(shop, 104) == 3)

        asked.send_signal(signal.SIGTERM)

        assert asked.wait(timeout=30) == ExitCode.DONE, (tmp_path / "errors").read_text()
    assert json.loads((tmp_path / "output").read_text()) == {"stored": 3}
    assert consume(place, topic, shop) == {}


def test_customers_are_stored_changed_and_deleted(place: Place, topic: str, shop: str) -> None:
    told = [
        {"customer_id": 105, "points": 5},
        {"action": "upsert", "customer": {"customer_id": 105, "points": 7}},
        {"customer_id": 106},
        {"customer_id": 107, "points": 1},
        {"action": "delete", "customer": {"customer_id": 107}},
        {"action": "delete", "customer": {"customer_id": 107}},
        {"action": "praise", "customer": {"customer_id": 105}},
    ]
    place.send(topic, [json.dumps(one).encode() for one in told])

    counts = consume(place, topic, shop, "--of", "customers")

    assert counts == {"upserted": 3, "deleted": 1, "repeated": 1, "dead_lettered": 2}
    assert customer(shop, 105)["points"] == 7
    assert taken(shop, 107) == 0
    reasons = [one.headers["dead-letter-reason"] for one in place.read(aside(place, topic))]
    assert "Nothing to change" in reasons[0]
    assert "action must be one of" in reasons[1]
