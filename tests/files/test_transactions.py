"""Withdrawals, deposits and counts are derived from a table of transactions."""

import datetime as dt
import io
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.domain.errors import DataFileError, MappingError
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.check.rows import Checked
from customer_segmentation.files.map.mapping_file import read_rules
from customer_segmentation.files.map.transaction_rules import TransactionRules
from customer_segmentation.files.read.tables import Reading, open_table
from customer_segmentation.files.transactions import totals as transactions
from customer_segmentation.files.transactions.totals import DERIVED, Totals, Transactions
from tests.support.shipped import FEATURE_BY_NAME, FEATURE_NAMES, FEATURES, SHIPPED

BY_KIND = TransactionRules("id", "amount", "kind", "date")
BY_SIGN = TransactionRules("id", "amount")


def totals_of(ids: list[int], values: list[list[float]]) -> Totals:
    nobody, unused = np.array([], np.int64), np.zeros(len(ids), np.bool_)
    places = tuple(FEATURE_NAMES.index(name) for name in DERIVED)
    sums = np.array(values).reshape(-1, 3)
    return Totals(np.array(ids, np.int64), sums, nobody, unused, places)


def add_up(
    text: str, rules: TransactionRules, reading: Reading | None = None
) -> tuple[dict[int, list[float]], list[Reject]]:
    with open_table(io.BytesIO(text.encode()), reading) as source:
        adding = Transactions(SHIPPED, source, rules)
        rejects = [reject for b in source.blocks(adding.wanted) for reject in adding.add(b)]
    totals = adding.totals()
    return dict(zip(totals.ids.tolist(), totals.values.tolist(), strict=True)), rejects


def test_kinds_say_which_way_money_went() -> None:
    totals, rejects = add_up(
        "id,amount,kind\n7,10,Deposit\n7,2.5,DEBIT\n8,1,cr\n7,0.1,credit\n7,0.2,credit\n7,-4,debit\n",
        BY_KIND,
    )

    assert totals == {7: [6.5, 10.3, 5], 8: [0, 1, 1]}
    assert not rejects


def test_without_kinds_the_sign_says_which_way_money_went() -> None:
    totals, _ = add_up("id,amount\n7,10\n7,-2.5\n7,0\n", BY_SIGN)

    assert totals == {7: [2.5, 10, 3]}


def test_a_banks_own_names_words_numbers_and_dates_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(
        '[transactions]\ncustomer_id = "Konto"\namount = "Betrag"\nkind = "Art"\n'
        'deposits = ["Einzahlung"]\nwithdrawals = ["Auszahlung"]\n'
        'decimal = ","\nthousands = "."\ndate_format = "%d.%m.%Y"\n'
    )
    rules = read_rules(path, ["Konto", "Betrag", "Art", "Date"])

    totals, _ = add_up(
        "Konto;Betrag;Art;Date\n7;1.000,50;Einzahlung;31.01.2026\n7;3;AUSZAHLUNG;01.02.2026\n"
        "7;4;debit;01.02.2026\n7;9;debit;02.02.2026\n",
        replace(rules, until=dt.date(2026, 2, 2)),
    )

    assert totals == {7: [7, 1000.5, 3]}


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ('colum = "x"', "there is no colum; there are customer_id, amount, kind, date, deposits"),
        ("amount = 5", "amount must be a text"),
        ('deposits = "salary"', "deposits must be a list of texts"),
        ('decimal = "x"', "decimal must be a point or a comma"),
    ],
)
def test_a_rule_that_is_wrong_is_named(tmp_path: Path, wrong: str, complaint: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(f"[transactions]\n{wrong}\n")

    with pytest.raises(MappingError, match=f"cannot be used. transactions: {complaint}"):
        read_rules(path, ["id", "amount"])


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("0,1,credit,2026-01-01", "id", "customer_id must be an integer of at least 1, not"),
        ("7,,credit,2026-01-01", "amount", "amount must be a finite number, not nothing"),
        ("7,x1,credit,2026-01-01", "amount", "not a text that is not a number"),
        ("7,-1,credit,2026-01-01", "amount", "the amount of a deposit must be"),
        ("7,1,gift,2026-01-01", "kind", "the kind must be one of"),
        ("7,-1,gift,2026-01-01", "kind", "the kind must be one of"),
        ("7,1,,2026-01-01", "kind", "the kind must be given, not nothing"),
        ("7,1,credit,31.01.2026", "date", "ISO 8601, such as 2026-01-31, not a text that is none"),
        ("7,1,credit,", "date", "2026-01-31, not nothing"),
    ],
)
def test_a_transaction_that_cannot_be_is_rejected_with_line_column_and_reason(
    row: str, column: str, reason: str
) -> None:
    rules = TransactionRules("id", "amount", "kind", "date", since=dt.date(2026, 1, 1))

    totals, (reject,) = add_up(f"id,amount,kind,date\n7,1,cr,2026-01-01\n{row}\n", rules)

    assert totals == {7: [0, 1, 1]}
    assert (reject.line, reject.column, reject.fields) == (3, column, row.split(","))
    assert reason in reject.reason
    assert "gift" not in reject.reason


