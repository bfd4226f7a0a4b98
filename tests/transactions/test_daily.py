"""A day begins: what changes with time changes for everybody, and only who moves is written."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from customer_segmentation.domain.errors import JobRunningError
from customer_segmentation.domain.jobs import JobKind
from customer_segmentation.domain.transactions import derive
from customer_segmentation.files.schema_file import parse_schema
from customer_segmentation.services.customers.commands import get_customer, get_history
from customer_segmentation.services.jobs.lifecycle import start_job
from customer_segmentation.services.models.rescoring import rescore
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.schema.apply import apply_schema
from customer_segmentation.services.transactions.daily import begin_due_day, begin_today
from customer_segmentation.services.transactions.taking import take
from customer_segmentation.store.queries import models
from tests.support.purchases import SCHEMA, open_purchases, purchase, today
from tests.support.stored import ORIGIN, assert_current, stored_customers

NOBODY = Settings()


@pytest.fixture
def shop(empty_database_url: str) -> Iterator[UnitsOfWork]:
    with closing(open_purchases(empty_database_url)) as units:
        units.run(take, [purchase(n, 1 + n % 9, n % 40, fields={"shelf": "A"}) for n in range(60)])
        yield units


@pytest.mark.both_databases
def test_a_day_moves_who_the_time_moves_and_says_so(shop: UnitsOfWork) -> None:
    before = stored_customers(shop)
    later = now() + timedelta(days=400)

    assert begin_due_day(shop, NOBODY, later, lambda: None)

    # Before the pass has reached anybody, everybody is read as of the new day.
    read = {number: get_customer(shop, number) for number in before.ids.tolist()}
    rescore(shop)
    after = stored_customers(shop)
    assert {n: one.segment.number for n, one in read.items()} == dict(
        zip(after.ids.tolist(), after.segments.tolist(), strict=True)
    )
    moved = after.ids[before.segments != after.segments].tolist()
    assert moved
    assert {get_history(shop, number)[-1].cause for number in moved} == {"time"}
    assert read[1].customer.attributes["recency"] >= 400
    assert read[1].customer.attributes["bought_lately"] == 0
    assert_current(shop)
    # It is done once, and what was written then is what is read.
    assert not begin_due_day(shop, NOBODY, later, lambda: None)
    assert get_customer(shop, 1) == read[1]


def test_a_day_begins_at_the_time_that_is_set(shop: UnitsOfWork) -> None:
    midnight = (now() + timedelta(days=1)).replace(hour=0, minute=0)
    early, late = midnight + timedelta(minutes=4), midnight + timedelta(minutes=6)

    assert not begin_due_day(shop, NOBODY, early, lambda: None)
    assert begin_due_day(shop, NOBODY, late, lambda: None)
    # The pass of that day is not done yet.
    assert not begin_due_day(shop, NOBODY, late + timedelta(days=1), lambda: None)
    rescore(shop)
    assert begin_due_day(shop, NOBODY, late + timedelta(days=1), lambda: None)
    rescore(shop)


def test_today_begins_at_once_when_asked_and_a_pass_that_was_cut_off_goes_on(
    shop: UnitsOfWork,
) -> None:
    with shop.database.write() as connection:
        models.begin_day(connection, today() - 30)
    # Nobody goes on with the pass of that day: it goes first, and the day holds until it is done.
    held = begin_today(shop, NOBODY, lambda: None)
    assert (held.day, held.has_begun, held.is_written) == (today() - 30, False, False)

    begun = begin_today(shop, NOBODY, lambda: rescore(shop))

    assert (begun.day, begun.has_begun, begun.is_written) == (today(), True, True)
    again = begin_today(shop, NOBODY, lambda: rescore(shop))
    assert (again.day, again.has_begun, again.is_written) == (today(), False, True)
    assert_current(shop)


def test_a_day_waits_for_jobs_that_read_customers_as_of_one_day(shop: UnitsOfWork) -> None:
    with shop.database.write() as connection:
        models.begin_day(connection, today() - 1)
    rescore(shop)
    start_job(shop.database, JobKind.EXPORT, ORIGIN)

    with pytest.raises(JobRunningError):
        begin_today(shop, NOBODY, lambda: None)


@pytest.mark.both_databases
def test_another_schema_counts_anew_what_follows(shop: UnitsOfWork) -> None:
    text = SCHEMA.format(unknown="refused").replace('"7d"', '"20d"')
    text = text.replace('aggregate = "maximum"', 'aggregate = "minimum"')
    text = text.replace('name = "tenure"', 'name = "known_for"')
    text = text.replace(
        "[transactions]",
        '[[attributes]]\nname = "sold"\nkind = "amount"\ndefault = 0\nfrom = "transactions"\n'
        'aggregate = "sum"\nwhere = { kind = ["sale"] }\nwindow = "5d"\n\n[transactions]',
    )

    apply_schema(shop, NOBODY, text, {"tenure": "known_for"}, "")

    with closing(UnitsOfWork(shop.database)) as units:
        schema = parse_schema(text, "of the test")
        bought = [purchase(n, 1 + n % 9, n % 40, fields={"shelf": "A"}) for n in range(60)]
        for customer_id in range(1, 10):
            own = [one for one in bought if one.customer_id == customer_id]
            expected = derive(schema.derived, own, 100, today())
            found = get_customer(units, customer_id).customer.attributes
            assert {name: found[name] for name in expected} == expected
        assert_current(units)
