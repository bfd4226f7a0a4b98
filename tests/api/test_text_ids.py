"""The whole life of customers whose ids are texts, over HTTP."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customer_segmentation.client import Client
from customer_segmentation.domain.attributes import ID_PATTERN, LONGEST_ID
from tests.conftest import POSTGRES, postgres_database, require_postgres
from tests.support.answers import problem
from tests.support.commands import run_json
from tests.support.servers import Server, running, until
from tests.support.shop import FIRST, attributes, first_ids, open_shop

pytestmark = pytest.mark.both_databases

HARD = [
    "7590-VHVEG",
    "0001",
    "1",
    "Größe/ü ?#%",
    "a/history",
    "../1",
    "..",
    "%2F",
    "a+b&c=d",
    " blank ",
    "ann@shop.example",
    "Größe",  # In another form: other letters, another customer.
    "😀",
    "x" * LONGEST_ID,
]


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A shop's database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}"
        open_shop(url).close()
        yield url
    else:
        require_postgres()
        with postgres_database() as name:
            url = f"{POSTGRES}/{name}"
            open_shop(url).close()
            yield url


@pytest.fixture(scope="module")
def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over it, which the tests share: each has ids of its own."""
    with Server(database_url, tmp_path_factory.mktemp("server")) as running:
        yield running


def path_of(customer_id: str, *more: str) -> str:
    """Return where a customer is, as a client writes it."""
    encoded = quote(customer_id, safe="")
    return "/".join(["/v1/customers", "%2E%2E" if encoded == ".." else encoded, *more])


def add(client: httpx.Client, customer_id: object, **changed: object) -> httpx.Response:
    return client.post("/v1/customers", json={"customer_id": customer_id, **attributes(**changed)})


@pytest.mark.parametrize("customer_id", HARD)
def test_an_id_is_the_same_text_everywhere(server: Server, customer_id: str) -> None:
    client = server.client

    added = add(client, customer_id, visits=7)
    assert added.status_code == 201, added.text
    assert added.json()["customer_id"] == customer_id
    assert client.get(added.headers["location"]).json() == added.json()

    assert client.get(path_of(customer_id)).json() == added.json()
    changed = client.patch(path_of(customer_id), json={"visits": 8, "plan": None})
    assert (changed.json()["customer_id"], changed.json()["visits"]) == (customer_id, 8)
    assert problem(add(client, customer_id), 409)["detail"].count(customer_id) == 1

    key = {"customer_id": customer_id}
    told = client.get("/get_customer_info_from_database", params=key)
    assert told.json()["Customer info"]["Customer"] == customer_id
    updated = client.post("/update_customer_details_to_database", json=key | {"visits": 9})
    assert updated.json()["message"] == f"Customer id {customer_id} updated successfully"
    explained = client.get(path_of(customer_id, "explanation"))
    assert explained.status_code == 200, explained.text

    gone = client.post("/delete_customer_from_database", params=key)
    assert gone.json()["message"] == f"Customer with ID {customer_id} deleted successfully"
    assert problem(client.get(path_of(customer_id)), 404)["detail"].endswith(customer_id)

    # Added again it is the same customer, whose history goes on.
    again = client.put(path_of(customer_id), json=attributes())
    assert again.status_code == 201
    assert client.get(again.headers["location"]).json()["customer_id"] == customer_id
    history = client.get(path_of(customer_id, "history")).json()
    assert history["customer_id"] == customer_id
    assert [one["cause"] for one in history["changes"]] == ["added", "deleted", "added"]

    erased = client.delete(path_of(customer_id), params={"erase": True})
    assert erased.json()["customer_id"] == customer_id
    receipt = path_of(customer_id).replace("customers", "erasures")
    assert client.get(receipt).json() == erased.json()
    problem(client.get(path_of(customer_id, "history")), 404)
    problem(add(client, customer_id), 409)

    assert client.delete(receipt).status_code == 204
    assert add(client, customer_id).status_code == 201
    assert client.delete(path_of(customer_id)).status_code == 204


def test_ids_that_only_look_alike_are_of_different_customers(server: Server) -> None:
    alike = ["Z1", "z1", "Z01", " Z1", "Z1 ", "\uff3a1"]
    for visits, customer_id in enumerate(alike):
        assert add(server.client, customer_id, visits=visits).status_code == 201

    found = [server.client.get(path_of(customer_id)).json() for customer_id in alike]

    assert [one["visits"] for one in found] == [*range(len(alike))]


