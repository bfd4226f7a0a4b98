"""Whatever waits for others has a bound, and nobody's slow work holds up another's."""

import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg
import pytest
from psycopg import sql

from customer_segmentation.domain.access import Role
from customer_segmentation.domain.errors import BusyError
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.model.artifact import Model
from customer_segmentation.services.customers.commands import get_customer, update_customer
from customer_segmentation.services.operation.keys import create_key, revoke_key
from customer_segmentation.services.runtime.unit_of_work import (
    MAX_SUBMITTED,
    UnitsOfWork,
    units_over,
)
from tests.support.answers import problem
from tests.support.jobs import ended, follow
from tests.support.servers import Server, eventually, running
from tests.support.stored import store_candidate

pytestmark = pytest.mark.both_databases

WAIT = 6.0
WAIT_SECONDS = {"CUSTOMER_SEGMENTATION_WAIT_SECONDS": str(WAIT)}
SOON = WAIT * 2 / 3
"""Long for a call that waits for nobody, on any machine, and less than one that waits takes."""


@contextmanager
def held(url: str, statement: LiteralString) -> Iterator[None]:
    """Hold a lock as another client of a database does: SQLite's own, or one of PostgreSQL's."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    else:
        with closing(psycopg.connect(url)) as client:
            client.execute(sql.SQL(statement))
            yield


def held_row(url: str) -> AbstractContextManager[None]:
    """Hold what a change of customer 56 needs."""
    return held(url, "SELECT 1 FROM customers WHERE customer_id = 56 FOR UPDATE")


def slowest(client: httpx.Client, path: str, calls: int = 20) -> float:
    """Return how many seconds the slowest of some reads took."""
    seconds = []
    for _ in range(calls):
        started = time.monotonic()
        assert client.get(path).status_code == 200
        seconds.append(time.monotonic() - started)
    return max(seconds)


def timed(call: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    started = time.monotonic()
    return call(), time.monotonic() - started


def test_changes_of_what_another_client_holds_end_in_time_and_reads_go_on(
    database_url: str, tmp_path: Path
) -> None:
    with (
        running(database_url, tmp_path, **WAIT_SECONDS) as server,
        ThreadPoolExecutor(12) as threads,
        held_row(database_url),
    ):
        calls = [
            threads.submit(timed, lambda: server.client.patch("/v1/customers/56", json={"age": 30}))
            for _ in range(12)
        ]
        assert slowest(server.client, "/v1/customers/57") < SOON
        assert slowest(server.client, "/v1/customers?limit=10") < SOON
        assert slowest(server.client, "/health/ready") < SOON
        for answer, seconds in [call.result() for call in calls]:
            assert problem(answer, 503)["type"].endswith("busy")
            assert answer.headers["retry-after"]
            assert seconds < WAIT + SOON

    with running(database_url, tmp_path) as server:
        assert server.client.patch("/v1/customers/56", json={"age": 31}).json()["age"] == 31
    assert "Traceback" not in server.log


BATCH = {"operations": [{"action": "update", "customer": {"customer_id": 56, "age": 30}}]}


@pytest.mark.parametrize(
    ("method", "path", "body", "longest"),
    [
        ("PATCH", "/v1/customers/56", {"age": 30}, WAIT + SOON),
        # Of several in PostgreSQL's queue for a row, the second waits once more as the first of it.
        ("POST", "/v1/customers:batch", BATCH, 2 * WAIT + SOON),
    ],
    ids=["changes", "batches"],
)
def test_changes_of_others_are_answered_while_many_wait_for_one_customer(
    database_url: str, tmp_path: Path, method: str, path: str, body: object, longest: float
) -> None:
    if not database_url.startswith("postgresql"):
        pytest.skip("SQLite's writers wait for one lock, in turn")
    with (
        running(database_url, tmp_path, **WAIT_SECONDS) as server,
        ThreadPoolExecutor(30) as threads,
        held_row(database_url),
    ):
        client = server.client
        waiting = [
            threads.submit(timed, lambda: client.request(method, path, json=body))
            for _ in range(30)
        ]
        time.sleep(1.0)
        for customer_id in range(57, 62):
            other = f"/v1/customers/{customer_id}"
            answer, seconds = timed(partial(client.patch, other, json={"age": 31}))
            assert (answer.status_code, answer.json()["age"]) == (200, 31)
            assert seconds < SOON
        assert not any(call.done() for call in waiting)
        for call in waiting:
            answer, seconds = call.result()
            assert problem(answer, 503)["type"].endswith("busy")
            assert seconds < longest


def test_all_changes_that_wait_are_refused_together_and_none_that_is_free_in_time(
    impatient: UnitsOfWork,
) -> None:
    with held_row(impatient.database.url):
        refused = [impatient.submit(update_customer, 56, {"age": n}) for n in range(20, 60)]
        started = time.monotonic()
        assert all(isinstance(one.exception(), BusyError) for one in refused)
        assert time.monotonic() - started < WAIT + SOON

    with held_row(impatient.database.url):
        done = [impatient.submit(update_customer, 56, {"age": n}) for n in range(20, 25)]
        assert not done[0].done()
    assert [one.result().customer.attributes["age"] for one in done] == [20, 21, 22, 23, 24]


def test_more_changes_than_may_wait_are_refused_at_once(impatient: UnitsOfWork) -> None:
    with held_row(impatient.database.url):
        waiting = [impatient.submit(update_customer, 56, {"age": 33}) for _ in range(MAX_SUBMITTED)]
        started = time.monotonic()
        with pytest.raises(BusyError):
            impatient.submit(update_customer, 56, {"age": 34})
        assert time.monotonic() - started < SOON
    for one in waiting:
        one.exception()
    assert impatient.submit(update_customer, 56, {"age": 35}).result()


def test_reads_that_take_long_hold_up_neither_brief_ones_nor_changes(database_url: str) -> None:
    units = units_over(database_url, pool_size=1, wait_seconds=2.0)
    with units.read():
        assert get_customer(units, 56).customer.customer_id == 56
        units.refresh()
        assert units.submit(update_customer, 56, {"age": 36}).result()
        with pytest.raises(BusyError), units.read():
            pass
    with units.read():
        pass
    units.close()


def test_comparisons_hold_up_neither_reads_nor_the_revocation_of_keys(
    database_url: str, tmp_path: Path
) -> None:
    with running(
        database_url, tmp_path, CUSTOMER_SEGMENTATION_AUTH="keys", **WAIT_SECONDS
    ) as server:
        units = units_over(database_url)
        admin, reader = (create_key(units, r.label, r) for r in (Role.ADMIN, Role.READER))
        client = signed_in(server, admin)
        eventually(lambda: client.get("/v1/customers/57").status_code, 200)
        with ThreadPoolExecutor(40) as threads, ExitStack() as stack:
            if not units.database.is_sqlite:
                # All of them wait for a table that another client has locked.
                stack.enter_context(held(database_url, "LOCK TABLE model_versions"))
            calls = [threads.submit(client.get, "/v1/models/1/impact") for _ in range(40)]
            assert slowest(client, "/v1/customers/57") < SOON
            assert slowest(client, "/v1/customers?limit=10") < SOON
            revoke_key(units, Role.READER.label)
            with signed_in(server, reader) as revoked:
                eventually(lambda: revoked.get("/v1/customers/57").status_code, 401)
            stack.close()
            # Those that another client has locked for too long are told so.
            assert {call.result().status_code for call in calls} <= {200, 503}
        client.close()
        units.close()


def signed_in(server: Server, key: str) -> httpx.Client:
    """Return a client with a key."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=60)


