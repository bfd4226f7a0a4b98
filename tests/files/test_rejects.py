"""Rows not loaded go to a file that is mended and loaded again."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.check.rejects import RejectsFile
from customer_segmentation.files.check.rows import Checked, Checker
from customer_segmentation.files.formulas import neutralised, neutralised_column, restored
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.read.tables import open_table
from tests.support.shipped import COLUMNS, SHIPPED

HEADER = [*(feature.record_name for feature in COLUMNS), "note"]
GOOD = [*(str(feature.example) for feature in COLUMNS), '=HYPERLINK("http://bad")']


def load(path: Path, rejects: Path) -> list[Checked]:
    with open_table(path) as source, RejectsFile(rejects, source.columns) as file:
        checker = Checker(SHIPPED, source, ColumnMapping.by_record_names(SHIPPED))
        parts = [checker.check(block) for block in source.blocks(checker.wanted)]
        for part in parts:
            file.add(part.rejects)
    return parts


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def test_a_mended_file_of_rejects_is_loaded_like_the_file_it_came_from(tmp_path: Path) -> None:
    old, short = ["7", "131", *GOOD[2:]], GOOD[:-1]
    bank = write(tmp_path / "bank.csv", [GOOD, old, short])
    rejects = tmp_path / "bank.rejects.csv"

    load(bank, rejects)
    text = rejects.read_text()
    rejects.write_text(text.replace("7,131", "7,31").replace("0\n", "0,late\n"))
    again = load(rejects, tmp_path / "again.csv")

    assert text.splitlines()[0] == ",".join(["line", "column", "reason", *HEADER])
    assert text.splitlines()[1].startswith('3,age,"age must be an integer from 0 to 130, not ')
    assert text.splitlines()[2].startswith("4,,")
    assert [(part.ids.tolist(), part.rejects) for part in again] == [([7, 20001], [])]


def test_a_file_of_rejects_that_is_still_wrong_yields_the_same_rows_again(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"

    load(write(tmp_path / "bank.csv", [["7", "131", *GOOD[2:]], GOOD[:-1]]), first)
    load(first, second)

    assert first.read_text() == second.read_text()
    assert "'=HYPERLINK" in second.read_text()


def test_a_file_of_rejects_is_read_without_its_first_three_columns(tmp_path: Path) -> None:
    (tmp_path / "rejects.csv").write_text("line,column,reason,a,b\n9,a,wrong,1,'=2\n")

    with open_table(tmp_path / "rejects.csv") as source:
        (block,) = source.blocks(["b"])

    assert source.columns == ("a", "b")
    assert block.table.to_pydict() == {"b": ["=2"]}
    assert block.fields([0]) == [["1", "=2"]]


def test_a_row_that_is_still_too_short_is_rejected_without_them_too(tmp_path: Path) -> None:
    (tmp_path / "rejects.csv").write_text("line,column,reason,a,b\n7,,wrong,1\n")

    with open_table(tmp_path / "rejects.csv") as source:
        (block,) = source.blocks()

    reason = "the row must have 2 fields, as the header has, not 1"
    assert block.rejects == [Reject(2, "", reason, ["1"])]


def test_without_rejects_there_is_no_file(tmp_path: Path) -> None:
    load(write(tmp_path / "bank.csv", [GOOD]), tmp_path / "rejects.csv")

    assert [path.name for path in tmp_path.iterdir()] == ["bank.csv"]


def test_a_load_that_fails_half_way_leaves_no_half_file(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Reject]:
        yield Reject(2, "age", "wrong", GOOD)
        raise KeyboardInterrupt

    rejects = RejectsFile(tmp_path / "rejects.csv", HEADER)
    with pytest.raises(KeyboardInterrupt), rejects as file:
        file.add(interrupted())

    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(DataFileError, match="cannot be written: No such file"),
        RejectsFile(tmp_path / "nowhere" / "rejects.csv", HEADER) as file,
    ):
        file.add([Reject(2, "age", "wrong", GOOD)])


@pytest.mark.parametrize(
    "text",
    [
        *["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "-", "-5\n"],
        # Spreadsheets also take full-width signs for formulas, and pass over blanks before a sign.
        *[" =1+1", "\xa0=1+1", "\u3000@A1", "\ufeff=1", "' =1", " \u22121"],
        *["\uff1d1+1", "\uff0b1", "\uff0d1+1", "\uff20A1"],
    ],
)
def test_no_spreadsheet_takes_a_text_for_a_formula(text: str) -> None:
    assert neutralised(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-5", " -5", "+3.5", "-1e5", ".5", "Ann", "", "'quoted'", "a=b"])
def test_numbers_and_plain_texts_stay_as_they_are(text: str) -> None:
    assert neutralised(text) == text


@given(st.text(st.sampled_from("'=+-@\t\r\n15.ea \xa0\u3000\uff1d"), max_size=6))
def test_what_is_neutralised_is_restored(text: str) -> None:
    assert restored(neutralised(text)) == text
    assert neutralised_column(pa.array([text])).to_pylist() == [neutralised(text)]
