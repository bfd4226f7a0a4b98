"""Each rule by which a schema is made from a table, on a table that has just what it is about."""

import datetime as dt
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_segmentation.domain.attributes import (
    Attribute,
    IdType,
    Kind,
    Missing,
    Transform,
    Unknown,
)
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.read.tables import Query, Reading, open_table
from customer_segmentation.services.schema.infer import Inference, guess, infer, with_id
from customer_segmentation.services.schema.looking import look
from customer_segmentation.services.schema.report import write_inference
from tests.support.inferring import infer_column, infer_file, infer_text, taken_as

RANDOM = np.random.default_rng(7)


def attribute_of(found: Inference) -> Attribute:
    """Return the attribute of the last column."""
    return found.schema.attributes[-1]


def repeated(*texts: str, rows: int = 60) -> list[str]:
    """Return texts in turn."""
    return [texts[n % len(texts)] for n in range(rows)]


@pytest.mark.parametrize(
    ("header", "texts", "told"),
    [
        ("member", ["yes", "no"], "binary"),
        ("member", ["1", "0"], "binary"),
        ("member", ["True", "False"], "binary"),
        ("colour", ["red", "green", "blue"], "nominal"),
        ("region_id", ["4", "7", "9"], "nominal"),
        ("plan", ["low", "medium", "high"], "ordinal"),
        ("satisfaction", ["1", "2", "3", "4", "5"], "ordinal"),
        ("children", ["0", "1", "2", "3"], "count"),
        ("income", ["1000", "2500", "4000"], "amount"),
        ("ratio", ["0.1", "0.25", "0.9"], "amount"),
        ("visits", ["12.0", "4.0", "7.0"], "count"),
        ("last visit", ["2024-01-31", "2023-02-01", "2022-12-24"], "count"),
        ("nothing", ["same"], "left out"),
        ("zip", [str(10_000 + n) for n in range(30)], "left out"),
        ("full name", [f"Ada {n}" for n in range(60)], "left out"),
        ("e-mail", [f"a{n}@b.example" for n in range(30)], "left out"),
        ("churn", ["yes", "no"], "unused binary"),
        ("y", ["1", "0"], "unused binary"),
        ("predicted_value", ["0.25", "0.5", "0.75"], "unused amount"),
    ],
)
def test_a_column_is_taken_for_what_its_header_and_values_say(
    header: str, texts: list[str], told: str, tmp_path: Path
) -> None:
    found = infer_column(tmp_path, header, repeated(*texts))

    assert taken_as(found)[header] == told


def test_a_column_that_is_missing_nearly_always_is_left_out(tmp_path: Path) -> None:
    found = infer_column(tmp_path, "title", [*repeated("", rows=97), "Dr", "Prof", "Sir"])

    assert taken_as(found)["title"] == "left out"


def test_free_text_is_left_out(tmp_path: Path) -> None:
    words = ["the", "customer", "called", "again", "and", "asked", "for", "a", "better", "offer"]
    texts = [" ".join(RANDOM.permutation(words)) for _ in range(80)]

    found = infer_column(tmp_path, "notes", [*texts, *texts[:60]])

    assert taken_as(found)["notes"] == "left out"


@pytest.mark.parametrize(
    "word", ["", " ", "NA", "n/a", "N/A", "null", "NULL", "NaN", "unknown", "Unknown", "?", "-"]
)
@pytest.mark.parametrize("texts", [("red", "green", "blue"), ("1.5", "2.25", "7")])
def test_a_missing_value_is_known_however_it_is_written(
    word: str, texts: tuple[str, ...], tmp_path: Path
) -> None:
    found = infer_column(tmp_path, "what", repeated(*texts, word, rows=80))

    attribute = attribute_of(found)
    assert attribute.missing is Missing.ALLOWED
    assert word.strip() in found.schema.missing_values
    assert word not in attribute.categories
    assert any("20 missing (25.0%)" in reason for reason in found.reasons["what"])
    assert found.fitting == 1


