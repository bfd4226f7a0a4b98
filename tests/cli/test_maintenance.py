"""Backup and restore while the service runs, the doctor, and the settings' check."""

import os
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.domain.errors import BackupError, StoreRefusedError
from customer_segmentation.domain.jobs import JobKind, Origin, Trigger
from customer_segmentation.services.customers.commands import get_customer, update_customer
from customer_segmentation.services.jobs.lifecycle import start_job
from customer_segmentation.services.monitoring.distribution import find_counted, save_counted
from customer_segmentation.services.operation.maintenance import back_up, examine, restore
from customer_segmentation.services.runtime.settings import Settings, find_unknown
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.segments.overview import get_overview
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import jobs
from customer_segmentation.store.schema import migrate
from tests.conftest import POSTGRES, require_postgres
from tests.support.commands import command, run, run_apart

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


@pytest.mark.parametrize("damage", [b"no database" * 500, b"SQLite format 3\0" * 100, None, b""])
def test_a_backup_replaces_a_damaged_database_which_is_set_aside(
    url: str, tmp_path: Path, damage: bytes | None
) -> None:
    copy, bank = tmp_path / "copy.db", tmp_path / "bank.db"
    good = bank.read_bytes()
    copy.write_bytes(good)
    torn = good[:4096] + bytes(reversed(good[4096:200_000])) if damage is None else damage
    bank.write_bytes(torn)

    done = run("restore", str(copy), "--yes", env={"DATABASE_URL": url})

    assert done.exit_code == 0, done.stderr
    assert "could not tell who was erased" in done.stderr
    with closing(units_over(url)) as units:
        assert get_customer(units, 56).customer.customer_id == 56
    for kept in tmp_path.glob("bank.db.damaged-*"):
        assert kept.read_bytes() == torn
        assert kept.name in done.stdout


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


def test_the_doctor_finds_wrong_counts_and_repairs_them(
    units: UnitsOfWork, database_url: str
) -> None:
    settings = Settings(database_url=database_url)
    with units.write(exclusive=True) as work:
        found = find_counted(work)
        save_counted(work.connection, work.serving, found.plus(found.distribution))
    told = {finding.subject: finding for finding in examine(settings)}
    assert not told["customers"].is_well
    assert "20,000, 40,000 counted" in told["customers"].detail

    recounted = {finding.subject: finding for finding in examine(settings, recounted=True)}

    assert "wrong by 20,000 customers; repaired" in recounted["counts"].detail
    assert get_overview(units).wrong == 20_000
    assert all(finding.is_well for finding in examine(settings, recounted=True))
    assert get_overview(units).wrong == 0


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
    given = {"PATH": os.environ["PATH"], "COLUMNS": "200"} | environment
    return run_apart(["config", "check"], given, tmp_path)


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
    assert (
        "CUSTOMER_SEGMENTATION_PORT must be an integer, at least 0 and at most 65,535; "
        "given was a string"
    ) in wrong.stderr
    assert "CUSTOMER_SEGMENTATION_RETRAIN_SCHEDULE: 'soon' is no cron" in wrong.stderr
    assert "no setting CUSTOMER_SEGMENTATION_SEGMENT" in typo.stderr
    assert "not TOML" in broken.stderr
    assert "names none.toml, and there is no such file" in missing.stderr
    assert "DATABASE_URL must be" in nowhere.stderr
    assert "no file none.csv" in nowhere.stderr
    assert "s3cret" not in nowhere.stderr
    for fault in (
        "segments in customer-segmentation.toml must be an integer, at least 2 and at most 12; "
        "given was an integer",
        "CUSTOMER_SEGMENTATION_SEGMENT",
        "colour in",
        "DATABASE_URL must",
    ):
        assert fault in several.stderr
    assert missing.returncode == nowhere.returncode == several.returncode == 2
    assert secret.returncode == 0
    assert "s3cret" not in secret.stdout + secret.stderr