def test_a_receiver_that_does_not_answer_holds_up_nobody(database_url: str, tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as receiver,
        running(
            database_url,
            tmp_path,
            CUSTOMER_SEGMENTATION_WEBHOOK_PRIVATE_ADDRESSES="true",
            **WAIT_SECONDS,
        ) as server,
    ):
        receiver.settimeout(30)
        url = f"http://127.0.0.1:{receiver.getsockname()[1]}/"
        assert server.client.post("/v1/webhooks", json={"url": url}).status_code == 201
        assert server.client.delete("/v1/customers/58").status_code == 204
        connection, _ = receiver.accept()
        with connection:
            assert slowest(server.client, "/v1/customers/57") < SOON
            answer, seconds = timed(
                lambda: server.client.patch("/v1/customers/56", json={"age": 40})
            )
            assert (answer.status_code, seconds < SOON) == (200, True)
            # What else is done beside the requests goes on too.
            eventually(lambda: changed(server), 2)


def changed(server: Server) -> int:
    """Return how many changes are counted."""
    lines = server.client.get("/metrics").text.splitlines()
    (found,) = (one for one in lines if one.startswith("customer_segmentation_changed_customers "))
    return int(float(found.rpartition(" ")[2]))


@pytest.fixture
def impatient(database_url: str) -> Iterator[UnitsOfWork]:
    """Units of work that wait a few seconds at most."""
    units = units_over(database_url, wait_seconds=WAIT)
    get_customer(units, 56)
    yield units
    units.close()


@pytest.mark.long
def test_batches_that_overlap_hold_up_neither_an_activation_nor_a_training(
    database_url: str, tmp_path: Path, shipped_model: Model
) -> None:
    if not database_url.startswith("postgresql"):
        pytest.skip("SQLite's writers wait for one lock, in turn")
    units = units_over(database_url)
    version = store_candidate(units, shipped_model)
    units.close()
    with Server(database_url, tmp_path) as server, ThreadPoolExecutor(2) as threads:
        done = threading.Event()
        clients = [
            threads.submit(send_batches, server.url, range(start, start + 1_000), done)
            for start in (1, 501)
        ]
        try:
            activated, took = timed(lambda: server.client.post(f"/v1/models/{version}:activate"))
            trained = server.client.post("/v1/models", json={"restarts": 1})
            (*_, job) = follow(server.client, trained.headers["location"], serves)
        finally:
            done.set()

        assert all(client.result() > 1 for client in clients)
        assert activated.status_code == 200
        assert took < SOON, took
        (*_, job) = follow(server.client, trained.headers["location"], ended)
        assert job["state"] == "succeeded"


def serves(job: dict[str, Any]) -> bool:
    """Tell whether a training has put its model in the place of the one before."""
    return ended(job) or job["phase"] == Phase.RESCORING


def send_batches(url: str, ids: range, done: threading.Event) -> int:
    """Change the same customers one batch after the other; return how many batches that took."""
    sent = 0
    with httpx.Client(base_url=url, timeout=60) as client:
        while not done.is_set():
            operations = [
                {"action": "update", "customer": {"customer_id": one, "age": 20 + sent % 50}}
                for one in ids
            ]
            client.post("/v1/customers:batch", json={"operations": operations}).raise_for_status()
            sent += 1
    return sent
