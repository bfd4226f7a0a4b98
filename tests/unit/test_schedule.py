"""Retraining without being asked: by schedule, after changes, upon drift; the clock is set here."""

import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from cronsim import CronSim
from pydantic import ValidationError
from sqlalchemy import make_url

from customer_segmentation.cli.console.output import moment
from customer_segmentation.domain.jobs import JobKind, JobState, Origin, Trigger
from customer_segmentation.services.customers.commands import update_customer
from customer_segmentation.services.jobs.lifecycle import start_job
from customer_segmentation.services.models.registry import list_versions
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.training.schedule import find_due
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import jobs, models
from tests.support.servers import Server


def train_in_vain(units: UnitsOfWork) -> None:
    """Start a training and let it be held back."""
    job = start_job(units.database, JobKind.TRAINING, Origin(Trigger.CHANGES, ""))
    with units.database.write() as connection:
        jobs.change(connection, job.id, state=JobState.HELD_BACK)


def test_nothing_is_due_unless_it_is_asked_for(units: UnitsOfWork) -> None:
    assert find_due(units, Settings(), now() + timedelta(days=400)) is None


def test_a_schedule_is_due_once_its_moment_has_come(units: UnitsOfWork) -> None:
    daily = Settings(retrain_schedule="0 3 * * *")
    with units.database.read() as connection:
        activated_at = models.activations_of(connection)[0].activated_at
    due = next(CronSim("0 3 * * *", activated_at))

    assert find_due(units, daily, due - timedelta(seconds=1)) is None
    origin = find_due(units, daily, due)

    assert origin is not None
    assert origin.trigger is Trigger.SCHEDULE
    assert "0 3 * * *" in origin.reason
    train_in_vain(units)
    with units.database.read() as connection:
        trained_at = jobs.last_started(connection, JobKind.TRAINING)
    assert trained_at is not None
    again = next(CronSim("0 3 * * *", trained_at))
    assert find_due(units, daily, again - timedelta(seconds=1)) is None
    assert find_due(units, daily, again) is not None


@pytest.mark.both_databases
def test_schedules_and_moments_are_in_utc_whatever_the_zones_around(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/St_Johns")
    time.tzset()
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                psycopg.sql.SQL("ALTER DATABASE {} SET timezone = 'Pacific/Auckland'").format(
                    psycopg.sql.Identifier(url.database or "")
                )
            )
    units = UnitsOfWork(Database(database_url))
    activated_at = list_versions(units)[0].created_at
    due_at = (activated_at + timedelta(hours=5)).replace(minute=0, second=0, microsecond=0)
    daily = Settings(retrain_schedule=f"0 {due_at.hour} * * *")

    assert activated_at.utcoffset() == timedelta(0)
    assert find_due(units, daily, due_at - timedelta(seconds=1)) is None
    origin = find_due(units, daily, due_at)
    assert origin is not None
    assert origin.reason.endswith(f"due {due_at:%Y-%m-%d %H:%M}:00+00:00")
    assert moment("2026-11-28T13:43:51+13:00") == "2026-11-28 00:43:51 UTC"
    units.close()
    monkeypatch.undo()
    time.tzset()


def test_so_many_changes_are_due_and_after_a_vain_training_as_many_again(
    units: UnitsOfWork,
) -> None:
    changes = Settings(retrain_after_changes=3)

    def change(times: int) -> None:
        for age in range(times):
            units.run(update_customer, 56, {"age": 30 + age})

    change(2)
    assert find_due(units, changes, now()) is None
    change(1)
    origin = find_due(units, changes, now())
    assert origin is not None
    assert origin.trigger is Trigger.CHANGES
    train_in_vain(units)
    change(2)
    assert find_due(units, changes, now()) is None
    change(1)
    assert find_due(units, changes, now()) is not None


def test_drift_is_due_once_for_each_model(units: UnitsOfWork) -> None:
    drift = Settings(retrain_on_drift=0.0001)
    assert find_due(units, drift, now()) is None
    for customer in range(1, 500):
        units.run(update_customer, customer, {"age": 18})

    origin = find_due(units, drift, now())

    assert origin is not None
    assert origin.trigger is Trigger.DRIFT
    train_in_vain(units)
    assert find_due(units, drift, now()) is None


def test_a_schedule_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="no cron expression"):
        Settings(retrain_schedule="every monday")


def test_the_server_retrains_by_itself_and_records_why(bank_url: str, tmp_path: Path) -> None:
    with Server(bank_url, tmp_path, CUSTOMER_SEGMENTATION_RETRAIN_AFTER_CHANGES="2") as server:
        for age in (30, 31):
            body = {"customer_id": 56, "age": age}
            server.client.post("/update_customer_details_to_database", json=body)
        deadline = time.monotonic() + 60
        while server.client.get("/health/ready").json()["model_version"] == 1:
            assert time.monotonic() < deadline
            time.sleep(0.2)

        version = server.client.get("/v1/models/2").json()

    assert version["trigger"] == "changed customers"
    assert version["reason"].startswith("2 customers changed since version 1")
