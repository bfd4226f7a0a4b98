"""Another schema is planned and applied over HTTP, while the service goes on."""

import time
from typing import Any

import httpx
import pytest

from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.schema_file import parse_schema, write_schema
from tests.support.examples import NEW_CUSTOMER
from tests.support.servers import Server
from tests.support.shipped import SHIPPED

Json = dict[str, Any]

TENURE = """
[[attributes]]
name = "tenure"
kind = "count"
unit = "months"
missing = "allowed"
example = 12
"""
REGION = """
[[attributes]]
name = "region"
kind = "nominal"
categories = ["North", "South"]
default = "North"
"""


def with_more(schema: Schema, *more: str) -> str:
    text = write_schema(schema)
    head, mark, tail = text.partition("[segments]")
    return "".join([head, *more, "\n", mark, tail])


def apply(client: httpx.Client, text: str, renames: dict[str, str] | None = None) -> Json:
    answer = client.post("/v1/schema:apply", json={"text": text, "renames": renames or {}})
    assert answer.status_code == 200, answer.text
    done: Json = answer.json()
    return done


def wait_until_followed(client: httpx.Client, number: int) -> None:
    until = time.monotonic() + 20
    while client.get("/v1/schema").json().get("number") != number:
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.both_databases
def test_added_attributes_are_there_at_once_and_in_the_next_model(server: Server) -> None:
    client = server.client
    before = client.get("/v1/customers/56").json()

    done = apply(client, with_more(SHIPPED, TENURE, REGION))
    wait_until_followed(client, 2)

    assert [(s["kind"], s["subject"]) for s in done["steps"]] == [
        ("added", "tenure"),
        ("added", "region"),
    ]
    now = client.get("/v1/customers/56").json()
    assert now["tenure"] is None
    assert now["region"] == "North"
    assert {name: now[name] for name in before} == before
    changed = client.patch("/v1/customers/56", json={"tenure": 7, "region": "South"})
    assert (changed.json()["tenure"], changed.json()["region"]) == (7, "South")
    added = client.post("/add_customer_to_database", json=NEW_CUSTOMER)
    assert added.json()["updated_customer"]["tenure"] is None

    client.post("/retrain_model_with_latest_data").raise_for_status()

    after = client.get("/v1/customers/56").json()
    assert (after["segment"], after["segment_name"]) == (before["segment"], before["segment_name"])
    assert after["model_version"] == 2


@pytest.mark.both_databases
def test_a_removed_and_a_renamed_attribute_leave_the_active_model_going(server: Server) -> None:
    client = server.client
    attributes = {name: value for name, value in NEW_CUSTOMER.items() if name != "customer_id"}
    text = write_schema(SHIPPED).replace("monthly_income", "income")
    head, _, tail = text.partition('[[attributes]]\nname = "has_loan"')
    text = f"{head}[segments]{tail.partition('[segments]')[2]}"
    before = client.get("/v1/customers/56").json()

    apply(client, text, {"monthly_income": "income"})
    wait_until_followed(client, 2)

    attributes["income"] = attributes.pop("monthly_income")
    del attributes["has_loan"]
    told = client.post("/predict_customer_segment_in_real_time", json=attributes)
    assert told.json().startswith("Cluster 0: High-Value Power Users")
    now = client.get("/v1/customers/56").json()
    assert now["income"] == before["monthly_income"]
    assert "has_loan" not in now
    assert now["segment"] == before["segment"]
    pulls = client.get("/v1/customers/56/explanation").json()["explanation"]["contributions"]
    assert {"income"} <= {pull["attribute"] for pull in pulls}

    counted = client.get("/v1/segments").json()
    assert counted["customers"] == 20_000
    assert client.delete("/v1/customers/57").status_code == 204
    assert client.get("/v1/segments").json()["customers"] == 19_999
    assert client.get("/v1/drift").status_code == 200

    client.post("/retrain_model_with_latest_data").raise_for_status()

    names = [s["name"] for s in client.get("/v1/segments").json()["segments"]]
    assert "High-Value Power Users" in names


