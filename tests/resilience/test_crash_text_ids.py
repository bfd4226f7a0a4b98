"""Killing a server while customers are added whose ids are texts."""

import threading
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from customer_segmentation.services.runtime.unit_of_work import units_over
from customer_segmentation.store import tables
from tests.support.servers import Server, until
from tests.support.shop import FIRST, attributes, open_shop

ROUNDS = 3
WRITERS = 4

pytestmark = pytest.mark.both_databases


class Adder(threading.Thread):
    """Adds customers over and over, and notes who was acknowledged."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._prefix = name
        self.acknowledged: list[str] = []
        self.unexpected: list[str] = []

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=10.0) as client:
            for number in range(100_000):
                customer_id = f"{self._prefix}/{number}"
                body = {"customer_id": customer_id, **attributes()}
                try:
                    answer = client.post("/v1/customers", json=body)
                except httpx.TransportError:
                    return
                if answer.status_code != 201:
                    self.unexpected.append(answer.text)
                    return
                self.acknowledged.append(customer_id)


def _have_all_added(adders: Sequence[Adder]) -> bool:
    return all(len(adder.acknowledged) > 5 for adder in adders)


def test_a_killed_server_keeps_whom_it_acknowledged_under_one_number_each(
    empty_database_url: str, tmp_path: Path
) -> None:
    open_shop(empty_database_url).close()
    kept: list[str] = []
    with Server(empty_database_url, tmp_path) as server:
        for cycle in range(ROUNDS):
            adders = [Adder(server.url, f"{cycle} ü{writer}") for writer in range(WRITERS)]
            for adder in adders:
                adder.start()
            until(partial(_have_all_added, adders))
            server.kill()
            for adder in adders:
                adder.join()
                assert not adder.unexpected
                kept += adder.acknowledged
            server.start()
        # Who was on the way is there or not, and can be put there either way.
        for adder in adders:
            last = httpx.URL(f"/v1/customers/{adder.acknowledged[-1].replace('/', '%2F')}")
            assert server.client.put(last, json=attributes()).status_code == 200

    units = units_over(empty_database_url)
    with units.database.read() as connection:
        ids: dict[int, str] = dict(connection.execute(select(tables.customer_ids)).all())
        there = connection.execute(select(tables.customers.c.customer_id)).scalars().all()
        history = connection.execute(select(tables.segment_changes.c.customer_id)).scalars().all()
    units.close()
    assert set(kept) <= {ids[number] for number in there}
    assert max(Counter(ids.values()).values()) == 1
    assert Counter(history) == Counter(there)
    assert len(there) >= FIRST + len(kept)
