"""Customers as resources: read, list, add, replace, change, delete, and their guards."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx
import pytest

from customer_segmentation.client import Client
from customer_segmentation.domain.jobs import JobKind, Origin, Trigger
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model
from customer_segmentation.services.customers.commands import (
    add_customer_once,
    get_customer,
    replace_customer,
)
from customer_segmentation.services.customers.erasure import erase_customer, get_erasure
from customer_segmentation.services.jobs.lifecycle import start_job
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.training.run import run_training
from customer_segmentation.services.training.schedule import find_due
from tests.support.answers import problem
from tests.support.examples import NEW_CUSTOMER
from tests.support.examples import SOMEONE as ATTRIBUTES
from tests.support.servers import Server
from tests.support.shipped import SHIPPED
from tests.support.stored import activate, renumbered

NEW = {**NEW_CUSTOMER, "customer_id": 30_000}


def pages(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Return every customer of a listing, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        given = query if cursor is None else {**query, "cursor": cursor}
        answer = client.get("/v1/customers", params=given)
        assert answer.status_code == 200, answer.text
        found += answer.json()["customers"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


def test_a_customer_lives_and_ends_as_a_resource(server: Server) -> None:
    client = server.client

    added = client.post("/v1/customers", json=NEW)
    assert added.status_code == 201
    assert added.headers["location"] == "/v1/customers/30000"
    read = client.get("/v1/customers/30000")
    assert read.json() == added.json()
    assert read.headers["etag"] == added.headers["etag"]
    assert read.json() == {
        **NEW,
        "segment": 0,
        "segment_name": "High-Value Power Users",
        "raw_segment": 0,
        "is_outlier": False,
        "next_best_action": {
            "text": "Upsell bank products to increase profits",
            "channel": "any",
            "reason": "It comes first of those for any channel",
        },
        "model_version": 1,
    }
    changed = client.patch("/v1/customers/30000", json={"age": 46})
    assert changed.json() == {**read.json(), "age": 46}
    assert changed.headers["etag"] != read.headers["etag"]
    replaced = client.put("/v1/customers/30000", json=ATTRIBUTES)
    assert (replaced.status_code, replaced.json()["segment"]) == (200, 1)
    assert client.delete("/v1/customers/30000").status_code == 204
    problem(client.get("/v1/customers/30000"), 404)
    again = client.put("/v1/customers/30000", json=ATTRIBUTES)
    assert (again.status_code, again.headers["location"]) == (201, "/v1/customers/30000")


def test_customers_far_from_every_centroid_are_flagged(server: Server) -> None:
    client = server.client
    far = {"monthly_income": 1e12, "account_balance": -1e12}

    flagged = client.patch("/v1/customers/56", json=far).json()["is_outlier"]

    assert flagged
    assert client.get("/v1/customers/56").json()["is_outlier"]
    everyone = pages(client, limit=1000)
    told = sum(s["outliers"] for s in client.get("/v1/segments").json()["segments"])
    assert sum(customer["is_outlier"] for customer in everyone) == told > 50


def test_a_change_is_refused_once_the_customer_has_changed(server: Server) -> None:
    client = server.client
    seen = client.get("/v1/customers/56").headers["etag"]
    fresh = client.patch("/v1/customers/56", json={"age": 30}, headers={"If-Match": seen})
    assert fresh.status_code == 200

    stale = {"If-Match": seen}
    problem(client.patch("/v1/customers/56", json={"age": 31}, headers=stale), 412)
    problem(client.put("/v1/customers/56", json=ATTRIBUTES, headers=stale), 412)
    problem(client.delete("/v1/customers/56", headers=stale), 412)
    problem(client.put("/v1/customers/30000", json=ATTRIBUTES, headers={"If-Match": "*"}), 412)
    weak = {"If-Match": f"W/{fresh.headers['etag']}"}
    problem(client.delete("/v1/customers/56", headers=weak), 412)

    assert client.get("/v1/customers/56").json()["age"] == 30
    either = {"If-Match": f'"x", {fresh.headers["etag"]}'}
    assert client.delete("/v1/customers/56", headers=either).status_code == 204


def test_a_customer_who_is_to_be_new_replaces_nobody(server: Server) -> None:
    client, new = server.client, {"If-None-Match": "*"}
    before = client.get("/v1/customers/56").json()

    problem(client.put("/v1/customers/56", json=ATTRIBUTES, headers=new), 412)
    added = client.put("/v1/customers/30001", json=ATTRIBUTES, headers=new)
    problem(client.put("/v1/customers/30001", json=ATTRIBUTES, headers=new), 412)
    other = {"If-None-Match": '"x"'}
    problem(client.put("/v1/customers/30001", json=ATTRIBUTES, headers=other), 422)

    assert added.status_code == 201
    assert client.get("/v1/customers/56").json() == before


def test_of_writers_who_saw_the_same_customer_one_succeeds(server: Server) -> None:
    seen = server.client.get("/v1/customers/56").headers["etag"]

    def write(age: int) -> int:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            return client.patch(
                "/v1/customers/56", json={"age": age}, headers={"If-Match": seen}
            ).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(write, range(30, 38)))

    assert sorted(statuses) == [200] + [412] * 7


def test_a_request_sent_twice_with_its_key_adds_one_customer(server: Server) -> None:
    client = server.client
    key = {"Idempotency-Key": "import-7"}

    first = client.post("/v1/customers", json=NEW, headers=key)
    again = client.post("/v1/customers", json=NEW, headers=key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    problem(client.post("/v1/customers", json=NEW), 409)
    problem(client.post("/v1/customers", json={**NEW, "age": 20}, headers=key), 409)
    changes = client.get("/v1/customers/30000/history").json()["changes"]
    assert len(changes) == 1


def test_requests_with_one_key_at_once_add_one_customer(server: Server) -> None:
    def add(_attempt: int) -> tuple[int, str]:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            answer = client.post("/v1/customers", json=NEW, headers={"Idempotency-Key": "k"})
            return answer.status_code, answer.text

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(add, range(8)))

    assert len(answers) == 1, answers
    assert answers.pop()[0] == 201


def test_an_answer_repeated_after_its_segment_is_gone_is_of_a_segment_that_there_is(
    units: UnitsOfWork, shipped_model: Model
) -> None:
    attributes = get_customer(units, 56).customer.attributes
    first = units.run(add_customer_once, 30_000, attributes, "k")
    activate(units, renumbered(shipped_model, {n: n + 10 for n in range(4)}))

    again = units.run(add_customer_once, 30_000, attributes, "k")

    assert first.segment.number == 0
    assert again.segment.number == 10
    assert again.customer.attributes == attributes


def test_of_many_who_replace_a_customer_that_is_not_there_one_adds_it(units: UnitsOfWork) -> None:
    attributes = get_customer(units, 56).customer.attributes

    def put(age: int) -> bool:
        return units.run(replace_customer, 40_000 + age % 5, {**attributes, "age": age})[1]

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(put, range(20, 60)))

    assert sum(added) == 5


def test_a_listing_goes_through_every_customer_once(shared_server: Server) -> None:
    client = shared_server.client

    everyone = pages(client, limit=1000)

    assert [customer["customer_id"] for customer in everyone] == list(range(1, 20_001))
    backwards = pages(client, limit=1000, sort="-customer_id")
    assert backwards == everyone[::-1]


@pytest.mark.parametrize("sort", ["age", "-monthly_income", "-gender"])
def test_a_listing_sorts_selects_and_misses_nobody(shared_server: Server, sort: str) -> None:
    client = shared_server.client
    name = sort.removeprefix("-")
    query = {"segment": 2, "age_min": 30, "age_max": 60, "account_balance_min": 1000.5}

    found = pages(client, sort=sort, limit=300, **query)

    expected = [
        customer
        for customer in pages(client, limit=1000)
        if customer["segment"] == 2
        and 30 <= customer["age"] <= 60
        and customer["account_balance"] >= 1000.5
    ]
    sign = -1 if sort.startswith("-") else 1
    for before, after in pairwise(found):
        assert (sign * before[name], before["customer_id"]) < (
            sign * after[name],
            after["customer_id"],
        )
    assert sorted(c["customer_id"] for c in found) == [c["customer_id"] for c in expected]


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("segment=-1", "segment", "must be at least 0; given was an integer"),
        ("sort=shoe_size", "sort", "must be one of"),
        ("limit=x", "limit", "must be an integer; given was a string"),
        ("limit=1001", "limit", "must be at most 1,000; given was an integer"),
        ("cursor=nonsense", "cursor", "must be the next_cursor"),
        (
            "cursor=WzEsIDJd&sort=age&age_min=nan",
            "age_min",
            "must be a finite number",
        ),
        ("cursor=W251bGwsIDJd&sort=age", "cursor", "must be the next_cursor"),
        ("shoe_size_min=3", "shoe_size_min", "shoe_size_min is no parameter of this request"),
    ],
)
def test_a_bad_listing_names_the_field_what_it_holds_and_what_is_allowed(
    shared_server: Server, query: str, field: str, message: str
) -> None:
    answer = problem(shared_server.client.get(f"/v1/customers?{query}"), 422)

    assert answer["errors"][0]["field"] == field
    assert message in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/customers", {"customer_id": 1}),
        ("PUT", "/v1/customers/56", {"age": 30}),
        ("PATCH", "/v1/customers/56", {}),
        ("PATCH", "/v1/customers/56", {"customer_id": 3}),
        ("PATCH", "/v1/customers/56", {"age": "30"}),
        ("PATCH", "/v1/customers/0", {"age": 30}),
    ],
)
def test_bad_bodies_are_refused_as_by_the_six_functions(
    shared_server: Server, method: str, path: str, body: dict[str, object]
) -> None:
    assert problem(shared_server.client.request(method, path, json=body), 422)["errors"]


def test_each_row_of_a_batch_has_its_outcome_and_the_good_ones_are_done(server: Server) -> None:
    client = server.client
    operations = [
        {"action": "add", "customer": NEW},
        {"action": "add", "customer": NEW},
        {"action": "update", "customer": {"customer_id": 30_000, "age": 50}},
        {"action": "update", "customer": {"customer_id": 99_999, "age": 50}},
        {"action": "update", "customer": {"customer_id": 56, "age": -1}},
        {"action": "delete", "customer": {"customer_id": 787}},
        {"action": "delete", "customer": {"customer_id": 787}},
        {"action": "dance", "customer": {}},
        "nothing",
    ]

    start = client.get("/v1/events?after=latest").json()["next"]
    body = {"operations": operations}
    tried = client.post("/v1/customers:batch?dry_run=true", json=body).json()
    problem(client.get("/v1/customers/30000"), 404)
    assert client.get("/v1/customers/787").status_code == 200
    assert client.get(f"/v1/events?after={start}").json()["events"] == []

    answer = client.post("/v1/customers:batch", json=body).json()

    assert answer == tried
    assert {name: answer[name] for name in ("added", "updated", "deleted", "failed")} == {
        "added": 1,
        "updated": 1,
        "deleted": 1,
        "failed": 6,
    }
    problems = [outcome.get("problem", {}).get("status") for outcome in answer["outcomes"]]
    assert problems == [None, 409, None, 404, 422, None, 404, 422, 422]
    assert answer["outcomes"][4]["problem"]["errors"][0]["field"] == "age"
    assert answer["outcomes"][2]["customer"] == client.get("/v1/customers/30000").json()
    assert client.get("/v1/customers/30000").json()["age"] == 50
    problem(client.get("/v1/customers/787"), 404)


@pytest.mark.parametrize(
    "body", [{}, {"operations": {}}, {"operations": []}, {"operations": [{}] * 1001}]
)
def test_a_batch_of_another_form_is_refused(shared_server: Server, body: object) -> None:
    answer = problem(shared_server.client.post("/v1/customers:batch", json=body), 422)

    assert answer["errors"][0]["field"] == "operations"


def only_event_of(server: Server, customer_id: int) -> dict[str, Any]:
    """Return the only event of a customer in the whole feed, once it has its place there."""
    deadline = time.monotonic() + 60.0
    with Client(server.url) as client:
        while True:
            events = client.iterate_events("-1.-1", 10_000)
            found = [event for event in events if event["customer_id"] == customer_id]
            if found:
                (told,) = found
                return told
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_an_erased_customer_leaves_a_receipt_and_nothing_else(server: Server) -> None:
    client = server.client
    key = {"Idempotency-Key": "once"}
    client.post("/v1/customers", json=NEW, headers=key).raise_for_status()
    client.patch("/v1/customers/30000", json={"loyalty_score": 10, "transaction_count": 2})
    client.post("/retrain_model_with_latest_data").raise_for_status()
    history = client.get("/v1/customers/30000/history").json()["changes"]

    receipt = client.delete("/v1/customers/30000?erase=true").json()

    assert receipt["removed"] == {
        "customer": 1,
        "history": len(history),
        "idempotency keys": 1,
        "transactions": 0,
        "audiences": 0,
        "campaigns": 0,
        "consents": 0,
        "audit values": 0,
        "imports": 0,
    }
    assert receipt["model_versions"] == [2]
    assert client.get("/v1/erasures/30000").json() == receipt
    problem(client.get("/v1/customers/30000"), 404)
    problem(client.get("/v1/customers/30000/history"), 404)
    told = only_event_of(server, 30_000)
    assert (told["cause"], told["from_segment"], told["to_segment"]) == ("erased", None, None)
    problem(client.delete("/v1/customers/30000?erase=true"), 404)


def test_an_erasure_counts_towards_the_next_training(units: UnitsOfWork) -> None:
    after_one = Settings(retrain_after_changes=1)
    assert find_due(units, after_one, now()) is None

    units.run(erase_customer, 56)

    due = find_due(units, after_one, now())
    assert due is not None
    assert due.trigger is Trigger.CHANGES


def test_a_receipt_names_the_version_that_was_in_training_too(
    units: UnitsOfWork, shipped_model: Model
) -> None:
    class ErasedMeanwhile(LocalEngine):
        def train(self, *_data: object, **_how: object) -> Model:
            units.run(erase_customer, 56)
            return shipped_model

    job = start_job(units.database, JobKind.TRAINING, Origin(Trigger.REQUEST, ""))

    run_training(units, lambda: ErasedMeanwhile(SHIPPED), Settings(), job.id)

    assert get_erasure(units, 56).model_versions == (1, 2)
    units.run(erase_customer, 57)
    assert get_erasure(units, 57).model_versions == (1, 2)


def test_an_erasure_is_refused_once_the_customer_has_changed(server: Server) -> None:
    client = server.client
    seen = {"If-Match": client.get("/v1/customers/56").headers["etag"]}
    client.patch("/v1/customers/56", json={"age": 30}).raise_for_status()

    problem(client.delete("/v1/customers/56?erase=true", headers=seen), 412)

    seen = {"If-Match": client.get("/v1/customers/56").headers["etag"]}
    client.delete("/v1/customers/787").raise_for_status()
    problem(client.delete("/v1/customers/787?erase=true", headers=seen), 412)
    assert client.delete("/v1/customers/56?erase=true", headers=seen).status_code == 200


def test_nothing_brings_an_erased_customer_back_until_that_is_allowed(server: Server) -> None:
    client = server.client
    client.delete("/v1/customers/56?erase=true").raise_for_status()
    again = {**NEW, "customer_id": 56}

    problem(client.post("/v1/customers", json=again), 409)
    problem(client.post("/add_customer_to_database", json=again), 409)
    problem(client.put("/v1/customers/56", json=ATTRIBUTES), 409)
    (outcome,) = client.post(
        "/v1/customers:batch", json={"operations": [{"action": "add", "customer": again}]}
    ).json()["outcomes"]
    assert outcome["problem"]["type"].endswith("customer-erased")

    assert client.delete("/v1/erasures/56").status_code == 204
    problem(client.get("/v1/erasures/56"), 404)
    assert client.post("/v1/customers", json=again).status_code == 201


def test_a_customer_deleted_before_can_still_be_erased(server: Server) -> None:
    client = server.client
    client.delete("/v1/customers/787")

    receipt = client.delete("/v1/customers/787?erase=true").json()

    assert receipt["removed"] == {
        "customer": 0,
        "history": 2,
        "idempotency keys": 0,
        "transactions": 0,
        "audiences": 0,
        "campaigns": 0,
        "consents": 0,
        "audit values": 0,
        "imports": 0,
    }
    assert receipt["model_versions"] == [1]


def test_a_customer_of_the_greatest_id_can_be_erased_too(server: Server) -> None:
    greatest = 2**53
    sent = {**NEW, "customer_id": greatest}
    added = server.client.post("/v1/customers", json=sent, headers={"Idempotency-Key": "once"})
    assert added.status_code == 201

    receipt = server.client.delete(f"/v1/customers/{greatest}?erase=true").json()

    assert receipt["removed"] == {
        "customer": 1,
        "history": 1,
        "idempotency keys": 1,
        "transactions": 0,
        "audiences": 0,
        "campaigns": 0,
        "consents": 0,
        "audit values": 0,
        "imports": 0,
    }
