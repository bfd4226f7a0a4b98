"""Tables of the sort that people have get a sound schema, which reads nearly all rows."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from xlsxwriter import Workbook

from customer_segmentation.domain.attributes import IdType
from tests.support.inferring import infer_file, read_by_schema, taken_as

ROWS = 600
Random = np.random.Generator


def day(random: Random, first: dt.date, days: int) -> dt.date:
    return first + dt.timedelta(days=int(random.integers(0, days)))


def write_hotel(path: Path, random: Random) -> None:
    """Guests of a hotel, with dates of birth and remarks."""
    lines = [
        "guest_no,last_name,date_of_birth,nationality,nights,room,revenue_eur,last_stay,remarks"
    ]
    for n in range(ROWS):
        born = day(random, dt.date(1935, 1, 1), 25_000).strftime("%d.%m.%Y")
        born = "" if random.random() < 0.05 else born
        last = day(random, dt.date(2024, 1, 1), 700).strftime("%d.%m.%Y")
        country = random.choice(["DE", "AT", "CH", "IT"])
        room = random.choice(["Single", "Double", "Suite"])
        fields = [f"G-{n:05}", f"Name{n}", born, country, str(random.poisson(3)), room]
        fields += [f"{random.lognormal(6, 1):.2f}", last, f'"asked for window {n}, twice, late"']
        lines.append(",".join(fields))
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def write_shop(path: Path, random: Random) -> None:
    """Customers of an e-shop: Latin-1, semicolons, decimal commas, a percent sign."""
    lines = ["Kundennummer;Anrede;Ort;Umsatz;Bestellungen;Retourenquote;Zahlungsart;gekündigt"]
    for n in range(ROWS):
        spent = f"{random.lognormal(6, 1.1):,.2f}".translate(str.maketrans(",.", ".,"))
        fields = [str(100_001 + n), random.choice(["Herr", "Frau"])]
        fields += [random.choice(["Köln", "München", "Zürich", "Graz"])]
        fields += ["" if random.random() < 0.04 else spent, str(random.poisson(4) + 1)]
        fields += [f"{random.integers(0, 60)} %", random.choice(["Rechnung", "PayPal", "Karte"])]
        lines.append(";".join([*fields, random.choice(["nein", "ja"], p=[0.85, 0.15])]))
    path.write_bytes("\r\n".join([*lines, ""]).encode("latin-1"))


def write_gym(path: Path, random: Random) -> None:
    """Members of a gym: ids with umlauts and leading zeros, a euro sign, question marks."""
    lines = ["Mitglied\tTarif\tBesuche pro Monat\tAlter\tGeschlecht\tBeitrag\tzuletzt"]
    for n in range(ROWS):
        age = "?" if random.random() < 0.05 else str(random.integers(16, 80))
        paid = f"{random.choice([19.9, 29.9, 49.9]):.2f} €".replace(".", ",")
        fields = [f"0{n:04}-{random.choice(['Mü', 'Öz', 'ß'])}"]
        fields += [random.choice(["Basis", "Plus", "Prämie"]), str(random.poisson(6)), age]
        fields += [random.choice(["m", "w", "d"], p=[0.5, 0.48, 0.02]), paid]
        lines.append("\t".join([*fields, day(random, dt.date(2025, 1, 1), 300).isoformat()]))
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def write_insurer(path: Path, random: Random) -> None:
    """Policyholders in a workbook, whose header stands below a title."""
    book = Workbook(path)
    sheet = book.add_worksheet("Kunden")
    sheet.write(0, 0, "Policyholders of the North region, as of 31 December 2025")
    header = ["Policyholder ID", "Year of birth", "Premium", "Claims", "Region", "Legal cover"]
    for place, name in enumerate([*header, "Score of model X"]):
        sheet.write(2, place, name)
    for n in range(ROWS):
        row: list[object] = [f"P{n:06}", int(random.integers(1940, 2005))]
        row += [None if random.random() < 0.03 else round(float(random.lognormal(6, 0.5)), 2)]
        row += [int(random.poisson(0.9)), str(random.choice(["North", "South", "East"]))]
        row += [bool(random.random() < 0.3), round(float(random.random()), 4)]
        for place, value in enumerate(row):
            if value is not None:
                sheet.write(3 + n, place, value)
    book.close()


def accounts(random: Random) -> list[dict[str, object]]:
    """Accounts of a software: nulls, booleans, values within values, -1 for never."""
    return [
        {
            "account": f"acc_{n:04x}",
            "active": None if random.random() < 0.05 else bool(random.random() < 0.7),
            "seats": int(random.integers(1, 200)),
            "plan": str(random.choice(["free", "team", "enterprise"])),
            "revenue": None if random.random() < 0.1 else round(float(random.lognormal(4, 1)), 2),
            "owner": {"name": f"n{n}", "mail": None},
            "signed_up": day(random, dt.date(2020, 1, 1), 1_500),
            "days_since_login": -1 if random.random() < 0.3 else int(random.integers(0, 90)),
        }
        for n in range(ROWS)
    ]


def write_ndjson(path: Path, random: Random) -> None:
    rows = accounts(random)
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))


def write_parquet(path: Path, random: Random) -> None:
    pq.write_table(pa.Table.from_pylist(accounts(random)), path)


@dataclass(frozen=True)
class Expected:
    """What a person says of a table: what each column is, whose share is missing, names of its own.

    `names` are record names of attributes that no column holds as they are.
    """

    write: Callable[[Path, Random], None]
    id_type: IdType
    columns: Mapping[str, str]
    missing: frozenset[str]
    protected: frozenset[str]
    names: Mapping[str, str]
    unscored: str = ""


ACCOUNTS = {
    "account": "id",
    "active": "binary",
    "seats": "count",
    "plan": "nominal",
    "revenue": "amount",
    "owner": "left out",
    "signed_up": "count",
    "days_since_login": "count",
}

TABLES = {
    "hotel.csv": Expected(
        write_hotel,
        IdType.TEXT,
        {
            "guest_no": "id",
            "last_name": "left out",
            "date_of_birth": "count",
            "nationality": "nominal",
            "nights": "count",
            "room": "nominal",
            "revenue_eur": "amount",
            "last_stay": "count",
            "remarks": "left out",
        },
        frozenset({"date_of_birth"}),
        frozenset({"date_of_birth", "nationality"}),
        {"date_of_birth": "age", "last_stay": "days since last_stay"},
    ),
    "shop.csv": Expected(
        write_shop,
        IdType.INTEGER,
        {
            "Kundennummer": "id",
            "Anrede": "binary",
            "Ort": "nominal",
            "Umsatz": "amount",
            "Bestellungen": "count",
            "Retourenquote": "count",
            "Zahlungsart": "nominal",
            "gekündigt": "unused binary",
        },
        frozenset({"Umsatz"}),
        frozenset({"Anrede"}),
        {},
    ),
    "gym.tsv": Expected(
        write_gym,
        IdType.TEXT,
        {
            "Mitglied": "id",
            "Tarif": "nominal",
            "Besuche pro Monat": "count",
            "Alter": "count",
            "Geschlecht": "nominal",
            "Beitrag": "amount",
            "zuletzt": "count",
        },
        frozenset({"Alter"}),
        frozenset({"Alter", "Geschlecht"}),
        {"zuletzt": "days since zuletzt"},
    ),
    "insurer.xlsx": Expected(
        write_insurer,
        IdType.TEXT,
        {
            "Policyholder ID": "id",
            "Year of birth": "count",
            "Premium": "amount",
            "Claims": "count",
            "Region": "nominal",
            "Legal cover": "binary",
            "Score of model X": "unused amount",
        },
        frozenset({"Premium"}),
        frozenset({"Year of birth"}),
        {"Year of birth": "age"},
    ),
    "accounts.ndjson": Expected(
        write_ndjson,
        IdType.TEXT,
        ACCOUNTS,
        frozenset({"active", "revenue"}),
        frozenset(),
        {"signed_up": "days since signed_up"},
        "days_since_login",
    ),
    "accounts.parquet": Expected(
        write_parquet,
        IdType.TEXT,
        ACCOUNTS,
        frozenset({"active", "revenue"}),
        frozenset(),
        {"signed_up": "days since signed_up"},
        "days_since_login",
    ),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("tables")

    @cache
    def write(name: str) -> Path:
        TABLES[name].write(folder / name, np.random.default_rng(20_261_128))
        return folder / name

    return write


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_sort_that_people_have_gets_a_sound_schema(
    name: str, written: Callable[[str], Path]
) -> None:
    expected = TABLES[name]

    found = infer_file(written(name))

    assert taken_as(found) == expected.columns
    assert found.schema.id.type is expected.id_type
    entries = found.source.mapping(found.schema).entries
    by_header = {entries[a.name].column: a for a in found.schema.attributes}
    assert {h for h, a in by_header.items() if a.protected} == expected.protected
    unscored = {h: a.unscored for h, a in by_header.items() if a.unscored is not None}
    assert unscored == ({expected.unscored: -1} if expected.unscored else {})
    for header, attribute in by_header.items():
        assert attribute.record_name == expected.names.get(str(header), header)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_sort_that_people_have_is_read_by_its_schema(
    name: str, written: Callable[[str], Path]
) -> None:
    found = infer_file(written(name))

    read = read_by_schema(found, written(name))

    assert len(read.ids) >= 0.95 * ROWS
    assert len(set(read.ids)) == len(read.ids)
    entries = found.source.mapping(found.schema).entries
    missing = {
        entries[attribute.name].column
        for place, attribute in enumerate(found.schema.attributes)
        if np.isnan(read.values[:, place]).any()
    }
    assert missing == TABLES[name].missing


def test_ids_are_those_of_the_file_to_the_letter(written: Callable[[str], Path]) -> None:
    path = written("gym.tsv")
    lines = path.read_text(encoding="utf-8").splitlines()[1:]

    read = read_by_schema(infer_file(path), path)

    assert read.ids == [line.partition("\t")[0] for line in lines]
