"""Transactions over HTTP: taken in as they happen, shown and taken back."""

import io
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pyarrow as pa
import pytest

from customer_segmentation.api.app import create_local_app
from customer_segmentation.cli.console.in_process import InProcessTransport
from customer_segmentation.client import Client
from customer_segmentation.domain.attributes import Aggregate, Derivation
from customer_segmentation.domain.schema import make_schema
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from tests.support.purchases import open_purchases
from tests.support.shop import open_shop

Json = dict[str, Any]
SOLD = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnitsOfWork]:
    """Hold a shop; each test has a customer of its own."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    with closing(open_purchases(f"sqlite:///{path}")) as units:
        yield units


@pytest.fixture(scope="module")
def client(shop: UnitsOfWork) -> Iterator[httpx.Client]:
    transport = InProcessTransport(create_local_app(shop, Settings()))
    with httpx.Client(base_url="http://localhost", transport=transport) as client:
        yield client


def sale(number: int, customer_id: int, **others: object) -> Json:
    key = f"T{customer_id}-{number}"
    told = {"transaction_id": key, "customer_id": customer_id, "time": SOLD.isoformat()}
    return {**told, "amount": 12.5, "kind": "sale", "shelf": "A", **others}


def test_a_transaction_is_answered_with_its_customer_segmented_anew(client: httpx.Client) -> None:
    answer = client.post("/v1/transactions", json=sale(1, 1))

    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["outcome"] == "stored"
    assert told["transaction"]["amount"] == 12.5
    assert told["customer"]["monetary"] == 12.5
    # The tests before may have taken this one past midnight.
    assert told["customer"]["recency"] in (1, (datetime.now(UTC).date() - SOLD.date()).days)
    assert told["customer"] == client.get("/v1/customers/1").json()

    again = client.post("/v1/transactions", json=sale(1, 1))
    assert (again.status_code, again.json()["outcome"]) == (200, "repeated")
    other = client.post("/v1/transactions", json=sale(1, 1, amount=13))
    assert (other.status_code, other.json()["type"].rpartition(":")[2]) == (
        409,
        "transaction-exists",
    )


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        ({"time": "2026-01-31T10:00:00"}, "time", "not a time without a zone"),
        ({"time": 12}, "time", "not an integer"),
        ({"time": "2999-01-01"}, "time", "not a time in the future"),
        ({"amount": "12"}, "amount", "at most 2 decimals, or null, not a string"),
        ({"amount": True}, "amount", "not a boolean"),
        ({"amount": 1.234}, "amount", "not one with more"),
        ({"amount": 1e300}, "amount", "so large"),
        ({"kind": 3}, "kind", "must be a text of at most 200 characters"),
        ({"shelf": "x" * 201}, "shelf", "not a longer one"),
        ({"colour": "red"}, "colour", "not a known field; known are transaction_id, customer_id"),
        ({"transaction_id": 7}, "transaction_id", "must be a text of 1 to 200 characters"),
        ({"customer_id": "1"}, "customer_id", "must be an integer of at least 1, not a string"),
    ],
)
def test_a_fault_is_told_with_its_field_and_what_is_allowed(
    client: httpx.Client, changed: Json, field: str, message: str
) -> None:
    answer = client.post("/v1/transactions", json=sale(1, 2) | changed)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert message in error["message"]
    assert client.get("/v1/customers/2/transactions").json()["transactions"] == []


def test_many_come_as_json_ndjson_or_arrow_and_each_row_has_its_outcome(
    client: httpx.Client,
) -> None:
    rows = [sale(1, 3), sale(2, 999), sale(3, 3, amount=None), {"time": 3}]
    told = client.post("/v1/transactions", json=rows).json()
    assert [told[kind] for kind in ("stored", "repeated", "kept", "failed")] == [2, 0, 0, 2]
    assert [one["row"] for one in told["outcomes"]] == [0, 1, 2, 3]
    assert told["outcomes"][1]["problem"]["status"] == 404
    assert told["outcomes"][3]["problem"]["status"] == 422

    lines = b"\n".join(msgspec.json.encode(sale(number, 3)) for number in (3, 4))
    headers = {"Content-Type": "application/x-ndjson"}
    told = client.post("/v1/transactions", content=lines, headers=headers).json()
    assert [one.get("outcome") for one in told["outcomes"]] == [None, "stored"]

    table = pa.Table.from_pylist([sale(5, 3), sale(6, 3, shelf=None)])
    moments = pa.array([datetime.now(UTC)] * 2, pa.timestamp("us", "UTC"))
    table = table.set_column(table.column_names.index("time"), "time", moments)
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    headers = {"Content-Type": "application/vnd.apache.arrow.stream"}
    told = client.post("/v1/transactions", content=stream.getvalue(), headers=headers).json()
    assert told["stored"] == 2, told
    customer = client.get("/v1/customers/3").json()
    assert (customer["frequency"], customer["monetary"], customer["recency"]) == (5, 50, 0)
    assert customer["shelves"] == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"[]", "application/json", 422),
        (b"[1, 2", "application/json", 422),
        (b"", "application/x-ndjson", 422),
        (b"nonsense", "application/vnd.apache.arrow.stream", 422),
        (b"{}", "text/csv", 415),
        (b"[" + b"{}," * 100_001 + b"{}]", "application/json", 422),
        (b"{}\n" * 100_002, "application/x-ndjson", 422),
    ],
)
def test_a_body_that_holds_no_transactions_is_refused(
    client: httpx.Client, body: bytes, content_type: str, status: int
) -> None:
    answer = client.post("/v1/transactions", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status, answer.text


def test_a_transaction_is_taken_back_and_its_customer_follows(client: httpx.Client) -> None:
    client.post("/v1/transactions", json=[sale(1, 4), sale(2, 4, amount=7.25)])

    answer = client.delete("/v1/transactions/T4-1")

    assert (answer.status_code, answer.json()["monetary"]) == (200, 7.25)
    assert client.delete("/v1/transactions/T4-1").status_code == 404
    page = client.get("/v1/customers/4/transactions").json()
    assert [one["transaction_id"] for one in page["transactions"]] == ["T4-2"]


def test_an_erased_customer_takes_its_transactions_along(client: httpx.Client) -> None:
    client.post("/v1/transactions", json=[sale(1, 5), sale(2, 5)])

    receipt = client.delete("/v1/customers/5", params={"erase": True}).json()

    assert receipt["removed"]["transactions"] == 2
    assert client.post("/v1/transactions", json=sale(3, 5)).status_code == 409
    assert client.get("/v1/customers/5/transactions").status_code == 404


def test_the_client_takes_transactions_in_and_goes_through_their_pages(shop: UnitsOfWork) -> None:
    transport = InProcessTransport(create_local_app(shop, Settings()))
    with Client("http://localhost", transport=transport) as client:
        assert client.take_transaction(sale(1, 6))["outcome"] == "stored"
        assert client.take_transactions([sale(number, 6) for number in range(5)])["stored"] == 4
        page = client.list_transactions(6, limit=3)
        rest = client.list_transactions(6, page["next_cursor"])
        assert len(page["transactions"]) + len(rest["transactions"]) == 5
        assert client.delete_transaction("T6-0")["frequency"] == 4


def test_the_schema_tells_what_follows_and_what_transactions_hold(client: httpx.Client) -> None:
    told = client.get("/v1/schema").json()

    spent = next(one for one in told["attributes"] if one["name"] == "spent_lately")
    keys = ("from", "aggregate", "of", "where", "window")
    assert [spent[key] for key in keys] == ["transactions", "sum", None, {"kind": ["sale"]}, "90d"]
    assert told["attributes"][-1]["from"] is None
    assert [field["name"] for field in told["transactions"]["fields"]] == ["shelf"]
    # Whoever reads it, such as the dashboard, has the schema itself.
    table = client.get("/v1/schema", params={"format": "table-schema"}).json()
    assert make_schema(told).derived == tuple(
        a for a in make_schema(told).attributes if a.name != "points"
    )
    assert make_schema(told).by_name["spent_lately"].derivation == Derivation(
        Aggregate.SUM, None, {"kind": ("sale",)}, 90
    )
    assert table["transactions"] == told["transactions"]
    assert [one.get("aggregate") for one in table["fields"]][1] == "days_since_last"


def test_a_day_begins_by_request(client: httpx.Client) -> None:
    answer = client.post("/v1/transactions:begin-day")

    assert answer.status_code == 200, answer.text
    assert answer.json()["is_written"]
    assert answer.json()["day"] in {
        (datetime.now(UTC) - timedelta(minutes=passed)).date().isoformat() for passed in (0, 10)
    }


def test_without_a_declaration_no_transaction_is_taken(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    with closing(open_shop(url)) as units:
        transport = InProcessTransport(create_local_app(units, Settings()))
        with httpx.Client(base_url="http://localhost", transport=transport) as client:
            answer = client.post("/v1/transactions", json=sale(1, 1))
            assert answer.status_code == 409
            assert "add a section [transactions]" in answer.json()["detail"]


def test_a_page_tells_when_time_changes_what_follows(client: httpx.Client) -> None:
    # Another customer's is another matter, and one that lies outside a window counts no more.
    client.post("/v1/transactions", json=[sale(1, 7), sale(2, 8)])
    old = (SOLD - timedelta(days=40)).isoformat()
    client.post("/v1/transactions", json=sale(2, 7, time=old, kind="return"))

    page = client.get("/v1/customers/7/transactions").json()

    assert page["follows"]
    day = SOLD.date()
    assert page["next_changes"]["spent_lately"] == (day + timedelta(days=90)).isoformat()
    assert page["next_changes"]["bought_lately"] == (day + timedelta(days=7)).isoformat()
    assert page["next_changes"]["mean_lately"] == (day + timedelta(days=30)).isoformat()
    assert page["next_changes"]["recency"] > day.isoformat()
    assert "monetary" not in page["next_changes"]
    nothing = client.get("/v1/customers/30/transactions").json()
    assert (nothing["follows"], nothing["next_changes"]) == (False, {})


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize(
    ("row", "field"),
    [
        (b'{"kind": "a", "kind": "b", %b}', "kind"),
        # Blanks and texts that look like names hide nothing.
        (b'{"kind" : "a", "kind": "b", %b}', "kind"),
        (b'{"kind": "a", "kind" \t: "b", "shelf": "\\":\\":", %b}', "kind"),
        (b'{"kind": "\\u0000", %b}', "kind"),
        (b'{"kind": "%b}', "body"),
        (b'{"kind": "a", %b}, {"kind": "b"', "body"),
    ],
)
def test_among_rows_that_are_fine_one_that_is_not_is_found(
    client: httpx.Client, kind: str, row: bytes, field: str
) -> None:
    fine = [msgspec.json.encode(sale(number, 20)) for number in range(3)]
    others = {name: value for name, value in sale(9, 20).items() if name != "kind"}
    wrong = row % msgspec.json.encode(others).strip(b"{}")
    rows = [*fine, wrong, msgspec.json.encode(sale(3, 20))]
    body = b"\n".join(rows) if kind.endswith("ndjson") else b"[" + b",".join(rows) + b"]"

    answer = client.post("/v1/transactions", content=body, headers={"Content-Type": kind})

    if answer.status_code == 422:  # The array is no JSON.
        assert (kind, field) == ("application/json", "body")
        return
    problems = [one for one in answer.json()["outcomes"] if "problem" in one]
    assert [one["row"] for one in problems] == [3], answer.text
    assert problems[0]["problem"]["errors"][0]["field"] == field