@pytest.mark.both_databases
def test_what_does_not_fit_is_refused_whole_with_a_count(server: Server) -> None:
    client = server.client
    text = write_schema(SHIPPED).replace("maximum = 130", "maximum = 60")
    text = text.replace("[35, 44], [45, 54], [55, 64], [65, 130]", "[35, 44], [45, 54], [55, 60]")

    plan = client.post("/v1/schema:plan", json={"text": text}).json()
    answer = client.post("/v1/schema:apply", json={"text": text})

    assert answer.status_code == 409
    assert answer.json()["type"].endswith("schema-refused")
    (reason,) = plan["refusals"]
    assert reason.startswith("age: ")
    assert "would not fit" in reason
    assert client.get("/v1/schema").json()["number"] == 1


def test_calls_go_on_while_a_schema_is_applied(server: Server) -> None:
    client = server.client
    apply(client, with_more(SHIPPED, TENURE))

    until = time.monotonic() + 2
    answers = []
    while time.monotonic() < until:
        answers.append(client.get("/get_customer_info_from_database?customer_id=56"))

    # Who was on the way while the schema changed is told to ask again, and no other.
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert sum(answer.status_code == 503 for answer in answers) <= 2
    assert "tenure" in answers[-1].json()["Customer info"]


def test_a_category_is_added_and_customers_keep_theirs(server: Server) -> None:
    client = server.client
    apply(client, with_more(SHIPPED, REGION))
    wait_until_followed(client, 2)
    client.patch("/v1/customers/56", json={"region": "South"}).raise_for_status()

    wider = REGION.replace('["North", "South"]', '["East", "North", "South"]')
    apply(client, with_more(SHIPPED, wider))
    wait_until_followed(client, 3)

    assert client.get("/v1/customers/56").json()["region"] == "South"
    assert client.get("/v1/customers/57").json()["region"] == "North"
    client.patch("/v1/customers/57", json={"region": "East"}).raise_for_status()
    narrow = REGION.replace('["North", "South"]', '["North", "South"]')
    refused = client.post("/v1/schema:apply", json={"text": with_more(SHIPPED, narrow)})
    assert refused.status_code == 409
    assert "1 customer would not fit" in refused.text


def test_what_somebody_else_has_applied_since_the_plan_is_not_taken_back(server: Server) -> None:
    client = server.client
    mine, theirs = with_more(SHIPPED, TENURE), with_more(SHIPPED, REGION)
    planned = client.post("/v1/schema:plan", json={"text": mine}).json()
    apply(client, theirs)
    wait_until_followed(client, 2)

    late = {"text": mine, "number": planned["number"]}
    refused = client.post("/v1/schema:apply", json=late)

    assert refused.status_code == 422
    assert "plan it again" in refused.json()["detail"]
    assert "region" in client.get("/v1/customers/56").json()
    again = client.post("/v1/schema:plan", json={"text": mine}).json()
    done = client.post("/v1/schema:apply", json={"text": mine, "number": again["number"]})
    assert done.status_code == 200


def test_the_stored_schema_is_shown_in_the_words_of_others(shared_server: Server) -> None:
    client = shared_server.client

    toml = client.get("/v1/schema", params={"format": "toml"})
    table = client.get("/v1/schema", params={"format": "table-schema"}).json()
    document = client.get("/v1/schema", params={"format": "json-schema"}).json()

    assert parse_schema(toml.text, "shown") == SHIPPED
    assert table["primaryKey"] == "customer id"
    assert table["fields"][1] == {
        "name": "age",
        "title": "age",
        "description": "The customer's age",
        "type": "integer",
        "constraints": {"required": True, "minimum": 0, "maximum": 130},
    }
    assert set(document["required"]) == {"customer_id", *SHIPPED.names}


def test_a_text_that_is_no_schema_is_refused_with_every_fault(shared_server: Server) -> None:
    answer = shared_server.client.post("/v1/schema:plan", json={"text": "[id]\nname = 3\n"})

    assert answer.status_code == 422
    assert answer.json()["type"].endswith("schema-invalid")
    assert "line 2" in answer.json()["detail"]