def test_a_word_among_numbers_that_comes_again_is_missing_in_this_column_alone(
    tmp_path: Path,
) -> None:
    rows = [
        f"{n},{n * 1.5 if n % 9 else 'none'},{'none' if n % 3 else 'some'}" for n in range(1, 100)
    ]

    found = infer_text(tmp_path, "\n".join(["id,price,insurance", *rows, ""]))

    assert taken_as(found) == {"id": "id", "price": "amount", "insurance": "binary"}
    assert found.source.columns["price"].missing == ("", "none")
    assert found.schema.attributes[1].categories == ("none", "some")
    assert found.fitting == 1


def test_na_is_a_country_among_codes_of_countries(tmp_path: Path) -> None:
    codes = [f"{first}{second}" for first in "ABCDE" for second in "LMNOP"]

    found = infer_column(tmp_path, "ship_to", repeated(*codes, "NA", rows=260))

    assert "NA" in attribute_of(found).categories


@pytest.mark.parametrize(
    ("texts", "decimal", "thousands", "sign", "typical"),
    [
        (("1,5", "2,25", "12,5"), ",", ".", "", 2.25),
        (("1.234,5", "99,5", "2.000,0"), ",", ".", "", 1234),
        (("1,234.5", "99.5", "2,000.0"), ".", ",", "", 1234),
        (("1 234,5", "99,5", "2 000,0"), ",", " ", "", 1234),
        (("1'234.5", "99.5", "2'000.0"), ".", "'", "", 1234),
        (("$1.5", "$2.25", "$12.5"), ".", "", "$", 2.25),
        (("1,50 €", "2,25 €", "12,50 €"), ",", ".", "€", 2.25),
        (("10%", "20%", "45.5%"), ".", "", "%", 20),
        (("10k", "20k", "45.5k"), ".", "", "k", 20_000),
        (("($1.5)", "$2.25", "$12.5"), ".", "", "$", 2.25),
    ],
)
def test_numbers_are_read_however_they_are_written(
    texts: tuple[str, ...],
    decimal: str,
    thousands: str,
    sign: str,
    typical: float,
    tmp_path: Path,
) -> None:
    found = infer_column(tmp_path, "spend", repeated(*texts, rows=63))

    source = found.source.columns["spend"]
    assert (source.style.decimal, source.style.thousands, source.sign) == (decimal, thousands, sign)
    attribute = attribute_of(found)
    assert attribute.kind is Kind.AMOUNT
    assert attribute.unit == sign.removeprefix("k")
    assert attribute.example == typical
    assert found.fitting == 1


@pytest.mark.parametrize("texts", [("K7", "K12"), ("K-7", "K-12"), ("007", "012"), ("7a", "7b")])
def test_keys_are_no_numbers(texts: tuple[str, ...], tmp_path: Path) -> None:
    found = infer_column(tmp_path, "tariff", repeated(*texts))

    assert taken_as(found)["tariff"] == "binary"
    assert sorted(attribute_of(found).categories) == sorted(texts)


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (("2024-01-31", "2023-12-05"), "%Y-%m-%d"),
        (("2024-01-31T10:15:00", "2023-12-05T23:59:59Z"), "%Y-%m-%d"),
        (("31.01.2024", "05.12.2023"), "%d.%m.%Y"),
        (("31.01.2024 10:15", "05.12.2023 08:00"), "%d.%m.%Y"),
        (("01/31/2024", "12/05/2023"), "%m/%d/%Y"),
        (("31/01/2024", "05/12/2023"), "%d/%m/%Y"),
        (("31-01-2024", "05-12-2023"), "%d-%m-%Y"),
        (("20240131", "20231205"), "%Y%m%d"),
        (("31 Jan 2024", "5 Dec 2023"), "%d %b %Y"),
        (("Jan 31, 2024", "Dec 5, 2023"), "%b %d, %Y"),
        (("January 31, 2024", "December 5, 2023"), "%B %d, %Y"),
        (("31.01.24", "05.12.23"), "%d.%m.%y"),
        (("240131", "231205"), "%y%m%d"),
    ],
)
def test_dates_of_any_usual_form_become_days_before_the_last(
    texts: tuple[str, ...], form: str, tmp_path: Path
) -> None:
    found = infer_column(tmp_path, "joined date", [*repeated(*texts), texts[0]])

    entry = found.source.columns["days_since_joined_date"]
    assert (entry.column, entry.date, entry.before) == ("joined date", form, dt.date(2024, 1, 31))
    attribute = attribute_of(found)
    assert (attribute.record_name, attribute.unit) == ("days since joined date", "days")
    assert found.fitting == 1