@pytest.mark.parametrize(
    ("customer_id", "said"),
    [
        ("", "an empty text"),
        ("x" * (LONGEST_ID + 1), "a longer text"),
        ("a\nb", "a text with others"),
        ("a\0b", "a text with others"),
        (7, "an integer"),
        (None, "null"),
        (True, "a boolean"),
    ],
)
def test_what_is_no_id_is_refused(server: Server, customer_id: object, said: str) -> None:
    told = problem(add(server.client, customer_id), 422)["errors"]

    assert [one["field"] for one in told] == ["customer_id"]
    assert said in told[0]["message"]


@pytest.mark.parametrize("sent", ["a%00b", "%FF", "x" * (LONGEST_ID + 1), "%ED%A0%80", "%0A"])
def test_what_is_no_id_in_a_path_is_refused(server: Server, sent: str) -> None:
    client = server.client
    for asked in (
        client.get(f"/v1/customers/{sent}"),
        client.get(f"/v1/customers/{sent}/history"),
        client.get(f"/v1/erasures/{sent}"),
        client.get(f"/get_customer_info_from_database?customer_id={sent}"),
    ):
        assert problem(asked, 422)["errors"][0]["field"] == "customer_id"


def test_an_id_with_slashes_leads_nowhere_else(server: Server) -> None:
    client = server.client
    assert add(client, "a/b/history").status_code == 201

    assert client.get("/v1/customers/a%2Fb%2Fhistory").json()["customer_id"] == "a/b/history"
    problem(client.get("/v1/customers/a%2Fb/history"), 404)
    problem(client.get("/v1/customers/a/b/history"), 404)
    refused = problem(client.request("TRACE", "/v1/customers/a%2Fb%2Fhistory"), 405)
    assert refused["status"] == 405


def test_curl_reads_an_id_by_its_location(server: Server) -> None:
    added = add(server.client, "Rue de l'Été 5/7?#%")
    command = ["curl", "-sf", "--path-as-is", f"{server.url}{added.headers['location']}"]

    read = subprocess.run(command, capture_output=True, text=True, check=True)

    assert read.stdout == added.text


