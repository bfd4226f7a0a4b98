"""Attributes that follow from transactions are at any moment what a fresh computation tells."""

import math
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from customer_segmentation.domain.errors import (
    AttributeFollowsError,
    CustomerNotFoundError,
    SegmentationError,
    TransactionExistsError,
    TransactionNotFoundError,
)
from customer_segmentation.domain.transactions import MICROSECONDS_A_DAY, Transaction, derive
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    get_customer,
    get_history,
    update_customer,
)
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transactions.retiring import Retirement
from customer_segmentation.services.transactions.taking import (
    Outcome,
    Taken,
    list_transactions,
    take,
    take_back,
    take_one,
)
from customer_segmentation.store.queries import models
from tests.support.purchases import FIRST, open_purchases, purchase, today
from tests.support.stored import assert_current, stored_customers


@pytest.fixture
def shop(empty_database_url: str) -> Iterator[UnitsOfWork]:
    with closing(open_purchases(empty_database_url)) as units:
        yield units


def attributes_of(units: UnitsOfWork, customer_id: int) -> dict[str, Any]:
    found = get_customer(units, customer_id).customer.attributes
    return {name: None if math.isnan(value) else value for name, value in found.items()}


def retire(units: UnitsOfWork, days: int) -> None:
    """Remove the transactions that are older than so many days."""
    Retirement(units, Settings(keep_transactions_days=days)).retire_due()


def assert_follows(
    units: UnitsOfWork, taken: Iterable[Transaction], customers: set[int], day: int
) -> None:
    """Hold every attribute that follows, read alone and in bulk, against a fresh computation.

    Args:
        units: over the database.
        taken: the transactions, also those that were removed as they were old.
        customers: whose.
        day: which.
    """
    everyone, all_taken = stored_customers(units), [*taken]
    names = units.schema.names
    for customer_id in customers:
        own = [one for one in all_taken if one.customer_id == customer_id]
        expected = derive(units.schema.derived, own, 100, day)
        found = attributes_of(units, customer_id)
        assert {name: found[name] for name in expected} == expected
        row = everyone.values[everyone.ids == customer_id][0].tolist()
        told = {n: None if math.isnan(v) else v for n, v in zip(names, row, strict=True)}
        assert {name: told[name] for name in expected} == expected


def take_alone(units: UnitsOfWork, one: Transaction) -> list[Taken]:
    """Do as `take`, by what takes one alone."""
    try:
        return [Taken(one, units.run(take_one, one)[0])]
    except SegmentationError as refusal:
        return [Taken(one, refusal)]


@pytest.mark.both_databases
def test_random_transactions_in_any_order_leave_what_a_fresh_computation_tells(
    shop: UnitsOfWork,
) -> None:
    random = np.random.default_rng(7)
    kept: dict[str, Transaction] = {}
    # So that all of them have transactions, which are taken back like others.
    for customer_id in range(1, 6):
        kept[f"T{customer_id}"] = purchase(customer_id, customer_id)
    shop.run(take, [*kept.values()])
    customers = set(range(1, 6))
    oldest, removed = -math.inf, list[Transaction]()
    for step in range(80):
        if step in {15, 30, 45}:
            days = {15: 380, 30: 200, 45: 91}[step]
            retire(shop, days)
            oldest = (today() - days + 1) * MICROSECONDS_A_DAY
            removed += [one for one in kept.values() if one.time < oldest]
            kept = {key: one for key, one in kept.items() if one.time >= oldest}
        if step % 7 == 6 and kept:
            gone = str(random.choice([*kept]))
            shop.run(take_back, gone)
            del kept[gone]
            for one in removed[:1]:
                if one.transaction_id not in kept:
                    with pytest.raises(TransactionNotFoundError, match="not kept any longer"):
                        shop.run(take_back, str(one.transaction_id))
        else:
            some = [
                purchase(
                    int(random.integers(0, 150)),
                    int(random.integers(1, 6)),
                    float(random.choice([0, 0.5, 6.5, 7.5, 29.2, 30.5, 89.5, 91, 250, 390])),
                    amount=None if random.random() < 0.1 else int(random.integers(-500, 9_000)),
                    kind=str(random.choice(["sale", "return"])),
                    fields={} if random.random() < 0.2 else {"shelf": str(random.integers(0, 4))},
                )
                for _ in range(int(random.choice([1, 1, 1, 2, 5, 8])))
            ]
            for taken in shop.run(take, some) if len(some) > 1 else take_alone(shop, some[0]):
                one = taken.transaction
                if taken.outcome is Outcome.STORED:
                    assert one.time >= oldest
                    kept[str(one.transaction_id)] = one
                else:
                    # The id is another one's, unless it is older than what is kept.
                    fault = TransactionExistsError if one.time >= oldest else SegmentationError
                    assert isinstance(taken.outcome, fault)
        if step % 10 == 9:
            assert_follows(shop, [*kept.values(), *removed], customers, today())
    assert removed
    assert_current(shop)


@pytest.mark.both_databases
def test_attributes_change_with_the_days_although_nobody_writes(shop: UnitsOfWork) -> None:
    bought = [purchase(number, 1, days_ago) for number, days_ago in enumerate((0, 0, 20, 80, 200))]
    bought.append(purchase(5, 1, 3, amount=None, fields={"shelf": "A"}))
    shop.run(take, bought)
    kept = {str(one.transaction_id): one for one in bought}

    for later in (1, 6, 7, 29, 30, 45, 90, 500):
        day = today() + later
        with shop.database.write() as connection:
            models.begin_day(connection, day)
        assert_follows(shop, kept.values(), {1}, day)
        # The next one counts what has expired anew.
        if later in {7, 90}:
            ahead = replace(purchase(later, 1), time=bought[0].time + later * MICROSECONDS_A_DAY)
            shop.run(take, [ahead])
            kept[str(ahead.transaction_id)] = ahead
            assert_follows(shop, kept.values(), {1}, day)