@pytest.mark.parametrize(
    "name",
    ["KEEP_HISTORY_DAYS", "KEEP_JOBS_DAYS", "KEEP_DEAD_LETTERS_DAYS", "RECOUNT_HOURS"],
)
def test_a_time_that_leads_out_of_the_calendar_is_refused(tmp_path: Path, name: str) -> None:
    found = check(tmp_path, **{f"CUSTOMER_SEGMENTATION_{name}": "9000000"})

    assert found.returncode == 2
    assert f"CUSTOMER_SEGMENTATION_{name} must be" in found.stderr


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b'auht = "keys"', "no setting auht in customer-segmentation.toml; did you mean auth?"),
        (b"database_url = 5", "database_url in customer-segmentation.toml must be a string"),
        (b"port = true", "port in customer-segmentation.toml must be an integer"),
        (b"spark_conf = 1", "spark_conf in customer-segmentation.toml must be an object of str"),
        (b'auth = "k\xe9ys"', "is not UTF-8 text (byte 9)"),
        (b"segments = five", "is not TOML"),
        (b"segments = " + b"[" * 100_000, "is not TOML"),
        (None, "cannot be read: Is a directory"),
    ],
    ids=[
        "misspelt",
        "no text",
        "boolean",
        "no table",
        "not UTF-8",
        "no TOML",
        "too deep",
        "folder",
    ],
)
def test_nothing_is_done_by_a_settings_file_that_says_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bytes | None, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "customer-segmentation.toml"
    if written is None:
        file.mkdir()
    else:
        file.write_bytes(written)

    for words in (("jobs", "list"), ("config", "check")):
        result = run(*words)

        assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
        assert told in result.stderr


def test_a_misspelt_variable_is_no_setting_for_any_command_nor_server() -> None:
    misspelt = {"CUSTOMER_SEGMENTATION_AUHT": "keys"}

    for words in (("jobs", "list"), ("serve",)):
        result = run(*words, env=misspelt)

        assert result.exit_code == ExitCode.USAGE
        assert "no setting CUSTOMER_SEGMENTATION_AUHT" in result.stderr


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("PORT", "80_00", "PORT must be an integer, at least 0 and at most 65,535; given was a st"),
        ("PORT", "70000", "PORT must be an integer, at least 0 and at most 65,535; given was an i"),
        ("MIN_SHARE", "0_1", "MIN_SHARE must be a number, at least 0 and at most 1; given was a s"),
        ("MIN_SHARE", "nan", "MIN_SHARE must be a number, at least 0 and at most 1; given was a n"),
        ("AUTH", "key", "AUTH must be `none` or `keys`; given was a string"),
        ("DEMO", "maybe", "DEMO must be true or false; given was a string"),
        ("SPARK_CONF", "{", "SPARK_CONF: is not JSON (character 2)"),
        ("SPARK_CONF", '{"a": 1}', "SPARK_CONF must be an object of strings; given was an integer"),
        ("DATABASE_URL", "sqlite:///bank.db", "DATABASE_URL; did you mean DATABASE_URL?"),
        ("DB_URL", "sqlite:///bank.db", "DB_URL; did you mean CUSTOMER_SEGMENTATION_URL?"),
        ("KEEP_JOB_DAYS", "1", "KEEP_JOB_DAYS; did you mean CUSTOMER_SEGMENTATION_KEEP_JOBS_DAYS?"),
        ("XYZZY", "1", "no setting CUSTOMER_SEGMENTATION_XYZZY\n"),
    ],
)
def test_a_wrong_variable_is_told_by_its_name_with_what_is_allowed(
    variable: str, value: str, told: str
) -> None:
    result = run("config", "check", env={f"CUSTOMER_SEGMENTATION_{variable}": value})

    assert result.exit_code == ExitCode.USAGE
    assert told in result.stderr


def test_a_variable_in_small_letters_sets_nothing_and_is_told(tmp_path: Path) -> None:
    found = check(tmp_path, database_url="sqlite:///other.db")
    told = check(tmp_path, customer_segmentation_port="1")

    assert found.returncode == 0
    assert "other.db" not in found.stdout
    assert told.returncode == 2
    assert "did you mean CUSTOMER_SEGMENTATION_PORT?" in told.stderr


