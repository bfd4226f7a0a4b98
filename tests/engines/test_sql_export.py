"""The rule as SQL: run by three databases, it gives the segments that the service gives."""

import math
import sqlite3

import duckdb
import psycopg
import pytest
from sqlglot import exp, parse_one

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.errors import InvalidInputError
from customer_segmentation.services.models.sql_export import write_sql
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from tests.support.commands import run
from tests.support.shipped import FEATURES

pytestmark = pytest.mark.both_databases

COLUMNS = ["customer_id", *(feature.name for feature in FEATURES)]
TYPES = [
    "bigint",
    *("bigint" if feature.is_integer else "double precision" for feature in FEATURES),
]
TABLE = ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS, TYPES, strict=True))


def rows_of(people: FloatArray) -> list[tuple[float, ...]]:
    """Return rows as a database takes them, ids from 1."""
    whole = [feature.is_integer for feature in FEATURES]
    return [
        (
            number,
            *(int(v) if is_whole else v for v, is_whole in zip(row, whole, strict=True)),
        )
        for number, row in enumerate(people.tolist(), 1)
    ]


def expected(units: UnitsOfWork, people: FloatArray) -> dict[int, int]:
    """Return the service's segments by id."""
    return dict(enumerate(units.serving.assigner.assign(people).tolist(), 1))


def test_sqlite_gives_the_services_segments(units: UnitsOfWork, people: FloatArray) -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute(f"CREATE TABLE customers ({TABLE})")
        marks = ", ".join("?" * len(COLUMNS))
        insert = f"INSERT INTO customers VALUES ({marks})"  # noqa: S608
        database.executemany(insert, rows_of(people))
        found = database.execute(write_sql(units, "sqlite")).fetchall()

    assert {row[0]: row[1] for row in found} == expected(units, people)
    names = {number: segment.name for number, segment in units.serving.segments.items()}
    assert all(names[row[1]] == row[2] for row in found)


def test_duckdb_gives_the_services_segments(units: UnitsOfWork, people: FloatArray) -> None:
    database = duckdb.connect()
    kinds = TABLE.replace("double precision", "double")
    database.execute(f"CREATE TABLE customers ({kinds})")
    rows = rows_of(people)
    arrays = [list(column) for column in zip(*rows, strict=True)]
    marks = ", ".join(f"unnest(?::{kind.replace(' precision', '')}[])" for kind in TYPES)
    database.execute(f"INSERT INTO customers SELECT {marks}", arrays)

    found = database.execute(write_sql(units, "duckdb")).fetchall()

    assert {row[0]: row[1] for row in found} == expected(units, people)
    database.close()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_view_in_postgresql_gives_the_services_segments(
    units: UnitsOfWork, database_url: str, people: FloatArray
) -> None:
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE people ({TABLE})")
        with cursor.copy("COPY people FROM STDIN") as copy:
            for row in rows_of(people):
                copy.write_row(row)
        cursor.execute(write_sql(units, "postgres", "people", "segmented").encode())
        cursor.execute("SELECT customer_id, segment FROM segmented")
        found: dict[int, int] = dict(cursor.fetchall())

    assert found == expected(units, people)


UNKNOWN = (math.nan, math.inf, -math.inf, None)


def people_unknown(person: FloatArray) -> list[list[float | None]]:
    """Return somebody once for each attribute and way in which it may not be known."""
    people = []
    for j in range(len(person)):
        for unknown in UNKNOWN:
            values: list[float | None] = person.tolist()
            values[j] = unknown
            people.append(values)
    return people


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whoever_lacks_an_attribute_gets_no_segment(units: UnitsOfWork, people: FloatArray) -> None:
    rows = [(number, *row) for number, row in enumerate(people_unknown(people[0]))]
    doubles = ", ".join(f"{name} double" for name in COLUMNS)
    found = {}
    with sqlite3.connect(":memory:") as database:
        database.execute(f"CREATE TABLE customers ({doubles})")
        marks = ", ".join("?" * len(COLUMNS))
        database.executemany(f"INSERT INTO customers VALUES ({marks})", rows)  # noqa: S608
        found["sqlite"] = database.execute(write_sql(units, "sqlite")).fetchall()
    warehouse = duckdb.connect()
    warehouse.execute(f"CREATE TABLE customers ({doubles})")
    warehouse.executemany(f"INSERT INTO customers VALUES ({marks})", rows)  # noqa: S608
    found["duckdb"] = warehouse.execute(write_sql(units, "duckdb")).fetchall()
    warehouse.close()

    for answers in found.values():
        assert len(answers) == len(rows)
        assert {answer[1:] for answer in answers} == {(None, None)}


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_whoever_lacks_an_attribute_gets_no_segment_in_postgresql(
    units: UnitsOfWork, database_url: str, people: FloatArray
) -> None:
    kinds = ", ".join(f"{name} double precision" for name in COLUMNS)
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE people ({kinds})")
        with cursor.copy("COPY people FROM STDIN") as copy:
            for number, row in enumerate(people_unknown(people[0])):
                copy.write_row((number, *row))
        cursor.execute(write_sql(units, "postgres", "people").encode())
        answers = cursor.fetchall()

    assert {answer[1:] for answer in answers} == {(None, None)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "dialect", ["snowflake", "bigquery", "spark", "sqlserver", "oracle", "mysql"]
)
def test_other_dialects_are_written_and_read_back(units: UnitsOfWork, dialect: str) -> None:
    query = parse_one(
        write_sql(units, dialect, "bank.customers"), read=dialect.replace("sqlserver", "tsql")
    )

    steps = ["checked", "rooted", "divided", "prepared", "measured", "assigned"]
    assert [cte.alias for cte in query.find_all(exp.CTE)] == steps
    assert "bank.customers" in {str(table) for table in query.find_all(exp.Table)}


def test_an_unknown_dialect_is_refused(units: UnitsOfWork) -> None:
    with pytest.raises(InvalidInputError, match="dialect must be one of"):
        write_sql(units, "klingon")


def test_the_command_line_prints_it(units: UnitsOfWork, database_url: str) -> None:
    del units
    printed = run("models", "sql", "--dialect", "sqlite", env={"DATABASE_URL": database_url})

    assert printed.stdout.startswith("WITH")
    assert printed.stdout.endswith(";\n")
    assert run("models", "sql", "--dialect", "klingon").exit_code == 2
