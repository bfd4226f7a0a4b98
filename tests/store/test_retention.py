"""Retention: what is older than the settings say is removed, and what is still needed stays."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from customer_segmentation.domain.errors import CustomerNotFoundError
from customer_segmentation.domain.jobs import JobKind, JobState, Origin, Trigger
from customer_segmentation.services.customers.commands import (
    delete_customer,
    get_history,
    update_customer,
)
from customer_segmentation.services.customers.erasure import erase_customer
from customer_segmentation.services.customers.events import latest_position, read_events
from customer_segmentation.services.jobs.lifecycle import list_jobs, start_job
from customer_segmentation.services.operation.retention import remove_old
from customer_segmentation.services.operation.webhooks import create_webhook, list_dead_letters
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.segments.profiles import count_transitions
from customer_segmentation.store.queries import jobs
from customer_segmentation.store.tables import dead_letters

LATER = now() + timedelta(days=400)


@pytest.mark.both_databases
def test_of_a_customers_old_history_the_last_change_stays(units: UnitsOfWork) -> None:
    other = {"transaction_count": 40, "loyalty_score": 900}
    for customer_id in range(100, 400):
        units.run(update_customer, customer_id, other)
        known = get_history(units, customer_id)
        if len(known) == 2:
            break
    units.run(delete_customer, 57)
    latest = latest_position(units)
    moved = now()

    remove_old(units, Settings(keep_history_days=401), LATER)
    assert get_history(units, customer_id) == known
    remove_old(units, Settings(keep_history_days=1), LATER)

    assert get_history(units, customer_id) == known[1:]
    with pytest.raises(CustomerNotFoundError):
        get_history(units, 57)
    assert sum(count_transitions(units, moved, now()).values()) == 19_999
    assert len(read_events(units, 0, 10_000)) == 10_000
    units.run(delete_customer, 58)
    assert [change.customer_id for _, change in read_events(units, latest, 10)] == [58]
    assert units.run(erase_customer, customer_id).model_versions == (1,)


def test_old_jobs_go_but_for_the_last_of_each_kind(units: UnitsOfWork) -> None:
    ids = []
    for _ in range(3):
        job = start_job(units.database, JobKind.TRAINING, Origin(Trigger.REQUEST, ""))
        with units.database.write() as connection:
            jobs.change(connection, job.id, state=JobState.SUCCEEDED)
        ids.append(job.id)

    remove_old(units, Settings(), now())
    assert len(list_jobs(units)) == 3
    remove_old(units, Settings(), LATER)

    assert [job.id for job in list_jobs(units)] == ids[-1:]


def test_old_dead_letters_go(units: UnitsOfWork) -> None:
    private = Settings(webhook_private_addresses=True)
    webhook = create_webhook(units, private, "http://127.0.0.1:1/hook", "Ada")
    letter = {
        "webhook_id": webhook.id,
        "message_id": "msg_1",
        "after": 0,
        "until": 1,
        "failed_at": now(),
        "error": "answered 500",
    }
    with units.database.write() as connection:
        connection.execute(insert(dead_letters), letter)

    remove_old(units, Settings(), now())
    assert len(list_dead_letters(units, webhook.id)) == 1
    remove_old(units, Settings(), LATER)

    assert list_dead_letters(units, webhook.id) == []
