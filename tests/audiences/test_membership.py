"""Who is in a dynamic audience, and the events about it, are right after every write."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import numpy as np
import pytest

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.errors import (
    AudienceExistsError,
    AudienceNotFoundError,
    InvalidInputError,
    StaleAudienceError,
)
from customer_segmentation.domain.history import FEED_START
from customer_segmentation.services.audiences import membership
from customer_segmentation.services.audiences.audiences import (
    Audience,
    NewAudience,
    change_audience,
    count_matching,
    count_overlaps,
    create_audience,
    delete_audience,
    get_audience,
    list_audiences,
    list_sizes,
    profile_audience,
)
from customer_segmentation.services.audiences.membership import check_audiences, recheck_audiences
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    get_customer,
    get_history,
    update_customer,
)
from customer_segmentation.services.customers.erasure import erase_customer
from customer_segmentation.services.customers.events import read_events
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import audiences
from tests.support.audiences import meeting, members
from tests.support.shop import first_ids, open_shop


def attributes(**changed: float) -> dict[str, float]:
    """Return all attributes of a customer as they are inside, some of them as they are given."""
    return {"spent": 40, "visits": 3, "plan": 0, **changed}


@pytest.fixture
def shop(empty_database_url: str) -> Iterator[UnitsOfWork]:
    with closing(open_shop(empty_database_url)) as units:
        yield units


def events_of(units: UnitsOfWork, audience: Audience) -> list[tuple[CustomerId, bool, str]]:
    """Return who entered an audience and who left it, and why, in the order of the feed."""
    return [
        (change.customer_id, bool(change.entered), str(change.cause))
        for _, change in read_events(units, FEED_START, 10_000)
        if change.audience_id == audience.id
    ]


RICH = NewAudience("Rich", "spent >= 300 AND plan = 'Plus'", owner="Ada")


@pytest.mark.both_databases
def test_every_write_brings_customers_in_and_out_and_says_so(shop: UnitsOfWork) -> None:
    rich = create_audience(shop, RICH, "Ada")
    assert members(shop, rich.id) == meeting(shop, RICH.rule)
    assert rich.size == len(members(shop, rich.id)) > 0
    assert events_of(shop, rich) == []

    shop.run(add_customer, "N", attributes(spent=400, plan=1))
    shop.run(update_customer, "N", {"visits": 9})
    shop.run(update_customer, "N", {"plan": 0})
    shop.run(update_customer, "N", {"plan": 1, "spent": 300})
    shop.run(delete_customer, "N")

    assert events_of(shop, rich) == [
        ("N", True, "added"),
        ("N", False, "updated"),
        ("N", True, "updated"),
        ("N", False, "deleted"),
    ]
    assert {change.audience_id for change in get_history(shop, "N")} == {None}
    assert members(shop, rich.id) == meeting(shop, RICH.rule)


@pytest.mark.both_databases
def test_who_is_erased_is_in_no_audience_and_no_event(shop: UnitsOfWork) -> None:
    rich = create_audience(shop, RICH, "")
    frozen = create_audience(shop, NewAudience("Then", RICH.rule, is_frozen=True), "")
    shop.run(add_customer, "N", attributes(spent=400, plan=1))
    someone = next(iter(members(shop, frozen.id)))

    shop.run(erase_customer, "N")
    erased = shop.run(erase_customer, someone)

    assert erased.removed["audiences"] == 1
    assert "N" not in members(shop, rich.id)
    assert someone not in members(shop, frozen.id)
    assert not {"N", someone} & {customer_id for customer_id, _, _ in events_of(shop, rich)}


@pytest.mark.both_databases
def test_a_frozen_audience_stays_as_it_is(shop: UnitsOfWork) -> None:
    frozen = create_audience(shop, NewAudience("Then", RICH.rule, is_frozen=True), "")
    before = members(shop, frozen.id)

    shop.run(add_customer, "N", attributes(spent=400, plan=1))
    shop.run(update_customer, next(iter(before)), {"plan": 0})

    assert members(shop, frozen.id) == before
    assert events_of(shop, frozen) == []
    with pytest.raises(InvalidInputError, match="frozen"):
        change_audience(shop, frozen.id, {"rule": "spent > 1"}, "")


@pytest.mark.both_databases
def test_another_rule_brings_others_in(shop: UnitsOfWork) -> None:
    rich = create_audience(shop, RICH, "")
    before = members(shop, rich.id)

    changed = change_audience(shop, rich.id, {"rule": "spent < 300"}, "Bo", frozenset({rich.tag}))

    after = members(shop, changed.id)
    assert after == meeting(shop, "spent < 300")
    told = events_of(shop, rich)
    assert {one for one, entered, _ in told if entered} == after - before
    assert {one for one, entered, _ in told if not entered} == before - after
    assert {cause for _, _, cause in told} == {"rule"}
    with pytest.raises(StaleAudienceError):
        change_audience(shop, rich.id, {"owner": "Cy"}, "", frozenset({rich.tag}))
    shop.run(add_customer, "N", attributes(spent=20))
    assert "N" in members(shop, changed.id)


@pytest.mark.both_databases
def test_days_that_pass_bring_customers_in_and_out(
    shop: UnitsOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = create_audience(shop, NewAudience("Fresh", "days_in_segment < 10"), "")
    settled = create_audience(shop, NewAudience("Settled", "days_in_segment >= 10"), "")
    entered = create_audience(shop, NewAudience("Came", "entered_segment(0, 10)"), "")
    assert (fresh.size, settled.size) == (60, 0)
    assert members(shop, entered.id) == meeting(shop, "segment = 0")
    later = now() + timedelta(days=10)
    monkeypatch.setattr(membership, "now", lambda: later)

    check_audiences(shop)

    assert members(shop, fresh.id) == members(shop, entered.id) == set()
    assert len(members(shop, settled.id)) == 60
    assert {told[1:] for told in events_of(shop, settled)} == {(True, "time")}
    assert {told[1:] for told in events_of(shop, fresh)} == {(False, "time")}
    assert list_sizes(shop, settled.id)[-1][1] == 60
    # Once is enough.
    check_audiences(shop)
    assert len(events_of(shop, settled)) == 60


@pytest.mark.both_databases
def test_what_the_model_computes_is_held_against_each_write(shop: UnitsOfWork) -> None:
    sure = create_audience(shop, NewAudience("Sure", "spent > 0 AND confidence >= 0.5"), "")
    odd = create_audience(shop, NewAudience("Odd", "outlier"), "")
    assert 0 < sure.size < 60

    shop.run(add_customer, "N", attributes(spent=9_000_000, visits=4000))

    assert "N" in members(shop, odd.id)
    assert members(shop, sure.id) == meeting(shop, "confidence >= 0.5")
    shop.run(update_customer, "N", {"spent": 40, "visits": 3})
    assert "N" not in members(shop, odd.id)
    assert [told[1] for told in events_of(shop, odd) if told[0] == "N"] == [True, False]


def test_audiences_are_counted_profiled_and_compared(shop: UnitsOfWork) -> None:
    rich = create_audience(shop, RICH, "Ada")
    all_plus = create_audience(shop, NewAudience("Plus", "plan = 'Plus'"), "")

    counted = count_matching(shop, RICH.rule)
    assert (counted.customers, counted.of) == (rich.size, 60)
    assert sum(counted.segments.values()) == rich.size
    ((other, shared),) = count_overlaps(shop, rich.id)
    assert (other.name, shared) == ("Plus", rich.size)
    profile = profile_audience(shop, rich.id)
    spent, _, plan = profile.attributes
    values = [
        get_customer(shop, one).customer.attributes["spent"] for one in members(shop, rich.id)
    ]
    assert spent.mean == pytest.approx(np.mean(values))
    assert plan.mean is None
    assert plan.shares == {"Basic": 0.0, "Plus": 1.0}
    assert plan.shares_of_all["Plus"] == pytest.approx(all_plus.size / 60)
    assert list_sizes(shop, rich.id)[0][1] == rich.size


def test_a_name_is_taken_once_however_it_is_written(shop: UnitsOfWork) -> None:
    rich = create_audience(shop, RICH, "")
    with pytest.raises(AudienceExistsError):
        create_audience(shop, NewAudience(" rich", "spent > 1"), "")
    other = create_audience(shop, NewAudience("Poor", "spent < 1"), "")
    with pytest.raises(AudienceExistsError):
        change_audience(shop, other.id, {"name": "RICH"}, "")
    change_audience(shop, rich.id, {"name": "rich"}, "")
    delete_audience(shop, rich.id, "")
    assert [one.name for one in list_audiences(shop)] == ["Poor"]
    with pytest.raises(AudienceNotFoundError):
        get_audience(shop, rich.id)
    again = create_audience(shop, RICH, "")
    assert again.id not in {rich.id, other.id}


def test_who_is_wrongly_in_or_out_is_found_and_put_right(shop: UnitsOfWork) -> None:
    assert recheck_audiences(shop) is None
    rich = create_audience(shop, RICH, "")
    right = members(shop, rich.id)
    with shop.database.write() as connection:
        wrong = [one for one in first_ids() if one not in right][:2]
        numbers = shop.ids.numbers_of(connection, np.array(wrong, dtype=object))
        audiences.enter(connection, rich.id, np.sort(numbers))
        gone = shop.ids.numbers_of(connection, np.array([min(map(str, right))], dtype=object))
        audiences.leave(connection, rich.id, gone)

    assert recheck_audiences(shop) == 3

    assert members(shop, rich.id) == right
    assert recheck_audiences(shop) == 0