def test_a_listing_goes_on_where_the_page_before_ended(server: Server) -> None:
    client = server.client
    for sort in ("customer_id", "-spent"):
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 7, "sort": sort}
        while True:
            page = client.get("/v1/customers", params=query).json()
            seen += [one["customer_id"] for one in page["customers"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert len(seen) == len(set(seen))
        assert set(first_ids()) <= set(seen)
        if sort == "customer_id":
            # The order in which they came, as the table has them.
            assert seen[:FIRST] == first_ids()


def test_a_batch_does_and_tells_each_row_by_its_id(server: Server) -> None:
    operations = [
        {"action": "add", "customer": {"customer_id": "b/1", **attributes()}},
        {"action": "update", "customer": {"customer_id": "b/1", "visits": 9}},
        {"action": "update", "customer": {"customer_id": "nobody", "visits": 9}},
        {"action": "add", "customer": {"customer_id": first_ids()[0], **attributes()}},
        {"action": "delete", "customer": {"customer_id": "b/1"}},
        {"action": "delete", "customer": {"customer_id": 7}},
    ]

    told = server.client.post("/v1/customers:batch", json={"operations": operations}).json()

    outcomes = told["outcomes"]
    done = ["added", "updated", "failed", "failed", "deleted", "failed"]
    assert [one["status"] for one in outcomes] == done
    assert [outcomes[row]["customer_id"] for row in (0, 1, 4)] == ["b/1"] * 3
    assert outcomes[1]["customer"]["customer_id"] == "b/1"


def test_events_and_the_audit_log_tell_the_id(server: Server) -> None:
    client = server.client
    start = client.get("/v1/events", params={"after": "latest"}).json()["next"]
    add(client, "Éva/1")
    client.delete(path_of("Éva/1"), params={"erase": True})

    def events() -> list[dict[str, Any]]:
        answer = client.get("/v1/events", params={"after": start}).json()
        found: list[dict[str, Any]] = answer["events"]
        return found

    # An event is shown once it has its place in the feed.
    until(lambda: bool(events()))
    entries = client.get("/v1/audit", params={"kind": "customer", "subject": "Éva/1"}).json()

    # What was erased is no event any more, but that it was.
    assert [(one["customer_id"], one["cause"]) for one in events()] == [("Éva/1", "erased")]
    assert {one["subject"] for one in entries["entries"]} == {"Éva/1"}
    assert [one["action"] for one in entries["entries"]] == ["erased", "deleted", "added"]


def test_an_idempotency_key_holds_for_one_id(server: Server) -> None:
    client, key = server.client, {"Idempotency-Key": "once"}
    body = {"customer_id": "once/1", **attributes()}

    body |= {"plan": None}
    first = client.post("/v1/customers", json=body, headers=key)
    again = client.post("/v1/customers", json=body, headers=key)
    other = client.post("/v1/customers", json=body | {"customer_id": "once/2"}, headers=key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.text == again.text
    problem(other, 409)
    for _ in range(2):
        gone = client.delete(path_of("once/1"), headers={"Idempotency-Key": "gone"})
        assert gone.status_code == 204


def test_what_is_missing_is_kept_as_null_in_the_audit_log(
    database_url: str, tmp_path: Path
) -> None:
    with running(database_url, tmp_path, CUSTOMER_SEGMENTATION_AUDIT_VALUES="true") as server:
        add(server.client, "kept/1", plan=None)
        query = {"kind": "customer", "subject": "kept/1"}
        (entry,) = server.client.get("/v1/audit", params=query).json()["entries"]
        checked = server.client.get("/v1/audit/verification").json()

    assert entry["values"] == attributes(plan=None)
    assert checked["faults"] == []


def test_of_many_who_add_the_same_id_at_once_one_wins(server: Server) -> None:
    with ThreadPoolExecutor(8) as threads:
        for number in range(10):
            adds = [
                threads.submit(add, server.client, f"race {number}", visits=visits)
                for visits in range(8)
            ]
            answers = [one.result() for one in adds]
            won = [answer for answer in answers if answer.status_code == 201]
            assert [a.status_code for a in answers if a not in won] == [409] * 7
            assert server.client.get(path_of(f"race {number}")).text == won[0].text


def test_the_document_says_that_ids_are_texts(server: Server) -> None:
    document = server.client.get("/openapi.json").json()
    paths = document["paths"]
    told = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID, "pattern": ID_PATTERN}

    for path in ("/v1/customers/{customer_id}", "/v1/erasures/{customer_id}"):
        (parameter,) = [p for p in paths[path]["get"]["parameters"] if p["in"] == "path"]
        assert told.items() <= parameter["schema"].items()
        assert parameter["schema"]["examples"] == ["C-10001"]
    (parameter,) = paths["/get_customer_info_from_database"]["get"]["parameters"]
    assert told.items() <= parameter["schema"].items()
    schemas = document["components"]["schemas"]
    assert told.items() <= schemas["NewCustomer"]["properties"]["customer_id"].items()
    for name in ("History", "ErasureAnswer", "Event", "RowOutcome"):
        assert schemas[name]["properties"]["customer_id"]["type"] == "string", name


IDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=LONGEST_ID)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(customer_id=IDS)
def test_any_text_lives_and_ends_as_a_customer(server: Server, customer_id: str) -> None:
    client, path = server.client, path_of(customer_id)
    if customer_id == ".":
        path = "/v1/customers/%2E"

    added = client.put(path, json=attributes(visits=1))
    if added.status_code == 409:
        return  # Erased by an example before.
    assert added.json()["customer_id"] == customer_id
    assert client.get(path).json() == added.json()
    operations = [{"action": "update", "customer": {"customer_id": customer_id, "visits": 2}}]
    told = client.post("/v1/customers:batch", json={"operations": operations}).json()
    assert told["outcomes"][0]["customer"]["visits"] == 2
    listed = client.get("/v1/customers", params={"limit": 1000}).json()["customers"]
    assert [one["customer_id"] for one in listed].count(customer_id) == 1
    assert client.delete(path).status_code == 204
    assert client.put(path, json=attributes()).status_code == 201
    causes = [one["cause"] for one in client.get(f"{path}/history").json()["changes"]]
    assert causes == ["added", "deleted", "added"]
    assert client.delete(path, params={"erase": True}).json()["customer_id"] == customer_id
    problem(client.put(path, json=attributes()), 409)


@pytest.mark.parametrize("customer_id", [f"{one}." for one in HARD] + [".", ".."])
def test_the_client_reaches_any_id(server: Server, customer_id: str) -> None:
    customer_id = customer_id[-LONGEST_ID:]
    with Client(server.url) as client:
        client.replace_customer(customer_id, attributes())

        assert client.get_customer(customer_id)["customer_id"] == customer_id
        client.update_customer(customer_id, {"visits": 9})
        assert client.get_history(customer_id)["customer_id"] == customer_id
        assert client.explain_customer(customer_id)["segment"]["name"]
        client.delete_customer(customer_id)
        client.add_customer(customer_id, attributes())
        assert client.erase_customer(customer_id)["customer_id"] == customer_id
        assert client.get_erasure(customer_id)["customer_id"] == customer_id
        client.lift_erasure(customer_id)


def test_the_command_line_takes_texts(server: Server) -> None:
    asked = "Größe/ü ?#% 2"
    add(server.client, asked)

    for command in ("get", "history"):
        found = run_json("customers", command, asked, env={"CUSTOMER_SEGMENTATION_URL": server.url})
        assert found["customer_id"] == asked
    run_json("customers", "explain", asked, env={"CUSTOMER_SEGMENTATION_URL": server.url})