def test_a_date_that_can_be_read_in_two_ways_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = [f"{n},0{n % 9 + 1}/0{n % 7 + 1}/2024,{n / 4}" for n in range(1, 60)]
    path.write_text("\n".join(["id,joined,amount", *rows, ""]))
    openings = [lambda: open_table(path)]
    table = look(openings)
    guesses = guess(table)
    asked = guesses.columns[1]

    assert [choice.word for choice in asked.choices] == ["%m/%d/%Y", "%d/%m/%Y"]

    columns = (guesses.columns[0], asked.choose(asked.choices[1]), guesses.columns[2])
    found = infer(openings, table, replace(guesses, columns=columns), Reading())
    assert found.source.columns["days_since_joined"].date == "%d/%m/%Y"


def test_a_date_of_birth_becomes_an_age_that_is_protected_with_bands(tmp_path: Path) -> None:
    texts = [f"19{40 + n % 50}-0{n % 9 + 1}-15" for n in range(100)]

    found = infer_column(tmp_path, "date_of_birth", texts)

    attribute = attribute_of(found)
    assert (attribute.kind, attribute.unit, attribute.protected) == (Kind.COUNT, "years", True)
    assert attribute.bands[1] == (18, 24)
    assert not attribute.changeable
    assert (attribute.name, attribute.record_name) == ("age", "age")
    assert found.source.columns["age"].column == "date_of_birth"
    assert found.source.columns["age"].years


def test_ages_are_counted_up_to_the_last_day_that_the_table_tells(tmp_path: Path) -> None:
    rows = [f"{n},{n % 28 + 1:02}.04.19{40 + n % 50},2025-03-{n % 28 + 1:02}" for n in range(1, 90)]

    found = infer_text(tmp_path, "\n".join(["id,born,last_visit", *rows, ""]))

    assert found.source.columns["age"].before == dt.date(2025, 3, 28)


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ("age", ["25", "44", "61"]),
        ("Gender", ["a", "b"]),
        ("who", ["Male", "Female"]),
        ("who", ["F", "M"]),
        ("who", ["married", "single", "divorced"]),
        ("who", ["Muslim", "Catholic", "Hindu", "other"]),
        ("nationality", ["A", "B", "C"]),
        ("native_country", ["A", "B", "C"]),
        ("disabled", ["yes", "no"]),
    ],
)
def test_what_the_law_may_protect_is_known_by_header_or_values(
    header: str, texts: list[str], tmp_path: Path
) -> None:
    assert attribute_of(infer_column(tmp_path, header, repeated(*texts))).protected


@pytest.mark.parametrize("header", ["account_age", "colour", "average", "state"])
def test_other_columns_are_not_protected(header: str, tmp_path: Path) -> None:
    assert not attribute_of(infer_column(tmp_path, header, repeated("2", "9", "4"))).protected


def test_ages_have_the_bands_that_fairness_is_measured_by(tmp_path: Path) -> None:
    attribute = attribute_of(infer_column(tmp_path, "age", repeated("25", "44", "61")))

    assert (attribute.minimum, attribute.maximum) == (0, 130)
    assert attribute.bands[0] == (0, 17)
    assert attribute.unit == "years"


@pytest.mark.parametrize(
    ("values", "transform"),
    [
        (np.exp(RANDOM.normal(6, 1, 2000)), Transform.LOG),
        (RANDOM.normal(50, 9, 2000), Transform.LINEAR),
        (np.exp(RANDOM.normal(6, 1, 2000)) * (RANDOM.random(2000) < 0.6), Transform.LINEAR),
        (np.exp(RANDOM.normal(6, 1, 2000)) * RANDOM.choice([-1, 1, 1, 1], 2000), Transform.LINEAR),
        (RANDOM.poisson(1.2, 2000) ** 1.5, Transform.LINEAR),
    ],
    ids=["skewed", "even", "mostly none", "above and below zero", "small counts"],
)
def test_the_logarithm_is_taken_only_where_it_makes_one_group_of_what_is_skewed(
    values: np.ndarray, transform: Transform, tmp_path: Path
) -> None:
    found = infer_column(tmp_path, "turnover", [f"{value:.2f}" for value in values])

    assert attribute_of(found).transform is transform


