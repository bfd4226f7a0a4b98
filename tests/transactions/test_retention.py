"""Old transactions are removed: totals outlive them, and none that was counted counts twice."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from customer_segmentation.domain.errors import (
    InvalidInputError,
    SchemaRefusedError,
    SettingsError,
    TransactionNotFoundError,
)
from customer_segmentation.domain.transactions import derive
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    get_customer,
)
from customer_segmentation.services.models.rescoring import rescore
from customer_segmentation.services.operation.startup import open_units
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.schema.apply import apply_schema
from customer_segmentation.services.transactions.daily import begin_today
from customer_segmentation.services.transactions.retiring import Retirement
from customer_segmentation.services.transactions.taking import (
    list_transactions,
    take,
    take_back,
    take_one,
)
from customer_segmentation.store.queries import models
from tests.support.purchases import SCHEMA, open_purchases, purchase, today
from tests.support.stored import assert_current

KEEPS = Settings(keep_transactions_days=100)
BOUGHT = [
    purchase(n, 1 + n % 3, 17 * n, amount=100 * n, fields={"shelf": f"S{n % 5}"}) for n in range(20)
]


@pytest.fixture
def shop(empty_database_url: str) -> Iterator[UnitsOfWork]:
    with closing(open_purchases(empty_database_url)) as units:
        units.run(take, BOUGHT)
        yield units


def attributes_of(units: UnitsOfWork, customer_id: int) -> dict[str, Any]:
    return dict(get_customer(units, customer_id).customer.attributes)


def ids_of(units: UnitsOfWork, customer_id: int) -> list[str]:
    page = list_transactions(units, customer_id, None, 100)
    return [str(one.transaction_id) for one in page.transactions]


@pytest.mark.both_databases
def test_totals_outlive_transactions_and_what_is_gone_is_neither_counted_again_nor_taken_back(
    shop: UnitsOfWork,
) -> None:
    before = [attributes_of(shop, number) for number in (1, 2, 3)]

    Retirement(shop, KEEPS).retire_due()

    assert [attributes_of(shop, number) for number in (1, 2, 3)] == before
    assert {*ids_of(shop, 1), *ids_of(shop, 2), *ids_of(shop, 3)} == {f"T{n}" for n in range(6)}
    for late in (BOUGHT[19], replace(BOUGHT[19], transaction_id="T99")):
        with pytest.raises(InvalidInputError, match="as transactions of before are not kept"):
            shop.run(take_one, late)
    # Also of a customer of whom nothing was removed, or it would depend on who else came when.
    with pytest.raises(InvalidInputError):
        shop.run(take_one, purchase(50, 9, 150))
    with pytest.raises(TransactionNotFoundError, match=r"T19; those before \d{4}-"):
        shop.run(take_back, "T19")
    shop.run(take_back, "T3")
    kept = [one for one in BOUGHT if one.customer_id == 1 and one.transaction_id != "T3"]
    told, expected = attributes_of(shop, 1), derive(shop.schema.derived, kept, 100, today())
    assert {name: told[name] for name in expected if expected[name] is not None} == {
        name: value for name, value in expected.items() if value is not None
    }
    assert_current(shop)


def test_who_has_lost_all_transactions_still_follows_from_them(shop: UnitsOfWork) -> None:
    shop.run(take, [purchase(60, 5, 200, amount=700)])
    Retirement(shop, KEEPS).retire_due()
    assert ids_of(shop, 5) == []
    assert attributes_of(shop, 5)["monetary"] == 7

    customer = attributes_of(shop, 5)
    shop.run(delete_customer, 5)
    shop.run(add_customer, 5, {**customer, "monetary": 1_000})

    assert attributes_of(shop, 5)["monetary"] == 7


def test_transactions_that_wait_for_their_customer_are_carried_to_it(
    empty_database_url: str,
) -> None:
    with closing(open_purchases(empty_database_url, "kept")) as units:
        units.run(take, [purchase(1, 77, 300), purchase(2, 77, 3)])
        Retirement(units, KEEPS).retire_due()

        units.run(add_customer, 77, attributes_of(units, 1))

        assert attributes_of(units, 77)["frequency"] == 2
        assert ids_of(units, 77) == ["T2"]


def test_windows_of_a_day_that_holds_on_lose_nothing(shop: UnitsOfWork) -> None:
    with shop.database.write() as connection:
        models.begin_day(connection, today() - 30)
    rescore(shop)
    before = [attributes_of(shop, number) for number in (1, 2, 3)]

    Retirement(shop, Settings(keep_transactions_days=90)).retire_due()

    assert [attributes_of(shop, number) for number in (1, 2, 3)] == before
    begin_today(shop, KEEPS, lambda: rescore(shop))
    for number in (1, 2, 3):
        own = [one for one in BOUGHT if one.customer_id == number]
        expected = derive(shop.schema.derived, own, 100, today())
        assert attributes_of(shop, number)["spent_lately"] == expected["spent_lately"]


def test_windows_are_not_longer_than_transactions_are_kept(shop: UnitsOfWork) -> None:
    short = Settings(keep_transactions_days=60, database_url=shop.database.url)
    with pytest.raises(SettingsError, match="must be 0 or at least 90, as spent_lately looks"):
        open_units(short)
    with pytest.raises(SettingsError):
        Retirement(shop, short).retire_due()

    longer = SCHEMA.format(unknown="refused").replace('"90d"', '"120d"')
    with pytest.raises(SchemaRefusedError, match="longer than transactions are kept, 100 days"):
        apply_schema(shop, KEEPS, longer, {}, "")
    Retirement(shop, KEEPS).retire_due()
    with pytest.raises(SchemaRefusedError, match="its window of 120 days begins before"):
        apply_schema(shop, Settings(), longer, {}, "")


def test_another_schema_keeps_what_is_carried_of_what_goes_on(shop: UnitsOfWork) -> None:
    before = attributes_of(shop, 1)
    Retirement(shop, KEEPS).retire_due()
    text = SCHEMA.format(unknown="refused").replace('name = "monetary"', 'name = "spent"')
    # What an attribute of that name was is not what it is now.
    text = text.replace('aggregate = "maximum"', 'aggregate = "mean"')

    apply_schema(shop, KEEPS, text, {"monetary": "spent"}, "")

    with closing(UnitsOfWork(shop.database)) as units:
        found = attributes_of(units, 1)
        assert found["spent"] == before["monetary"]
        assert found["average"] == before["average"]
        assert found["largest"] == before["average"]
        with pytest.raises(SchemaRefusedError, match="decimals cannot change while there are"):
            apply_schema(
                units, KEEPS, text.replace("[transactions]", "[transactions]\ndecimals = 3"), {}, ""
            )
        assert_current(units)
