"""Any table is read as the same blocks: every format, encoding and compression, from anywhere."""

import csv
import datetime as dt
import gzip
import io
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.formats import Format
from customer_segmentation.files.read.csv import CsvReader, fault_of
from customer_segmentation.files.read.encoding import Utf8, guess_encoding
from customer_segmentation.files.read.lines import Lines
from customer_segmentation.files.read.tables import Query, Reading, open_table
from tests.conftest import POSTGRES, postgres_database, require_postgres
from tests.support.files import Rows, all_rows

COLUMNS = ("id", "name", "balance")
ROWS = [(1, "Zoë", 2.5), (2, "Åsa", -3.0), (3, "Ćiro", 1000.25)]
TEXTS = [["1", "Zoë", "2.5"], ["2", "Åsa", "-3"], ["3", "Ćiro", "1000.25"]]

TEXT = "\n".join(",".join(row) for row in [list(COLUMNS), *TEXTS]) + "\n"
ARROW = pa.table(dict(zip(COLUMNS, map(list, zip(*ROWS, strict=True)), strict=True)))


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(ARROW, sink)
    return sink.getvalue()


def arrow(new: Callable[[Any, pa.Schema], Any]) -> bytes:
    sink = io.BytesIO()
    with new(sink, ARROW.schema) as writer:
        writer.write_table(ARROW)
    return sink.getvalue()


def excel() -> bytes:
    sink = io.BytesIO()
    with xlsxwriter.Workbook(sink) as book:
        sheet = book.add_worksheet("people")
        for number, row in enumerate([COLUMNS, *ROWS]):
            sheet.write_row(number, 0, row)
        book.add_worksheet("other").write_row(0, 0, ["x"])
    return sink.getvalue()


def ndjson() -> bytes:
    lines = (
        f'{{"id": {number}, "name": "{name}", "balance": {balance}}}'
        for number, name, balance in ROWS
    )
    return "\n".join(lines).encode()


WRITTEN = {
    "csv": TEXT.encode(),
    "csv with a byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "csv with CR LF": TEXT.replace("\n", "\r\n").encode(),
    "csv with CR": TEXT.replace("\n", "\r").encode(),
    "csv with semicolons": TEXT.replace(",", ";").encode(),
    "csv with tabs": TEXT.replace(",", "\t").encode(),
    "csv with bars": TEXT.replace(",", "|").encode(),
    "csv with quotes": TEXT.replace("Zoë", '"Zoë"').encode(),
    "csv in UTF-16": TEXT.encode("utf-16"),
    "csv in gzip": gzip.compress(TEXT.encode()),
    "csv in two gzip members": gzip.compress(TEXT[:20].encode())
    + gzip.compress(TEXT[20:].encode()),
    "csv in zstd": pa.compress(TEXT.encode(), codec="zstd", asbytes=True),
    "parquet": parquet(),
    "parquet in gzip": gzip.compress(parquet()),
    "arrow file": arrow(pa.ipc.new_file),
    "arrow stream": arrow(pa.ipc.new_stream),
    "ndjson": ndjson(),
    "ndjson with a byte order mark": b"\xef\xbb\xbf" + ndjson(),
    "ndjson in UTF-16": ndjson().decode().encode("utf-16"),
    "ndjson in zstd": pa.compress(ndjson(), codec="zstd", asbytes=True),
    "excel": excel(),
}


