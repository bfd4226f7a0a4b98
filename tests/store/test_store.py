"""The store, on SQLite and PostgreSQL: migrations, transactions, assignments by version."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

from customer_segmentation.domain.errors import (
    CustomerExistsError,
    CustomerNotFoundError,
    InvalidInputError,
    JobRunningError,
    StoreUnavailableError,
)
from customer_segmentation.domain.jobs import JobKind, JobState, Origin, Trigger
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    get_customer,
    get_history,
    update_customer,
)
from customer_segmentation.services.jobs.lifecycle import close_dead_jobs, start_job
from customer_segmentation.services.models import rescoring
from customer_segmentation.services.models.rescoring import rescore
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import jobs, models
from customer_segmentation.store.schema import LATEST, migrate
from customer_segmentation.store.tables import customer_table, metadata
from tests.support.shipped import FEATURE_NAMES, SHIPPED
from tests.support.stored import ORIGIN, activate, stored_customers

pytestmark = pytest.mark.both_databases


@pytest.fixture(scope="module")
def other_model(shipped_customers: tuple[np.ndarray, np.ndarray], shipped_model: Model) -> Model:
    """A model that puts some customers elsewhere."""
    weights = {"loyalty_score": 3.0}
    return LocalEngine(SHIPPED).train(
        *shipped_customers, Parameters(weights=weights), shipped_model
    )


def test_migrations_make_exactly_the_declared_tables(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    migrate(database)
    migrate(database)

    declared = MetaData()
    for table in (*metadata.tables.values(), customer_table(SHIPPED)):
        table.to_metadata(declared)
    with database.write() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), declared)

    database.close()
    assert differences == []


def test_the_latest_migration_is_the_one_the_code_names() -> None:
    versions = Path(sys.modules[migrate.__module__].__file__ or "").parent / "migrations/versions"

    assert max(path.name[:4] for path in versions.glob("[0-9]*.py")) == LATEST


def test_a_customer_is_added_read_changed_and_deleted(units: UnitsOfWork) -> None:
    attributes = get_customer(units, 56).customer.attributes

    units.run(add_customer, 30_000, attributes)
    changed = units.run(update_customer, 30_000, {"age": 77, "account_balance": 0.1})

    assert changed == get_customer(units, 30_000)
    assert changed.customer.attributes == {**attributes, "age": 77, "account_balance": 0.1}
    with pytest.raises(CustomerExistsError):
        units.run(add_customer, 30_000, attributes)
    units.run(delete_customer, 30_000)
    with pytest.raises(CustomerNotFoundError):
        get_customer(units, 30_000)
    with pytest.raises(CustomerNotFoundError):
        units.run(delete_customer, 30_000)


def test_two_writers_never_lose_each_others_update(units: UnitsOfWork) -> None:
    names = ("age", "transaction_count", "monthly_income", "total_deposit_amount")

    def write(name: str) -> None:
        for value in range(1, 31):
            units.run(update_customer, 56, {name: value})

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(write, names))

    found = get_customer(units, 56).customer
    assert [found.attributes[name] for name in names] == [30, 30, 30, 30]
    with units.read() as work:
        assert work.serving.assign(found.attributes) == found.segment


def test_writers_in_several_processes_never_lose_an_update(
    units: UnitsOfWork, database_url: str
) -> None:
    code = (
        "import sys\n"
        "from customer_segmentation.services.customers.commands import update_customer\n"
        "from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork\n"
        "from customer_segmentation.store.database import Database\n"
        "units = UnitsOfWork(Database(sys.argv[1]))\n"
        "for value in range(1, 51): units.run(update_customer, 56, {sys.argv[2]: value})\n"
    )
    names = ("age", "transaction_count", "monthly_income")
    writers = [subprocess.Popen([sys.executable, "-c", code, database_url, name]) for name in names]

    assert [writer.wait() for writer in writers] == [0, 0, 0]
    found = get_customer(units, 56).customer.attributes
    assert [found[name] for name in names] == [50, 50, 50]


def test_one_of_many_who_add_the_same_id_succeeds(units: UnitsOfWork) -> None:
    attributes = get_customer(units, 56).customer.attributes

    def add(age: int) -> int | None:
        try:
            units.run(add_customer, 40_000, {**attributes, "age": age})
        except CustomerExistsError:
            return None
        return age

    with ThreadPoolExecutor(8) as pool:
        added = [age for age in pool.map(add, range(20, 36)) if age is not None]

    assert added == [get_customer(units, 40_000).customer.attributes["age"]]


def test_a_failed_unit_of_work_changes_nothing(units: UnitsOfWork) -> None:
    before = get_customer(units, 56)

    def fail_half_way() -> None:
        with units.write() as work:
            work.customers.remove(work.connection, 56)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    assert get_customer(units, 56) == before


def test_after_activation_every_read_is_by_the_new_model_before_and_after_rescoring(
    units: UnitsOfWork, other_model: Model
) -> None:
    stored = stored_customers(units)
    ids = stored.ids
    activate(units, other_model)
    units.refresh()
    expected = units.serving.assigner.assign(stored.values)
    moved = np.flatnonzero(expected != stored.segments)
    assert len(moved) > 20

    before = [get_customer(units, int(ids[i])).customer.segment for i in moved[:20]]
    rescore(units)
    after = [get_customer(units, int(ids[i])).customer.segment for i in moved[:20]]

    assert before == after == expected[moved[:20]].tolist()
    assert (stored_customers(units).segments == expected).all()
    with units.database.read() as connection:
        assert models.is_rescored(connection)


def test_every_change_of_segment_is_in_the_history_with_its_cause(units: UnitsOfWork) -> None:
    attributes = get_customer(units, 56).customer.attributes
    poor = {"monthly_income": 900, "account_balance": 3, "total_withdrawal_amount": 50}

    units.run(add_customer, 50_000, attributes)
    units.run(update_customer, 50_000, {"age": 30})
    units.run(update_customer, 50_000, {**poor, "total_deposit_amount": 60, "transaction_count": 1})
    units.run(delete_customer, 50_000)

    changes = [(c.cause, c.from_segment, c.to_segment) for c in get_history(units, 50_000)]
    assert changes == [("added", None, 0), ("updated", 0, 3), ("deleted", 3, None)]


def test_a_retraining_appends_to_the_history_of_those_it_moves_and_of_no_other(
    units: UnitsOfWork, other_model: Model
) -> None:
    before = stored_customers(units).segments
    version = activate(units, other_model)

    rescore(units)

    moved = stored_customers(units).segments != before
    for row in [*np.flatnonzero(moved)[:20], *np.flatnonzero(~moved)[:20]]:
        first, *others = get_history(units, int(row) + 1)
        assert first.cause == "added"
        assert len(others) == moved[row]
        for change in others:
            assert (change.cause, change.model_version) == ("retrained", version)
            assert (change.from_segment, change.to_segment) == (
                before[row],
                stored_segment(units, int(row) + 1),
            )


def stored_segment(units: UnitsOfWork, customer_id: int) -> int:
    return get_customer(units, customer_id).customer.segment


def test_a_rescoring_that_was_cut_off_goes_on_where_it_stopped(
    units: UnitsOfWork, other_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescoring, "PART", 10_000)

    class CutOffError(Exception):
        """Stands in for a crash."""

    def cut(done: int) -> None:
        if done >= 10_000:
            raise CutOffError

    activate(units, other_model)
    with pytest.raises(CutOffError):
        rescore(units, cut)
    with units.database.read() as connection:
        assert not models.is_rescored(connection)

    counted: list[int] = []
    rescore(units, counted.append)

    assert counted[-1] == 10_000
    with units.database.read() as connection:
        assert models.is_rescored(connection)


def test_another_process_notices_an_activated_model(
    units: UnitsOfWork, database_url: str, other_model: Model
) -> None:
    elsewhere = UnitsOfWork(Database(database_url))
    assert elsewhere.serving.version == 1

    version = activate(units, other_model)
    elsewhere.refresh()

    assert elsewhere.serving.version == version == 2
    elsewhere.database.close()


def test_a_transaction_from_before_an_activation_does_not_bring_the_old_model_back(
    units: UnitsOfWork, database_url: str, other_model: Model
) -> None:
    elsewhere = UnitsOfWork(Database(database_url))

    with units.database.read() as connection:
        before = models.active(connection)
        assert before is not None
        activate(elsewhere, other_model)
        units.refresh()
        old = units.view(before).serving

    assert units.serving.version == 2
    assert old.version == 1
    elsewhere.database.close()


def test_one_job_holds_the_lease_until_it_ends(units: UnitsOfWork) -> None:
    first = start_job(units.database, JobKind.TRAINING, ORIGIN)
    with pytest.raises(JobRunningError):
        start_job(units.database, JobKind.TRAINING, ORIGIN)
    start_job(units.database, JobKind.STUDY, ORIGIN)

    with units.database.write() as connection:
        jobs.change(connection, first.id, state=JobState.SUCCEEDED)

    assert start_job(units.database, JobKind.TRAINING, ORIGIN).id != first.id


def test_a_job_whose_process_is_dead_loses_the_lease(units: UnitsOfWork) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        dead = process.pid
    job_id = start_job(units.database, JobKind.TRAINING, ORIGIN).id
    with units.database.write() as connection:
        jobs.change(connection, job_id, pid=dead)

    close_dead_jobs(units.database)

    with units.database.read() as connection:
        assert jobs.get(connection, job_id).state is JobState.INTERRUPTED
        assert jobs.running(connection) == []


def test_training_reads_each_customer_exactly(units: UnitsOfWork) -> None:
    units.run(update_customer, 56, {"account_balance": 0.1, "monthly_income": 1e300})

    with arrow_reader(units.database) as read:
        found = units.customers.read_all(read, 10)

    assert (np.diff(found.ids) > 0).all()
    assert len(found.ids) == 20_000
    row = dict(zip(FEATURE_NAMES, found.at(found.ids == 56).values[0].tolist(), strict=True))
    assert row == get_customer(units, 56).customer.attributes


@pytest.mark.parametrize(
    "url", ["sqlite:////no/such/folder/bank.db", "oracle://x", "postgresql://127.0.0.1:1/x", "?"]
)
def test_a_database_that_does_not_answer_is_told_so(url: str) -> None:
    with pytest.raises(StoreUnavailableError):
        migrate(Database(url))


def test_a_file_that_is_no_database_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "bank.db").write_bytes(b"not a database" * 100)

    with pytest.raises(StoreUnavailableError, match="no database"):
        migrate(Database(f"sqlite:///{tmp_path / 'bank.db'}"))


def test_a_text_that_is_too_long_is_refused_alike_by_every_database(units: UnitsOfWork) -> None:
    kept = start_job(units.database, JobKind.TRAINING, Origin(Trigger.REQUEST, "A" * 200))

    with pytest.raises(InvalidInputError, match="at most 200 characters, not 201"):
        start_job(units.database, JobKind.STUDY, Origin(Trigger.REQUEST, "A" * 201))

    with units.database.read() as connection:
        assert [job.id for job in jobs.running(connection)] == [kept.id]
