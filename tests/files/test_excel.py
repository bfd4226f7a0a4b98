"""A workbook's cells keep what they are, and none makes a reader take more than it holds."""

import datetime as dt
import io
import zipfile
from pathlib import Path

import pytest

from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.check.rows import Checked, Checker
from customer_segmentation.files.columns import python_values
from customer_segmentation.files.map.mapping import ColumnMapping, Entry
from customer_segmentation.files.read.tables import Reading, open_table
from tests.support.files import Rows, all_rows, customers
from tests.support.shipped import SHIPPED

RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT = "http://purl.oclc.org/ooxml/officeDocument/relationships"


def workbook(
    rows: str,
    *,
    texts: str = "",
    formats: str = "",
    styles: str = "",
    properties: str = "",
    related: str = RELATED,
    before: str = "",
) -> bytes:
    """Write a workbook of one sheet by its parts."""
    parts = {
        "_rels/.rels": f'<Relationships><Relationship Id="r" Type="{related}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns:r="{related}">{properties}'
        '<sheets><sheet name="people" r:id="a"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": "<Relationships>"
        f'<Relationship Id="a" Type="{related}/worksheet" Target="/xl/worksheets/one.xml"/>'
        f'<Relationship Id="b" Type="{related}/sharedStrings" Target="texts.xml"/>'
        f'<Relationship Id="c" Type="{related}/styles" Target="styles.xml"/></Relationships>',
        "xl/texts.xml": f"<sst>{texts}</sst>",
        "xl/styles.xml": f"<styleSheet><numFmts>{formats}</numFmts>"
        f'<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>{styles}</cellXfs></styleSheet>',
        "xl/worksheets/one.xml": f"{before}<worksheet><sheetData>{rows}</sheetData></worksheet>",
    }
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return sink.getvalue()


def read(content: bytes) -> Rows:
    with open_table(io.BytesIO(content)) as source:
        return all_rows(source)


def values(cells: str, **parts: str) -> list[object]:
    """Return the values of a column whose cells are these."""
    rows = "".join(f"<row>{cell}</row>" for cell in cells.splitlines() if cell.strip())
    head = '<row><c t="inlineStr"><is><t>x</t></is></c></row>'
    with open_table(io.BytesIO(workbook(head + rows, **parts))) as source:
        (block,) = source.blocks()
    return python_values(block.table["x"])


def check(content: bytes, **defaults: int) -> Checked:
    entries = dict(ColumnMapping.by_record_names(SHIPPED).entries)
    for name, default in defaults.items():
        entries[name] = Entry(entries[name].column, default=default)
    with open_table(io.BytesIO(content)) as source:
        checker = Checker(SHIPPED, source, ColumnMapping(entries))
        (checked,) = map(checker.check, source.blocks(checker.wanted))
    return checked


def test_a_cell_is_a_number_a_text_a_boolean_or_an_error_as_it_says() -> None:
    cells = """
        <c><v>1.5</v></c>
        <c t="s"><v>1</v></c>
        <c t="b"><v>1</v></c>
        <c t="b"><v>0</v></c>
        <c t="e"><v>#REF!</v></c>
        <c t="str"><f>A1&amp;"x"</f><v>ax</v></c>
        <c><f>1+1</f><v>2</v></c>
        <c t="inlineStr"><is><r><t>a_x000D_</t></r><r><t>b</t></r><rPh><t>c</t></rPh></is></c>
        <c t="n"><v>nan</v></c>
        <c><v>1_0</v></c>
    """
    texts = "<si><t>first</t></si><si><r><t>sec</t></r><r><t>ond</t></r><rPh><t>x</t></rPh></si>"

    assert values(cells, texts=texts) == [
        *(1.5, "second", True, False, "#REF!", "ax", 2.0, "a\rb", "nan", "1_0")
    ]


