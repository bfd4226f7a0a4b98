"""A bank's own customers from the first minute: nothing of the demonstration stays among them."""

import csv
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import func, select

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.jobs import JobKind, JobState, Origin, Trigger
from customer_segmentation.services.jobs.lifecycle import get_job, start_job
from customer_segmentation.services.operation.startup import begin_start, finish_start
from customer_segmentation.services.runtime.settings import SHIPPED_DATA, Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.transfer.first_import import holds_demo
from customer_segmentation.store import tables
from tests.support.commands import run, run_json
from tests.support.servers import Server, until
from tests.support.shipped import CUSTOMER_ID, FEATURES
from tests.support.stored import stored_customers, writes_customers
from tests.support.tables import read_table

pytestmark = pytest.mark.both_databases

NAMES_OF_DEMO = (
    "High-Value Power Users",
    "Value-Driven Frequent Users",
    "Affluent Inactives",
    "Budget-Conscious Occasionals",
)
FIRST_ID = 501


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A table of sixty customers of a bank's own, in two groups that differ by age and income."""
    random = np.random.default_rng(1)
    rows = np.tile([float(feature.example) for feature in FEATURES], (60, 1))
    rows[:, [0, 2]] = random.integers(20, 40, (60, 2))
    rows[::2, [0, 2]] += 40
    return write(tmp_path / "own.csv", rows)


