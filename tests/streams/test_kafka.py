"""Kafka's protocol, as the cluster speaks it that librdkafka makes up within this process."""

import json

import pytest

from tests.support.brokers import aside, new_topic, require_broker
from tests.support.commands import run_json
from tests.support.purchases import open_purchases


def test_what_a_cluster_has_is_taken_in_or_put_aside(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    cluster, topic = require_broker("kafka"), new_topic()
    url = f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}"
    open_purchases(url).close()
    sale = {"customer_id": 7, "time": "2026-01-31", "amount": 1.5}
    sales = [json.dumps({**sale, "transaction_id": f"T{n}"}).encode() for n in range(20)]
    cluster.send(topic, [*sales, b"none", sales[0]])

    options = ("--topic", topic, "--idle", "0.5", "--batch", "9")
    told = run_json("consume", cluster.url, *options, env={"DATABASE_URL": url})

    assert told == {"stored": 20, "repeated": 1, "dead_lettered": 1}
    (letter,) = cluster.read(aside(cluster, topic))
    assert letter.body == b"none"
    assert "must hold JSON" in letter.headers["dead-letter-reason"]