def test_a_formula_whose_result_is_not_stored_is_itself() -> None:
    cells = """
        <c><f>1000+500</f><v/></c>
        <c t="n"><f>A1</f></c>
        <c><f t="shared" si="0"/></c>
        <c><f>1-1</f><v>0</v></c>
    """

    assert values(cells) == ["=1000+500", "=A1", "=", 0]
    # A workbook that is to be calculated when opened holds 0 for what nobody has calculated.
    assert values(cells, properties='<calcPr fullCalcOnLoad="1"/>')[-1] == "=1-1"


@pytest.mark.parametrize(
    ("form", "number", "moment"),
    [
        ("d.m.yyyy", "45000", dt.date(2023, 3, 15)),
        ("d.m.yyyy hh:mm", "45000.5", dt.datetime(2023, 3, 15, 12)),  # noqa: DTZ001
        ("[h]:mm", "0.25", dt.time(6)),
        ("yyyy", "59", dt.date(1900, 2, 28)),
        ("yyyy", "61", dt.date(1900, 3, 1)),
        ("yyyy", "9e9", 9e9),
        ('#,##0.00\\ "days";[Red]-#,##0.00_d', "45000", 45000.0),
        ("General", "45000", 45000.0),
        ("0.00E+00", "45000", 45000.0),
    ],
)
def test_a_number_is_a_date_where_its_style_shows_one(
    form: str, number: str, moment: object
) -> None:
    formats = f'<numFmt numFmtId="200" formatCode="{form.replace(chr(34), "&quot;")}"/>'
    cell = f'<c s="1"><v>{number}</v></c>'

    found = values(cell, formats=formats, styles='<xf numFmtId="0"/><xf numFmtId="200"/>')

    assert found == [moment]


def test_dates_may_count_from_1904_and_be_built_in_or_written_out() -> None:
    style = '<xf numFmtId="14"/>'
    old = '<workbookPr date1904="1"/>'

    assert values('<c s="0"><v>1</v></c>', styles=style, properties=old) == [dt.date(1904, 1, 2)]
    assert values('<c t="d"><v>2026-01-31</v></c>', related=STRICT) == [
        dt.datetime(2026, 1, 31)  # noqa: DTZ001
    ]


def test_what_is_no_number_is_refused_by_name_and_never_filled_by_a_default() -> None:
    checked = check(
        customers(
            {"account balance": None},
            {"account balance": "=1000+500"},
            {"account balance": True},
            {"account balance": dt.date(2026, 1, 1)},
            {"account balance": "#DIV/0!"},
            {"age": True},
            {"customer id": 2.0**53},
            {"loan": True},
        ),
        account_balance=7,
        age=18,
    )

    assert checked.ids.tolist() == [1, 8]
    assert checked.values[0, 3] == 7
    assert [reject.reason.partition(", not ")[2] for reject in checked.rejects] == [
        "a formula without a stored result",
        "a boolean",
        "a date",
        "an error of a spreadsheet",
        "a boolean",
        "a number beyond 2^53, which may be rounded",
    ]


def test_cells_stand_where_they_say_and_else_beside_one_another() -> None:
    rows = """
        <row r="3"><c r="B3" t="str"><v>b</v></c><c t="str"><v>c</v></c></row>
        <row r="5"><c r="A5"><v>1</v></c><c r="C5"><v>3</v></c><c r="AZ5"><v>9</v></c></row>
        <row r="6"><c r="XFD6"><v>9</v></c></row>
        <row><c><v>1</v></c><c><v>2</v></c><c><v>3</v></c></row>
    """

    assert read(workbook(rows))[:2] == ([5, 7], [["1", "", "3"], ["1", "2", "3"]])


def test_a_cell_in_the_last_corner_costs_nothing() -> None:
    rows = """
        <row r="1"><c r="A1" t="str"><v>a</v></c></row>
        <row r="2"><c r="A2"><v>1</v></c></row>
        <row r="1048576"><c r="XFD1048576"><v>1</v></c></row>
    """

    assert read(workbook(rows))[:2] == ([2], [["1"]])