def test_columns_that_say_the_same_count_as_one(tmp_path: Path) -> None:
    base = RANDOM.normal(100, 20, 300)
    rows = [
        f"{n},{value:.3f},{value * 3 + noise:.3f},{-value + noise:.3f},{other:.3f}"
        for n, (value, noise, other) in enumerate(
            zip(base, RANDOM.normal(0, 1, 300), RANDOM.normal(0, 1, 300), strict=True), 1
        )
    ]

    found = infer_text(tmp_path, "\n".join(["id,a,b,c,d", *rows, ""]))

    weights = [attribute.weight for attribute in found.schema.attributes]
    assert weights == [0.577, 0.577, 0.577, 1]
    assert sum(weight**2 for weight in weights[:3]) == pytest.approx(1, abs=0.01)


def test_rare_categories_count_as_another_one_where_there_are_many(tmp_path: Path) -> None:
    texts = [*repeated("Paris", "Lyon", "Lille", rows=900), *(f"Village {n}" for n in range(60))]

    attribute = attribute_of(infer_column(tmp_path, "town", texts))

    assert attribute.categories == ("Lille", "Lyon", "Paris")
    assert attribute.unknown is Unknown.OTHER


def test_spellings_that_differ_in_case_or_blanks_are_one_category(tmp_path: Path) -> None:
    texts = repeated("Blue Sky", "red", "Blue Sky", "blue  sky", "RED", "green", "red", rows=70)

    found = infer_column(tmp_path, "colour", texts)

    assert attribute_of(found).categories == ("Blue Sky", "green", "red")
    assert found.fitting == 1


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        (range(1, 80), IdType.INTEGER),
        ((f"{n:05}" for n in range(1, 80)), IdType.TEXT),
        ((f"K-{n}" for n in range(1, 80)), IdType.TEXT),
        (range(80), IdType.TEXT),
        ((10**16 + n for n in range(80)), IdType.TEXT),
    ],
)
def test_ids_are_integers_only_where_nothing_is_lost(
    ids: list[object], kind: IdType, tmp_path: Path
) -> None:
    rows = [f"{key},{n % 9}" for n, key in enumerate(ids)]

    found = infer_text(tmp_path, "\n".join(["customer_id,visits", *rows, ""]))

    assert taken_as(found)["customer_id"] == "id"
    assert found.schema.id.type is kind


def test_the_example_of_a_text_id_is_nobody(tmp_path: Path) -> None:
    rows = [f"{n}-AB,{n % 9}" for n in range(1000, 1080)]

    found = infer_text(tmp_path, "\n".join(["customer_id,visits", *rows, ""]))

    assert found.schema.id.example == "9999-XX"


def test_rows_are_numbered_where_no_column_tells_customers_apart(tmp_path: Path) -> None:
    rows = [f"{n % 5},{n % 9}" for n in range(80)]

    found = infer_text(tmp_path, "\n".join(["children,visits", *rows, ""]))

    assert found.source.numbered
    assert any("to update customers" in remark for remark in found.remarks)


def test_another_id_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = [f"{n},K{n},{n % 9}" for n in range(1, 80)]
    path.write_text("\n".join(["customer_id,client_id,visits", *rows, ""]))
    openings = [lambda: open_table(path)]
    table = look(openings)
    guesses = guess(table)

    assert guesses.id.is_doubtful
    found = infer(openings, table, with_id(guesses, 1), Reading())

    assert found.schema.id.record_name == "client_id"
    assert taken_as(found)["customer_id"] == "left out"


def test_names_are_valid_and_distinct_and_headers_are_kept(tmp_path: Path) -> None:
    headers = ["customer_id", "Größe (cm)", "GRÖSSE", "2nd", "epoch", "年齢", "Annual Income (k$)"]
    rows = [",".join([str(n), *(str(n % 9 + k) for k in range(6))]) for n in range(1, 60)]

    found = infer_text(tmp_path, "\n".join([",".join(headers), *rows, ""]))

    attributes = found.schema.attributes
    assert [a.name for a in attributes] == [
        *("grosse", "grosse_2", "column_2nd", "epoch_2", "column_6", "annual_income"),
    ]
    assert [a.record_name for a in attributes] == headers[1:]
    assert (attributes[-1].title, attributes[-1].unit) == ("annual income", "k$")