def test_the_same_transaction_again_changes_nothing_and_another_with_its_id_is_refused(
    shop: UnitsOfWork,
) -> None:
    one = purchase(1, 1)
    assert shop.run(take_one, one)[0] is Outcome.STORED
    before = attributes_of(shop, 1)

    assert shop.run(take_one, one)[0] is Outcome.REPEATED
    with pytest.raises(TransactionExistsError):
        shop.run(take_one, replace(one, amount=1))

    assert attributes_of(shop, 1) == before
    (again, other) = shop.run(take, [one, replace(one, kind="return")])
    assert again.outcome is Outcome.REPEATED
    assert isinstance(other.outcome, TransactionExistsError)


def test_transactions_of_before_1970_count_like_others(shop: UnitsOfWork) -> None:
    for number, days_ago in enumerate((25_000, 30_000, 28_000)):
        assert shop.run(take_one, purchase(number, 1, days_ago))[0] is Outcome.STORED
    assert shop.run(take, [purchase(9, 1, 29_000)])[0].outcome is Outcome.STORED

    assert attributes_of(shop, 1)["frequency"] == 4
    assert attributes_of(shop, 1)["tenure"] == 30_000


def test_of_a_batch_what_can_be_taken_is_taken_and_each_refusal_is_told(shop: UnitsOfWork) -> None:
    taken = shop.run(take, [purchase(1, 1), purchase(2, 999), purchase(3, 2), purchase(3, 2, 5)])

    outcomes = [one.outcome for one in taken]
    assert outcomes[0] is Outcome.STORED
    assert isinstance(outcomes[1], CustomerNotFoundError)
    assert outcomes[2] is Outcome.STORED
    assert isinstance(outcomes[3], TransactionExistsError)
    assert attributes_of(shop, 2)["frequency"] == 1


def test_a_written_total_gives_way_to_transactions_and_is_not_written_beside_them(
    shop: UnitsOfWork,
) -> None:
    shop.run(update_customer, 1, {"monetary": 500.5, "recency": 12})
    assert attributes_of(shop, 1)["monetary"] == 500.5
    assert attributes_of(shop, 1)["recency"] == 12

    shop.run(take_one, purchase(1, 1, amount=250))

    assert attributes_of(shop, 1)["monetary"] == 2.5
    with pytest.raises(AttributeFollowsError, match="monetary follows from this customer's"):
        shop.run(update_customer, 1, {"monetary": 500.5})
    # What is as it is may be sent back, and the rest is written as always.
    shop.run(update_customer, 1, {"monetary": 2.5, "points": 7})
    assert attributes_of(shop, 1)["points"] == 7
    assert attributes_of(shop, 1)["recency"] == 0
    shop.run(take_back, "T1")
    assert attributes_of(shop, 1)["monetary"] == 0
    shop.run(update_customer, 1, {"monetary": 500.5})
    with pytest.raises(TransactionNotFoundError):
        shop.run(take_back, "T1")


@pytest.mark.both_databases
def test_transactions_that_come_before_their_customer_are_kept_until_it_comes(
    empty_database_url: str,
) -> None:
    with closing(open_purchases(empty_database_url, "kept")) as units:
        bought = [purchase(1, 77), purchase(2, 77, 3)]
        assert [one.outcome for one in units.run(take, bought)] == [Outcome.KEPT, Outcome.KEPT]

        added = units.run(add_customer, 77, dict(get_customer(units, 1).customer.attributes))

        assert added.customer.attributes["frequency"] == 2
        assert attributes_of(units, 77)["monetary"] == 20
        units.run(delete_customer, 77)
        assert len(list_transactions(units, 77, None, 10).transactions) == 2
        units.run(add_customer, 77, dict(get_customer(units, 1).customer.attributes))
        assert attributes_of(units, 77)["frequency"] == 2
        assert_current(units)


def test_transactions_make_their_customer_where_the_schema_says_so(
    empty_database_url: str,
) -> None:
    with closing(open_purchases(empty_database_url, "added")) as units:
        outcome, customer = units.run(take_one, purchase(1, 77, 2, amount=1_999))
        assert outcome is Outcome.STORED
        assert customer is not None
        assert customer.customer.attributes["monetary"] == 19.99
        assert attributes_of(units, 77)["recency"] == 2
        assert get_history(units, 77)[0].cause == "added"
        assert_current(units)


def test_a_page_of_transactions_begins_with_the_newest_and_goes_on(shop: UnitsOfWork) -> None:
    shop.run(take, [purchase(n, 1, days_ago=n % 5) for n in range(12)])

    seen: list[Any] = []
    after = None
    while True:
        page = list_transactions(shop, 1, after, 5)
        seen += page.transactions
        after = page.after
        if after is None:
            break

    assert len({one.transaction_id for one in seen}) == 12
    assert [one.time for one in seen] == sorted((one.time for one in seen), reverse=True)
    assert list_transactions(shop, FIRST, None, 5).transactions == []
    with pytest.raises(CustomerNotFoundError):
        list_transactions(shop, 999, None, 5)