def test_variables_that_kubernetes_sets_in_a_pod_are_no_settings() -> None:
    of_service = {
        "CUSTOMER_SEGMENTATION_API_SERVICE_HOST": "10.0.0.7",
        "CUSTOMER_SEGMENTATION_API_SERVICE_PORT": "80",
        "CUSTOMER_SEGMENTATION_API_SERVICE_PORT_HTTP": "80",
        "CUSTOMER_SEGMENTATION_API_PORT": "tcp://10.0.0.7:80",
        "CUSTOMER_SEGMENTATION_API_PORT_80_TCP": "tcp://10.0.0.7:80",
        "CUSTOMER_SEGMENTATION_API_PORT_80_TCP_PROTO": "tcp",
        "CUSTOMER_SEGMENTATION_API_PORT_80_TCP_PORT": "80",
        "CUSTOMER_SEGMENTATION_API_PORT_80_TCP_ADDR": "10.0.0.7",
        "CUSTOMER_SEGMENTATION_SERVICE_HOST": "10.0.0.8",
        "CUSTOMER_SEGMENTATION_PORT_8000_TCP": "tcp://10.0.0.8:8000",
    }

    assert find_unknown(of_service) == []
    assert find_unknown({"CUSTOMER_SEGMENTATION_API_PORT": "80"}) != []
    assert run("config", "check", env=of_service).exit_code == 0


def test_a_port_that_kubernetes_has_set_is_told_with_what_to_do() -> None:
    told = run("config", "check", env={"CUSTOMER_SEGMENTATION_PORT": "tcp://10.0.0.8:8000"})

    assert told.exit_code == ExitCode.USAGE
    assert "enableServiceLinks: false" in told.stderr


def test_every_variable_that_the_project_itself_sets_is_known() -> None:
    root = Path(__file__).parents[2]
    files = ["compose.yaml", "Dockerfile", "README.md", *map(str, root.glob("docs/**/*.md"))]
    named = {
        name
        for file in files
        for name in re.findall(r"CUSTOMER_SEGMENTATION_[A-Z_]+[A-Z]", (root / file).read_text())
    }

    assert {"CUSTOMER_SEGMENTATION_AUTH", "CUSTOMER_SEGMENTATION_URL"} <= named
    assert find_unknown(dict.fromkeys(named, "1")) == []


@pytest.mark.parametrize(
    ("url", "code", "told"),
    [
        ("sqlite://", ExitCode.USAGE, "DATABASE_URL must name a file"),
        ("sqlite:///:memory:", ExitCode.USAGE, "DATABASE_URL must name a file"),
        ("sqlite:///none.db", ExitCode.NO_DATABASE, "There is no database none.db"),
        ("sqlite:///folder", ExitCode.NO_DATABASE, "this user may not open the file"),
        (f"{POSTGRES}/no_such_bank", ExitCode.NO_DATABASE, "there is no such database"),
        (
            POSTGRES.replace("postgres@", "nobody_known@") + "/test",
            ExitCode.NO_DATABASE,
            "there is no such user",
        ),
        ("postgresql://127.0.0.1:1/x", ExitCode.UNREACHABLE, "try again soon"),
    ],
)
def test_each_cause_why_a_database_cannot_be_had_is_told_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, code: ExitCode, told: str
) -> None:
    if url.startswith(POSTGRES.partition("postgres@")[0]) and "127.0.0.1:5432" in url:
        require_postgres()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()

    result = run("jobs", "list", env={"DATABASE_URL": url})
    examined = run("doctor", env={"DATABASE_URL": url, "COLUMNS": "400"})

    assert result.exit_code == code
    assert told in result.stderr
    assert told in examined.stdout + examined.stderr
    assert examined.exit_code != 0
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_may_only_be_read_is_told_where_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    sqlite3.connect(path).close()
    database = Database(f"sqlite:///file:{path}?mode=ro&uri=true")

    with pytest.raises(StoreRefusedError, match="may not write the file"):
        migrate(database)
    database.close()