def test_headers_that_the_service_writes_itself_or_cannot_write_are_recorded_otherwise(
    tmp_path: Path,
) -> None:
    headers = ["key", "segment", "cluster_num", "group", "strategy", '"a ""b"" \\c"']
    rows = [",".join([f"k{n}", *(str(n % 9 + k) for k in range(5))]) for n in range(1, 60)]

    found = infer_text(tmp_path, "\n".join([",".join(headers), *rows, ""]))

    assert [a.record_name for a in found.schema.attributes] == [
        *("segment_2", "cluster_num_2", "group_2", "strategy_2", "a b c"),
    ]
    assert [entry.column for entry in found.source.columns.values()][-1] == 'a "b" \\c'


def test_ranges_have_room_for_the_next_customers(tmp_path: Path) -> None:
    attribute = attribute_of(infer_column(tmp_path, "income", repeated("900", "1500", "4100")))

    assert (attribute.minimum, attribute.maximum) == (0, 50_000)


def test_a_range_in_the_header_is_taken(tmp_path: Path) -> None:
    attribute = attribute_of(infer_column(tmp_path, "Score (1-100)", repeated("12", "55", "7")))

    assert (attribute.minimum, attribute.maximum, attribute.unit) == (1, 100, "")


def test_years_of_birth_become_an_age(tmp_path: Path) -> None:
    texts = [str(1950 + n % 40) for n in range(100)]

    found = infer_column(tmp_path, "Year_Birth", texts)

    assert attribute_of(found).protected
    assert attribute_of(found).name == "age"
    entry = found.source.columns["age"]
    assert (entry.column, entry.date, entry.years) == ("Year_Birth", "%Y", True)
    assert found.fitting == 1


@pytest.mark.parametrize("unscored", [-1, 999])
def test_a_number_that_says_nothing_was_measured_is_found(unscored: int, tmp_path: Path) -> None:
    texts = [str(unscored) if n % 4 == 0 else str(n % 90) for n in range(400)]

    attribute = attribute_of(infer_column(tmp_path, "days_since_contact", texts))

    assert attribute.unscored == unscored


