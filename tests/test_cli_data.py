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

from customer_segmentation.cli.main import app
from customer_segmentation.domain.control_groups import ControlGroup
from customer_segmentation.domain.features import FEATURES
from customer_segmentation.files.audience import hashed_id
from customer_segmentation.services.unit_of_work import UnitsOfWork, units_over
from tests.test_files_docs import BANK, TRANSACTIONS, mend

ROOT = Path(__file__).parents[1]
DATA = Path(__file__).parent / "data"
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


def test_files_are_imported_and_what_is_refused_can_be_mended(bank: Path) -> None:
    new, wrong = SHIPPED[1].replace("1,24", "50001,24", 1), SHIPPED[2].replace("2,31", "2,131", 1)
    (bank / "new.csv").write_text("".join([SHIPPED[0], new, wrong, SHIPPED[3]]))

    first = run("import", "new.csv")
    rejects = Path("new.rejects.csv").read_text()
    Path("new.rejects.csv").write_text(rejects.replace(",131,", ",33,"))
    second = run("import", "--json", "new.rejects.csv")

    assert first.exit_code == 7
    assert first.stdout == "new.csv: 1 added, 0 changed, 1 unchanged, 0 removed\n"
    assert "1 rows of new.csv are not taken: see new.rejects.csv" in first.stderr
    assert rows_of(rejects)[0]["column"] == "age"
    assert second.exit_code == 0
    assert json.loads(second.stdout) == {
        "new.rejects.csv": {
            "added": 0,
            "changed": 1,
            "unchanged": 0,
            "removed": 0,
            "rejected": 0,
        }
    }


def test_standard_input_is_imported() -> None:
    result = run("import", "-", "--mode", "insert", given="".join(SHIPPED[:10]).encode())

    assert result.stdout == "the input: 0 added, 0 changed, 9 unchanged, 0 removed\n"


def test_a_dry_run_changes_nothing(bank: Path) -> None:
    (bank / "all.csv").write_text("".join(SHIPPED[:2]))

    told = run("import", "all.csv", "--mode", "replace", "--dry-run")

    assert told.stdout == (
        "all.csv: 0 would be added, 0 would be changed, 1 unchanged, 19,999 would be removed\n"
    )
    assert run("import", "all.csv", "--mode", "replace").exit_code == 0
    assert run("export").stderr == "1 customers written\n"


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

    assert "1 transactions do not count: see moves.rejects.csv" in result.stderr
    assert result.stdout == "people.csv: 0 added, 2 changed, 0 unchanged, 0 removed\n"
    one, two = rows_of(run("export").stdout)[:2]
    derived = ("total_withdrawals", "total_deposits", "transaction_count")
    assert [one[name] for name in derived] == ["12.75", "0", "2"]
    assert [two[name] for name in derived] == ["0", "7", "1"]


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

    assert (result.exit_code, result.stdout) == (4, "")
    assert "no trained model yet" in result.stderr


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
