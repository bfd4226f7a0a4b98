"""Whoever follows the feed knows who is in an audience, whatever happens, also much at once."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.errors import CustomerExistsError, CustomerNotFoundError
from customer_segmentation.services.audiences.audiences import (
    NewAudience,
    change_audience,
    create_audience,
)
from customer_segmentation.services.customers.batch import Action, Operation, apply_batch
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    update_customer,
)
from customer_segmentation.services.customers.erasure import erase_customer
from customer_segmentation.services.customers.events import latest_position, read_events
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from tests.support.audiences import meeting, members
from tests.support.shop import open_shop

RULES = ("spent >= 300", "plan = 'Plus' AND visits < 5", "segment = 0 OR NOT spent < 40")
OTHER = "visits >= 3"
CUSTOMERS = [f"R{number}" for number in range(12)]


@pytest.fixture
def shop(empty_database_url: str) -> Iterator[UnitsOfWork]:
    with closing(open_shop(empty_database_url)) as units:
        yield units


def followed(
    units: UnitsOfWork, audience_id: int, start: int, before: set[CustomerId]
) -> set[CustomerId]:
    """Return who is in an audience by what the feed told since a place; nothing is told twice."""
    found = {*before}
    for _, change in read_events(units, start, 100_000):
        if change.cause == "erased":
            found.discard(change.customer_id)
        if change.audience_id == audience_id:
            assert (change.customer_id in found) != change.entered
            (found.add if change.entered else found.remove)(change.customer_id)
    return found


def drawn(chance: random.Random) -> dict[str, float]:
    return {
        "spent": chance.choice([10, 39, 40, 299, 300, 900]),
        "visits": chance.randint(0, 9),
        "plan": chance.choice([0, 1, float("nan")]),
    }


def do_something(units: UnitsOfWork, chance: random.Random) -> None:
    one = chance.choice(CUSTOMERS)
    steps: list[Callable[[], object]] = [
        lambda: units.run(add_customer, one, drawn(chance)),
        lambda: units.run(update_customer, one, drawn(chance)),
        lambda: units.run(update_customer, one, {"visits": chance.randint(0, 9)}),
        lambda: units.run(delete_customer, one),
        lambda: units.run(
            apply_batch,
            [
                Operation(action, who, {} if action is Action.DELETE else drawn(chance))
                for who in chance.sample(CUSTOMERS, 4)
                for action in (chance.choice([*Action][:3]),)
            ],
        ),
    ]
    with suppress(CustomerExistsError, CustomerNotFoundError):
        chance.choices(steps, (4, 4, 4, 1, 2))[0]()


@pytest.mark.both_databases
def test_who_follows_the_feed_knows_who_is_in_each_audience(shop: UnitsOfWork) -> None:
    chance = random.Random(1)
    saved = [create_audience(shop, NewAudience(rule, rule), "") for rule in RULES]
    start = latest_position(shop)
    before = [members(shop, one.id) for one in saved]

    for _ in range(150):
        do_something(shop, chance)
    with suppress(CustomerNotFoundError):
        shop.run(erase_customer, CUSTOMERS[0])

    for one, rule, there in zip(saved, RULES, before, strict=True):
        assert members(shop, one.id) == meeting(shop, rule)
        erased = {*there} - {CUSTOMERS[0]}
        assert followed(shop, one.id, start, erased) == members(shop, one.id)


@pytest.mark.both_databases
def test_a_change_that_waits_for_its_place_comes_before_later_ones(shop: UnitsOfWork) -> None:
    rich = create_audience(shop, NewAudience("Rich", RULES[0]), "")
    shop.run(add_customer, "R0", {"spent": 10, "visits": 0, "plan": 0})
    start = latest_position(shop)

    # Nobody gives this one its place in the feed, before many get theirs at once.
    shop.run(update_customer, "R0", {"spent": 900})
    change_audience(shop, rich.id, {"rule": OTHER}, "")

    told = [
        change.entered
        for _, change in read_events(shop, start, 1_000)
        if change.customer_id == "R0" and change.audience_id == rich.id
    ]
    assert told == [True, False]


@pytest.mark.both_databases
def test_several_writers_at_once_leave_each_audience_right(shop: UnitsOfWork) -> None:
    saved = [create_audience(shop, NewAudience(rule, rule), "") for rule in RULES]
    start = latest_position(shop)
    before = [members(shop, one.id) for one in saved]

    def write(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            do_something(shop, chance)

    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, seed) for seed in range(3)]
        changing = pool.submit(change_audience, shop, saved[0].id, {"rule": OTHER}, "")
        changing.result()
        for written in writing:
            written.result()

    for one, rule, there in zip(saved, (OTHER, *RULES[1:]), before, strict=True):
        assert members(shop, one.id) == meeting(shop, rule)
        assert followed(shop, one.id, start, there) == members(shop, one.id)
