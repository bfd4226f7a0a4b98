"""Rows of any schema become customers: text ids, categories, missing values, made-up columns."""

import datetime as dt
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.errors import DataFileError, MappingError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.check.duplicates import SeenIds
from customer_segmentation.files.check.rows import Checked, Checker
from customer_segmentation.files.map.mapping_file import format_mapping, parse_mapping
from customer_segmentation.files.read.tables import open_table
from customer_segmentation.files.schema_file import parse_schema_file
from customer_segmentation.files.table_source import TableSource, find_mapping

SHOP = """
missing_values = ["", "NA", "unknown"]

[id]
name = "member"
type = "text"

[[attributes]]
name = "plan"
kind = "nominal"
categories = ["Basic", "Gold"]
unknown = "other"
missing = "allowed"

[[attributes]]
name = "card"
kind = "binary"
categories = ["No", "Yes"]

[[attributes]]
name = "spent"
kind = "amount"
minimum = 0
missing = "allowed"

[[attributes]]
name = "visits"
kind = "count"
minimum = 0
default = 3
"""


def parse(text: str) -> tuple[Schema, TableSource]:
    return parse_schema_file(text, "own.toml")


def check(text: str, table: str, seen: SeenIds | None = None) -> list[Checked]:
    schema, how = parse(text)
    with open_table(io.BytesIO(table.encode()), how.reading) as source:
        mapping = find_mapping(schema, source.columns, how)
        assert mapping is not None
        checker = Checker(schema, source, mapping, seen=seen)
        return [checker.check(block) for block in source.blocks(checker.wanted)]


def column(checked: Checked, place: int) -> list[float | None]:
    return [None if np.isnan(value) else value for value in checked.values[:, place].tolist()]


def test_texts_categories_and_missing_values_are_read_by_the_schema() -> None:
    (checked,) = check(
        SHOP,
        "member,plan,card,spent,visits\n"
        "0012,gold,yes,1.5,2\n"
        " Ünal ,  BASIC ,No,NA,\n"
        "a-3,Silver,YES,,unknown\n"
        "0012x,unknown,no,0,7\n",
    )

    assert not checked.rejects
    assert checked.ids.tolist() == ["0012", " Ünal ", "a-3", "0012x"]
    assert column(checked, 0) == [1, 0, 2, None]
    assert column(checked, 1) == [1, 0, 1, 0]
    assert column(checked, 2) == [1.5, None, None, 0]
    assert column(checked, 3) == [2, 3, 3, 7]


def test_what_the_schema_refuses_is_told_by_column_and_type() -> None:
    (checked,) = check(
        SHOP,
        "member,plan,card,spent,visits\n"
        "a,Gold,maybe,1,1\n"
        "b,Gold,,1,1\n"
        ",Gold,Yes,1,1\n"
        "c,Gold,Yes,-1,1\n"
        f"{'x' * 201},Gold,Yes,1,1\n"
        "unknown,Gold,Yes,1,1\n",
    )

    assert not len(checked.ids)
    allowed = "member must be a text of 1 to 200 characters without control characters"
    assert [(reject.column, reject.reason) for reject in checked.rejects] == [
        ("card", "card must be one of No, Yes, not another text"),
        ("card", "card must be one of No, Yes, not nothing"),
        ("member", f"{allowed}, not nothing"),
        ("spent", f"{SPENT}, not an integer outside this range"),
        ("member", f"{allowed}, not a longer text"),
        ("member", f"{allowed}, not nothing"),
    ]


SPENT = "spent must be a finite number of at least 0 or null"


def test_a_text_id_comes_again_only_where_it_is_the_same_to_the_letter() -> None:
    (checked,) = check(
        SHOP, "member,plan,card,spent,visits\n" + "".join(f"{i},,No,,1\n" for i in IDS), SeenIds()
    )

    assert checked.ids.tolist() == ["7", "07", "a", "A", "a "]
    assert [reject.line for reject in checked.rejects] == [6, 8]
    assert "member must be unique" in checked.rejects[0].reason


