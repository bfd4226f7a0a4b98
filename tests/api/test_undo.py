"""Undoing imports: everything is as before, but for what somebody else has changed since."""

import os
import signal
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import update

from customer_segmentation.services.jobs.lifecycle import get_job
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.tables import active_model
from tests.support.answers import problem
from tests.support.examples import SOMEONE
from tests.support.imports import many_csv, send, sent, shipped_csv, stored_so_far
from tests.support.jobs import Fields, ended, follow
from tests.support.servers import Server, running, until
from tests.support.stored import assert_current, stored_customers

pytestmark = pytest.mark.both_databases

RICH = {"income/month": "90000", "account balance": "400000", "transaction_count": "0"}


def undone(client: httpx.Client, import_id: str, **asked: str) -> Fields:
    """Return how the undoing of an import ended."""
    answer = client.post(f"/v1/imports/{import_id}:undo", json=asked)
    assert answer.status_code == 202, answer.text
    return follow(client, answer.headers["location"], ended)[-1]


def test_an_import_is_taken_back_whole(server: Server, units: UnitsOfWork) -> None:
    client = server.client
    before = stored_customers(units)
    changing = sent(client, shipped_csv(last=300, changes=RICH), name="rich.csv")
    adding = sent(client, shipped_csv(last=200, shift=50_000), name="more.csv")
    assert (changing["can_be_undone"], adding["can_be_undone"]) == (True, True)

    last = undone(client, adding["id"], by="Ada", reason="wrong month")
    undone(client, changing["id"])

    assert (last["state"], last["undoes"], last["requested_by"]) == (
        "succeeded",
        adding["id"],
        "Ada",
    )
    assert last["result"] == {"removed": 200, "restored": 0, "kept": 0, "kept_ids": []}
    after = stored_customers(units)
    assert (after.ids == before.ids).all()
    assert (after.values == before.values).all()
    assert (after.segments == before.segments).all()
    assert_current(units)
    causes = [c["cause"] for c in client.get("/v1/customers/50001/history").json()["changes"]]
    assert causes == ["added", "deleted"]
    entries = client.get("/v1/audit", params={"kind": "file"}).json()["entries"]
    told = [(e["actor"], e["subject"], e["action"]) for e in entries]
    assert ("Ada", "more.csv", "200 customers removed") in told
    assert not client.get(f"/v1/imports/{adding['id']}").json()["can_be_undone"]
    problem(client.post(f"/v1/imports/{adding['id']}:undo"), 409)


def test_whom_somebody_else_has_changed_since_stays(server: Server, units: UnitsOfWork) -> None:
    client = server.client
    changing = sent(client, shipped_csv(last=20, changes=RICH))
    adding = sent(client, shipped_csv(last=20, shift=50_000))
    client.patch("/v1/customers/5", json={"age": 99}).raise_for_status()
    client.delete("/v1/customers/6").raise_for_status()
    client.patch("/v1/customers/50007", json={"age": 99}).raise_for_status()

    left = undone(client, changing["id"])["result"]
    gone = undone(client, adding["id"])["result"]

    assert left == {"removed": 0, "restored": 18, "kept": 2, "kept_ids": [5, 6]}
    assert gone == {"removed": 19, "restored": 0, "kept": 1, "kept_ids": [50_007]}
    assert client.get("/v1/customers/5").json()["age"] == 99
    assert client.get("/v1/customers/5").json()["monthly_income"] == 90_000
    assert client.get("/v1/customers/6").status_code == 404
    assert client.get("/v1/customers/50007").json()["age"] == 99
    assert_current(units)


@pytest.mark.long_over_postgres
def test_a_replacement_is_taken_back_but_for_who_was_erased_or_added_again(
    server: Server, units: UnitsOfWork
) -> None:
    client = server.client
    with units.database.write() as connection:
        connection.execute(update(active_model).values(is_demo=False))
    before = stored_customers(units)
    earlier = sent(client, shipped_csv(last=5, changes=RICH))
    last = sent(client, shipped_csv(first=101, changes=RICH), mode="replace")
    assert last["result"]["removed"] == 100
    assert not client.get(f"/v1/imports/{earlier['id']}").json()["can_be_undone"]
    client.delete("/v1/customers/50?erase=true").raise_for_status()
    client.put("/v1/customers/60", json=SOMEONE).raise_for_status()

    result = undone(client, last["id"])["result"]

    assert (result["kept"], result["kept_ids"]) == (1, [60])
    after = stored_customers(units)
    assert 50 not in after.ids
    same = ~np.isin(before.ids, [1, 2, 3, 4, 5, 50, 60])
    assert (after.values[np.isin(after.ids, before.ids[same])] == before.values[same]).all()
    assert_current(units)


@pytest.mark.long_over_postgres
def test_an_undo_whose_process_is_killed_goes_on_by_itself(
    database_url: str, tmp_path: Path, units: UnitsOfWork
) -> None:
    before = stored_customers(units)
    with running(database_url, tmp_path) as server:
        client = server.client
        done = sent(client, many_csv())
        location = client.post(f"/v1/imports/{done['id']}:undo").headers["location"]
        until(lambda: (client.get(location).json()["result"] or {}).get("removed", 0) > 0)
        os.kill(get_job(units, location.rpartition("/")[2]).pid, signal.SIGKILL)

        last = follow(client, location, ended)[-1]

        assert (last["state"], last["result"]["removed"]) == ("succeeded", 100_000)
    after = stored_customers(units)
    assert (after.ids == before.ids).all()
    assert (after.values == before.values).all()
    assert_current(units)


@pytest.mark.long_over_postgres
def test_a_cancelled_import_is_undone_as_far_as_it_went(server: Server, units: UnitsOfWork) -> None:
    client = server.client
    location = send(client, many_csv()).headers["location"]
    problem(client.post(f"{location}:undo"), 409)
    until(lambda: stored_so_far(client, location) > 0)
    stopped = client.post(f"{location}:cancel").json()
    until(lambda: client.get(location).json()["can_be_undone"])

    undone(client, stopped["id"])

    with units.database.read() as connection:
        assert units.customers.count(connection) == 20_000


def test_what_changed_nobody_cannot_be_undone(server: Server) -> None:
    client = server.client
    for last in (
        sent(client, shipped_csv(last=5)),
        sent(client, shipped_csv(last=5, changes=RICH), dry_run=True),
    ):
        assert not last["can_be_undone"]
        problem(client.post(f"/v1/imports/{last['id']}:undo"), 409)
    problem(client.post(f"/v1/imports/{'0' * 32}:undo"), 404)
