"""Tables are written whole or not at all, in every format, safe to open in a spreadsheet."""

import csv
import doctest
import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.domain.errors import DataFileError, ExtraMissingError, InvalidInputError
from customer_segmentation.domain.numbers import plain_number
from customer_segmentation.files import blocks, formulas
from customer_segmentation.files.formats import Format, format_of
from customer_segmentation.files.read.tables import open_table
from customer_segmentation.files.write import numbers as number_texts
from customer_segmentation.files.write import tables as writing
from customer_segmentation.files.write.tables import open_writer

TABLE = pa.table(
    {
        "id": [1, 2, 3],
        "strategy": ["=cmd|' /C calc'!A0", 'say "hi", friend', None],
        "amount": [31789.0, 13472.29, -0.5],
        "outlier": [True, False, None],
    }
)


class Pipe(io.RawIOBase):
    """Standard output into another program: nothing can be sought or told."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: object, /) -> int:
        taken = bytes(data)  # type: ignore[call-overload]
        self.data += taken
        return len(taken)


def write(target: Path, table: pa.Table, form: Format) -> Path:
    with open_writer(target, table.schema, form) as writer:
        for batch in table.to_batches(max_chunksize=2):
            writer.write(batch)
    return target


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("group", [[], ["treated"]])
def test_an_export_is_read_back_as_the_texts_that_were_exported(
    form: Format, group: list[str], tmp_path: Path
) -> None:
    texts: list[object] = ["=1+1", "'=1", "-", "-5", "@home", "\uff1d1", " =1", "plain", None]
    assigned = {"cluster_num": 1, "segment": "-", "confidence": 0.5, "strategy": "+"}
    columns: dict[str, list[object]] = {
        name: [value] * len(texts) for name, value in assigned.items()
    }
    if group:
        columns["group"] = [*group] * len(texts)
    table = pa.table({"-id": texts, "rows": texts[::-1], **columns})
    file = write(tmp_path / "export", table, form)

    with open_table(file) as source:
        assert source.columns == tuple(table.column_names)
        blocks = list(source.blocks(["-id", "rows"]))

    read = pa.concat_tables(block.table for block in blocks)
    found = [[text or None for text in read[name].to_pylist()] for name in ("-id", "rows")]
    assert found == [texts, texts[::-1]]
    assert blocks[0].fields([0])[0][0] == texts[0]


@pytest.mark.parametrize("form", Format)
def test_what_is_written_is_read_back(tmp_path: Path, form: Format) -> None:
    path = write(tmp_path / "out", TABLE, form)

    with open_table(path) as source:
        rows = [row for b in source.blocks() for row in b.fields(range(len(b.lines)))]

    is_for_spreadsheets = form in {Format.CSV, Format.EXCEL}
    assert source.columns == ("id", "strategy", "amount", "outlier")
    assert rows == [
        ["1", "'" * is_for_spreadsheets + "=cmd|' /C calc'!A0", "31789", "true"],
        ["2", 'say "hi", friend', "13472.29", "false"],
        ["3", "", "-0.5", ""],
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("form", Format)
def test_a_stream_that_cannot_seek_takes_every_format(tmp_path: Path, form: Format) -> None:
    pipe = Pipe()
    with open_writer(pipe, TABLE.schema, form) as writer:  # type: ignore[arg-type]
        for batch in TABLE.to_batches(max_chunksize=2):
            writer.write(batch)

    with (
        open_table(io.BytesIO(pipe.data)) as found,
        open_table(write(tmp_path / "out", TABLE, form)) as expected,
    ):
        assert found.sample().equals(expected.sample())


@pytest.mark.parametrize("form", Format)
def test_a_writing_that_fails_leaves_what_was_there(tmp_path: Path, form: Format) -> None:
    path = tmp_path / "out"
    path.write_text("before")

    def fail() -> None:
        with open_writer(path, TABLE.schema, form) as writer:
            writer.write(TABLE.to_batches()[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out", "before")]


@pytest.mark.parametrize("form", Format)
def test_a_table_without_rows_has_its_header(tmp_path: Path, form: Format) -> None:
    path = write(tmp_path / "out", TABLE.slice(0, 0), form)

    if form is not Format.NDJSON:
        with open_table(path) as source:
            assert source.columns == ("id", "strategy", "amount", "outlier")


def test_numbers_in_text_are_written_in_the_projects_format(tmp_path: Path) -> None:
    path = write(tmp_path / "out.csv", TABLE, Format.CSV)
    lines = write(tmp_path / "out.ndjson", TABLE, Format.NDJSON).read_text().splitlines()

    assert path.read_text().splitlines()[1:] == [
        "1,'=cmd|' /C calc'!A0,31789,true",
        '2,"say ""hi"", friend",13472.29,false',
        "3,,-0.5,",
    ]
    assert lines[0] == '{"id":1,"strategy":"=cmd|\' /C calc\'!A0","amount":31789,"outlier":true}'
    assert [json.loads(line)["id"] for line in lines] == [1, 2, 3]


def test_what_is_no_finite_number_is_nothing(tmp_path: Path) -> None:
    table = pa.table({"x": [float("nan"), float("inf"), 1.0]})

    assert write(tmp_path / "a", table, Format.CSV).read_text() == "x\n\n\n1\n"
    ndjson = write(tmp_path / "b", table, Format.NDJSON).read_text()
    assert ndjson == '{"x":null}\n{"x":null}\n{"x":1}\n'
    with open_table(write(tmp_path / "c", table, Format.EXCEL)) as source:
        assert source.sample().column("x").to_pylist() == [1]


@given(st.lists(st.none() | st.floats() | st.integers(-(2**60), 2**60).map(float)))
def test_many_numbers_are_written_as_each_is(values: list[float | None]) -> None:
    expected = [
        None if value is None or not abs(value) < float("inf") else str(plain_number(value))
        for value in values
    ]

    assert number_texts.number_texts(pa.array(values, pa.float64())).to_pylist() == expected


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8")), st.text(st.sampled_from('a",\r\n ;'))),
        min_size=1,
    )
)
def test_any_text_is_read_back_by_the_csv_module(rows: list[tuple[str, str]]) -> None:
    pipe = Pipe()
    table = pa.table(dict(zip("ab", map(list, zip(*rows, strict=True)), strict=True)))
    with open_writer(pipe, table.schema, Format.CSV) as writer:  # type: ignore[arg-type]
        writer.write(table.to_batches()[0])

    found = list(csv.reader(io.StringIO(pipe.data.decode(), newline=""), strict=True))

    assert [[formulas.restored(text) for text in row] for row in found[1:]] == list(map(list, rows))


def test_a_sheet_that_is_full_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_EXCEL_ROWS", 2)

    with pytest.raises(DataFileError, match="holds 2 rows at most"):
        write(tmp_path / "out.xlsx", TABLE, Format.EXCEL)

    assert not list(tmp_path.iterdir())


def test_without_the_extra_xlsx_is_read_and_what_needs_it_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "out.xlsx", TABLE, Format.EXCEL)
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    monkeypatch.setitem(sys.modules, "python_calamine", None)

    with pytest.raises(ExtraMissingError, match=r"customer-segmentation\[excel\]"):
        write(path, TABLE, Format.EXCEL)
    with open_table(path) as source:
        assert source.columns == tuple(TABLE.column_names)
    with (
        pytest.raises(ExtraMissingError, match=r"customer-segmentation\[excel\]"),
        open_table(io.BytesIO(b"\xd0\xcf\x11\xe0 of an old workbook")),
    ):
        pass


def test_the_name_of_a_file_says_its_format() -> None:
    assert format_of(Path("a.b/out.PARQUET")) is Format.PARQUET
    with pytest.raises(
        InvalidInputError, match=r"out\.pdf names no format: output must end with one of"
    ):
        format_of(Path("out.pdf"))


def test_a_large_table_is_written_by_row_groups(tmp_path: Path) -> None:
    path = write(tmp_path / "out", TABLE, Format.PARQUET)

    assert pq.ParquetFile(path).num_row_groups == 2


@pytest.mark.parametrize("module", [blocks, formulas, number_texts])
def test_the_examples_in_the_code_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
