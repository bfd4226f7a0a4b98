"""The commands import, export and score, on real files and a real database."""

import csv
import io
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.cli.main import app
from customer_segmentation.domain.control_groups import ControlGroup
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.map.mapping_file import format_mapping
from customer_segmentation.files.write.audience import hashed_id
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from tests.support.files import BANK, TRANSACTIONS, mend
from tests.support.shipped import FEATURES
from tests.support.shipped import SHIPPED as SCHEMA

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parents[1] / "data"
SHIPPED = (ROOT / "cleaned main dataset.csv").read_text().splitlines(keepends=True)


@pytest.fixture(autouse=True)
def bank(loaded_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, whose bank.db holds the shipped customers."""
    shutil.copy(loaded_sqlite, tmp_path / "bank.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'bank.db'}")
    return tmp_path


@pytest.fixture
def units(bank: Path) -> UnitsOfWork:
    """Units of work over the bank's database."""
    return units_over(f"sqlite:///{bank / 'bank.db'}")


def run(*arguments: object, given: bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_an_import_that_stored_nothing_does_not_advise_to_repeat_it(bank: Path) -> None:
    (bank / "other.csv").write_text(SHIPPED[0].replace("Email", "E-mail") + SHIPPED[1])
    (bank / "mapping.toml").write_text(
        format_mapping(SCHEMA, ColumnMapping.by_record_names(SCHEMA))
    )

    result = run("import", "other.csv", "--mapping", "mapping.toml")

    assert result.exit_code == ExitCode.FAILED
    assert "other.csv: nothing is stored\n" in result.stderr
    assert "lacks" in result.stderr
    assert "again" not in result.stderr


def test_an_import_of_a_damaged_file_tells_what_is_stored_and_to_fix_it(bank: Path) -> None:
    rows = "".join(SHIPPED[1:] * 4)
    (bank / "cut.csv").write_text(SHIPPED[0] + rows + "9" * (40 * 2**20))

    result = run("import", "cut.csv")

    told = " ".join(result.stderr.split())
    assert result.exit_code == ExitCode.FAILED
    assert re.search(
        r"cut.csv: [\d,]+ customers stored, the others are as before. Fix it and import it whole "
        r"again",
        told,
    )
    assert "has more than 1,048,576 characters" in told


def test_files_are_imported_and_what_is_refused_can_be_mended(bank: Path) -> None:
    new, wrong = SHIPPED[1].replace("1,24", "50001,24", 1), SHIPPED[2].replace("2,31", "2,131", 1)
    (bank / "new.csv").write_text("".join([SHIPPED[0], new, wrong, SHIPPED[3]]))

    first = run("import", "new.csv")
    rejects = Path("new.rejects.csv").read_text()
    Path("new.rejects.csv").write_text(rejects.replace(",131,", ",33,"))
    second = run("import", "--json", "new.rejects.csv")

    assert first.exit_code == 7
    assert first.stdout == "new.csv: 1 added, 0 changed, 1 unchanged, 0 removed\n"
    assert "1 row of new.csv not taken: see new.rejects.csv" in first.stderr
    assert rows_of(rejects)[0]["column"] == "age"
    assert second.exit_code == 0
    assert json.loads(second.stdout) == {
        "new.rejects.csv": {
            "added": 0,
            "changed": 1,
            "unchanged": 0,
            "removed": 0,
            "rejected": 0,
            "erased": 0,
            "filled": {},
            "without_transactions": 0,
            "refused_transactions": 0,
            "differing": [],
        }
    }


def test_standard_input_is_imported() -> None:
    result = run("import", "-", "--mode", "insert", given="".join(SHIPPED[:10]).encode())

    assert result.stdout == "the input: 0 added, 0 changed, 9 unchanged, 0 removed\n"


def test_a_dry_run_changes_nothing(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{bank / 'own.db'}")
    (bank / "all.csv").write_text("".join(SHIPPED[:41]))
    run("import", "all.csv")
    (bank / "all.csv").write_text("".join(SHIPPED[:2]))

    told = run("import", "all.csv", "--mode", "replace", "--dry-run")

    assert told.stdout == (
        "all.csv: 0 would be added, 0 would be changed, 1 unchanged, 39 would be removed\n"
    )
    assert run("import", "all.csv", "--mode", "replace").exit_code == 0
    assert run("export").stderr == "1 customer written\n"


@pytest.mark.parametrize("name", ["card_customers", "marketing_customers"])
def test_a_foreign_table_is_mapped_by_a_guess_that_a_person_completes(
    name: str,
) -> None:
    table = DATA / f"{name}.csv"

    unmapped = run("import", table)
    guessed = run("import", "--infer", table).stdout
    Path("mapping.toml").write_text(guessed.replace('# column = "…"\n# default = …', "default = 0"))
    imported = run("import", table, "--mapping", "mapping.toml", "--json")

    assert unmapped.exit_code == 1
    assert "import --infer" in unmapped.stderr
    outcome = json.loads(imported.stdout)[str(table)]
    assert outcome["added"] + outcome["changed"] + outcome["rejected"] == 60, imported.stderr
    assert outcome["added"] + outcome["changed"] > 40


def test_attributes_are_added_up_from_transactions(bank: Path) -> None:
    names = SHIPPED[0].rstrip().split(",")
    kept = [names.index(name) for name in names if not name.startswith(("total_", "trans"))]
    rows = [row.rstrip().split(",") for row in SHIPPED[:3]]
    (bank / "people.csv").write_text("".join(",".join(r[i] for i in kept) + "\n" for r in rows))
    (bank / "moves.csv").write_text(
        "customer id,date,amount,type\n1,2025-12-31,900,credit\n1,2026-01-01,12.5,debit\n"
        "1,2026-01-02,0.25,debit\n2,2026-01-03,7,deposit\n2,2026-02-01,x,deposit\n"
    )

    result = run(
        "import",
        "people.csv",
        "--transactions",
        "moves.csv",
        "--since",
        "2026-01-01",
        "--until",
        "2026-02-01",
    )

    assert "1 transaction not counted: see moves.rejects.csv" in result.stderr
    assert result.stdout == "people.csv: 0 added, 2 changed, 0 unchanged, 0 removed\n"
    one, two = rows_of(run("export").stdout)[:2]
    derived = ("total_withdrawals", "total_deposits", "transaction_count")
    assert [one[name] for name in derived] == ["12.75", "0", "2"]
    assert [two[name] for name in derived] == ["0", "7", "1"]


def without_totals(rows: list[str]) -> str:
    """Return a table without what transactions tell."""
    names = SHIPPED[0].rstrip().split(",")
    kept = [names.index(name) for name in names if not name.startswith(("total_", "trans"))]
    cells = [row.rstrip().split(",") for row in rows]
    return "".join(",".join(row[place] for place in kept) + "\n" for row in cells)


def totals_of(customer_id: int) -> list[str]:
    """Return what is stored of a customer's transactions."""
    found = {row["customer id"]: row for row in rows_of(run("export").stdout)}[str(customer_id)]
    return [found[n] for n in ("total_withdrawals", "total_deposits", "transaction_count")]


@pytest.mark.parametrize(
    ("moves", "told"),
    [
        ("1,5,debit\n1,50,Transfer", "1 transaction not counted"),
        ("1,50,Transfer", "1 customer among them, as a transaction of the customer is refused"),
        ("999999,50,debit", "1 transaction of moves.csv for nobody who was imported"),
        ("999999,50,debit", "1 customer without transactions"),
    ],
    ids=["one that is refused", "one that is refused and no other", "those of nobody", "none"],
)
def test_totals_that_are_known_are_not_replaced_by_what_was_not_read(
    bank: Path, moves: str, told: str
) -> None:
    before = totals_of(1)
    (bank / "people.csv").write_text(without_totals(SHIPPED[:2]))
    (bank / "moves.csv").write_text(f"customer_id,amount,type\n{moves}\n")

    result = run("import", "people.csv", "--transactions", "moves.csv", "--json")

    assert result.exit_code == 7
    assert told in result.stderr
    assert ("without transactions" in result.stderr) == ("999999" in moves)
    assert totals_of(1) == before
    refused, unused = ("Transfer" in moves, "999999" in moves)
    outcome = json.loads(result.stdout)
    assert outcome["moves.csv"] == {"rejected": refused, "unused": unused}
    assert outcome["people.csv"]["rejected"] == refused


@pytest.mark.parametrize(("amount", "code"), [("5", 0), ("five", 7)], ids=["well", "refused"])
def test_who_has_transactions_but_outside_the_period_has_none_in_it(
    bank: Path, amount: str, code: int
) -> None:
    (bank / "people.csv").write_text(without_totals(SHIPPED[:2]))
    (bank / "moves.csv").write_text(f"customer_id,amount,type,date\n1,{amount},debit,2025-01-01\n")

    result = run("import", "people.csv", "--transactions", "moves.csv", "--since", "2026-01-01")

    assert result.exit_code == code
    assert "without transactions" not in result.stderr
    assert totals_of(1) == ["0", "0", "0"]


def test_a_default_is_for_who_is_new_where_no_column_tells(bank: Path) -> None:
    new = SHIPPED[1].replace("1,24", "50001,24", 1)
    (bank / "people.csv").write_text(without_totals([SHIPPED[0], SHIPPED[1], new]))
    mapping = re.sub(
        r'# column = "…"\n# default = …',
        "default = 0",
        run("import", "--infer", "people.csv").stdout,
    )
    (bank / "mapping.toml").write_text(mapping)
    before = totals_of(1)

    result = run("import", "people.csv", "--mapping", "mapping.toml")

    assert result.exit_code == 0
    assert "No column tells total_deposit_amount" in result.stderr
    assert totals_of(1) == before
    assert totals_of(50001) == ["0", "0", "0"]


def test_a_default_for_a_column_that_the_table_lacks_fills_nothing(bank: Path) -> None:
    mapping = run("import", "--infer", ROOT / "cleaned main dataset.csv").stdout
    (bank / "mapping.toml").write_text(
        mapping.replace('column = "Email"', 'column = "Email"\ndefault = 0')
    )
    (bank / "renamed.csv").write_text("".join(SHIPPED[:3]).replace("Email", "E-mail"))
    (bank / "empty.csv").write_text(SHIPPED[0] + re.sub(r"((\d+,){8})\d+,", r"\1,", SHIPPED[1]))

    renamed = run("import", "renamed.csv", "--mapping", "mapping.toml")
    empty = run("import", "empty.csv", "--mapping", "mapping.toml", "--json")

    assert (renamed.exit_code, renamed.stdout) == (1, "")
    assert "lacks these columns: Email" in renamed.stderr
    assert sum(json.loads(empty.stdout)["empty.csv"]["filled"].values()) >= 0


@pytest.mark.parametrize(
    "query",
    [
        "create table stolen (x)",
        "delete from customers returning *",
        "insert into customers select * from customers returning *",
        "attach 'other.db' as other",
        "vacuum into 'other.db'",
        "pragma query_only = off",
        "drop table customers",
    ],
)
def test_a_query_only_reads(bank: Path, query: str) -> None:
    shutil.copy("bank.db", "other-bank.db")
    before = (bank / "other-bank.db").read_bytes()

    result = run("import", "--from", "sqlite:///other-bank.db", query, "--dry-run")

    assert result.exit_code == 1, result.output
    assert "cannot be run" in result.stderr or "only reads" in result.stderr
    assert (bank / "other-bank.db").read_bytes() == before
    assert not (bank / "other.db").exists()


@pytest.mark.parametrize("salt", ["", "  "])
@pytest.mark.parametrize("by", ["option", "variable"])
def test_an_empty_salt_is_refused(
    bank: Path, monkeypatch: pytest.MonkeyPatch, salt: str, by: str
) -> None:
    option = ["--audience-salt", salt] if by == "option" else []
    if by == "variable":
        monkeypatch.setenv("CUSTOMER_SEGMENTATION_AUDIENCE_SALT", salt)

    result = run("export", *option, "-o", "audience.csv")

    assert result.exit_code == 2
    assert "salt is empty" in result.stderr
    assert not (bank / "audience.csv").exists()


def test_people_without_ids_cannot_be_customers(bank: Path) -> None:
    (bank / "mapping.toml").write_text(re.sub(r"\[customer_id\]\n(.+\n)*", "", mend()))
    (bank / "bank.csv").write_text(BANK)

    result = run("import", "bank.csv", "--mapping", "mapping.toml")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "The mapping has no entries for customer_id" in result.stderr


def test_a_delimiter_is_one_character() -> None:
    assert run("import", "a.csv", "--delimiter", ";;").exit_code == 2


def test_two_files_cannot_both_be_everybody() -> None:
    result = run("import", "a.csv", "b.csv", "--mode", "replace")

    assert result.exit_code == 2
    assert "replace takes one file" in result.stderr


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.ndjson", "out.xlsx"])
def test_an_export_imported_again_changes_nobody(name: str) -> None:
    for wrong in ("customer_count=1", "age=nan", "age=1e999", "age"):
        assert run("export", "--max", wrong).exit_code == 2
    assert run("export", "--segment", 99).exit_code == 6

    written = run("export", "--segment", 2, "--min", "monthly_income=30000", "-o", name)
    again = run("import", name, "--json")

    count = int(written.stderr.split()[0])
    assert json.loads(again.stdout)[name]["unchanged"] == count > 100


def test_an_export_tells_segment_confidence_and_strategy(units: UnitsOfWork) -> None:
    found = rows_of(run("export", "--segment", 1, "--max", "age=20").stdout)

    serving = units.serving
    values = np.array([[float(row[f.record_name]) for f in FEATURES] for row in found])
    assessment = serving.assigner.assess(values)
    assert len(found) > 10
    assert {row["segment"] for row in found} == {"Value-Driven Frequent Users"}
    assert {row["strategy"] for row in found} == {"Build loyalty to reduce churn"}
    assert (assessment.segments == 1).all()
    assert values[:, 0].max() <= 20
    assert [float(row["confidence"]) for row in found] == assessment.confidence.tolist()


def test_a_campaign_holds_out_the_same_customers_in_every_export() -> None:
    split = ("--holdout", 20, "--split", "spring")
    run("export", "--segment", 3, *split, "-o", "campaign.parquet")
    run("export", "--segment", 3, *split, "--audience-salt", "s3", "-o", "audience.csv")

    campaign = pq.read_table("campaign.parquet").to_pylist()
    treated = [row["customer id"] for row in campaign if row["group"] == "treatment"]
    control = ControlGroup("spring", 20)
    assert 0.17 < 1 - len(treated) / len(campaign) < 0.23
    assert all(
        (row["group"] == "holdout") == control.holdouts(np.array([row["customer id"]]))[0]
        for row in campaign[:50]
    )
    assert [row["hashed_id"] for row in rows_of(Path("audience.csv").read_text())] == [
        hashed_id(str(customer_id), "s3") for customer_id in treated
    ]


def test_a_file_is_scored_without_touching_the_database(bank: Path, units: UnitsOfWork) -> None:
    before = (bank / "bank.db").read_bytes()
    run("export", "--min", "age=80", "-o", "people.parquet")

    scored = run("score", "people.parquet", "--explain", "-o", "segments.csv")

    assert scored.stderr.endswith("people segmented\n")
    found = rows_of(Path("segments.csv").read_text())
    people = pq.read_table("people.parquet").to_pylist()
    assert [row["cluster_num"] for row in found] == [str(row["cluster_num"]) for row in people]
    values = np.array([[person[f.record_name] for f in FEATURES] for person in people])
    distances = units.serving.assigner.distances(values)
    assert [float(row["distance_2"]) for row in found] == distances[:, 2].tolist()
    assert all(row["because"] for row in found)
    assert (bank / "bank.db").read_bytes() == before


def test_a_table_unlike_what_the_model_was_trained_on_is_told(bank: Path) -> None:
    header, *rows = SHIPPED
    place = header.split(",").index("income/month")
    others = []
    for row in rows[:2_000]:
        fields = row.split(",")
        fields[place] = str(int(float(fields[place])) * 40)
        others.append(",".join(fields))
    (bank / "others.csv").write_text(header + "".join(others))
    (bank / "alike.csv").write_text(header + "".join(rows[:2_000]))

    other = run("score", "others.csv", "-o", "others.segments.csv")
    alike = run("score", "alike.csv", "-o", "alike.segments.csv")
    imported = run("import", "others.csv", "--dry-run", "--json")

    told = "others.csv is unlike what the active model was trained on: monthly_income."
    assert told in " ".join(other.stderr.split())
    assert "unlike" not in alike.stderr
    assert json.loads(imported.stdout)["others.csv"]["differing"] == ["monthly_income"]


def test_people_without_ids_are_scored_by_their_lines() -> None:
    names = [feature.name for feature in FEATURES]
    mapping = "".join(f'[{name}]\ncolumn = "{name}"\n' for name in names)
    Path("mapping.toml").write_text(mapping)
    one = ",".join(str(feature.example) for feature in FEATURES)
    people = f"{','.join(names)}\n{one}\nx{one}\n{one}\n"

    scored = run("score", "-", "--mapping", "mapping.toml", given=people.encode())

    assert scored.exit_code == 7
    assert [row["line"] for row in rows_of(scored.stdout)] == ["2", "4"]
    assert {row["cluster_num"] for row in rows_of(scored.stdout)} == {"0"}


def test_nothing_is_written_before_there_is_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")

    result = run("export")

    assert (result.exit_code, result.stdout) == (8, "")
    assert "There is no database" in result.stderr
    assert not (tmp_path / "empty.db").exists()


def test_every_command_of_the_guide_does_what_it_shows(bank: Path) -> None:
    guide = (ROOT / "docs" / "data.md").read_text()
    (console,) = re.findall(r"```console\n(.*?)```", guide, re.DOTALL)
    (bank / "bank.csv").write_text(BANK)
    (bank / "moves.csv").write_text(TRANSACTIONS)
    (bank / "mapping.toml").write_text(mend())

    steps = re.findall(r"\$ customer-segmentation (.*)\n((?:[^$].*\n)*)", console)

    assert len(steps) >= 7
    for command, shown in steps:
        result = run(*shlex.split(command))
        assert (result.exit_code, result.stdout) == (0, shown), (command, result.stderr)
