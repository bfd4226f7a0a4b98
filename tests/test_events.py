"""The feed of segment changes: in order, whole, and resumable, also while others write."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import text

from customer_segmentation.domain.history import FIRST_PLACE, Place, SegmentChange
from customer_segmentation.services.customers import add_customer, get_customer
from customer_segmentation.services.events import latest_place, read_events
from customer_segmentation.services.unit_of_work import UnitsOfWork
from tests.servers import Server
from tests.test_functions import NEW_CUSTOMER, problem

pytestmark = pytest.mark.both_databases


def follow(client: httpx.Client, after: str, count: int) -> list[dict[str, object]]:
    """Return so many events after a cursor, two at a time, and see that there are no more.

    PostgreSQL shows an event once every transaction that is older has ended, in all its databases.
    """
    found: list[dict[str, object]] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        answer = client.get("/v1/events", params={"after": after, "limit": 2}).json()
        assert answer["events"] or answer["next"] == after
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
    place = latest_place(units)
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
            seen.extend(change.customer_id for _, change in found)
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
def test_a_change_that_commits_late_is_not_passed_over(units: UnitsOfWork) -> None:
    if units.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    anyone = get_customer(units, 56).customer.attributes
    place = latest_place(units)

    def ids(found: list[tuple[Place, SegmentChange]]) -> list[int]:
        return [change.customer_id for _, change in found]

    with units.database.write() as late:
        late.execute(text("SELECT pg_current_xact_id()"))
        late.execute(text("SELECT nextval('segment_changes_id_seq')"))
        units.run(add_customer, 30_001, anyone)
        assert read_events(units, place, 10) == []

    deadline = time.monotonic() + 30
    while not (found := read_events(units, place, 10)):
        assert time.monotonic() < deadline
    assert ids(found) == [30_001]
    assert ids(read_events(units, FIRST_PLACE, 2)) == [1, 2]
