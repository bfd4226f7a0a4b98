"""Predictions for many people: each format gives what each person alone would get."""

import io
import json
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.assign import Assigner
from tests.support.answers import problem
from tests.support.examples import SOMEONE as ATTRIBUTES
from tests.support.servers import Server
from tests.support.shipped import FEATURE_NAMES, FEATURES

PATH = "/v1/segments:predict"
NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"


def people(values: FloatArray) -> list[dict[str, Any]]:
    return [
        {
            feature.name: int(value) if feature.is_integer else value
            for feature, value in zip(FEATURES, row, strict=True)
        }
        for row in values.tolist()
    ]


def arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def send(client: httpx.Client, body: bytes, kind: str) -> httpx.Response:
    return client.post(PATH, content=body, headers={"Content-Type": kind})


def test_every_format_gives_each_customer_its_segment(
    shared_server: Server, shipped_customers: tuple[IntArray, FloatArray], shipped_model: Model
) -> None:
    client = shared_server.client
    _, values = shipped_customers
    rows = people(values)
    expected = Assigner(shipped_model).assess(values)

    as_json = client.post(PATH, json=rows).json()
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    as_lines = [json.loads(line) for line in send(client, lines, NDJSON).text.splitlines()]
    columns = {f.name: [row[f.name] for row in rows] for f in FEATURES}
    answer = send(client, arrow(pa.table(columns)), ARROW)
    table = pa.ipc.open_stream(answer.content).read_all()

    assert as_json["model_version"] == 1
    assert [row["segment"] for row in as_json["predictions"]] == expected.segments.tolist()
    assert [row["is_outlier"] for row in as_json["predictions"]] == expected.outliers.tolist()
    assert as_lines == as_json["predictions"]
    assert answer.headers["content-type"] == ARROW
    assert table.schema.metadata == {b"model_version": b"1"}
    assert table.to_pylist() == as_lines


def test_every_format_tells_why_as_a_single_call_does(
    shared_server: Server, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    client = shared_server.client
    _, values = shipped_customers
    rows = people(values[:40])
    why = f"{PATH}?explain=true"

    as_json = client.post(why, json=rows).json()["predictions"]
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    answer = client.post(why, content=lines, headers={"Content-Type": NDJSON})
    as_lines = [json.loads(line) for line in answer.text.splitlines()]
    columns = arrow(pa.table({f.name: [row[f.name] for row in rows] for f in FEATURES}))
    answer = client.post(why, content=columns, headers={"Content-Type": ARROW})
    table = pa.ipc.open_stream(answer.content).read_all().to_pylist()

    assert as_lines == as_json
    for told, row, person in zip(as_json, table, rows, strict=True):
        one = client.post(why, json=person).json()["explanation"]
        brief = told["explanation"]
        assert brief["other"] == row["other"] == one["other"]
        assert brief["distances"] == pytest.approx(one["distances"])
        assert brief["distances"] == {str(n): row[f"distance_{n}"] for n in range(4)}
        assert brief["contributions"] == row["contributions"]
        for found, expected in zip(brief["contributions"], one["contributions"][:3], strict=True):
            assert found["attribute"] == expected["attribute"]
            assert found["value"] == person[found["attribute"]]
            for name in ("typical", "typical_other", "pull"):
                assert found[name] == pytest.approx(expected[name])


def test_a_hundred_thousand_are_explained_in_one_request(
    shared_server: Server, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    _, values = shipped_customers
    columns = dict(zip(FEATURE_NAMES, np.tile(values, (5, 1)).T, strict=True))

    answer = shared_server.client.post(
        f"{PATH}?explain=true", content=arrow(pa.table(columns)), headers={"Content-Type": ARROW}
    )

    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.num_rows == 100_000
    assert table.slice(0, 20_000).equals(table.slice(80_000))


def test_a_batch_and_a_single_call_agree(shared_server: Server) -> None:
    client = shared_server.client

    (many,) = client.post(PATH, json=[ATTRIBUTES]).json()["predictions"]
    one = client.post(PATH, params={"explain": True}, json=ATTRIBUTES).json()

    assert many["segment"] == one["segment"]["number"]
    assert many["is_outlier"] == one["is_outlier"]
    assert many["confidence"] == pytest.approx(one["explanation"]["confidence"])


def test_a_number_that_is_whole_but_written_with_a_fraction_is_taken(
    shared_server: Server,
) -> None:
    body = json.dumps([{**ATTRIBUTES, "age": 34.0, "monthly_income": 1e300}]).encode()

    assert len(send(shared_server.client, body, "application/json").json()["predictions"]) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"age": -1}, "1.age"),
        ({"age": True}, "1.age"),
        ({"age": "34"}, "1.age"),
        ({"age": 34.5}, "1.age"),
        ({"shoe_size": 42}, "1.shoe_size"),
        ({"monthly_income": None}, "1.monthly_income"),
    ],
)
def test_a_bad_row_is_named_with_its_field(
    shared_server: Server, changes: dict[str, object], field: str
) -> None:
    rows = [ATTRIBUTES, {**ATTRIBUTES, **changes}]
    lines = "\n".join(json.dumps(row) for row in rows).encode()

    for answer in (
        shared_server.client.post(PATH, json=rows),
        send(shared_server.client, lines, NDJSON),
    ):
        assert [error["field"] for error in problem(answer, 422)["errors"]] == [field]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[]", "application/json"),
        (b"[1, 2]", "application/json"),
        (b"[", "application/json"),
        (b"\xff", NDJSON),
        (b"", NDJSON),
        (b"", ARROW),
        (b"no arrow", ARROW),
        (arrow(pa.table({"age": [1]})), ARROW),
        (arrow(pa.table({name: ["x"] for name in FEATURE_NAMES})), ARROW),
        (arrow(pa.table({name: pa.array([None], pa.int64()) for name in FEATURE_NAMES})), ARROW),
        (arrow(pa.table({name: [2.5] for name in FEATURE_NAMES})), ARROW),
        (
            arrow(
                pa.table({f.name: [f.example] for f in FEATURES} | {"account_balance": [2**53 + 1]})
            ),
            ARROW,
        ),
    ],
)
def test_a_body_that_is_no_table_of_people_is_refused(
    shared_server: Server, body: bytes, kind: str
) -> None:
    assert problem(send(shared_server.client, body, kind), 422)["errors"]


def test_a_body_of_an_unknown_kind_is_refused(shared_server: Server) -> None:
    problem(send(shared_server.client, b"age\n34\n", "text/csv"), 415)


def test_more_people_than_allowed_are_refused(shared_server: Server) -> None:
    columns = {f.name: np.full(100_001, 1) for f in FEATURES}

    answer = problem(send(shared_server.client, arrow(pa.table(columns)), ARROW), 422)

    assert "1 to 100,000 people, not 100,001" in answer["detail"]
