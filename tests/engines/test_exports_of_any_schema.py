"""The rule as SQL and as ONNX, of any schema: the segments that the service gives."""

from collections.abc import Iterator
from dataclasses import replace

import duckdb
import numpy as np
import psycopg
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlglot import parse_one

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Attribute, Id, IdType, Kind, Missing, Unknown
from customer_segmentation.domain.errors import TrainingRefusedError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.adapting import adapt, columns_in
from customer_segmentation.model.artifact import Parameters
from customer_segmentation.model.assign import Assigner
from customer_segmentation.services.runtime.serving import ServingModel
from tests.conftest import POSTGRES, require_postgres
from tests.support.drawn import draw_customers, schemas
from tests.support.warehouses import Rows, by_onnx, by_sqlite, columns_of, in_order, query, shown

MANY = 400

TOLD = Schema(
    Id("order", "order", "order", "", "C1", IdType.TEXT),
    (
        Attribute("group", "group", "group", "", 1, Kind.AMOUNT, missing=Missing.ALLOWED),
        Attribute(
            "select",
            "select",
            "select",
            "",
            "O'Brien",
            Kind.NOMINAL,
            categories=("O'Brien", 'back\\slash "quoted"', "Ελλάδα", "%; --"),
            unknown=Unknown.OTHER,
            missing=Missing.ALLOWED,
        ),
        Attribute("value_1", "value_1", "", "", "Yes", Kind.BINARY, categories=("No", "Yes")),
    ),
    missing_values=("", "NA"),
)
"""A schema whose names are keywords, and whose categories need quotes."""


def serving_of(schema: Schema, values: FloatArray, k: int = 3) -> ServingModel:
    """Train a model, and make it ready to answer."""
    try:
        model = LocalEngine(schema).train(
            np.arange(len(values)), values, Parameters(k=k, restarts=1)
        )
    except TrainingRefusedError:
        assume(False)
        raise
    segments = {segment.number: segment for segment in model.segments}
    return ServingModel(1, model, Assigner(model), segments, columns_in(model, schema.attributes))


def by_duckdb(serving: ServingModel, schema: Schema, rows: Rows) -> list[int]:
    marks = ", ".join("?" * (1 + len(schema.names)))
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE people ({columns_of(schema, 'DOUBLE', 'VARCHAR')})")
        database.executemany(f"INSERT INTO people VALUES ({marks})", rows)  # noqa: S608
        return in_order(database.execute(query(serving, schema, "duckdb")).fetchall())


@pytest.fixture(scope="module")
def postgres() -> Iterator[psycopg.Connection]:
    """A connection to PostgreSQL, whose temporary tables are gone when it closes."""
    require_postgres()
    with psycopg.connect(f"{POSTGRES}/postgres") as connection:
        yield connection
        connection.rollback()


