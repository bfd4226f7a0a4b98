"""A column of any type is read by the one rule, or its values are refused by name."""

import datetime as dt
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.check.rows import Checked, Checker
from customer_segmentation.files.map.inference import infer
from customer_segmentation.files.map.mapping import ColumnMapping, Entry
from customer_segmentation.files.map.number_texts import NumberStyle
from customer_segmentation.files.map.values import read_column
from customer_segmentation.files.read.tables import open_table
from tests.support.shipped import COLUMNS, FEATURE_BY_NAME, SHIPPED

EXAMPLE = {feature.record_name: feature.example for feature in COLUMNS}
BALANCE, AGE, LOAN = (FEATURE_BY_NAME[name] for name in ("account_balance", "age", "has_loan"))

NUMBERS = {
    *("string view", "large string", "binary", "large binary", "binary view"),
    *("binary of a fixed size", "dictionary", "dictionary of views", "run ends", "JSON"),
    *("small decimal", "great decimal", "half", "union", "dense union", "extension"),
}
FAR = pa.array([2**62, 0], pa.int64())
TYPES = {
    "string view": pa.array(["1", "x"], pa.string_view()),
    "large string": pa.array(["1", "x"], pa.large_string()),
    "binary": pa.array([b"1", b"\xff"], pa.binary()),
    "large binary": pa.array([b"1", b"\xff"], pa.large_binary()),
    "binary view": pa.array([b"1", b"\xff"], pa.binary_view()),
    "binary of a fixed size": pa.array([b"1", b"\xff"], pa.binary(1)),
    "dictionary": pa.array(["1", "x"]).dictionary_encode(),
    "dictionary of views": pa.DictionaryArray.from_arrays(
        pa.array([0, 1]), pa.array(["1", "x"], pa.string_view())
    ),
    "run ends": pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), ["1", "x"]),
    "small decimal": pa.array([Decimal("1.00"), None], pa.decimal32(5, 2)),
    "great decimal": pa.array([Decimal("1.00"), None], pa.decimal256(70, 2)),
    "half": pa.array([1.0, float("nan")], pa.float16()),
    "extension": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None], pa.int8())),
    "JSON": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1", "x"])),
    "union": pa.UnionArray.from_sparse(
        pa.array([0, 1], pa.int8()), [pa.array([1, 1]), pa.array(["1", "x"])]
    ),
    "dense union": pa.UnionArray.from_dense(
        pa.array([0, 1], pa.int8()),
        pa.array([0, 0], pa.int32()),
        [pa.array([1]), pa.array(["x"])],
    ),
    "null": pa.nulls(2),
    "dates": pa.array([0, 1], pa.date32()),
    "dates in milliseconds": pa.array([0, 1], pa.date64()),
    "far days": pa.array([2**31 - 1, 0], pa.int32()).view(pa.date32()),
    "far seconds": FAR.view(pa.timestamp("s")),
    "far milliseconds": FAR.view(pa.timestamp("ms")),
    "nanoseconds": FAR.view(pa.timestamp("ns")),
    "a zone that is none": FAR.view(pa.timestamp("us", "Nowhere/At all")),
    "times": pa.array([0, 1], pa.time64("us")),
    "far times": FAR.view(pa.time64("us")),
    "durations": FAR.view(pa.duration("s")),
    "months": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
    "lists": pa.array([[1], [2]]),
    "lists of a fixed size": pa.array([[1], [2]], pa.list_(pa.int64(), 1)),
    "list views": pa.array([["1"], ["2"]], pa.list_view(pa.string_view())),
    "structs": pa.array([{"a": 1}, {"a": 2}]),
    "maps": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
}


def customers(name: str, column: pa.Array) -> pa.Table:
    table = pa.table({key: [value] * len(column) for key, value in EXAMPLE.items()})
    table = table.set_column(0, "customer id", pa.array(range(1, len(column) + 1)))
    return table.set_column(table.column_names.index(name), name, column)


def check(content: bytes, mapping: ColumnMapping | None = None) -> Checked:
    with open_table(io.BytesIO(content)) as source:
        infer(SHIPPED, source.columns, source.sample())
        checker = Checker(SHIPPED, source, mapping or ColumnMapping.by_record_names(SHIPPED))
        (checked,) = map(checker.check, source.blocks(checker.wanted))
    return checked


def arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("attribute", ["account balance", "loan"])
def test_a_column_of_any_type_of_arrow_is_read_or_refused_by_row(name: str, attribute: str) -> None:
    checked = check(arrow(customers(attribute, TYPES[name])))

    assert checked.ids.tolist() == ([1] if name in NUMBERS else [])
    for reject in checked.rejects:
        assert reject.column == attribute
        assert " must be " in reject.reason


@pytest.mark.parametrize("name", TYPES)
def test_a_column_that_nobody_wants_does_no_harm(name: str) -> None:
    bad = pa.array([45, 131])
    table = customers("age", bad).append_column("note", TYPES[name])

    checked = check(arrow(table))

    (reject,) = checked.rejects
    assert (reject.line, reject.column, len(reject.fields)) == (2, "age", len(COLUMNS) + 1)


def test_views_in_parquet_are_texts() -> None:
    ids = pa.array(["20001", "x"], pa.string_view())
    sink = io.BytesIO()
    pq.write_table(customers("age", pa.array([45, 46])).set_column(0, "customer id", ids), sink)

    checked = check(sink.getvalue())

    assert checked.ids.tolist() == [20001]
    assert [reject.column for reject in checked.rejects] == ["customer id"]


def ndjson(*rows: dict[str, object]) -> bytes:
    return "\n".join(json.dumps({**EXAMPLE, **row}) for row in rows).encode()


@pytest.mark.parametrize("true", [True, "TRUE", "true"])
def test_a_boolean_among_numbers_is_refused_and_never_1(true: object) -> None:
    rows = ndjson(
        {"customer id": 1, "age": 24.0},
        {"customer id": 2, "age": true},
        {"customer id": 3, "account balance": true},
        {"customer id": 4, "loan": true},
    )

    checked = check(rows)

    assert checked.ids.tolist() == [1, 4]
    assert [(reject.line, reject.reason) for reject in checked.rejects] == [
        (2, "age must be an integer from 0 to 130, not a boolean"),
        (3, "account_balance must be a finite number, not a boolean"),
    ]


def test_a_number_among_texts_is_no_text_in_the_tables_own_style() -> None:
    entry = Entry("account balance", style=NumberStyle(",", "."))
    mapping = ColumnMapping(
        {**ColumnMapping.by_record_names(SHIPPED).entries, "account_balance": entry}
    )

    checked = check(
        ndjson(
            {"customer id": 1, "account balance": 1.234},
            {"customer id": 2, "account balance": "1.234,5"},
        ),
        mapping,
    )

    assert checked.values[:, 3].tolist() == [1.234, 1234.5]


def test_nothing_is_filled_by_a_default_but_nothing() -> None:
    entry = Entry("account balance", default=7)
    mapping = ColumnMapping(
        {**ColumnMapping.by_record_names(SHIPPED).entries, "account_balance": entry}
    )
    odd: list[object] = [None, " ", 2.5, "#DIV/0!", "=A1+1", [1], {"a": 1}, True]

    checked = check(
        ndjson(*({"customer id": n, "account balance": v} for n, v in enumerate(odd, 1))), mapping
    )

    assert checked.ids.tolist() == [1, 2, 3]
    assert checked.values[:, 3].tolist() == [7, 7, 2.5]
    assert [reject.reason.partition(", not ")[2] for reject in checked.rejects] == [
        "an error of a spreadsheet",
        "a formula without a stored result",
        "a text that is not a number",
        "a text that is not a number",
        "a boolean",
    ]


@pytest.mark.parametrize("line", ['{"a": ' + "[" * 100_000, '{"a": ' + "1" * 6_000 + "}"])
def test_a_line_of_json_that_is_deep_or_long_is_rejected(line: str) -> None:
    with open_table(io.BytesIO(b'{"a": 1}\n' + line.encode())) as source:
        (block,) = source.blocks()

    assert block.rejects == [Reject(2, "", "the line must be a JSON object", [line])]


def test_codes_are_found_whatever_type_a_value_has() -> None:
    column = pa.chunked_array([TYPES["union"]])

    values, refused = read_column(LOAN, Entry("x", codes={"1": 0, "x": 1}), column)

    assert (values.tolist(), refused) == ([0, 1], {})


def test_a_date_is_no_number() -> None:
    column = pa.chunked_array([pa.array([dt.date(2026, 1, 1)])])

    assert read_column(AGE, Entry("x"), column)[1][0].endswith("not a date")
