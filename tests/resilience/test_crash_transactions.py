"""Killing a server among transactions: none is lost that was acknowledged, none counts twice.

`KILLS=20 ./run test tests/resilience/test_crash_transactions.py` is the long run.
"""

import os
import random
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from customer_segmentation.services.models.rescoring import rescore
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.transactions.recounting import recount_transactions
from customer_segmentation.store.queries import transactions
from tests.support.purchases import FIRST, open_purchases
from tests.support.servers import Server
from tests.support.stored import assert_current, stored_customers

KILLS = int(os.environ.get("KILLS", "1"))
BATCHES = 10
"""For each kill and sender; of as many transactions as one transaction of the database takes."""

BATCH = 300
SENDERS = 2
NOW = datetime.now(UTC)

Json = dict[str, Any]


class Sender(threading.Thread):
    """Sends batches until each is answered, over again where the server was killed meanwhile."""

    def __init__(self, url: str, batches: list[list[Json]]) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.batches = batches
        self.done = 0
        self.sent_again = 0
        self.refused: list[Json] = []

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30.0) as client:
            for batch in self.batches:
                while not self._is_taken(client, batch):
                    self.sent_again += 1
                    time.sleep(0.05)
                self.done += 1

    def _is_taken(self, client: httpx.Client, batch: list[Json]) -> bool:
        try:
            answer = client.post("/v1/transactions", json=batch)
        except httpx.TransportError:
            return False
        if answer.status_code != 200:
            return False
        self.refused += [one for one in answer.json()["outcomes"] if "problem" in one]
        return True


def batches_of(sender: int, many: int) -> list[list[Json]]:
    """Return batches, each of a third of the same customers as the others'."""
    seeded = random.Random(sender)
    return [
        [
            {
                "transaction_id": f"S{sender}-{batch}-{row}",
                "customer_id": seeded.randint(1, FIRST),
                "time": (NOW - timedelta(days=seeded.choice([0, 6, 29, 89, 200]))).isoformat(),
                "amount": seeded.randint(-500, 9_000) / 100,
                "kind": seeded.choice(["sale", "return"]),
                "shelf": seeded.choice("ABC"),
            }
            for row in range(BATCH)
        ]
        for batch in range(many)
    ]


@pytest.mark.both_databases
@pytest.mark.timeout(60 + 30 * KILLS)
def test_a_killed_server_counts_each_transaction_once(
    empty_database_url: str, tmp_path: Path
) -> None:
    open_purchases(empty_database_url).close()
    seeded = random.Random(2)
    given = [batches_of(sender, BATCHES * KILLS) for sender in range(SENDERS)]
    with Server(empty_database_url, tmp_path) as server:
        senders = [Sender(server.url, batches) for batches in given]
        for sender in senders:
            sender.start()
        for kill in range(KILLS):
            while sum(sender.done for sender in senders) < (kill + 0.2) * BATCHES * SENDERS:
                time.sleep(0.01)
            time.sleep(seeded.uniform(0.0, 0.3))
            server.kill()
            server.start()
        for sender in senders:
            sender.join()
            assert not sender.refused
        assert any(sender.sent_again for sender in senders)

    with closing(units_over(empty_database_url)) as units:
        _assert_each_counts_once(units, [one for batches in given for b in batches for one in b])


def _assert_each_counts_once(units: UnitsOfWork, sent: list[Json]) -> None:
    rescore(units)  # Where the kill cut it off.
    with units.read() as work:
        assert transactions.count(work.connection) == len(sent)
    stored = stored_customers(units)
    totals = dict.fromkeys(range(1, FIRST + 1), 0)
    for one in sent:
        totals[one["customer_id"]] += round(one["amount"] * 100)
    place = units.schema.names.index("monetary")
    assert {
        number: round(value * 100)
        for number, value in zip(stored.ids.tolist(), stored.values[:, place], strict=True)
    } == totals
    assert recount_transactions(units) == 0
    assert_current(units)