def by_postgres(
    connection: psycopg.Connection,
    serving: ServingModel,
    schema: Schema,
    rows: Rows,
) -> list[int]:
    columns = columns_of(schema, "double precision", "text")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE people ({columns})".encode())
        with cursor.copy("COPY people FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(query(serving, schema, "postgres").encode())
        found = in_order(cursor.fetchall())
        connection.rollback()
    return found


@pytest.mark.long
@given(schemas(), st.integers(0, 1_000), st.floats(0.0, 0.9))
@settings(max_examples=30)
def test_customers_of_any_schema_get_the_services_segments(
    schema: Schema, seed: int, lacking: float
) -> None:
    values = draw_customers(schema, MANY, seed, lacking)
    serving = serving_of(schema, values)
    expected = serving.assigner.assign(values).tolist()
    people = [dict(zip(schema.names, row, strict=True)) for row in values.tolist()]

    assert [serving.assigner.assign_one(person) for person in people] == expected
    assert by_sqlite(serving, schema, shown(schema, values)) == expected
    assert by_onnx(serving, values) == expected


@given(schemas(), st.integers(0, 1_000))
@settings(max_examples=15)
def test_duckdb_gives_customers_of_any_schema_the_services_segments(
    schema: Schema, seed: int
) -> None:
    values = draw_customers(schema, 100, seed)
    serving = serving_of(schema, values)

    found = by_duckdb(serving, schema, shown(schema, values))

    assert found == serving.assigner.assign(values).tolist()


@pytest.mark.postgres
@given(schemas(), st.integers(0, 1_000))
@settings(max_examples=25)
def test_postgresql_gives_customers_of_any_schema_the_services_segments(
    postgres: psycopg.Connection, schema: Schema, seed: int
) -> None:
    values = draw_customers(schema, MANY, seed, 0.3)
    serving = serving_of(schema, values)

    found = by_postgres(postgres, serving, schema, shown(schema, values))

    assert found == serving.assigner.assign(values).tolist()


@pytest.mark.postgres
def test_names_and_categories_of_any_letters_are_quoted_for_each_database(
    postgres: psycopg.Connection,
) -> None:
    values = draw_customers(TOLD, MANY, 1)
    serving = serving_of(TOLD, values)
    expected = serving.assigner.assign(values).tolist()
    rows = shown(TOLD, values)

    assert by_sqlite(serving, TOLD, rows) == expected
    assert by_duckdb(serving, TOLD, rows) == expected
    assert by_postgres(postgres, serving, TOLD, rows) == expected
    for dialect in ("snowflake", "bigquery", "spark", "tsql", "oracle", "mysql"):
        read = parse_one(query(serving, TOLD, dialect), read=dialect)
        texts = {str(text.this) for text in read.walk() if text.is_string or text.key == "national"}
        assert set(TOLD.attributes[1].categories) <= texts
        names = {name.name.casefold() for name in read.walk() if name.key == "identifier"}
        assert {"order", "group", "select", "value_1"} <= names


def test_an_unknown_category_is_another_one_and_a_missing_one_counts_nowhere() -> None:
    values = draw_customers(TOLD, MANY, 1)
    serving = serving_of(TOLD, values)
    given_texts = ["Atlantis", "", "NA", None]
    places = [4.0, np.nan, np.nan, np.nan]
    people = np.array([[values[0, 0], place, values[0, 2]] for place in places])
    rows = [("C" + str(n), values[0, 0], text, "No") for n, text in enumerate(given_texts)]
    people[:, 2] = 0.0

    assert by_sqlite(serving, TOLD, rows) == serving.assigner.assign(people).tolist()


def test_what_the_schema_refuses_gets_no_segment() -> None:
    strict = replace(
        TOLD,
        attributes=tuple(
            replace(a, missing=Missing.REFUSED, unknown=Unknown.REFUSED) for a in TOLD.attributes
        ),
    )
    values = draw_customers(strict, MANY, 1)
    serving = serving_of(strict, values)
    rows: Rows = [
        ("C0", None, "O'Brien", "No"),
        ("C1", 3.0, None, "No"),
        ("C2", 3.0, "Atlantis", "No"),
        ("C3", 3.0, "O'Brien", None),
        ("C4", 3.0, "O'Brien", "no"),
    ]
    people = np.array([[np.nan, 0, 0], [3, np.nan, 0], [3, 9, 0], [3, 0, np.nan], [np.inf, 0, 0]])

    assert by_sqlite(serving, strict, rows) == [None] * 5
    assert by_onnx(serving, people) == [-1] * 5


def test_one_of_whom_nothing_is_known_is_typical() -> None:
    lenient = replace(
        TOLD,
        attributes=tuple(replace(a, missing=Missing.ALLOWED) for a in TOLD.attributes),
    )
    values = draw_customers(lenient, MANY, 1)
    serving = serving_of(lenient, values)
    nobody = np.full((1, 3), np.nan)
    expected = serving.assigner.assign(nobody).tolist()

    assert by_sqlite(serving, lenient, [("C0", None, None, None)]) == expected
    assert by_onnx(serving, nobody) == expected


def test_what_the_table_has_no_more_counts_nowhere() -> None:
    values = draw_customers(TOLD, MANY, 1)
    before = serving_of(TOLD, values)
    left = replace(TOLD, attributes=TOLD.attributes[1:])
    model = adapt(before.model, left.attributes)
    serving = replace(before, model=model, assigner=Assigner(model))
    people = columns_in(model, left.attributes).take(values[:, 1:])
    expected = serving.assigner.assign(people).tolist()

    assert by_sqlite(serving, left, shown(left, values[:, 1:])) == expected
    assert by_onnx(serving, people) == expected
