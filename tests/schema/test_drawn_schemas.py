"""Customers of any schema are stored and read back as they are, and segmented alike by each way."""

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from customer_segmentation.api.app import create_local_app
from customer_segmentation.cli.console.in_process import InProcessTransport
from customer_segmentation.domain.attributes import LONGEST_ID, Attribute, Id, Missing
from customer_segmentation.domain.errors import TrainingRefusedError
from customer_segmentation.domain.numbers import LARGEST_INTEGER, plain_number
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.schema_file import write_schema
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.transfer.exporting import Export, export_customers
from customer_segmentation.store.schema import migrate
from tests.conftest import POSTGRES, postgres_database, require_postgres
from tests.support.beginning import begin_with
from tests.support.drawn import draw_customers, schemas
from tests.support.warehouses import by_onnx, by_sqlite, shown

Json = dict[str, Any]

FIRST = 40
"""How many customers the first model is trained on."""

QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""To make a failing example small takes minutes; the long test does."""

PREDICT = "/v1/segments:predict"
NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"


def ids_of(key: Id) -> st.SearchStrategy[Any]:
    if key.is_text:
        letters = st.characters(exclude_categories=["Cs", "Cc"])
        return st.text(letters, min_size=1, max_size=LONGEST_ID)
    return st.integers(1, LARGEST_INTEGER)


def values_of(attribute: Attribute) -> st.SearchStrategy[float]:
    """Draw values at the edges of what is allowed, and between them."""
    least, most = attribute.plain_range
    if attribute.choices:
        known = st.sampled_from([float(choice) for choice in attribute.choices])
    elif attribute.is_integer:
        known = st.sampled_from([least, most]).map(float) | st.integers(least, most).map(float)
    else:
        known = st.floats(least, most)
    return known | st.just(np.nan) if attribute.missing is Missing.ALLOWED else known


@st.composite
def tables(draw: st.DrawFn) -> tuple[Schema, list[Any], np.ndarray]:
    """Draw a schema, the ids of customers, (n,), and their attributes, (n, d)."""
    schema = draw(schemas(most=8))
    first = draw_customers(schema, FIRST, draw(st.integers(0, 1_000)), draw(st.floats(0.0, 0.9)))
    people = st.tuples(*map(values_of, schema.attributes))
    values = np.vstack([first, draw(st.lists(people, min_size=1, max_size=5))]) + 0.0
    n = len(values)
    ids = draw(st.lists(ids_of(schema.id), min_size=n, max_size=n, unique=True))
    return schema, ids, values


@contextmanager
def opened(url: str, schema: Schema, ids: list[Any], values: np.ndarray) -> Iterator[UnitsOfWork]:
    """Fill an empty database with the first customers."""
    dtype = object if schema.id.is_text else np.int64
    try:
        numbered = np.array(ids[:FIRST], dtype=dtype)
        units = begin_with(url, write_schema(schema), numbered, values[:FIRST])
    except TrainingRefusedError:
        assume(False)
        raise
    with closing(units):
        yield units


@contextmanager
def served(units: UnitsOfWork) -> Iterator[httpx.Client]:
    """Serve a database within this process."""
    transport = InProcessTransport(create_local_app(units, Settings()))
    with httpx.Client(base_url="http://localhost", transport=transport) as client:
        yield client


def path_of(customer_id: object) -> str:
    written = quote(str(customer_id), safe="")
    return f"/v1/customers/{'%2E' * len(written) if written in {'.', '..'} else written}"


def told(answer: httpx.Response) -> Any:  # noqa: ANN401
    assert answer.is_success, answer.text
    return answer.json()


def listed(client: httpx.Client, key: str) -> dict[Any, Json]:
    found: dict[Any, Json] = {}
    query: dict[str, Any] = {"limit": 17}
    while True:
        page = told(client.get("/v1/customers", params=query))
        found |= {one[key]: one for one in page["customers"]}
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def person_of(schema: Schema, row: list[float]) -> Json:
    """Return attributes as requests have them."""
    return {
        attribute.name: attribute.show(plain_number(value))
        for attribute, value in zip(schema.attributes, row, strict=True)
    }


def check_a_table(units: UnitsOfWork, schema: Schema, ids: list[Any], values: np.ndarray) -> None:
    """See that customers read back as they are stored, and are segmented alike by each way."""
    people = [person_of(schema, row) for row in values.tolist()]
    with served(units) as client:
        added = added_by_batch(client, schema, ids[FIRST:], people[FIRST:])
        stored = listed(client, schema.id.name)
        segments = [stored[one]["segment"] for one in ids]

        assert [attributes_of(stored[one], schema) for one in ids] == people
        assert [told(client.get(path_of(one))) for one in ids] == [stored[one] for one in ids]
        assert added == [stored[one] for one in ids[FIRST:]]
        assert exported(units, schema) == {
            one: (person, segment)
            for one, person, segment in zip(ids, people, segments, strict=True)
        }
        assert by_functions(client, schema, ids, people) == segments
        assert predicted(client, schema, people) == [segments] * 4
    serving = units.serving
    assert serving.assigner.assign(values).tolist() == segments
    assert by_sqlite(serving, schema, shown(schema, values)) == segments
    assert by_onnx(serving, values) == segments


def attributes_of(answer: Json, schema: Schema) -> Json:
    return {name: answer[name] for name in schema.names}


def added_by_batch(
    client: httpx.Client, schema: Schema, ids: list[Any], people: list[Json]
) -> list[Json]:
    operations = [
        {"action": "add", "customer": {schema.id.name: one, **person}}
        for one, person in zip(ids, people, strict=True)
    ]
    outcomes = told(client.post("/v1/customers:batch", json={"operations": operations}))["outcomes"]
    assert {outcome["status"] for outcome in outcomes} == {"added"}, outcomes
    return [outcome["customer"] for outcome in outcomes]


def exported(units: UnitsOfWork, schema: Schema) -> dict[Any, tuple[Json, int]]:
    rows = [row for batch in export_customers(units, Export()) for row in batch.to_pylist()]
    return {
        row[schema.id.record_name]: (
            {a.name: row[a.record_name] for a in schema.attributes},
            row["cluster_num"],
        )
        for row in rows
    }


def by_functions(
    client: httpx.Client, schema: Schema, ids: list[Any], people: list[Json]
) -> list[int]:
    """Return the segments that the six functions give, who find each customer as it is."""
    found = []
    for one, person in zip(ids, people, strict=True):
        query = {schema.id.name: one}
        info = told(client.get("/get_customer_info_from_database", params=query))
        record = info["Customer info"]
        assert {a.name: record[a.record_name] for a in schema.attributes} == person
        words = told(client.post("/predict_customer_segment_in_real_time", json=person))
        assert (
            words == f"{info['Segmentation info']} , Business strategy: {info['Business strategy']}"
        )
        found.append(int(words.removeprefix("Cluster ").partition(":")[0]))
    return found


def predicted(client: httpx.Client, schema: Schema, people: list[Json]) -> list[list[int]]:
    """Return the segments that predictions give: to one at a time, and to all in each format."""
    one = [told(client.post(PREDICT, json=person))["segment"]["number"] for person in people]
    many = told(client.post(PREDICT, json=people))["predictions"]
    text = "\n".join(json.dumps(person) for person in people)
    lines = client.post(PREDICT, content=text, headers={"Content-Type": NDJSON})
    columns = {name: [person[name] for person in people] for name in schema.names}
    types = {a.name: pa.string() if a.categories else pa.float64() for a in schema.attributes}
    sink = io.BytesIO()
    table = pa.table(columns, schema=pa.schema([*types.items()]))
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    arrow = client.post(PREDICT, content=sink.getvalue(), headers={"Content-Type": ARROW})
    assert lines.is_success, lines.text
    assert arrow.is_success, arrow.text
    return [
        one,
        [row["segment"] for row in many],
        [json.loads(line)["segment"] for line in lines.text.splitlines()],
        pa.ipc.open_stream(arrow.content).read_all()["segment"].to_pylist(),
    ]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with tables, and nothing in them."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    units = units_over(f"sqlite:///{path}")
    migrate(units.database)
    units.close()
    return path


def check_over_sqlite(empty: Path, table: tuple[Schema, list[Any], np.ndarray]) -> None:
    with TemporaryDirectory() as folder:
        shutil.copy(empty, f"{folder}/drawn.db")
        with opened(f"sqlite:///{folder}/drawn.db", *table) as units:
            check_a_table(units, *table)


@settings(max_examples=8, phases=QUICK)
@given(table=tables())
def test_any_customers_read_back_and_get_one_segment_by_each_way(
    empty: Path, table: tuple[Schema, list[Any], np.ndarray]
) -> None:
    check_over_sqlite(empty, table)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@settings(max_examples=500)
@given(table=tables())
def test_many_more_do(empty: Path, table: tuple[Schema, list[Any], np.ndarray]) -> None:
    check_over_sqlite(empty, table)


@pytest.fixture(scope="module")
def empty_postgres() -> Iterator[str]:
    """The name of a PostgreSQL database with tables, and nothing in them."""
    require_postgres()
    with postgres_database() as name:
        units = units_over(f"{POSTGRES}/{name}")
        migrate(units.database)
        units.close()
        yield name


@pytest.mark.postgres
@settings(max_examples=2, phases=QUICK)
@given(table=tables())
def test_they_do_over_postgresql(
    empty_postgres: str, table: tuple[Schema, list[Any], np.ndarray]
) -> None:
    with (
        postgres_database(empty_postgres) as name,
        opened(f"{POSTGRES}/{name}", *table) as units,
    ):
        check_a_table(units, *table)