IDS = ["7", "07", "a", "A", "7", "a ", "a"]


@given(st.lists(st.lists(st.text(max_size=3), max_size=9), max_size=9))
def test_a_text_is_fresh_only_the_first_time(batches: list[list[str]]) -> None:
    seen, before = SeenIds(), set[str]()
    for texts in batches:
        expected = []
        for text in texts:
            expected.append(text not in before)
            before.add(text)

        assert seen.add(np.array([*texts, None], object)[:-1]).tolist() == expected


def test_typed_ids_are_read_as_texts() -> None:
    schema, _ = parse(SHOP)
    for array, ids in (
        (pa.array([7, 10**17]), ["7", "100000000000000000"]),
        (pa.array([7.0, 1.5]), ["7", "1.5"]),
        (pa.array(["7", "x"]).dictionary_encode(), ["7", "x"]),
        (pa.array([b"7", b"x"]), ["7", "x"]),
    ):
        rest = {"plan": ["Gold"] * 2, "card": [True, False], "spent": [1, None], "visits": [1, 2]}
        sink = io.BytesIO()
        table = pa.table({"member": array, **rest})
        table = table.set_column(2, "card", pa.array(["Yes", "No"]))
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        sink.seek(0)
        with open_table(sink) as source:
            mapping = find_mapping(schema, source.columns)
            assert mapping is not None
            checker = Checker(schema, source, mapping)
            (checked,) = map(checker.check, source.blocks(checker.wanted))

        assert checked.ids.tolist() == ids


NUMBERED = """
[id]
name = "row_number"
type = "integer"

[[attributes]]
name = "spent"
kind = "amount"
maximum = 100

[source]
numbered = true
"""


def test_rows_without_ids_are_numbered_whether_they_are_taken_or_not() -> None:
    (checked,) = check(NUMBERED, 'spent,x\n1,a\n\nzz,b\n3,"c\nc"\n4\n1000,e\n6,f\n')

    assert checked.ids.tolist() == [1, 3, 6]
    assert column(checked, 0) == [1, 3, 6]
    assert [reject.line for reject in checked.rejects] == [4, 7, 8]


def test_refused_rows_of_a_numbered_table_are_not_numbered_anew() -> None:
    with pytest.raises(DataFileError, match="whose numbers in the table are lost"):
        check(NUMBERED, "line,column,reason,spent\n3,spent,x,7\n")


def test_an_export_of_a_numbered_table_comes_back_by_its_ids() -> None:
    (checked,) = check(NUMBERED, "row_number,spent,cluster_num\n7,1,0\n9,2,1\n")

    assert checked.ids.tolist() == [7, 9]


MADE = """
[id]
name = "id"
type = "integer"

[[attributes]]
name = "age"
kind = "count"
maximum = 130
missing = "allowed"

[[attributes]]
name = "total"
kind = "amount"
missing = "allowed"

[[attributes]]
name = "is_rich"
kind = "binary"

[[attributes]]
name = "plan"
kind = "nominal"
categories = ["Basic", "Gold"]

[source]
delimiter = ";"

[[source.columns]]
attribute = "age"
column = "born"
date = "%d.%m.%Y"
before = 2026-03-01
years = true

[[source.columns]]
attribute = "total"
column = "wine"
plus = ["meat", "fish"]
decimal = ","
digits = 1

[[source.columns]]
attribute = "is_rich"
column = "income"
sign = "k"
above = 1000

[[source.columns]]
attribute = "plan"
codes = { g = "Gold", b = "Basic" }
default = "Basic"
"""


