"""Blocks become customers under the one rule of the schema, whatever their types."""

import io
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.check.duplicates import SeenIds
from customer_segmentation.files.check.rows import Checked, Checker
from customer_segmentation.files.map.mapping import ColumnMapping, Entry
from customer_segmentation.files.map.number_texts import NumberStyle
from customer_segmentation.files.map.values import read_column
from customer_segmentation.files.read.tables import open_table
from tests.support.shipped import COLUMNS, CUSTOMER_ID, FEATURE_BY_NAME, FEATURES, SHIPPED

BY_RECORD_NAMES = ColumnMapping.by_record_names(SHIPPED)
EXAMPLE = {feature.record_name: feature.example for feature in COLUMNS}


def read_arrow(table: pa.Table, mapping: ColumnMapping = BY_RECORD_NAMES) -> Checked:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    sink.seek(0)
    with open_table(sink) as source:
        checker = Checker(SHIPPED, source, mapping)
        (checked,) = map(checker.check, source.blocks(checker.wanted))
    return checked


def read_csv(
    text: str,
    mapping: ColumnMapping = BY_RECORD_NAMES,
    *,
    with_ids: bool = True,
    seen: SeenIds | None = None,
) -> list[Checked]:
    with open_table(io.BytesIO(text.encode())) as source:
        checker = Checker(SHIPPED, source, mapping, with_ids=with_ids, seen=seen)
        return [checker.check(block) for block in source.blocks(checker.wanted)]


def by_rule(entry: Entry, feature: Attribute, value: object) -> float | str:
    try:
        return float(entry.accept(feature, value))
    except ValueError as refusal:
        return str(refusal)


TEXTS = st.one_of(
    st.text(st.sampled_from("0123456789.,-+eE _'naif\u00a0\t\uff11"), max_size=12),
    st.integers(-(2**60), 2**60).map(str),
    st.floats().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map("{:f}".format),
)
STYLES = [NumberStyle(), NumberStyle(",", "."), NumberStyle(".", ","), NumberStyle(",", " ")]


@given(
    texts=st.lists(st.none() | TEXTS, max_size=6),
    feature=st.sampled_from(COLUMNS),
    style=st.sampled_from(STYLES),
    factor=st.sampled_from([Fraction(1), Fraction(1, 12), Fraction(10), Fraction(1, 100)]),
    default=st.sampled_from([None, 1]),
)
@example(["9007199254740993", "1e400", "-0", "+1"], CUSTOMER_ID, STYLES[0], Fraction(1), None)
@example(["1.234,5", "1234.5", "1,5", "12.34"], FEATURES[3], STYLES[1], Fraction(1), None)
def test_a_column_of_texts_is_read_as_the_rule_reads_each_text(
    texts: list[str | None],
    feature: Attribute,
    style: NumberStyle,
    factor: Fraction,
    default: int | None,
) -> None:
    entry = Entry("x", factor, style=style, default=default)

    values, refused = read_column(feature, entry, pa.chunked_array([pa.array(texts, pa.string())]))

    found = [refused.get(row, value) for row, value in enumerate(values.tolist())]
    assert found == [by_rule(entry, feature, text) for text in texts]


