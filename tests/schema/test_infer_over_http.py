"""A table is sent, becomes a schema, and takes the demonstration's place: over HTTP alone."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from customer_segmentation.client import Client
from tests.schema.test_apply import wait_until_followed
from tests.support.servers import Server, until

GYM = Path(__file__).parents[2] / "docs" / "examples" / "gym-members.csv"
Json = dict[str, Any]


def infer(client: httpx.Client, content: bytes, **query: object) -> Json:
    asked: Json = {"name": "gym.csv", **query}
    answer = client.post("/v1/schema:infer", params=asked, content=content)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def by_column(found: Json) -> dict[str, Json]:
    return {one["column"]: one for one in found["columns"]}


@pytest.fixture(scope="module")
def gym() -> bytes:
    return GYM.read_bytes()


def test_each_column_is_told_with_values_reasons_and_what_else_it_could_be(
    shared_server: Server, gym: bytes
) -> None:
    found = infer(shared_server.client, gym)

    columns = by_column(found)
    assert (found["rows"], found["fitting"], found["id_candidates"]) == (600, 1.0, ["member"])
    member, plan, fee = columns["member"], columns["plan"], columns["fee (EUR)"]
    assert (member["use"], member["kind"], member["attribute"]) == ("id", "text", "member")
    assert plan["samples"] == ["Premium", "Plus", "Basic"]
    assert (plan["chosen"], plan["options"]) == ("ordinal", ["ordinal", "nominal"])
    assert fee["reasons"][0].startswith("numbers from 19.9")
    assert columns["classes"]["options"] == ["ordinal", "nominal", "count", "amount"]
    assert columns["cancelled"]["use"] == "kept, not used"
    assert 'name = "plan"' in found["text"]


def test_what_a_person_knows_better_is_taken(shared_server: Server, gym: bytes) -> None:
    found = infer(shared_server.client, gym, taken=["plan=nominal", "visits per month=amount"])

    columns = by_column(found)
    assert (columns["plan"]["kind"], columns["plan"]["chosen"]) == ("nominal", "nominal")
    assert columns["visits per month"]["kind"] == "amount"
    assert "as was chosen: nominal" in found["text"]

    numbered = infer(shared_server.client, gym, numbered=True)
    assert "numbered = true" in numbered["text"]


def test_a_column_that_is_left_out_can_be_put_back(shared_server: Server) -> None:
    rows = "".join(f"{n},{10_000 + n},{n % 9}\n" for n in range(1, 60))
    content = f"customer_id,zip,visits\n{rows}".encode()

    left = by_column(infer(shared_server.client, content))["zip"]
    assert (left["use"], left["attribute"], left["chosen"]) == ("left out", None, None)
    back = by_column(infer(shared_server.client, content, taken=["zip=count"]))["zip"]
    assert (back["use"], back["kind"], back["attribute"]) == ("used", "count", "zip")


@pytest.mark.parametrize(
    ("query", "content", "field"),
    [
        ({}, b"", "body"),
        ({}, b"<!doctype html><p>no table", "body"),
        ({"id": "plan"}, None, "id"),
        ({"taken": ["plan"]}, None, "taken"),
        ({"taken": ["plan=amount"]}, None, "taken"),
        ({"taken": ["nothing=amount"]}, None, "taken"),
    ],
)
def test_what_is_no_table_or_no_option_is_refused(
    query: Json, content: bytes | None, field: str, shared_server: Server, gym: bytes
) -> None:
    answer = shared_server.client.post(
        "/v1/schema:infer",
        params={"name": "x.csv", **query},
        content=gym if content is None else content,
    )

    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


@pytest.mark.both_databases
def test_an_own_table_takes_the_demonstrations_place(server: Server, gym: bytes) -> None:
    with Client(server.url) as client:
        text = client.infer_schema(gym, "gym.csv")["text"]
        over_demo = client.plan_schema(text)
        assert over_demo["is_demo"]
        assert over_demo["refusals"] != []
        assert client.plan_schema(text, discard_demo=True)["refusals"] == []

        client.apply_schema(text, by="Ada", discard_demo=True)
        wait_until_followed(server.client, 2)
        assert server.client.get("/health/ready").status_code == 503
        assert client.get_schema()["id"]["name"] == "member"

        begun = client.begin_import(gym, "gym.csv")
        *_, ended = client.follow_import(begun["id"])
        assert (ended["state"], ended["result"]["added"]) == ("succeeded", 600)
        until(lambda: server.client.get("/health/ready").status_code == 200)

        told = client.list_segments()
        assert told["customers"] == 600
        # No version is given twice: the demonstration's was the first.
        assert [one["version"] for one in client.list_models()["models"]] == [2]
        assert client.get_customer("G-00002")["plan"] == "Plus"
        assert not client.plan_schema(text, discard_demo=True)["is_demo"]