def test_many_columns_are_read_in_small_blocks() -> None:
    head = "".join(f'<c t="str"><v>c{n}</v></c>' for n in range(16_384))
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(2, 200))

    with open_table(io.BytesIO(workbook(f"<row>{head}</row>{rows}"))) as source:
        assert [len(block.lines) for block in source.blocks(["c0"])] == [64, 64, 64, 6]


HEAD = '<row><c t="str"><v>a</v></c></row>'
HOSTILE = {
    "a column too far": HEAD + '<row><c r="XFE2"><v>1</v></c></row>',
    "a row too far": HEAD + '<row r="1048577"><c><v>1</v></c></row>',
    "rows that go back": '<row r="9"><c><v>1</v></c></row><row r="3"><c><v>1</v></c></row>',
    "cells that go back": HEAD + '<row><c r="B2"><v>1</v></c><c r="A2"><v>1</v></c></row>',
    "no place": HEAD + '<row><c r="22"><v>1</v></c></row>',
    "no text": HEAD + '<row><c t="s"><v>5</v></c></row>',
    "no number of a text": HEAD + '<row><c t="s"><v>x</v></c></row>',
    "a long text": HEAD + f'<row><c t="str"><v>{"x" * 40_000}</v></c></row>',
    "a long name": HEAD + f"<{'x' * 2_000_000}>",
    "no XML": HEAD + "<row",
    "a part that grows": HEAD + " " * (80 << 20),
}


@pytest.mark.parametrize("rows", HOSTILE.values(), ids=HOSTILE)
def test_a_workbook_that_claims_too_much_or_is_damaged_is_refused(rows: str) -> None:
    with pytest.raises(DataFileError, match="the input is not an Excel file that can be read: "):
        read(workbook(rows))


def test_entities_are_refused() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>'

    with pytest.raises(DataFileError, match="declares a document type"):
        read(workbook(HEAD, before=bomb))


def test_texts_that_grow_when_unpacked_are_refused() -> None:
    with pytest.raises(DataFileError, match="grows over 100-fold"):
        read(workbook(HEAD, texts=" " * (40 << 20)))


def open_document(cells: str) -> bytes:
    """Write an OpenDocument spreadsheet."""
    sink = io.BytesIO()
    names = (
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    )
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr(
            "content.xml",
            f"<office:document-content {names}><office:body><office:spreadsheet>"
            f'<table:table table:name="people">{cells}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return sink.getvalue()


TEXT_CELL = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
NUMBER_CELL = '<table:table-cell office:value-type="float" office:value="{}"/>'


def test_another_workbook_is_read_by_another_process() -> None:
    head = f"<table:table-row>{TEXT_CELL.format('a')}{TEXT_CELL.format('b')}</table:table-row>"
    row = f"<table:table-row>{NUMBER_CELL.format(1)}{TEXT_CELL.format('x')}</table:table-row>"
    book = open_document(head + row)

    assert read(book)[:2] == ([2], [["1", "x"]])
    with (
        pytest.raises(DataFileError, match="has no sheet other; there are people"),
        open_table(io.BytesIO(book), Reading(sheet="other")),
    ):
        pass


def test_a_workbook_that_ends_its_reader_ends_no_other_process() -> None:
    repeated = 'table:number-columns-repeated="16384" '
    cell = NUMBER_CELL.format(1).replace("office:value-type", repeated + "office:value-type")
    rows = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'

    with pytest.raises(DataFileError, match="is not an Excel file that can be read"):
        read(open_document(rows))


@pytest.mark.parametrize("content", [b"\xd0\xcf\x11\xe0" + bytes(2000), b"PK\x03\x04" + bytes(99)])
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "book.xls").write_bytes(content)

    with (
        pytest.raises(DataFileError, match="is not an Excel file"),
        open_table(tmp_path / "book.xls"),
    ):
        pass
