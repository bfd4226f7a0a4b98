"""Loading a file on a first start: any column order, extra columns, rejects."""

import csv
from pathlib import Path

import httpx
import pytest

from customer_segmentation.domain.errors import DataFileError
from tests.support.data_file import read_data_file
from tests.support.servers import Server

ROOT = Path(__file__).parents[2]


def shipped_rows(count: int) -> tuple[list[str], list[list[str]]]:
    with (ROOT / "cleaned main dataset.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows[:count]


def write(path: Path, header: list[str], rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_columns_may_come_in_any_order_with_others_between(tmp_path: Path) -> None:
    header, rows = shipped_rows(50)
    plain = read_data_file(write(tmp_path / "plain.csv", header, rows))
    mixed = [["note", *reversed(header)], *[["x", *reversed(row)] for row in rows]]

    data = read_data_file(write(tmp_path / "mixed.csv", mixed[0], mixed[1:]))

    assert data.ignored == ["note"]
    assert not data.rejects
    assert (data.ids == plain.ids).all()
    assert (data.values == plain.values).all()


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("age", "", "not nothing"),
        ("age", "131", "outside this range"),
        ("age", "4_0", "not a number"),
        ("gender", "Male", "not a number"),
        ("account balance", "nan", "not a number"),
        ("account balance", "inf", "not a number"),
        ("account balance", "9007199254740993", "beyond 2^53"),
        ("income/month", "-1", "outside this range"),
        ("loan", "0.5", "with a fraction"),
        ("customer id", "0", "outside this range"),
        ("customer id", "2", "must be unique"),
    ],
)
def test_a_row_with_an_impossible_value_is_rejected_and_the_others_are_not(
    tmp_path: Path, column: str, text: str, reason: str
) -> None:
    header, rows = shipped_rows(5)
    rows[3][header.index(column)] = text

    data = read_data_file(write(tmp_path / "data.csv", header, rows))

    (reject,) = data.rejects
    assert (reject.line, reject.column, reject.fields) == (5, column, rows[3])
    assert reason in reject.reason
    assert data.ids.tolist() == [1, 2, 3, 5]


def test_numbers_may_be_written_in_any_decimal_way(tmp_path: Path) -> None:
    header, rows = shipped_rows(4)
    rows[0][header.index("age")] = " 45.0 "
    rows[1][header.index("income/month")] = "1.5e3"
    rows[2][header.index("account balance")] = "-.5"

    data = read_data_file(write(tmp_path / "data.csv", header, rows))

    assert not data.rejects
    assert (data.values[0, 0], data.values[1, 2], data.values[2, 3]) == (45, 1500, -0.5)


def test_line_numbers_count_blank_lines_and_lines_within_quotes(tmp_path: Path) -> None:
    header, rows = shipped_rows(4)
    lines = [",".join([*row, '"two\nlines"']) for row in rows]
    lines[2] = lines[2].replace(",", ",,", 1)
    text = "\n".join([",".join([*header, "note"]), lines[0], "", lines[1], lines[2], lines[3]])
    path = tmp_path / "data.csv"
    path.write_text("\ufeff" + text)

    data = read_data_file(path)

    assert [reject.line for reject in data.rejects] == [7]
    assert data.ids.tolist() == [1, 2, 4]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"customer id,age\n1,2\n", "lacks these columns: gender"),
        (b"\xff\xfe1", "not UTF-8"),
        (b'"', "not a CSV file"),
    ],
)
def test_a_file_that_holds_no_customers_is_refused(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(content)

    with pytest.raises(DataFileError, match=complaint):
        read_data_file(path)


def test_a_first_start_loads_the_file_named_and_reports_what_it_leaves_out(
    tmp_path: Path,
) -> None:
    header, rows = shipped_rows(300)
    rows[7][header.index("gender")] = "Male"
    data = write(tmp_path / "bank.csv", [*header, "colour"], [[*row, "red"] for row in rows])
    settings = {"CUSTOMER_SEGMENTATION_DATA": str(data)}

    with Server(f"sqlite:///{tmp_path / 'bank.db'}", tmp_path, **settings) as server:
        found = [_status(server, customer_id) for customer_id in (7, 8, 300, 301)]
        log = server.log

    assert found == [200, 404, 200, 404]
    assert "not known: colour" in log
    assert "Did not load 1 row of" in log
    with (tmp_path / "bank.rejects.csv").open(newline="") as file:
        heading, reject = csv.reader(file)
    assert heading == ["line", "column", "reason", *header, "colour"]
    assert reject[:2] == ["9", "gender"]
    assert reject[3:] == [*rows[7], "red"]


def test_a_first_start_with_unusable_data_stops_and_leaves_nothing(tmp_path: Path) -> None:
    header, rows = shipped_rows(3)
    bad = {"CUSTOMER_SEGMENTATION_DATA": str(write(tmp_path / "few.csv", header, rows))}
    url = f"sqlite:///{tmp_path / 'bank.db'}"

    with pytest.raises(AssertionError, match="at least 4 customers"):
        Server(url, tmp_path, **bad).start()

    with Server(url, tmp_path) as server:
        assert _status(server, 20_000) == 200


def _status(server: Server, customer_id: int) -> int:
    path = f"/get_customer_info_from_database?customer_id={customer_id}"
    return httpx.get(f"{server.url}{path}").status_code