def test_a_debt_is_no_mark_of_something_that_was_not_measured(tmp_path: Path) -> None:
    texts = [str(n % 90 - 3) for n in range(400)]

    assert attribute_of(infer_column(tmp_path, "points", texts)).unscored is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<!DOCTYPE html>\n<html><body>No</body></html>\n", "a web page"),
        (b"<<<<<<< HEAD\nid,a\n1,2\n", "in conflict between two versions"),
        (b"id,a,b\n1,2,3\n<<<<<<< HEAD\n2,3,4\n=======\n2,3,5\n>>>>>>> x\n", "in conflict"),
        (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.", "a pickle of Python"),
        (b"SQLite format 3\x00 and so on", "a SQLite database"),
        (b"id,size,price\nkey,cm,euro\n1,2,3.5\n2,3,4.5\n3,4,5.5\n4,5,6.5\n", "second header"),
        (b"Customers of 2024\n1,2,3.5\n2,3,4.5\n3,4,5.5\n", "as its first line"),
        (b"1,2,3.5\n2,3,4.5\n3,4,5.5\n", "looks like a row"),
        (b"id,size\n", "has no rows"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_table_is_refused_with_what_it_is(
    content: bytes, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)

    with pytest.raises(DataFileError, match=told):
        infer_file(path)


@pytest.mark.parametrize(
    "text",
    [
        "  id  size  price\n   1     2    3.5\n   2     3   10.25  \n   3    14    4\n",
        "Customers of 2024\n\nid,size,price\n1,2,3.5\n2,3,10.25\n3,14,4\n",
        "Customers of 2024;;\nNorth;by Ann;\nid;size;price\n1;2;3.5\n2;3;10.25\n3;14;4\n",
    ],
    ids=["aligned by blanks", "below a title", "below titles"],
)
def test_a_table_is_found_below_titles_and_between_blanks(text: str, tmp_path: Path) -> None:
    found = infer_text(tmp_path, text)

    assert found.rows == 3
    assert [finding.column for finding in found.findings] == ["id", "size", "price"]
    assert found.fitting == 1


def test_columns_without_a_header_or_with_one_that_comes_again_are_left_out(tmp_path: Path) -> None:
    rows = [f"{n},{n % 7},{n % 5},{n % 3},{n % 9}" for n in range(1, 60)]

    found = infer_text(tmp_path, "\n".join(["id,a,a,,b", *rows, ""]))

    assert taken_as(found) == {"id": "id", "a": "left out", "": "left out", "b": "count"}


def test_a_table_with_types_is_read_like_its_texts(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([f"K{n}" for n in range(90)]),
            "since": pa.array([dt.date(2020, 1, 1 + n % 28) for n in range(90)]),
            "vip": pa.array([n % 3 == 0 for n in range(90)]),
            "spent": pa.array([None if n % 9 == 0 else n * 1.25 for n in range(90)]),
            "children": pa.array([float(n % 4) for n in range(90)]),
        }
    )
    pq.write_table(table, tmp_path / "table.parquet")

    found = infer_file(tmp_path / "table.parquet")

    assert taken_as(found) == {
        "id": "id",
        "since": "count",
        "vip": "binary",
        "spent": "amount",
        "children": "count",
    }
    assert found.schema.attributes[2].missing is Missing.ALLOWED
    assert found.fitting == 1


def test_a_query_is_looked_at_like_a_file(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "crm.db") as connection:
        connection.execute("CREATE TABLE people (id TEXT, visits INTEGER, plan TEXT)")
        rows = [(f"K{n}", n % 9, ["a", "b", "c"][n % 3]) for n in range(60)]
        connection.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    connection.close()
    query = Query(f"sqlite:///{tmp_path / 'crm.db'}", "SELECT * FROM people")
    openings = [lambda: open_table(query)]
    table = look(openings)

    found = infer(openings, table, guess(table), Reading())

    assert taken_as(found) == {"id": "id", "visits": "count", "plan": "nominal"}


def test_files_alike_are_one_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "id,visits,plan\n" + "".join(f"{n},{n % 9},{'ab'[n % 2]}\n" for n in range(1, 50))
    )
    (tmp_path / "b.csv").write_text(
        "plan,id,visits\n" + "".join(f"{'abc'[n % 3]},{n},{n % 9}\n" for n in range(50, 100))
    )

    found = infer_file(tmp_path / "a.csv", tmp_path / "b.csv")

    assert found.rows == 99
    assert attribute_of(found).categories == ("a", "b", "c")


def test_what_no_row_of_the_sample_has_is_found_in_the_second_pass(tmp_path: Path) -> None:
    rows = [f"{n},{n % 90},{'ab'[n % 2]}" for n in range(1, 60_001)]
    for place, text in ((30_000, ",-5,a"), (45_000, ",7,c"), (59_000, ",,b")):
        rows[place] = f"{place + 1}{text}"

    found = infer_text(tmp_path, "\n".join(["id,points,plan", *rows, ""]))

    points, plan = found.schema.attributes
    assert points.minimum is not None
    assert points.minimum <= -5
    assert points.missing is Missing.ALLOWED
    assert "c" in plan.categories


def test_the_same_table_gives_the_same_file_each_time(tmp_path: Path) -> None:
    rows = [f"K{n},{n * 37 % 1000},{'abc'[n % 3]}" for n in range(20_000)]
    text = "\n".join(["id,points,plan", *rows, ""])

    first, second = (write_inference(infer_text(tmp_path, text), ["x.csv"]) for _ in range(2))

    assert first == second


def test_what_a_table_calls_other_is_among_those_that_are_rare(tmp_path: Path) -> None:
    texts = [*repeated("red", "blue", "Other", rows=600), *(f"rare {n}" for n in range(60))]

    colour = attribute_of(infer_column(tmp_path, "colour", texts))

    assert (colour.categories, colour.unknown) == (("blue", "red"), Unknown.OTHER)
