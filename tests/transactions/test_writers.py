"""Several writers of transactions at once leave what one after the other would have."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from sqlalchemy import update

from customer_segmentation.domain.errors import TransactionNotFoundError
from customer_segmentation.domain.transactions import Transaction
from customer_segmentation.services.customers.commands import delete_customer
from customer_segmentation.services.operation.maintenance import examine
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transactions.recounting import recount_transactions
from customer_segmentation.services.transactions.retiring import Retirement
from customer_segmentation.services.transactions.taking import Outcome, take, take_back, take_one
from customer_segmentation.store.queries import transactions
from tests.support.purchases import FIRST, open_purchases, purchase
from tests.support.stored import assert_current

WRITERS = 4


@pytest.fixture
def shop(empty_database_url: str) -> Iterator[UnitsOfWork]:
    with closing(open_purchases(empty_database_url)) as units:
        yield units


def some_purchases(many: int) -> list[Transaction]:
    """Return purchases, half of them of three customers."""
    random = np.random.default_rng(3)
    return [
        purchase(
            number,
            int(random.integers(1, 4) if number % 2 else random.integers(4, FIRST + 1)),
            float(random.choice([0, 6.5, 29.5, 89.5, 150])),
            amount=int(random.integers(-500, 9_000)),
            kind=str(random.choice(["sale", "return"])),
            fields={"shelf": str(random.integers(0, 4))},
        )
        for number in range(many)
    ]


class Writer(threading.Thread):
    """Sends all purchases in an order of its own, in batches and alone, and takes some back."""

    def __init__(self, units: UnitsOfWork, bought: list[Transaction], number: int) -> None:
        super().__init__(daemon=True)
        self.units = units
        self.bought = bought
        self.number = number
        self.stored: Counter[str] = Counter()
        self.deleted: Counter[str] = Counter()
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            self._write()
        except BaseException as fault:
            self.fault = fault
            raise

    def _write(self) -> None:
        random = np.random.default_rng(self.number)
        waiting = [self.bought[place] for place in random.permutation(len(self.bought))]
        while waiting:
            some = [waiting.pop() for _ in range(min(len(waiting), int(random.integers(1, 30))))]
            if len(some) == 1:
                outcome = self.units.submit(take_one, some[0]).result()[0]
                self.stored[str(some[0].transaction_id)] += outcome is Outcome.STORED
                continue
            for taken in self.units.submit(take, some).result():
                assert taken.outcome in {Outcome.STORED, Outcome.REPEATED}, taken.outcome
                self.stored[str(taken.transaction.transaction_id)] += (
                    taken.outcome is Outcome.STORED
                )
            if random.random() < 0.3:
                gone = str(some[0].transaction_id)
                try:
                    self.units.run(take_back, gone)
                except TransactionNotFoundError:
                    continue
                self.deleted[gone] += 1


def write_at_once(units: UnitsOfWork, many: int) -> None:
    """Let writers loose, and see that what is there is what they were told."""
    bought = some_purchases(many)
    writers = [Writer(units, bought, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.fault is None
    stored = sum((writer.stored for writer in writers), Counter[str]())
    deleted = sum((writer.deleted for writer in writers), Counter[str]())
    left = {key for key in stored if stored[key] - deleted[key] == 1}
    assert {stored[key] - deleted[key] for key in stored} <= {0, 1}
    with units.read() as work:
        found = transactions.find(work.connection, [str(one.transaction_id) for one in bought])
    assert {*found} == left
    assert recount_transactions(units) == 0
    assert_current(units)


@pytest.mark.both_databases
def test_several_writers_store_each_transaction_once(shop: UnitsOfWork) -> None:
    write_at_once(shop, 400)


@pytest.mark.long
@pytest.mark.both_databases
def test_several_writers_store_each_of_many_transactions_once(shop: UnitsOfWork) -> None:
    write_at_once(shop, 20_000)


@pytest.mark.both_databases
def test_what_was_stored_wrongly_is_found_and_repaired(
    shop: UnitsOfWork, empty_database_url: str
) -> None:
    shop.run(take, some_purchases(100))
    Retirement(shop, Settings(keep_transactions_days=100)).retire_due()
    shop.run(delete_customer, 9)
    assert recount_transactions(shop) == 0
    customers = shop.customers.table
    with shop.database.write() as connection:
        wrong = {"monetary": 1e6, "spent_lately": 12}
        connection.execute(update(customers).where(customers.c.customer_id == 1).values(wrong))
        known = transactions.read_activity(connection, np.array([2]))
        known[2].states["frequency"] = [1]
        transactions.save_activity(connection, known)

    settings = Settings(database_url=empty_database_url)
    found = {one.subject: one for one in examine(settings, recounted=True)}
    assert found["transactions"].detail == "2 customers did not follow; repaired"

    assert all(one.is_well for one in examine(settings, recounted=True))
    assert_current(shop)
