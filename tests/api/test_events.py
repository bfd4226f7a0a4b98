"""The feed of segment changes: in order, whole, and resumable, also while others write."""

import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import numpy as np
import psycopg
import pytest
from sqlalchemy import insert

from customer_segmentation.domain.history import FEED_START, Cause, SegmentChange
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    get_customer,
)
from customer_segmentation.services.customers.erasure import erase_customer
from customer_segmentation.services.customers.events import (
    latest_position,
    read_cursor,
    read_events,
)
from customer_segmentation.services.operation.maintenance import back_up, restore
from customer_segmentation.services.runtime.audit import verify
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import history
from customer_segmentation.store.schema import migrate
from customer_segmentation.store.tables import segment_changes
from tests.conftest import POSTGRES, postgres_database
from tests.support.answers import problem
from tests.support.examples import NEW_CUSTOMER
from tests.support.servers import Server

pytestmark = pytest.mark.both_databases


def follow(client: httpx.Client, after: str, count: int) -> list[dict[str, object]]:
    """Return so many events after a cursor, two at a time, and see that there are no more."""
    found: list[dict[str, object]] = []
    while len(found) < count:
        answer = client.get("/v1/events", params={"after": after, "limit": 2}).json()
        assert answer["events"]
        found += answer["events"]
        after = answer["next"]
    assert client.get("/v1/events", params={"after": after}).json()["events"] == []
    return found


def test_a_follower_gets_each_change_once_and_in_order(server: Server) -> None:
    client = server.client
    start = client.get("/v1/events?after=latest").json()
    assert start["events"] == []
    client.post("/add_customer_to_database", json=NEW_CUSTOMER)
    client.patch("/v1/customers/20001", json={"loyalty_score": 10, "transaction_count": 2})
    client.patch("/v1/customers/20001", json={"education_level": 2})
    client.delete("/v1/customers/20001")

    events = follow(client, start["next"], 3)

    assert [(e["customer_id"], e["cause"]) for e in events] == [
        (20001, "added"),
        (20001, "updated"),
        (20001, "deleted"),
    ]
    assert len({event["cursor"] for event in events}) == 3
    middle = client.get("/v1/events", params={"after": str(events[0]["cursor"])}).json()
    assert middle["events"] == events[1:]


def test_the_feed_begins_with_the_first_customers(shared_server: Server) -> None:
    answer = shared_server.client.get("/v1/events?limit=10").json()

    assert [event["customer_id"] for event in answer["events"]] == list(range(1, 11))
    assert {event["cause"] for event in answer["events"]} == {"added"}
    problem(shared_server.client.get("/v1/events?after=soon"), 422)


def test_a_follower_amid_writers_misses_no_change(units: UnitsOfWork) -> None:
    anyone = get_customer(units, 56).customer.attributes
    place = latest_position(units)
    deadline = time.monotonic() + 60
    seen: list[int] = []
    done = threading.Event()

    def write(first: int) -> None:
        for customer_id in range(first, first + 50):
            units.run(add_customer, customer_id, anyone)

    def read() -> None:
        at = place
        while True:
            ending = done.is_set()
            found = read_events(units, at, 7)
            seen.extend(int(change.customer_id) for _, change in found)
            if found:
                at = found[-1][0]
            elif ending and (len(seen) >= 200 or time.monotonic() > deadline):
                return

    reader = threading.Thread(target=read)
    reader.start()
    firsts = range(30_000, 30_400, 100)
    with ThreadPoolExecutor(len(firsts)) as pool:
        list(pool.map(write, firsts))
    done.set()
    reader.join()

    assert len(seen) == len(set(seen))
    assert sorted(seen) == [first + i for first in firsts for i in range(50)]


@pytest.mark.postgres
def test_a_change_that_commits_late_is_not_passed_over_and_keeps_nobody_waiting(
    units: UnitsOfWork,
) -> None:
    if units.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    anyone = get_customer(units, 56).customer.attributes
    start = latest_position(units)

    with units.write() as late:
        add_customer(late, 30_000, anyone)
        units.run(add_customer, 30_001, anyone)
        seen = read_events(units, start, 10)
    then = read_events(units, seen[-1][0], 10)

    assert ids(seen) == [30_001]
    assert ids(then) == [30_000]
    assert ids(read_events(units, FEED_START, 2)) == [1, 2]