def write(path: Path, values: FloatArray, first_id: int = FIRST_ID) -> Path:
    """Write customers, (n, 14), with ids from one on."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([CUSTOMER_ID.record_name, *(feature.record_name for feature in FEATURES)])
        for number, row in enumerate(values.tolist(), start=first_id):
            told = (int(v) if f.is_integer else v for f, v in zip(FEATURES, row, strict=True))
            writer.writerow([number, *told])
    return path


@pytest.fixture
def empty(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[UnitsOfWork]:
    """Units of work over a database with nothing in it, which commands use too."""
    yield from opened(empty_database_url, monkeypatch)


@pytest.fixture
def demo(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[UnitsOfWork]:
    """Units of work over a database with the demonstration, which commands use too."""
    yield from opened(database_url, monkeypatch)


def opened(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[UnitsOfWork]:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("CUSTOMER_SEGMENTATION_SEGMENTS", "2")
    units = units_over(url)
    yield units
    units.close()


def rows_of(units: UnitsOfWork) -> dict[str, int]:
    """Count the rows of what a bank holds."""
    counted = (tables.customers, tables.model_versions, tables.activations, tables.segment_changes)
    with units.database.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in counted
        }


NOTHING = {"customers": 0, "model_versions": 0, "activations": 0, "segment_changes": 0}
SIXTY = {"customers": 60, "model_versions": 1, "activations": 1, "segment_changes": 60}


def test_an_import_into_nothing_makes_the_first_model_of_its_rows(
    empty: UnitsOfWork, own: Path
) -> None:
    done = run("import", str(own))

    assert done.exit_code == ExitCode.DONE, done.stderr
    assert "60 added" in done.stdout
    assert rows_of(empty) == SIXTY
    assert stored_customers(empty).ids.tolist() == list(range(FIRST_ID, FIRST_ID + 60))
    (version,) = run_json("models", "list")["models"]
    assert (version["trigger"], version["customers"]) == ("first import", 60)
    assert version["is_active"]
    history = run_json("customers", "history", str(FIRST_ID))["changes"]
    assert [change["cause"] for change in history] == ["added"]
    assert run_json("drift")["level"] == "stable"
    again = run_json("import", str(own))
    assert again[str(own)]["unchanged"] == 60


def test_the_first_model_is_of_the_rows_of_all_files_and_the_last_row_of_a_person_holds(
    empty: UnitsOfWork, own: Path, tmp_path: Path
) -> None:
    values = np.tile([float(feature.example) for feature in FEATURES], (3, 1))
    values[:, 0] = 30, 31, 32
    more = write(tmp_path / "more.csv", values, first_id=FIRST_ID + 59)

    told = run_json("import", str(own), str(more))

    assert [told[str(own)][what] for what in ("added", "changed")] == [60, 0]
    assert [told[str(more)][what] for what in ("added", "changed")] == [2, 1]
    assert stored_customers(empty).values[-3:, 0].tolist() == [30, 31, 32]
    assert run_json("models", "list")["models"][0]["customers"] == 62


@pytest.mark.parametrize("ages", [[40.0], [40.0, 40.0, 40.0]])
def test_too_few_customers_for_the_segments_are_refused_and_nothing_is_stored(
    empty: UnitsOfWork, tmp_path: Path, ages: list[float]
) -> None:
    values = np.ones((len(ages), len(FEATURES)))
    values[:, 0] = ages

    refused = run("import", str(write(tmp_path / "few.csv", values)))

    assert refused.exit_code == ExitCode.FAILED
    assert "at least 2 customers" in refused.stderr
    assert "Nothing is stored" in refused.stderr
    assert refused.stdout == ""
    assert rows_of(empty) == NOTHING


def test_a_row_that_is_refused_does_not_keep_a_bank_from_its_beginning(
    empty: UnitsOfWork, own: Path
) -> None:
    spoil(own)

    assert run("import", str(own)).exit_code == ExitCode.REJECTED

    assert rows_of(empty)["customers"] == 59
    assert "must be" in own.with_suffix(".rejects.csv").read_text()


def test_a_trial_on_nothing_tells_what_would_be_done_and_makes_nothing(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'bank.db'}")

    done = run("import", str(own), "--dry-run")

    assert done.exit_code == ExitCode.DONE, done.stderr
    assert "60 would be added" in done.stdout
    assert not list(tmp_path.glob("bank.db*"))


def test_a_replacement_leaves_nothing_of_the_demonstration_even_with_a_row_refused(
    demo: UnitsOfWork, own: Path
) -> None:
    spoil(own)
    demo.require_model()
    assert run("segments", "edit", "3", "--name", "Thrifty").exit_code == ExitCode.DONE
    job = start_job(demo.database, JobKind.TRAINING, Origin(Trigger.REQUEST, "Ada", ""))

    trial = run("import", str(own), "--mode", "replace", "--dry-run")
    done = run("import", str(own), "--mode", "replace")

    assert "59 would be added, 0 would be changed, 0 unchanged, 20,000 would be removed" in (
        trial.stdout
    )
    assert done.exit_code == ExitCode.REJECTED, done.stderr
    assert "59 added, 0 changed, 0 unchanged, 20,000 removed" in done.stdout
    assert rows_of(demo) == {name: min(count, 59) for name, count in SIXTY.items()}
    assert get_job(demo, job.id).state is JobState.CANCELLED
    assert demo.require_model().model.fingerprint.customers == 59
    (version,) = run_json("models", "list")["models"]
    assert version["version"] == 2, "a number is never given twice"
    assert [activation["previous"] for activation in activations(2)] == [None]
    is_free_of_demo()
    # Nor does it come back.
    trained = run("train")
    assert trained.exit_code in (ExitCode.DONE, ExitCode.HELD_BACK), trained.stderr
    is_free_of_demo()


def activations(version: int) -> list[dict[str, object]]:
    shown: list[dict[str, object]] = run_json("models", "show", str(version))["activations"]
    return shown


def is_free_of_demo() -> None:
    """See that no segment and no customer is of the demonstration."""
    segments = run_json("segments", "list")["segments"]
    assert sorted(segment["number"] for segment in segments) == [0, 1]
    assert not {segment["name"] for segment in segments} & {"Thrifty", *NAMES_OF_DEMO}
    assert run("customers", "get", "56").exit_code == ExitCode.NOT_FOUND
    assert run_json("customers", "history", str(FIRST_ID))["changes"][0]["from_segment"] is None


def test_an_own_bank_goes_on_when_everybody_is_replaced(empty: UnitsOfWork, own: Path) -> None:
    run("import", str(own))
    run("segments", "edit", "0", "--name", "Patient Savers")
    rows = own.read_text().splitlines(keepends=True)
    own.write_text("".join(rows[:-1]))

    done = run("import", str(own), "--mode", "replace")

    assert "59 unchanged, 1 removed" in done.stdout
    assert run_json("segments", "list")["segments"][0]["name"] == "Patient Savers"
    assert len(run_json("models", "list")["models"]) == 1
    spoil(own)
    assert "nobody is removed" in run("import", str(own), "--mode", "replace").stderr
    assert rows_of(empty)["customers"] == 59


def test_an_import_beside_the_demonstration_tells_how_to_begin_an_own_bank(
    demo: UnitsOfWork, own: Path
) -> None:
    done = run("import", str(own))

    assert done.exit_code == ExitCode.DONE
    assert "--mode replace" in done.stderr
    assert rows_of(demo)["customers"] == 20_000


def test_a_file_that_is_named_is_no_demonstration(tmp_path: Path, own: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    settings = Settings(database_url=url, data=own, segments=2)
    loading = begin_start(settings)
    assert loading is not None
    finish_start(settings, loading)
    units = units_over(url)

    assert not holds_demo(units)
    units.close()


def test_a_service_that_begins_empty_says_so_until_customers_are_imported(
    empty: UnitsOfWork, own: Path, tmp_path: Path
) -> None:
    server = Server(empty.database.url, tmp_path, CUSTOMER_SEGMENTATION_DEMO="false")
    try:
        server.begin()
        until(lambda: is_live(server))
        for path in ("/health/ready", "/v1/segments", "/v1/customers/501"):
            answer = server.client.get(path)
            assert (answer.status_code, answer.json()["type"].split(":")[-1]) == (503, "not-ready")
            assert "customer-segmentation import" in answer.json()["detail"]
        refused = server.client.post("/retrain_model_with_latest_data")
        assert refused.status_code == 409
        assert "there are 0" in refused.json()["detail"]

        assert run("import", str(own)).exit_code == ExitCode.DONE

        until(server.is_ready)
        assert server.client.get("/v1/customers/501").json()["customer_id"] == 501
    finally:
        server.client.close()
        server.kill()
    assert "WARNING" not in server.log
    assert "Traceback" not in server.log


def is_live(server: Server) -> bool:
    try:
        return server.client.get("/health/live").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("name", ["BankChurners.csv", "Telco-Customer-Churn.csv"])
def test_a_public_table_begins_a_bank_with_segments_of_its_own(
    empty: UnitsOfWork, tmp_path: Path, name: str
) -> None:
    table = write(tmp_path / "table.csv", read_table(name, most=1_000))

    done = run("import", str(table), env={"CUSTOMER_SEGMENTATION_SEGMENTS": "4"})

    assert done.exit_code == ExitCode.DONE, done.stderr
    assert rows_of(empty)["customers"] == 1_000
    names = [segment["name"] for segment in run_json("segments", "list")["segments"]]
    assert len(set(names)) == 4


@pytest.mark.long_over_postgres
def test_a_first_import_that_is_killed_at_any_moment_is_done_again(
    empty: UnitsOfWork, tmp_path: Path
) -> None:
    table = tmp_path / "shipped.csv"
    table.write_text("".join(SHIPPED_DATA.read_text().splitlines(keepends=True)[:6_001]))
    whole = {name: 1 if count == 1 else 6_000 for name, count in SIXTY.items()}

    def has_begun(_pid: int) -> bool:
        return True

    def is_training(pid: int) -> bool:
        return "sklearn" in Path(f"/proc/{pid}/maps").read_text()

    def is_writing(_pid: int) -> bool:
        return writes_customers(empty.database)

    command = [sys.executable, "-m", "customer_segmentation", "import", str(table)]
    for moment in (has_begun, is_training, is_writing):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while not moment(process.pid) and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
        if moment is not has_begun:
            assert rows_of(empty) in (NOTHING, whole)

    again = run("import", str(table))

    assert again.exit_code == ExitCode.DONE, again.stderr
    assert rows_of(empty) == whole


def spoil(table: Path) -> None:
    """Make the last row one that is refused."""
    *rows, last = table.read_text().splitlines(keepends=True)
    number, _, rest = last.split(",", 2)
    table.write_text("".join([*rows, f"{number},999,{rest}"]))