class Pipe:
    """Bytes that come a few at a time and cannot be sought in, as from another program."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, 7))


def read_text(text: str | bytes, reading: Reading | None = None) -> Rows:
    data = text if isinstance(text, bytes) else text.encode()
    with open_table(io.BytesIO(data), reading) as source:
        return all_rows(source)


@pytest.mark.parametrize("written", WRITTEN)
def test_every_format_is_known_by_its_content_whatever_the_name(
    tmp_path: Path, written: str
) -> None:
    path = tmp_path / "table.dat"
    path.write_bytes(WRITTEN[written])

    with open_table(path) as source:
        assert source.columns == COLUMNS
        assert source.sample().num_rows == 3
        (block,) = source.blocks()

    assert block.fields(range(3)) == TEXTS
    assert not block.rejects
    assert source.total == len(WRITTEN[written])
    # A stream of Arrow ends with a mark of 8 bytes after the last row.
    assert source.total - 8 <= block.position <= source.total


@pytest.mark.parametrize("written", WRITTEN)
def test_every_format_is_read_from_a_stream_that_cannot_seek(written: str) -> None:
    with open_table(Pipe(WRITTEN[written])) as source:
        assert all_rows(source)[1] == TEXTS


def test_a_stream_of_arrow_may_come_in_parts() -> None:
    sink = io.BytesIO()
    ids = pa.table({"id": range(10_000)})
    with pa.ipc.new_stream(sink, ids.schema) as writer:
        writer.write_table(ids)

    with open_table(Pipe(sink.getvalue())) as source:
        assert len(all_rows(source)[1]) == 10_000


@pytest.mark.parametrize("nothing", [b"", b"\xef\xbb\xbf", b"\n\n"])
def test_a_source_without_a_header_is_refused(nothing: bytes) -> None:
    with pytest.raises(DataFileError, match="the input is empty"), open_table(io.BytesIO(nothing)):
        pass


def test_typed_formats_keep_their_types() -> None:
    for written in ("parquet", "arrow file", "arrow stream", "ndjson"):
        with open_table(io.BytesIO(WRITTEN[written])) as source:
            (block,) = source.blocks()
        assert block.table.schema.types == [pa.int64(), pa.string(), pa.float64()]


def test_a_named_sheet_is_read_and_an_unknown_one_refused() -> None:
    with open_table(io.BytesIO(WRITTEN["excel"]), Reading(sheet="other")) as source:
        assert source.columns == ("x",)
    refused = pytest.raises(DataFileError, match="no sheet third; there are people, other")
    with refused, open_table(io.BytesIO(WRITTEN["excel"]), Reading(sheet="third")):
        pass


@pytest.mark.parametrize(
    ("written", "said", "told"),
    [
        ("parquet", Reading(delimiter=";"), "parquet, and a delimiter is for csv"),
        ("ndjson", Reading(delimiter=";"), "ndjson, and a delimiter is for csv"),
        ("excel", Reading(encoding="utf-8"), "excel, and an encoding is for csv or ndjson"),
        ("arrow file", Reading(encoding="utf-8"), "arrow, and an encoding is for csv or ndjson"),
        ("csv", Reading(sheet="other"), "csv, and a sheet is for excel"),
    ],
)
def test_what_says_nothing_of_a_format_is_refused(written: str, said: Reading, told: str) -> None:
    with (
        pytest.raises(DataFileError, match=f"the input is {told}"),
        open_table(io.BytesIO(WRITTEN[written]), said),
    ):
        pass


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("latin-1", "Göran Åkesson från Västerås"),
        ("cp1252", "Straße § 5 €"),
        ("cp1252", "Tous les êtres humains"),
        ("cp1252", "Müller"),
        ("cp1251", "Иванов Пётр Сергеевич"),
        ("shift_jis", "山田太郎"),
        ("utf-16-le", "Ann"),
    ],
)
def test_the_encoding_of_old_files_is_guessed(encoding: str, name: str) -> None:
    text = "id;name;n\n" + f"1;{name};5\n" * 50

    rows = read_text(text.encode(encoding))[1]

    assert rows == [["1", name, "5"]] * 50
    assert rows == read_text(text.encode(encoding), Reading(encoding=encoding))[1]


# ruff: noqa: RUF001 (letters of other scripts are meant)
LANGUAGES = {
    "German": "Alle Menschen sind frei und gleich an Würde und Rechten geboren und sollen einander "
    "im Geiste der Brüderlichkeit begegnen",
    "French": "Tous les êtres humains naissent libres et égaux en dignité et en droits et doivent "
    "agir les uns envers les autres dans un esprit de fraternité",
    "Spanish": "Todos los seres humanos, dotados como están de razón y conciencia, deben "
    "comportarse fraternalmente; así el señor Núñez",
    "Portuguese": "Dotados de razão e de consciência, devem agir uns para com os outros em "
    "espírito de fraternidade",
    "Swedish": "Alla människor äro födda fria och lika i värde och rättigheter och böra handla "
    "gentemot varandra i en anda av broderskap",
    "Czech": "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv a mají spolu "
    "jednat v duchu bratrství",
    "Polish": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw i "
    "powinni postępować wobec innych w duchu braterstwa",
    "Hungarian": "Minden emberi lény szabadon születik és egyenlő méltósága és joga van; "
    "testvéri szellemben kell hogy viseltessenek",
    "Russian": "Все люди рождаются свободными и равными в своем достоинстве и правах и должны "
    "поступать в отношении друг друга в духе братства",
    "Turkish": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar ve birbirlerine "
    "karşı kardeşlik zihniyeti ile hareket etmelidirler",
    "Greek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα",
    "Arabic": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق",
    "Japanese": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等だ",
    "Chinese": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心",
    "Taiwanese": "人人生而自由,在尊嚴和權利上一律平等。他們賦有理性和良心",
    "Korean": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다",
}
ENCODINGS = {
    "cp1252": ["German", "French", "Spanish", "Portuguese", "Swedish"],
    "iso-8859-1": ["German", "French", "Spanish", "Portuguese", "Swedish"],
    "cp1250": ["Czech", "Polish", "Hungarian"],
    "iso-8859-2": ["Czech", "Polish", "Hungarian"],
    "cp1251": ["Russian"],
    "koi8-r": ["Russian"],
    "iso-8859-5": ["Russian"],
    "cp1254": ["Turkish"],
    "iso-8859-9": ["Turkish"],
    "cp1253": ["Greek"],
    "cp1256": ["Arabic"],
    "shift_jis": ["Japanese"],
    "euc_jp": ["Japanese"],
    "gb18030": ["Chinese"],
    "big5": ["Taiwanese"],
    "euc_kr": ["Korean"],
    "utf-16": ["German", "Russian", "Japanese"],
}


@pytest.mark.parametrize("shape", ["sentences", "words"])
@pytest.mark.parametrize(
    ("encoding", "language"), [(e, name) for e, names in ENCODINGS.items() for name in names]
)
def test_the_encoding_is_guessed_by_the_language(encoding: str, language: str, shape: str) -> None:
    texts = [LANGUAGES[language]] if shape == "sentences" else LANGUAGES[language].split()
    rows = [[str(row), text, f"{row}.5"] for row, text in enumerate(texts)]
    table = "id|name|balance\n" + "".join("|".join(row) + "\n" for row in rows)

    assert read_text(table.encode(encoding))[1] == rows


def test_a_few_words_of_russian_are_taken_for_no_rare_encoding() -> None:
    words = "муж", "жен"
    rows = "".join(f"{row};24;{word};6563\n" for row, word in enumerate(words * 2))

    assert guess_encoding(f"customer id;age;gender;income\n{rows}".encode("cp1251")) == "cp1251"


def test_text_in_another_encoding_than_said_is_refused_with_its_place() -> None:
    with pytest.raises(DataFileError, match=r"not UTF-8 text \(byte 6\)"):
        read_text(b"a,b\n1,\xe9\n", Reading(encoding="utf-8"))
    with pytest.raises(DataFileError, match=r"not UTF-8 text \(byte 300004\)"):
        read_text(b"a,b\n" + b"1,2\n" * 75_000 + b"\xe9,1\n")
    with pytest.raises(DataFileError, match="no encoding is named nonsense"):
        read_text(b"a\n", Reading(encoding="nonsense"))
    with pytest.raises(DataFileError, match="no encoding is named base64"):
        read_text(b"a\n", Reading(encoding="base64"))


def test_a_character_that_is_cut_by_a_block_is_read_whole_or_refused_in_its_place() -> None:
    def read_slowly(data: bytes) -> bytes:
        text = Utf8(Pipe(data), "utf-8")
        return b"".join(iter(lambda: text.read(100), b""))

    assert read_slowly("123456é".encode()) == "123456é".encode()
    for cut in (b"123456\xc3", b"123456\xc3("):
        with pytest.raises(UnicodeDecodeError) as refused:
            read_slowly(cut)
        assert refused.value.start == 6


@pytest.mark.parametrize(
    "written", ["csv in gzip", "csv in zstd", "parquet", "arrow file", "excel"]
)
def test_a_source_that_is_cut_off_is_refused(written: str) -> None:
    whole = WRITTEN[written]
    with pytest.raises(DataFileError, match="the input"):
        read_text(whole[: len(whole) * 2 // 3])


def test_a_source_that_is_no_text_is_refused() -> None:
    with pytest.raises(DataFileError, match="line 2 has more than 1,048,576 characters"):
        read_text(b"a\n" + bytes(32 * 2**20), Reading(format=Format.CSV, encoding="utf-8"))


@pytest.mark.parametrize("size", [2 * 2**20, 10 * 2**20, 60 * 2**20])
@pytest.mark.parametrize(
    "begin", [b'{"a": 1, "b": "', b'{"a": [', b"a,", b'"a', b"\n", b'{"a": 1}\n' * 3]
)
def test_a_line_that_is_too_long_is_told_by_its_number(begin: bytes, size: int) -> None:
    packed = gzip.compress(begin + b"[" * size, 1)
    said = f"line {begin.count(10) + 1} has more than 1,048,576 characters"

    if begin.endswith(b"}\n") and size < 16 * 2**20:  # Short enough to be written down.
        (reject,) = read_text(packed)[2]
        assert f"line {reject.line} {reject.reason.removeprefix('the line ')}" == said
    else:
        with pytest.raises(DataFileError, match=f"^the input cannot be read: {said}$"):
            read_text(packed)


@pytest.mark.parametrize(
    ("text", "said"),
    [('\n{"a": \n', "line 2 is not a JSON object"), ("{}\n{}\n", "line 1 has no names")],
)
def test_lines_of_json_without_columns_are_not_called_nothing(text: str, said: str) -> None:
    with pytest.raises(DataFileError, match=f"the input is not an NDJSON file: {said}"):
        read_text(text)


def arrow_of_zeros(codec: str | None, new: Callable[..., Any]) -> bytes:
    table = pa.table({"a": np.zeros(12_000_000)})
    sink = io.BytesIO()
    with new(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table)
    return sink.getvalue()


GROWING: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzip.compress(b"a,b\n" + b"1,2\n" * (18 << 20)),
    "zstd": lambda: pa.compress(b"a,b\n" + b"1,2\n" * (18 << 20), codec="zstd", asbytes=True),
    "arrow stream": lambda: arrow_of_zeros("zstd", pa.ipc.new_stream),
    "arrow file": lambda: arrow_of_zeros("zstd", pa.ipc.new_file),
}


@pytest.mark.parametrize("name", GROWING)
def test_a_source_that_grows_out_of_all_proportion_is_refused(name: str) -> None:
    content = GROWING[name]()

    with (
        pytest.raises(DataFileError, match="it grows over 250-fold"),
        open_table(io.BytesIO(content)) as source,
    ):
        for _ in source.blocks():
            pass


def test_a_row_without_end_is_rejected() -> None:
    _, _, rejects = read_text('a,b\n"' + '\n","' * 300_000, Reading(block_bytes=1000))

    assert "it has more than 1,048,576 characters" in rejects[0].reason
    assert len(rejects[0].fields[0]) < 2**20 + 100


def test_more_columns_than_a_table_has_are_refused() -> None:
    header = ",".join(map(str, range(16_385)))
    keys = "{" + ",".join(f'"{n}": 1' for n in range(16_385)) + "}"

    for text in (header, keys):
        with pytest.raises(DataFileError, match="has over 16,384 columns"):
            read_text(text + "\n")


def test_an_arrow_message_that_claims_rows_it_has_not_is_refused() -> None:
    body = WRITTEN["arrow stream"]
    for rows in (4, 99_999, 5_000_000, 2**62):
        with pytest.raises(DataFileError, match="the input cannot be read"):
            read_text(body.replace((3).to_bytes(8, "little"), rows.to_bytes(8, "little")))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(DataFileError, match="nothing cannot be read: No such file")
    with refused, open_table(tmp_path / "nothing"):
        pass


def test_rows_of_another_width_are_rejected_with_their_line() -> None:
    lines, rows, rejects = read_text('a,b\n1,2\n\n1,2,3\n"two\nlines",2\n4\n5,6\n')

    assert list(zip(lines, rows, strict=True)) == [
        (2, ["1", "2"]),
        (5, ["two\nlines", "2"]),
        (8, ["5", "6"]),
    ]
    assert rejects == [
        Reject(4, "", "the row must have 2 fields, as the header has, not 3", ["1", "2", "3"]),
        Reject(7, "", "the row must have 2 fields, as the header has, not 1", ["4"]),
    ]


def test_lines_are_counted_over_blank_lines_before_and_line_ends_within_the_header() -> None:
    assert read_text('\n"a\nb",c\n1,2\n')[:2] == ([4], [["1", "2"]])


def test_blank_rows_of_a_sheet_are_no_rows() -> None:
    sink = io.BytesIO()
    with xlsxwriter.Workbook(sink) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([[], ["a", "b"], [1, 2], [], [None, 4]]):
            sheet.write_row(number, 0, row)

    assert read_text(sink.getvalue())[:2] == ([3, 5], [["1", "2"], ["", "4"]])


def test_a_row_with_stray_quotes_is_rejected_and_the_next_is_read() -> None:
    lines, rows, (reject,) = read_text('a,b\n"x"y,2\n3,4\n')

    assert (lines, rows) == ([3], [["3", "4"]])
    assert (reject.line, reject.fields) == (2, ['"x"y,2\n'])
    after = "after a closing quote comes neither a delimiter nor the line's end"
    assert reject.reason == f"the row cannot be read as CSV: {after}"


def test_a_line_that_is_no_json_object_is_rejected() -> None:
    lines, rows, rejects = read_text('{"a": 1}\n[2]\n\n{"a": 3}\n{"a": \n')

    assert (lines, rows) == ([1, 4], [["1"], ["3"]])
    assert [(reject.line, reject.fields) for reject in rejects] == [(2, ["[2]"]), (5, ['{"a": '])]


def test_json_values_of_several_types_are_read_as_texts() -> None:
    rows = read_text('{"a": 1, "b": true}\n{"a": "x", "b": 0}\n{"a": null, "c": 1}\n')[1]

    assert rows == [["1", "true", ""], ["x", "0", ""], ["", "", "1"]]


def test_a_query_on_another_database_is_a_table(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "bank.db") as database:
        database.execute("CREATE TABLE people (id, name, balance, at)")
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ':30')", ROWS)
    database.close()
    query = Query(
        f"sqlite:///{tmp_path / 'bank.db'}",
        "SELECT id, name, balance FROM people WHERE at = ':30' ORDER BY id",
    )

    with open_table(query) as source:
        assert source.columns == COLUMNS
        lines, rows, _ = all_rows(source)

    assert (lines, rows) == ([1, 2, 3], TEXTS)


@pytest.mark.postgres
def test_a_query_on_postgresql_is_a_table() -> None:
    require_postgres()
    sql = "SELECT g::int AS id, '50%' AS note, 1.50::numeric AS amount, now()::date AS day"
    with postgres_database() as name:
        query = Query(f"{POSTGRES}/{name}", f"{sql} FROM generate_series(1, 3) AS g")
        with open_table(query) as source:
            rows = all_rows(source)[1]

    assert [row[:3] for row in rows] == [[str(n), "50%", "1.50"] for n in (1, 2, 3)]
    assert dt.date.fromisoformat(rows[0][3])


@pytest.mark.parametrize(
    ("url", "sql", "complaint"),
    [
        ("sqlite://", "SELECT * FROM nobody", "no such table: nobody"),
        ("nothing", "SELECT 1", "names no database"),
        ("marble://host/x", "SELECT 1", "names no database"),
        ("sqlite:////nowhere/at/all.db", "SELECT 1", "there is no file /nowhere/at/all.db"),
        ("oracle://host/x", "SELECT 1", "needs the Python module oracledb"),
    ],
)
def test_a_query_that_cannot_run_is_refused(url: str, sql: str, complaint: str) -> None:
    with pytest.raises(DataFileError, match=complaint), open_table(Query(url, sql)):
        pass


def test_columns_that_are_not_wanted_are_left_out_and_rejects_still_show_them() -> None:
    with open_table(io.BytesIO(b"a,b,c\n1,2,3\n")) as source:
        (block,) = source.blocks(["b"])

    assert block.table.column_names == ["b"]
    assert block.fields([0]) == [["1", "2", "3"]]


FIELD = st.text(st.sampled_from('ab1 ,;"\n\r\t\0é\u2028\x1c'), max_size=4)


@given(
    rows=st.lists(st.lists(FIELD, min_size=1, max_size=4), max_size=12),
    raw=st.lists(st.text(st.sampled_from('a,"\n\r '), max_size=12), max_size=3),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    block_bytes=st.integers(1, 60),
)
def test_blocks_of_any_size_hold_what_the_csv_module_reads(
    rows: list[list[str]], raw: list[str], line_end: str, block_bytes: int
) -> None:
    sink = io.StringIO(newline="")
    csv.writer(sink, lineterminator=line_end).writerows([["x", "y"], *rows])
    text = sink.getvalue() + line_end.join(raw)

    lines, found, rejects = read_text(
        text, Reading(delimiter=",", encoding="utf-8", block_bytes=block_bytes)
    )

    assert (lines, found, rejects) == _read_by_csv_module(text)


@given(text=st.text(st.sampled_from("a1,\n\r \0é"), max_size=60), width=st.integers(1, 3))
def test_a_plain_block_is_split_as_the_csv_module_splits_it(text: str, width: int) -> None:
    text = ",".join("xyz"[:width]) + "\n" + text

    lines, found, rejects = read_text(text, Reading(delimiter=",", encoding="utf-8"))

    assert (lines, found, rejects) == _read_by_csv_module(text)


def _read_by_csv_module(text: str) -> Rows:
    taken: list[str] = []

    def feed() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            taken.append(line)
            yield line

    reader = csv.reader(feed(), strict=True)
    width = len(next(reader))
    lines: list[int] = []
    rows: list[list[str]] = []
    rejects: list[Reject] = []
    while True:
        line = len(taken) + 1
        try:
            fields = next(reader)
        except StopIteration:
            return lines, rows, rejects
        except csv.Error as error:
            rest = ["".join(taken[line - 1 :])]
            reason = f"the row cannot be read as CSV: {fault_of(error)}"
            rejects.append(Reject(line, "", reason, rest))
            continue
        if len(fields) == width:
            lines.append(line)
            rows.append(fields)
        elif fields:
            reason = f"the row must have {width} fields, as the header has, not {len(fields)}"
            rejects.append(Reject(line, "", reason, fields))


def test_plain_blocks_take_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(CsvReader, "_split_exactly")
    reader = CsvReader(Lines(io.BytesIO(b"a,b\r\n1,x\r\n2,y")), ",", lambda: 0)

    block = reader.next_block(None)

    assert block is not None
    assert block.fields([0, 1]) == [["1", "x"], ["2", "y"]]


@pytest.mark.parametrize(
    ("head", "row"), [(b"a,b\n", b"1,2\n"), (b"a,b\n", b'"1","2"\n'), (b"", b'{"a": 1}\n')]
)
def test_a_table_without_end_is_read_block_by_block(head: bytes, row: bytes) -> None:
    class Endless:
        def __init__(self) -> None:
            self._rest = head

        def read(self, size: int, /) -> bytes:
            self._rest += row * (size // len(row) + 1)
            found, self._rest = self._rest[:size], self._rest[size:]
            return found

    with open_table(Endless(), Reading(block_bytes=1000)) as source:
        blocks = source.blocks()
        first, second = next(blocks), next(blocks)

    assert second.lines[0] == first.lines[-1] + 1
    assert second.position > first.position > 0