@pytest.mark.postgres
def test_a_transaction_open_elsewhere_stops_no_event(units: UnitsOfWork) -> None:
    if units.database.is_sqlite:
        pytest.skip("a SQLite file stands alone")
    start = latest_position(units)
    with psycopg.connect(f"{POSTGRES}/postgres") as other:
        other.execute("SELECT pg_current_xact_id()")

        units.run(delete_customer, 56)

        assert ids(read_events(units, start, 10)) == [56]


def ids(found: list[tuple[int, SegmentChange]]) -> list[int]:
    return [int(change.customer_id) for _, change in found]


def test_events_after_an_erasure_of_the_newest_customer_are_not_lost(units: UnitsOfWork) -> None:
    anyone = get_customer(units, 56).customer.attributes
    units.run(add_customer, 30_000, anyone)
    read = latest_position(units)

    units.run(erase_customer, 30_000)
    units.run(delete_customer, 57)

    assert ids(read_events(units, read, 10))[-1] == 57


def test_imported_customers_and_others_stand_in_the_feed_in_the_order_of_commits(
    units: UnitsOfWork,
) -> None:
    start = latest_position(units)
    anyone = get_customer(units, 56).customer.attributes
    units.run(add_customer, 30_000, anyone)
    with units.write() as work:
        history.add_many(
            work.connection,
            np.array([1, 2, 3]),
            now(),
            Cause.UPDATED,
            (np.array([1, 1, 1]), np.array([2, 2, 2])),
            1,
        )
    units.run(add_customer, 30_001, anyone)

    found = read_events(units, start, 10)

    assert sorted(ids(found)) == [1, 2, 3, 30_000, 30_001]
    assert [at for at, _ in found] == sorted({at for at, _ in found})
    assert ids(found).index(30_000) < ids(found).index(30_001)


def test_a_restored_database_repeats_and_loses_no_event(units: UnitsOfWork, tmp_path: Path) -> None:
    anyone = get_customer(units, 56).customer.attributes
    units.run(add_customer, 30_000, anyone)
    before = latest_position(units)
    with copied(units, tmp_path) as copy:
        # The reader has read on after the copy was made, which knows nothing of this.
        units.run(add_customer, 30_001, anyone)
        read = latest_position(units)

        copy.run(add_customer, 30_002, anyone)
        copy.run(delete_customer, 30_000)

        assert ids(read_events(copy, read, 10)) == [30_002, 30_000]
        assert ids(read_events(copy, before, 10)) == [30_002, 30_000]
        assert verify(copy.database).faults == ()


@contextmanager
def copied(units: UnitsOfWork, folder: Path) -> Iterator[UnitsOfWork]:
    """Copy a database as operators do: by a backup and its restore, or a dump into another."""
    with ExitStack() as stack:
        if units.database.is_sqlite:
            back_up(units, folder / "backup.db")
            url = f"sqlite:///{folder / 'restored.db'}"
            restore(Settings(database_url=url), folder / "backup.db")
        else:
            dump = subprocess.run(["pg_dump", units.database.url], check=True, capture_output=True)
            url = f"{POSTGRES}/{stack.enter_context(postgres_database())}"
            subprocess.run(
                ["psql", "--quiet", "--set=ON_ERROR_STOP=1", url],
                input=dump.stdout,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        copy = UnitsOfWork(Database(url))
        stack.callback(copy.close)
        yield copy


def test_a_database_of_the_release_before_keeps_its_events_and_cursors(
    empty_database_url: str,
) -> None:
    database = Database(empty_database_url)
    migrate(database, "0011")
    sqlite = database.is_sqlite
    # On PostgreSQL, what was begun first was committed last.
    transactions = [0, 0, 0] if sqlite else [900, 901, 900]
    with database.write() as connection:
        for row, (transaction_id, customer_id) in enumerate(
            zip(transactions, (7, 8, 9), strict=True)
        ):
            connection.execute(
                insert(segment_changes).values(
                    id=row + 1,
                    customer_id=customer_id,
                    changed_at=now(),
                    cause="added",
                    to_segment=1,
                    model_version=1,
                    transaction_id=transaction_id,
                )
            )
    migrate(database)
    units = UnitsOfWork(database)
    order = [7, 8, 9] if sqlite else [7, 9, 8]

    assert ids(read_events(units, FEED_START, 10)) == order
    assert ids(read_events(units, read_cursor(units, "-1.-1"), 10)) == order
    first = f"{transactions[0]}.1"
    assert ids(read_events(units, read_cursor(units, first), 10)) == order[1:]
    last = "0.3" if sqlite else "901.2"
    assert ids(read_events(units, read_cursor(units, last), 10)) == []
    units.close()