@given(
    column=st.sampled_from(
        [
            (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
            (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
            (pa.float64(), st.floats()),
            (pa.bool_(), st.booleans()),
            (pa.decimal128(20, 2), st.decimals(-10, 10**15, places=2)),
        ]
    ).flatmap(lambda pair: st.tuples(st.just(pair[0]), st.lists(st.none() | pair[1], max_size=6))),
    feature=st.sampled_from(COLUMNS),
    factor=st.sampled_from([Fraction(1), Fraction(1, 12)]),
    codes=st.sampled_from([{}, {"true": 1, "1": 0}]),
)
def test_a_typed_column_is_read_as_the_rule_reads_each_value(
    column: tuple[pa.DataType, list[object]],
    feature: Attribute,
    factor: Fraction,
    codes: dict[str, int],
) -> None:
    entry = Entry("x", factor, codes)
    array = pa.array(column[1], column[0])

    values, refused = read_column(feature, entry, pa.chunked_array([array]))

    found = [refused.get(row, value) for row, value in enumerate(values.tolist())]
    assert found == [by_rule(entry, feature, value) for value in column[1]]


def test_every_type_of_column_that_holds_numbers_works() -> None:
    customers = pa.table({name: [value, value] for name, value in EXAMPLE.items()})
    typed = {
        "customer id": pa.array([1, 2], pa.uint32()),
        "age": pa.array([45.0, 45.0], pa.float32()),
        "gender": pa.array([True, False]),
        "income/month": pa.array([Decimal("8283.50"), Decimal("0.25")]),
        "loyalty score": pa.array(["342", "7"]).dictionary_encode(),
        "account balance": pa.array(["-1.5", "2"], pa.string_view()),
        "transaction_count": pa.array(["7", "8"], pa.large_string()),
    }
    for name, array in typed.items():
        customers = customers.set_column(customers.column_names.index(name), name, array)

    checked = read_arrow(customers)

    assert not checked.rejects
    assert checked.ids.tolist() == [1, 2]
    assert checked.values[:, :5].tolist() == [[45, 1, 8283.5, -1.5, 342], [45, 0, 0.25, 2, 7]]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1.234,50", "1234.50"),
        ("-1.234.567", "-1234567"),
        ("1234,5", "1234.5"),
        (" ,5 ", ".5"),
        ("1234.5", "?"),
        ("12.34", "?"),
        ("1,234.5", "?"),
        ("1.2345", "?"),
        ("", ""),
    ],
)
def test_a_number_is_read_in_one_style_only(text: str, plain: str) -> None:
    assert NumberStyle(",", ".").plain(text) == plain


def test_a_decimal_is_the_nearest_number_to_it() -> None:
    column = pa.chunked_array([pa.array([Decimal("7388.65")], pa.decimal128(20, 2))])

    assert read_column(FEATURES[3], Entry("x"), column)[0].tolist() == [7388.65]


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (pa.array(["1.23457E+12"]), "a number with an exponent, which may be rounded"),
        (pa.array(["9007199254740993.0"]), "an integer beyond 2^53"),
        (pa.array(["9" * 6000]), "an integer beyond 2^53"),
        (pa.array(["123456789012.00000001"]), "a number with a fraction"),
        (pa.array([2.0**53]), "a number beyond 2^53, which may be rounded"),
        (pa.array([2.0**24], pa.float32()), "a number that may be rounded"),
        (pa.array([2.0**11], pa.float16()), "a number that may be rounded"),
        (pa.array([Decimal("12345678901234.0000000001")]), "a number with a fraction"),
        (pa.array([Decimal("9007199254740993.0")]), "an integer beyond 2^53"),
        (pa.array([2**53 + 1]), "an integer beyond 2^53"),
    ],
)
def test_an_id_that_may_be_rounded_is_refused(column: pa.Array, found: str) -> None:
    _, refused = read_column(CUSTOMER_ID, Entry("x"), pa.chunked_array([column]))

    assert refused == {0: f"customer_id must be an integer of at least 1, not {found}"}


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["7", " 7 ", "7.0", "+7.", "0007", "0" * 40 + "7"]),
        pa.array([7.0]),
        pa.array([7], pa.float32()),
        pa.array([Decimal("7.00")]),
    ],
)
def test_an_id_that_is_exact_is_read_however_it_is_written(column: pa.Array) -> None:
    values, refused = read_column(CUSTOMER_ID, Entry("x"), pa.chunked_array([column]))

    assert (set(values.tolist()), refused) == ({7.0}, {})


def test_there_is_no_negative_zero() -> None:
    balance = FEATURE_BY_NAME["account_balance"]
    for column in (["-0", "-0.0", "1"], ["-0", "x"], [-0.0, 1.0]):
        values, _ = read_column(balance, Entry("x"), pa.chunked_array([column]))
        assert not np.signbit(values[0])


def test_a_boolean_is_a_yes_or_no_and_no_other_number() -> None:
    _, refused = read_column(FEATURE_BY_NAME["age"], Entry("x"), pa.chunked_array([[True]]))

    assert refused == {0: "age must be an integer from 0 to 130, not a boolean"}


def test_a_boolean_that_became_a_text_is_still_a_yes_or_no() -> None:
    loan, age = FEATURE_BY_NAME["has_loan"], FEATURE_BY_NAME["age"]
    texts = pa.chunked_array([["true", " False", "TRUE", "1", "yes"]])

    values, refused = read_column(loan, Entry("x"), texts)

    assert values[:4].tolist() == [1, 0, 1, 1]
    assert refused.keys() == {4}
    assert read_column(age, Entry("x"), texts)[1].keys() == {0, 1, 2, 4}