def test_only_the_days_of_a_period_count() -> None:
    rules = TransactionRules(
        "id", "amount", date="date", since=dt.date(2026, 2, 1), until=dt.date(2026, 3, 1)
    )
    rows = {
        "2026-01-31T23:59:59": 1,
        "2026-02-01": 2,
        "2026-02-28 23:59:59": 4,
        "20260215": 8,
        "2026-03-01T00:00:00Z": 16,
    }
    text = "\n".join(f"7,{amount},{date}" for date, amount in rows.items())

    assert add_up(f"id,amount,date\n{text}\n", rules)[0] == {7: [0, 14, 3]}


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.timestamp("s", "UTC"), pa.date32()])
def test_typed_dates_are_understood(tmp_path: Path, kind: pa.DataType) -> None:
    days = pa.array([dt.datetime(2026, 1, 31), dt.datetime(2026, 2, 1)])  # noqa: DTZ001
    table = pa.table({"id": [7, 7], "amount": [1, 2], "date": days.cast(kind)})
    pq.write_table(table, tmp_path / "transactions")
    rules = TransactionRules("id", "amount", date="date", since=dt.date(2026, 2, 1))

    with open_table(tmp_path / "transactions") as source:
        adding = Transactions(SHIPPED, source, rules)
        assert not [reject for block in source.blocks() for reject in adding.add(block)]

    assert adding.totals().values.tolist() == [[0, 2, 1]]


@given(
    rows=st.lists(
        st.tuples(st.integers(1, 9), st.integers(-(10**9), 10**9).map(lambda cents: cents / 100))
    ),
    block_bytes=st.integers(10, 200),
    rows_until_merged=st.integers(0, 20),
)
def test_sums_do_not_depend_on_how_the_table_is_cut(
    rows: list[tuple[int, float]], block_bytes: int, rows_until_merged: int
) -> None:
    expected: dict[int, list[float]] = defaultdict(lambda: [0, 0, 0])
    for customer, amount in rows:
        expected[customer][amount >= 0] += round(abs(amount) * 100)
        expected[customer][2] += 1
    text = "id,amount\n" + "".join(f"{customer},{amount}\n" for customer, amount in rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transactions, "_ROWS_UNTIL_MERGED", rows_until_merged)
        totals, _ = add_up(text, BY_SIGN, Reading(delimiter=",", block_bytes=block_bytes))

    assert totals == {
        customer: [withdrawn / 100, deposited / 100, count]
        for customer, (withdrawn, deposited, count) in expected.items()
    }


def test_customers_get_their_totals_and_those_without_transactions_zeros() -> None:
    totals = totals_of([3, 7], [[1.0, 2, 3], [4, 5, 6]])
    examples = [float(feature.example) for feature in FEATURES]
    ids = np.array([7, 1, 9])
    checked = Checked(np.arange(3), np.array([2, 3, 4]), ids, np.array([examples] * 3), [])

    filled = totals.fill(checked)

    places = [FEATURE_NAMES.index(name) for name in DERIVED]
    assert filled.values[:, places].tolist() == [[4, 5, 6], [0, 0, 0], [0, 0, 0]]
    others = np.delete(filled.values, places, axis=1)
    assert (others == np.delete(checked.values, places, axis=1)).all()
    assert totals_of([], []).of(ids).tolist() == [[0, 0, 0]] * 3


def test_the_derived_attributes_are_attributes() -> None:
    assert set(DERIVED) <= set(FEATURE_BY_NAME)


@pytest.mark.parametrize(
    ("columns", "rules"),
    [
        (["Customer_ID", "Date", "Amount", "Kind"], ("Customer_ID", "Amount", "Kind", "Date")),
        (["account_id", "amt", "trans_type"], ("account_id", "amt", "trans_type", None)),
        (["CLIENTNUM", "value", "note"], ("CLIENTNUM", "value", None, None)),
    ],
)
def test_the_columns_of_transactions_are_guessed(
    columns: list[str], rules: tuple[str, str, str | None, str | None]
) -> None:
    assert TransactionRules.guessed(columns) == TransactionRules(*rules)


def test_a_table_that_is_not_of_transactions_is_refused() -> None:
    with pytest.raises(DataFileError, match="needs a column of customers' ids and one of amounts"):
        TransactionRules.guessed(["a", "b"])
    with pytest.raises(DataFileError, match="lacks these columns: amount, kind"):
        add_up("id,date\n", BY_KIND)
    with pytest.raises(DataFileError, match="needs a column of dates for a period"):
        add_up("id,amount\n", TransactionRules("id", "amount", until=dt.date(2026, 1, 1)))


def test_amounts_that_add_up_to_no_number_are_refused() -> None:
    with pytest.raises(DataFileError, match="add up to no number"):
        add_up("id,amount\n7,1e308\n7,1e308\n", BY_SIGN)
