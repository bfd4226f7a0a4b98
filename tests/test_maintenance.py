"""Backup and restore while the service runs, the doctor, and the settings' check."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from customer_segmentation.domain.errors import BackupError
from customer_segmentation.domain.jobs import JobKind, Origin, Trigger
from customer_segmentation.services.customers import get_customer, update_customer
from customer_segmentation.services.jobs import start_job
from customer_segmentation.services.maintenance import back_up, examine, restore
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.store import jobs
from tests.test_gates import command

pytestmark = pytest.mark.both_databases


@pytest.fixture
def url(loaded_sqlite: Path, tmp_path: Path) -> str:
    """A SQLite database of the test's own."""
    (tmp_path / "bank.db").write_bytes(loaded_sqlite.read_bytes())
    return f"sqlite:///{tmp_path / 'bank.db'}"


def test_a_backup_made_amid_writes_is_whole_and_can_be_restored(url: str, tmp_path: Path) -> None:
    units = units_over(url)
    stop = threading.Event()
    ages: list[int] = []

    def write() -> None:
        while not stop.is_set():
            age = len(ages) % 100
            units.run(update_customer, 56, {"age": age})
            ages.append(age)

    writer = threading.Thread(target=write)
    writer.start()
    while len(ages) < 10:
        pass
    back_up(units, tmp_path / "copy.db")
    stop.set()
    writer.join()
    units.run(update_customer, 56, {"age": 130})

    restore(Settings(database_url=url), tmp_path / "copy.db")

    found = get_customer(units, 56).customer.attributes["age"]
    assert found in ages
    assert found != 130
    assert all(finding.is_well for finding in examine(Settings(database_url=url)))
    units.close()


def test_a_backup_overwrites_nothing(url: str, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    units = units_over(url)

    with pytest.raises(BackupError, match="already"):
        back_up(units, tmp_path / "copy.db")
    with pytest.raises(BackupError, match="could not be written"):
        back_up(units, tmp_path / "no such folder" / "copy.db")

    assert (tmp_path / "copy.db").read_text() == "precious"
    units.close()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda _good: b"hello, this is no database", "no SQLite database"),
        (lambda good: good[: len(good) // 2], "damaged|no SQLite database"),
        (lambda _good: b"", "something else"),
    ],
)
def test_a_damaged_backup_is_refused_and_changes_nothing(
    url: str, tmp_path: Path, damage: object, told: str
) -> None:
    assert callable(damage)
    good = (tmp_path / "bank.db").read_bytes()
    (tmp_path / "copy.db").write_bytes(damage(good))

    with pytest.raises(BackupError, match=told):
        restore(Settings(database_url=url), tmp_path / "copy.db")

    assert (tmp_path / "bank.db").read_bytes() == good


@pytest.mark.postgres
def test_postgresql_is_left_to_its_own_tools(units: UnitsOfWork, tmp_path: Path) -> None:
    if units.database.is_sqlite:
        pytest.skip("this is about PostgreSQL")

    with pytest.raises(BackupError, match="pg_dump"):
        back_up(units, tmp_path / "copy.db")


def test_the_doctor_finds_what_is_wrong(units: UnitsOfWork, database_url: str) -> None:
    settings = Settings(database_url=database_url)
    assert all(finding.is_well for finding in examine(settings))
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        dead = process.pid
    job = start_job(units.database, JobKind.TRAINING, Origin(Trigger.REQUEST, ""))
    with units.database.write() as connection:
        jobs.change(connection, job.id, pid=dead)

    wrong = [finding for finding in examine(settings) if not finding.is_well]

    assert [finding.subject for finding in wrong] == ["jobs"]
    assert "1 left behind" in wrong[0].detail


def test_the_doctor_tells_of_a_database_that_is_not_there(tmp_path: Path) -> None:
    for url in ("postgresql://127.0.0.1:1/x", f"sqlite:///{tmp_path}/none/bank.db", "oracle://x"):
        assert not all(finding.is_well for finding in examine(Settings(database_url=url)))


def test_commands_back_up_restore_and_examine(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"

    assert command(url, "backup", str(copy)).returncode == 0
    assert command(url, "backup", str(copy)).returncode == 1
    assert command(url, "restore", str(copy), "--yes").returncode == 0
    assert command(url, "restore", str(tmp_path / "none.db"), "--yes").returncode == 1
    well = command(url, "doctor")
    assert well.returncode == 0
    assert "migration" in well.stdout
    assert command("sqlite:////no/such/folder/x.db", "doctor").returncode == 1


def check(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "customer_segmentation", "config", "check"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_settings_come_from_a_file_unless_the_environment_says_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "bank.toml"
    file.write_text('segments = 5\nport = 9000\ndatabase_url = "sqlite:///other.db"\n')
    named = {"CUSTOMER_SEGMENTATION_CONFIG": str(file), "CUSTOMER_SEGMENTATION_PORT": "9001"}

    shown = check(tmp_path, **named)

    assert shown.returncode == 0, shown.stderr
    rows = {line.split("│")[1].strip(): line for line in shown.stdout.splitlines() if "│" in line}
    assert "5" in rows["segments"]
    assert "bank.toml" in rows["segments"]
    assert "9001" in rows["port"]
    assert "CUSTOMER_SEGMENTATION_PORT" in rows["port"]
    assert "sqlite:///other.db" in rows["database_url"]
    assert "default" in rows["seed"]


def test_each_wrong_setting_is_named_and_no_password_is_shown(tmp_path: Path) -> None:
    wrong = check(
        tmp_path, CUSTOMER_SEGMENTATION_PORT="x", CUSTOMER_SEGMENTATION_RETRAIN_SCHEDULE="soon"
    )
    typo = check(tmp_path, CUSTOMER_SEGMENTATION_SEGMENT="5")
    secret = check(tmp_path, DATABASE_URL="postgresql://bank:s3cret@db/bank")
    missing = check(tmp_path, CUSTOMER_SEGMENTATION_CONFIG="none.toml")
    nowhere = check(
        tmp_path, DATABASE_URL="oracle://bank:s3cret@db", CUSTOMER_SEGMENTATION_DATA="none.csv"
    )
    (tmp_path / "customer-segmentation.toml").write_text("segments = 1\ncolour = 3")
    several = check(tmp_path, CUSTOMER_SEGMENTATION_SEGMENT="5", DATABASE_URL="bank.db")
    (tmp_path / "customer-segmentation.toml").write_text("segments = five")
    broken = check(tmp_path)

    assert wrong.returncode == typo.returncode == broken.returncode == 2
    assert "setting port" in wrong.stderr.lower()
    assert "retrain_schedule" in wrong.stderr.lower()
    assert "no setting CUSTOMER_SEGMENTATION_SEGMENT" in typo.stderr
    assert "no TOML" in broken.stderr
    assert "names none.toml, and there is no such file" in missing.stderr
    assert "DATABASE_URL must be" in nowhere.stderr
    assert "no file none.csv" in nowhere.stderr
    assert "s3cret" not in nowhere.stderr
    for fault in (
        "setting segments",
        "CUSTOMER_SEGMENTATION_SEGMENT",
        "colour in",
        "DATABASE_URL must",
    ):
        assert fault in several.stderr
    assert missing.returncode == nowhere.returncode == several.returncode == 2
    assert secret.returncode == 0
    assert "s3cret" not in secret.stdout + secret.stderr