def test_null_is_nothing_and_a_date_is_no_number() -> None:
    customers = pa.table({name: [value, value] for name, value in EXAMPLE.items()})
    customers = customers.set_column(1, "age", pa.array([None, 45]))
    customers = customers.set_column(2, "gender", pa.array([0, 1], pa.date32()))

    checked = read_arrow(customers)

    assert [(reject.line, reject.column) for reject in checked.rejects] == [
        (1, "age"),
        (2, "gender"),
    ]
    assert checked.rejects[0].reason == "age must be an integer from 0 to 130, not nothing"
    assert checked.rejects[1].fields[2] == "1970-01-02"


def test_a_reject_names_the_files_own_column_and_never_the_value() -> None:
    mapping = ColumnMapping({**BY_RECORD_NAMES.entries, "age": Entry("Years")})
    header = ["customer id", "Years", *list(EXAMPLE)[2:]]
    row = ["1", "old4711", *map(str, list(EXAMPLE.values())[2:])]

    (checked,) = read_csv(f"{','.join(header)}\n{','.join(row)}\n", mapping)

    (reject,) = checked.rejects
    assert (reject.line, reject.column, reject.fields) == (2, "Years", row)
    assert "a text that is not a number" in reject.reason
    assert "4711" not in reject.reason


def test_codes_are_compared_without_case_and_blanks_and_only_they_are_accepted() -> None:
    entry = Entry("Sex", codes={"male": 0, "not  male": 1, "high school": 1}, default=0)
    column = pa.chunked_array([["Male ", "MALE", "1", "", "High  School", None]])

    values, refused = read_column(FEATURE_BY_NAME["gender"], entry, column)

    assert np.delete(values, 2).tolist() == [0, 0, 0, 1, 0]
    assert refused == {2: "gender must be 0 or 1, not a text that the mapping has no code for"}


@pytest.mark.parametrize("default", [None, 7])
def test_a_missing_column_is_not_filled_by_a_default(default: int | None) -> None:
    names = [name for name in EXAMPLE if name != "loyalty score"]
    text = f"{','.join(names)}\n{','.join(str(EXAMPLE[name]) for name in names)}\n"
    entry = Entry("loyalty score", default=default)

    with pytest.raises(DataFileError, match="lacks these columns: loyalty score"):
        read_csv(text, ColumnMapping({**BY_RECORD_NAMES.entries, "loyalty_score": entry}))


def test_a_column_that_comes_twice_is_refused_only_where_it_is_needed() -> None:
    values = ",".join(map(str, EXAMPLE.values()))
    header = ",".join(EXAMPLE)

    assert len(read_csv(f"{header},x,x\n{values},1,2\n")[0].ids) == 1
    with pytest.raises(DataFileError, match="more than once: age"):
        read_csv(f"{header},age\n{values},1\n")


def test_rows_without_ids_are_known_by_their_lines() -> None:
    values = ",".join(str(EXAMPLE[feature.record_name]) for feature in FEATURES)
    header = ",".join(feature.record_name for feature in FEATURES)

    (checked,) = read_csv(f"{header}\n\n{values}\n{values}\n", with_ids=False)

    assert checked.ids.tolist() == [3, 4]
    assert checked.values.shape == (2, len(FEATURES))


@given(
    st.lists(
        st.lists(st.integers(1, 40), max_size=15).map(lambda ids: np.array(ids, dtype=np.int64)),
        max_size=12,
    )
)
def test_an_id_is_fresh_only_the_first_time(batches: list[np.ndarray[Any, Any]]) -> None:
    seen = SeenIds()
    before: set[int] = set()
    for ids in batches:
        expected = []
        for number in ids.tolist():
            expected.append(number not in before)
            before.add(number)

        assert seen.add(ids).tolist() == expected


def test_a_repeated_id_is_rejected_unless_its_first_row_is() -> None:
    rest = list(map(str, EXAMPLE.values()))[1:]
    good, bad = ",".join(rest), ",".join(["x", *rest[1:]])
    text = f"{','.join(EXAMPLE)}\n1,{bad}\n1,{good}\n2,{good}\n1,{good}\n"

    (checked,) = read_csv(text, seen=SeenIds())

    assert checked.ids.tolist() == [1, 2]
    assert [(reject.line, reject.column) for reject in checked.rejects] == [
        (2, "age"),
        (5, "customer id"),
    ]
    assert "must be unique" in checked.rejects[1].reason
