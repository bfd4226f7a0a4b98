"""A table that is drawn from a random schema gives back its kinds, its ids and what is missing."""

import random
import string
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from customer_segmentation.domain.attributes import IdType, Kind, Missing
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.schema_file import parse_schema_file
from customer_segmentation.services.schema.report import write_inference
from tests.support.inferring import infer_text, taken_as

ROWS = 120
MISSING = ["", "NA", "N/A", "null", "unknown", "?"]
IDS = {"customer_id": "{}", "CUST_ID": "C{:05}", "customerID": "{:04}-XY", "Client Number": "{:06}"}
UNFIT = {"nan", "nat", "null", "unknown", "unspecified", "undefined", "true", "false"}
"""Words that mean something else than a category."""

WORDS = st.lists(
    st.text(string.ascii_letters, min_size=3, max_size=9)
    .map(str.lower)
    .filter(lambda word: word not in UNFIT),
    min_size=3,
    max_size=8,
    unique=True,
)


@dataclass(frozen=True)
class Drawn:
    """A column: its header, kind and values, of which some mean that it is missing."""

    header: str
    kind: Kind
    values: tuple[str, ...]
    missing: str | None


@st.composite
def columns(draw: st.DrawFn, place: int) -> Drawn:
    kind = draw(st.sampled_from([Kind.BINARY, Kind.NOMINAL, Kind.COUNT, Kind.AMOUNT]))
    chance = random.Random(draw(st.integers(0, 10**6)))
    values: list[str]
    match kind:
        case Kind.BINARY:
            two = draw(
                st.sampled_from([("yes", "no"), ("0", "1"), ("True", "False"), ("on", "off")])
            )
            values = [two[n % 2] for n in range(ROWS)]
        case Kind.NOMINAL:
            words = draw(WORDS)
            values = [words[n % len(words)] for n in range(ROWS)]
        case Kind.COUNT:
            most = draw(st.integers(20, 400))
            values = [str(chance.randint(0, most)) for _ in range(ROWS)]
        case _:
            size = draw(st.sampled_from([10, 1000, 100_000]))
            point = draw(st.sampled_from([".", ","]))
            values = [
                f"{chance.uniform(-1, 1) * size:.2f}".replace(".", point) for _ in range(ROWS)
            ]
            values[0] = f"1{point}25"
    missing = draw(st.none() | st.sampled_from(MISSING))
    chance.shuffle(values)
    if missing is not None:
        values = [missing if chance.random() < 0.2 else value for value in values]
        values[5] = missing
    header = draw(st.text(string.ascii_lowercase, min_size=3, max_size=8))
    return Drawn(f"x{header}_{'abcdefgh'[place]}q", kind, tuple(values), missing)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str | None, list[Drawn]]:
    id_ = draw(st.none() | st.sampled_from([*IDS]))
    return id_, [draw(columns(place)) for place in range(draw(st.integers(2, 6)))]


@settings(max_examples=60)
@given(table=tables(), delimiter=st.sampled_from([";", "\t", "|"]))
def test_a_drawn_table_gives_back_kinds_ids_and_missing(
    table: tuple[str | None, list[Drawn]], delimiter: str
) -> None:
    id_, drawn = table
    names = [] if id_ is None else [id_]
    headers = [*names, *(column.header for column in drawn)]
    rows = [
        [*(IDS[name].format(n + 1) for name in names), *(column.values[n] for column in drawn)]
        for n in range(ROWS)
    ]
    text = "".join(delimiter.join(row) + "\n" for row in [headers, *rows])

    with TemporaryDirectory() as folder:
        found = infer_text(Path(folder), text)

    kinds = {column.header: column.kind for column in drawn}
    assert {name: told for name, told in taken_as(found).items() if name != id_} == kinds
    assert found.source.numbered is (id_ is None)
    if id_ is not None:
        is_integer = IDS[id_] == "{}"
        assert found.schema.id.record_name == id_
        assert found.schema.id.type is (IdType.INTEGER if is_integer else IdType.TEXT)
    for column, attribute in zip(drawn, found.schema.attributes, strict=True):
        is_missing = column.missing is not None
        assert attribute.missing is (Missing.ALLOWED if is_missing else Missing.REFUSED)
        if is_missing:
            assert column.missing in found.schema.missing_values
            told = found.reasons[attribute.name]
            number = column.values.count(str(column.missing))
            assert any(reason.startswith(f"{number} missing (") for reason in told)
    assert found.fitting == 1
    assert parse_schema_file(write_inference(found, ["x"]), "x") == (found.schema, found.source)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters='\0\r"'), max_size=12)
FIELDS = st.one_of(
    TEXTS,
    st.integers(-(10**18), 10**18).map(str),
    st.floats(allow_nan=True).map(str),
    st.sampled_from(["", "NA", "1e308", "-0", "1,5", "$5", "2024-02-30", "true", "x" * 300, "٣"]),
)


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_a_table_holds_it_gets_a_schema_that_reads_back_or_is_refused(
    data: st.DataObject,
) -> None:
    width = data.draw(st.integers(1, 5))
    headers = data.draw(st.lists(TEXTS, min_size=width, max_size=width))
    choices = [data.draw(st.lists(FIELDS, min_size=1, max_size=30)) for _ in range(width)]
    chance = random.Random(data.draw(st.integers(0, 10**6)))
    number = data.draw(st.integers(0, 60))
    rows = [[chance.choice(column) for column in choices] for _ in range(number)]
    text = "".join(",".join(f'"{field}"' for field in row) + "\n" for row in [headers, *rows])

    with TemporaryDirectory() as folder:
        try:
            found = infer_text(Path(folder), text)
        except DataFileError:
            return

    assert parse_schema_file(write_inference(found, ["x"]), "x") == (found.schema, found.source)
