"""Whoever must be alone in the database gets a turn, however busy the others are."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import models
from tests.support.jobs import wait_until_rescored
from tests.support.servers import Server

pytestmark = pytest.mark.both_databases

BATCH = 1_000


@contextmanager
def overlapping_batches(server: Server) -> Iterator[list[int]]:
    """Let two clients send batches that change the same customers, one after the other."""
    statuses: list[int] = []
    stop = threading.Event()

    def send(ids: range) -> None:
        operations: list[dict[str, object]] = [
            {"action": "update", "customer": {"customer_id": i, "age": 40}} for i in ids
        ]
        with httpx.Client(base_url=server.url, timeout=60) as client:
            while not stop.is_set():
                answer = client.post("/v1/customers:batch", json={"operations": operations})
                statuses.append(answer.status_code)

    half = BATCH // 2
    clients = [
        threading.Thread(target=send, args=(range(1 + n * half, 1 + n * half + BATCH),))
        for n in range(2)
    ]
    for client in clients:
        client.start()
    while len(statuses) < 2:
        time.sleep(0.01)
    try:
        yield statuses
    finally:
        stop.set()
        for client in clients:
            client.join()


def test_an_activation_comes_through_amid_overlapping_batches(
    server: Server, units: UnitsOfWork, other_version: int
) -> None:
    with overlapping_batches(server) as statuses:
        begun = time.monotonic()
        answer = server.client.post(f"/v1/models/{other_version}:activate")
        seconds = time.monotonic() - begun
    wait_until_rescored(units, seconds=60)

    assert answer.status_code == 200
    assert seconds < 10
    assert set(statuses) == {200}


def test_a_training_begins_amid_overlapping_batches(server: Server, units: UnitsOfWork) -> None:
    with overlapping_batches(server) as statuses:
        begun = time.monotonic()
        with units.database.write() as connection:
            models.begin_epoch(connection)
        seconds = time.monotonic() - begun

    assert seconds < 10
    assert set(statuses) == {200}