def test_an_age_a_sum_and_a_threshold_are_made_of_columns() -> None:
    (checked,) = check(
        MADE.replace('name = "id"', 'name = "client"'),
        "client;born;wine;meat;fish;income;plan\n"
        "1;01.03.1996;1,25;2;3;1.5k;G\n"
        "2;02.03.1996;1;;3;999;\n"
        "3;;1;1;x;1000;b\n"
        "4;31.02.1990;1;1;1;1k;b\n",
    )

    assert checked.ids.tolist() == [1, 2]
    assert column(checked, 0) == [30, 29]
    assert column(checked, 1) == [6.2, None]
    assert column(checked, 2) == [1, 0]
    assert column(checked, 3) == [1, 0]
    assert [
        (reject.column, reject.reason.partition(", not ")[2]) for reject in checked.rejects
    ] == [
        ("fish", "a text that is not a number"),
        ("born", "a text that is no date in the form %d.%m.%Y"),
    ]


def test_a_year_of_birth_is_an_age() -> None:
    text = MADE.replace('name = "id"', 'name = "client"').replace("%d.%m.%Y", "%Y")

    (checked,) = check(
        text, "client;born;wine;meat;fish;income;plan\n1;1996;1;1;1;1;g\n2;96;1;1;1;1;g\n"
    )

    assert column(checked, 0) == [30]
    assert [reject.column for reject in checked.rejects] == ["born"]


@given(st.lists(st.dates(dt.date(1850, 1, 1), dt.date(2150, 12, 31))), st.dates())
def test_an_age_is_counted_in_whole_years(born: list[dt.date], last: dt.date) -> None:
    from customer_segmentation.files.map.date_texts import years_until

    days: FloatArray = np.array([float((day - dt.date(1970, 1, 1)).days) for day in born])

    assert years_until(days, last).tolist() == [
        last.year - day.year - ((last.month, last.day) < (day.month, day.day)) for day in born
    ]


def test_a_mapping_and_the_section_source_say_the_same_in_the_same_words() -> None:
    schema, source = parse(MADE.replace('name = "id"', 'name = "client"'))
    mapping = source.mapping(schema)

    assert parse_mapping(schema, format_mapping(schema, mapping), "x") == mapping


def test_what_may_be_missing_or_has_a_default_needs_no_entry() -> None:
    schema, _ = parse(SHOP)
    text = '[member]\ncolumn = "m"\n[card]\ncolumn = "c"\n'
    mapping = parse_mapping(schema, text, "x")

    with open_table(io.BytesIO(b"m,c\n0,yes\n")) as source:
        checker = Checker(schema, source, mapping)
        (checked,) = map(checker.check, source.blocks(checker.wanted))

    assert checker.absent == ("plan", "spent", "visits")
    assert np.array_equal(checked.values, [[np.nan, 1, np.nan, 3]], equal_nan=True)
    with pytest.raises(MappingError, match="card: there is no such entry"):
        parse_mapping(schema, "", "x")


LATIN = """
[id]
name = "kunde"
type = "text"

[[attributes]]
name = "umsatz"
record_name = "Ø Umsatz"
kind = "amount"

[source]
delimiter = ";"
encoding = "cp1252"

[[source.columns]]
attribute = "umsatz"
decimal = ","
"""


@pytest.mark.parametrize(
    "content",
    [
        "kunde;Ø Umsatz\nMüller;1,5\n".encode("cp1252"),
        "kunde;Ø Umsatz\nMüller;1,5\n".encode(),
        "kunde,Ø Umsatz,cluster_num\nMüller,1.5,2\n".encode(),
    ],
    ids=["like the first", "in UTF-8", "an export"],
)
def test_what_is_known_of_the_first_table_does_not_keep_others_from_being_read(
    content: bytes,
) -> None:
    schema, how = parse(LATIN)

    with open_table(io.BytesIO(content), how.reading) as source:
        mapping = find_mapping(schema, source.columns, how)
        assert mapping is not None
        checker = Checker(schema, source, mapping)
        (checked,) = map(checker.check, source.blocks(checker.wanted))

    assert (checked.ids.tolist(), checked.values.tolist()) == (["Müller"], [[1.5]])
