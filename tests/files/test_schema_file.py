"""Schema files: what they may hold, what is told of one with faults, and that they read back."""

import datetime as dt
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given

from customer_segmentation.domain.errors import SchemaError
from customer_segmentation.domain.schema import Schema, check_schema
from customer_segmentation.files.map.mapping import Entry
from customer_segmentation.files.map.number_texts import NumberStyle
from customer_segmentation.files.schema_file import (
    parse_schema,
    parse_schema_file,
    read_schema,
    write_schema,
)
from customer_segmentation.files.table_source import TableSource
from tests.support.drawn import schemas
from tests.support.shipped import FEATURE_NAMES, SHIPPED

PLAIN = 'kind = "amount"'


def shipped_text() -> str:
    return files("customer_segmentation").joinpath("schema.toml").read_text(encoding="utf-8")


@given(schemas())
def test_what_is_written_reads_back_as_the_same(schema: Schema) -> None:
    assert check_schema(schema) == []
    assert parse_schema(write_schema(schema, {schema.names[0]: "why\nso"}), "file") == schema


def test_the_shipped_schema_is_read_by_the_same_rules() -> None:
    assert parse_schema(shipped_text(), "schema.toml") == SHIPPED
    assert SHIPPED.names == FEATURE_NAMES


def test_every_fault_is_told_at_once_with_its_line_and_what_is_allowed() -> None:
    text = """\
colour = "blue"

[id]
name = "customer_id"
type = "number"

[[attributes]]
name = "Tenure"
kind = "count"

[[attributes]]
name = "plan"
kind = "nominal"
categories = ["A", "A"]
weight = "much"

[segments]
number = 1
"""
    with pytest.raises(SchemaError) as refused:
        parse_schema(text, "mine.toml")

    assert str(refused.value).splitlines() == [
        "The schema mine.toml cannot be used:",
        "  line 1: colour is not known; known keys are id, attributes, transactions, "
        "segments, channels, missing_values, source",
        '  line 5: id.type must be one of integer, text, not "number"',
        "  line 8: attributes[1].name must be a name of at most 63 letters a to z, digits and _, "
        'which begins with a letter and which the service does not use itself, not "Tenure"',
        "  line 14: attributes[2].categories must be a list of different texts, not an array",
        '  line 15: attributes[2].weight must be a finite number of at least 0, not "much"',
        '  line 18: segments.number must be "auto", or an integer from 2 to 12, not 1',
    ]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (f"{PLAIN}\nminimum = 9\nmaximum = 1", "line 9: attributes[1].maximum must be at least"),
        (f"{PLAIN}\nexample = -1\nminimum = 0", "line 8: attributes[1].example must be a finite"),
        (f'{PLAIN}\ncategories = ["A"]', "categories is not for an attribute of kind amount"),
        ('kind = "nominal"', "line 7: attributes[1].kind needs codes or categories"),
        ('kind = "binary"\ncategories = ["A"]', "categories must be two, as the kind is binary"),
        (
            'kind = "nominal"\ncategories = ["A", " OTHER"]\nunknown = "other"',
            "categories must not have other, as unknown ones are called so",
        ),
        ('kind = "ordinal"\ntransform = "log"', "transform is not for an attribute of kind ordin"),
        (f'{PLAIN}\nchannel = "post"', "channel must be one of channels: none"),
        (f"{PLAIN}\ndefault = nan", "default must be a finite number or a text, not nan"),
        (f"{PLAIN}\nbands = [[1, 5], [5, 9]]", "bands must be a list of [minimum, maximum], asc"),
        (f'{PLAIN}\nrecord_name = "id"', "line 8: attributes[1].record_name is given twice"),
        (f'{PLAIN}\nrecord_name = "segment"', "record_name must be a text of 1 to 200 characters"),
        (f"{PLAIN}\nrecord_name = 'a \"b\"'", "record_name must be a text of 1 to 200 characters"),
        (f"{PLAIN}\nmissing = true", "missing must be one of refused, allowed, not true"),
        (
            f'{PLAIN}\n[[segments.profiles]]\nname = "A"\nstrategy = "B"\nabove = ["none"]',
            "line 11: segments.profiles[1].above must name attributes of this schema only",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(entry: str, told: str) -> None:
    head = '[id]\nname = "key"\nrecord_name = "id"\ntype = "integer"\n[[attributes]]\nname = "a"\n'
    with pytest.raises(SchemaError) as refused:
        parse_schema(head + entry + "\n", "mine.toml")

    assert told in str(refused.value)
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff", "is not UTF-8 text (byte 0)"),
        (b"[id", "is not TOML (line 1): "),
        (b"a" * (2**21 + 1), "has more than 2,097,152 characters"),
        (b"", "line 1: attributes must be 1 to 1,000 tables, each headed [[attributes]], not no"),
    ],
)
def test_a_file_that_is_no_schema_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "schema.toml"
    path.write_bytes(content)

    with pytest.raises(SchemaError) as refused:
        read_schema(path)

    assert told in str(refused.value)


def test_a_file_that_is_absent_is_told(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="cannot be read: No such file or directory"):
        read_schema(tmp_path / "none.toml")


SOURCE = """
[source]
numbered = true

[[source.columns]]
attribute = "spent"
column = "Spent (EUR)"
decimal = ","
thousands = "."
sign = "€"
factor = "1/12"
missing = ["", "none"]

[[source.columns]]
attribute = "since"
date = "%d.%m.%Y"
before = 2026-01-31
"""
WITH_SOURCE = f"""
[id]
name = "row_number"
type = "integer"

[[attributes]]
name = "spent"
{PLAIN}

[[attributes]]
name = "since"
{PLAIN}
{SOURCE}"""


def test_how_a_table_is_read_is_written_and_reads_back() -> None:
    schema, source = parse_schema_file(WITH_SOURCE, "own.toml")

    assert source == TableSource(
        numbered=True,
        columns={
            "spent": Entry(
                column="Spent (EUR)",
                style=NumberStyle(",", "."),
                sign="€",
                factor=Fraction(1, 12),
                missing=("", "none"),
            ),
            "since": Entry("since", date="%d.%m.%Y", before=dt.date(2026, 1, 31)),
        },
    )
    assert parse_schema_file(write_schema(schema, None, source), "again") == (schema, source)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"since"\ndate', '"sinse"\ndate', "line 27: source.columns[2].attribute must name the id"),
        ('"since"\ndate', '"spent"\ndate', "line 27: source.columns[2].attribute is given twice"),
        ('thousands = "."', 'thousands = ","', "source.columns[1].thousands must not be the"),
        ("before = 2026-01-31\n", "", "source.columns[2].date must be given with both"),
        ("before = 2026-01-31", "before = 5", "source.columns[2].before must be a date such as"),
        ('"1/12"', '"0"', "source.columns[1].factor must be a number other than 0, or a"),
        ("%d.%m.%Y", "%d.%m.%H", "source.columns[2].date must be a form of dates"),
        ("numbered = true", 'numbered = "yes"', 'source.numbered must be true or false, not "yes"'),
        ("sign =", "signs =", "source.columns[1].signs is not known"),
    ],
)
def test_a_fault_in_how_a_table_is_read_is_named(old: str, new: str, told: str) -> None:
    assert old in WITH_SOURCE

    with pytest.raises(SchemaError) as refused:
        parse_schema_file(WITH_SOURCE.replace(old, new), "own.toml")

    assert told in str(refused.value)
